/*
 * The journal's bytes: what was written is read again, what is damaged is
 * left out and counted, and nothing else is taken for a unit.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/store_journal.h"

enum { PAGE = STORE_JOURNAL_PAGE, HEAD = 40, GENERATION = 7 };

struct bench {
	char folder[64], path[96];
	struct store_journal *journal;
	char seen[4096]; /* "+key=value " and "-key " */
};

static int note(void *arg, struct view key, const struct view *value)
{
	struct bench *b = arg;
	size_t len = strlen(b->seen);

	if (value)
		snprintf(b->seen + len, sizeof(b->seen) - len, "+%.*s=%.*s ",
			 (int)key.len, (const char *)key.at,
			 value->len > 8 ? 8 : (int)value->len,
			 (const char *)value->at);
	else
		snprintf(b->seen + len, sizeof(b->seen) - len, "-%.*s ",
			 (int)key.len, (const char *)key.at);
	return 0;
}

static void open_it(struct bench *b, bool writes)
{
	store_journal_close(b->journal);
	assert_int_equal(store_journal_open(b->folder, writes, &b->journal),
			 0);
}

static void make(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	snprintf(b->folder, sizeof(b->folder), "/tmp/postern-journal-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->path, sizeof(b->path), "%s/journal", b->folder);
	assert_int_equal(store_journal_open(b->folder, true, &b->journal),
			 ENOENT);
	assert_int_equal(store_journal_make(b->folder, 0), 0);
	open_it(b, true);
	store_journal_start(b->journal, GENERATION);
}

static void clear(struct bench *b)
{
	store_journal_close(b->journal);
	assert_int_equal(unlink(b->path), 0);
	assert_int_equal(rmdir(b->folder), 0);
}

/* What another process finds there. */
static struct store_journal_sight look(struct bench *b, uint64_t generation)
{
	struct store_journal_sight sight = { .visit = note, .arg = b };

	b->seen[0] = '\0';
	open_it(b, false);
	assert_int_equal(store_journal_walk(b->journal, generation, &sight),
			 0);
	return sight;
}

static void put(struct bench *b, const char *key, const char *value)
{
	store_journal_put(b->journal, view_of(key), view_of(value));
	store_journal_mark(b->journal);
}

static void write_one(struct bench *b, const char *key, const char *value)
{
	put(b, key, value);
	assert_int_equal(store_journal_write(b->journal), 0);
}

static unsigned char flip(struct bench *b, size_t at)
{
	int fd = open(b->path, O_RDWR);
	unsigned char byte, other;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	other = byte ^ 0x10;
	assert_int_equal(pwrite(fd, &other, 1, (off_t)at), 1);
	close(fd);
	return byte;
}

static void what_was_written_is_read_in_order(void **state)
{
	struct store_journal_sight sight;
	uint64_t newest;
	struct bench b;

	(void)state;
	make(&b);
	put(&b, "a", "1");
	store_journal_put(b.journal, view_of("b"), view_of("2"));
	store_journal_delete(b.journal, view_of("a"));
	assert_true(store_journal_has_batch(b.journal));
	assert_int_equal(store_journal_write(b.journal), 0);
	assert_false(store_journal_has_batch(b.journal));
	write_one(&b, "c", "");
	/* Undone. */
	put(&b, "d", "4");
	store_journal_drop(b.journal);
	assert_true(store_journal_has(b.journal, GENERATION));
	for (int twice = 0; twice < 2; twice++) {
		sight = look(&b, GENERATION);
		assert_string_equal(b.seen, "+a=1 +b=2 -a +c= ");
		assert_int_equal(sight.units, 3);
		assert_int_equal(sight.missing, 0);
		assert_false(sight.is_cut);
	}
	store_journal_newest(b.journal, &newest);
	assert_int_equal(newest, GENERATION);
	clear(&b);
}

static void other_generations_are_void(void **state)
{
	struct bench b;

	(void)state;
	make(&b);
	write_one(&b, "a", "1");
	write_one(&b, "b", "2");
	assert_int_equal(look(&b, GENERATION - 1).units, 0);
	assert_int_equal(look(&b, GENERATION + 1).units, 0);
	open_it(&b, true);
	store_journal_start(b.journal, GENERATION + 1);
	write_one(&b, "c", "3");
	assert_int_equal(look(&b, GENERATION + 1).units, 1);
	assert_string_equal(b.seen, "+c=3 ");
	clear(&b);
}

/* Three batches of a unit each, every byte of each unit. */
static void a_flipped_byte_costs_its_unit_alone(void **state)
{
	static const char *const left[] = { "+b=2 +c=3 ", "+a=1 +c=3 ",
					    "+a=1 +b=2 " };
	struct bench b;

	(void)state;
	make(&b);
	write_one(&b, "a", "1");
	write_one(&b, "b", "2");
	write_one(&b, "c", "3");
	for (size_t unit = 0; unit < 3; unit++)
		for (size_t i = 0; i < HEAD + 10; i++) {
			size_t at = (unit + 1) * PAGE + i;
			struct store_journal_sight sight;
			unsigned char was = flip(&b, at);
			int fd;

			sight = look(&b, GENERATION);
			assert_string_equal(b.seen, left[unit]);
			assert_int_equal(sight.missing, unit < 2);
			/* Nothing is left out silently. */
			assert_int_equal(sight.is_cut, unit == 2);
			if (unit < 2)
				assert_true(sight.first <= at &&
					    sight.first + sight.bytes > at);
			fd = open(b.path, O_RDWR);
			assert_int_equal(pwrite(fd, &was, 1, (off_t)at), 1);
			close(fd);
		}
	assert_int_equal(look(&b, GENERATION).units, 3);
	clear(&b);
}

static void a_torn_batch_is_read_as_far_as_it_is_whole(void **state)
{
	struct store_journal_sight sight;
	char large[3000];
	struct bench b;

	(void)state;
	make(&b);
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	write_one(&b, "a", "1");
	put(&b, "b", large);
	put(&b, "c", large);
	put(&b, "d", large);
	assert_int_equal(store_journal_write(b.journal), 0);
	for (off_t kept = 17; kept >= 6; kept--) {
		int fd = open(b.path, O_RDWR);
		char *rest = calloc(1, 24 * 512);

		assert_int_equal(pwrite(fd, rest, 24 * 512,
					2 * PAGE + kept * 512), 24 * 512);
		close(fd);
		free(rest);
		sight = look(&b, GENERATION);
		assert_true(sight.units >= 2 && sight.units < 4);
		assert_int_equal(sight.missing, 0);
		assert_memory_equal(b.seen, "+a=1 ", 5);
	}
	assert_string_equal(b.seen, "+a=1 +b=xxxxxxxx ");
	clear(&b);
}

static void foreign_units_are_none(void **state)
{
	struct store_journal *none;
	struct bench b, other;
	unsigned char unit[PAGE];
	uint64_t newest;
	int from, to;

	(void)state;
	make(&b);
	make(&other);
	write_one(&b, "a", "1");
	write_one(&other, "x", "1");
	write_one(&other, "y", "1");
	from = open(other.path, O_RDONLY);
	to = open(b.path, O_RDWR);
	assert_int_equal(pread(from, unit, PAGE, 2 * PAGE), PAGE);
	assert_int_equal(pwrite(to, unit, PAGE, 2 * PAGE), PAGE);
	close(from);
	close(to);
	assert_int_equal(look(&b, GENERATION).units, 1);
	assert_string_equal(b.seen, "+a=1 ");
	/* The first page is damaged: the first unit knows the number. */
	flip(&b, 10);
	assert_int_equal(look(&b, GENERATION).units, 1);
	assert_string_equal(b.seen, "+a=1 ");
	flip(&b, PAGE + 9);
	assert_int_equal(store_journal_open(b.folder, false, &none), EBADMSG);
	store_journal_newest(b.journal, &newest);
	assert_int_equal(newest, 0);
	clear(&other);
	clear(&b);
}

static void garbage_is_nothing(void **state)
{
	struct bench b;
	uint32_t x = 1;
	int fd;

	(void)state;
	make(&b);
	fd = open(b.path, O_RDWR);
	for (off_t at = PAGE; at < STORE_JOURNAL_LEAST; at += 4) {
		x = x * 1664525 + 1013904223;
		/* Every other word begins like a unit. */
		if (at % 8 == 0)
			assert_int_equal(pwrite(fd, "PSJU", 4, at), 4);
		else
			assert_int_equal(pwrite(fd, &x, 4, at), 4);
	}
	assert_int_equal(look(&b, GENERATION).units, 0);
	assert_int_equal(ftruncate(fd, 5000), 0);
	close(fd);
	store_journal_close(b.journal);
	assert_int_equal(store_journal_open(b.folder, false, &b.journal),
			 EBADMSG);
	assert_null(b.journal);
	clear(&b);
}

static void what_has_no_room_is_not_written(void **state)
{
	static char large[STORE_JOURNAL_LEAST];
	unsigned count = 0;
	struct bench b;

	(void)state;
	make(&b);
	memset(large, 'x', sizeof(large) - 1);
	put(&b, "a", large);
	assert_false(store_journal_fits(b.journal));
	assert_int_equal(store_journal_write(b.journal), ENOSPC);
	for (;;) {
		put(&b, "a", "1");
		if (!store_journal_fits(b.journal))
			break;
		assert_int_equal(store_journal_write(b.journal), 0);
		count++;
	}
	assert_int_equal(count, STORE_JOURNAL_LEAST / PAGE - 1);
	assert_int_equal(store_journal_write(b.journal), ENOSPC);
	/* Anew. */
	store_journal_start(b.journal, GENERATION + 1);
	write_one(&b, "b", "2");
	assert_int_equal(look(&b, GENERATION + 1).units, 1);
	clear(&b);
}

static void after_a_failed_write_the_generation_takes_no_more(void **state)
{
	struct bench b;

	(void)state;
	make(&b);
	write_one(&b, "a", "1");
	/* One that cannot be written to. */
	open_it(&b, false);
	store_journal_start(b.journal, GENERATION);
	put(&b, "b", "2");
	assert_int_equal(store_journal_write(b.journal), EBADF);
	put(&b, "b", "2");
	assert_false(store_journal_fits(b.journal));
	store_journal_start(b.journal, GENERATION);
	assert_false(store_journal_fits(b.journal));
	store_journal_start(b.journal, GENERATION + 1);
	assert_true(store_journal_fits(b.journal));
	clear(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_in_order),
		cmocka_unit_test(other_generations_are_void),
		cmocka_unit_test(a_flipped_byte_costs_its_unit_alone),
		cmocka_unit_test(a_torn_batch_is_read_as_far_as_it_is_whole),
		cmocka_unit_test(foreign_units_are_none),
		cmocka_unit_test(garbage_is_nothing),
		cmocka_unit_test(what_has_no_room_is_not_written),
		cmocka_unit_test(
			after_a_failed_write_the_generation_takes_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
