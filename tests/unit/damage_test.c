/*
 * Damaged stores: bytes flipped one at a time, files cut.  Whatever the
 * damage, the check or LMDB itself lives with it, and every record whose
 * bytes are whole is saved.  Each trial runs in a process of its own, some
 * side by side; CRASH=all tries every byte, else some.
 */
#include "tests/unit/damage_sample.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/check.h"
#include "queue/message.h"
#include "queue/salvage.h"

enum {
	MAP = DAMAGE_MAP,
	PAGE = 4096,
	ABREAST = 2,
	STRIDE = 1499,
	NOTHING = -1, /* instead of a byte to flip */
};

static bool is_all(void)
{
	const char *crash = getenv("CRASH");

	return crash && !strcmp(crash, "all");
}

/* --- one trial, in its own process -------------------------------------- */

static void write_file(const char *path, const unsigned char *at, size_t len)
{
	FILE *file = fopen(path, "wb");

	if (!file || fwrite(at, 1, len, file) != len || fclose(file))
		_exit(99);
}

struct trial {
	const struct sample *sample;
	long flipped; /* this byte, or NOTHING */
	size_t cut;   /* the file ends here */
	char folder[64];
};

enum { GOOD, NEW_STORE_FAILED = 10, SALVAGE_FAILED, NOT_SOUND, MISSING,
       LMDB_FAILED, CHANGED };

static void flip(const struct trial *trial)
{
	const struct buffer *file = &trial->sample->file;

	if (trial->flipped != NOTHING)
		file->data[file->start + (size_t)trial->flipped] ^=
			(unsigned char)(1u << trial->flipped % 8 |
					(trial->flipped % 5 ? 0 : 0xA0));
}

/* Does the damage lie in the record's bytes, wherever they stand? */
static bool is_hit(const struct trial *trial, const struct saved *record)
{
	size_t len = buffer_len(&record->value);

	for (size_t i = 0; i < record->place_count; i++) {
		size_t at = record->places[i], end = at + len;

		if (end > trial->cut ||
		    (trial->flipped >= (long)at && trial->flipped < (long)end))
			return true;
	}
	return !record->place_count;
}

/* A job is worth nothing without its message. */
static bool is_excused(const struct trial *trial, const struct saved *record)
{
	char id[MESSAGE_ID_LEN + 1], other[MESSAGE_ID_LEN + 1];

	if (is_hit(trial, record))
		return true;
	if (buffer_view(&record->key).at[0] != RECORD_JOB)
		return false;
	record_id(buffer_view(&record->value), id);
	for (size_t i = 0; i < trial->sample->count; i++) {
		const struct saved *r = &trial->sample->records[i];

		record_id(buffer_view(&r->value), other);
		if (buffer_view(&r->key).at[0] == RECORD_MESSAGE &&
		    !strcmp(id, other))
			return is_hit(trial, r);
	}
	return false;
}

static void say_nothing(void *arg, const struct salvage_news *news)
{
	(void)arg;
	if (getenv("TRACE"))
		fprintf(stderr, "%d %s\n", (int)news->fate, news->text);
}

static int find_all(const struct trial *trial, struct store *store)
{
	struct store_txn *txn;
	struct view found;
	int result = GOOD;

	if (store_read(store, &txn))
		return LMDB_FAILED;
	for (size_t i = 0; i < trial->sample->count; i++) {
		const struct saved *r = &trial->sample->records[i];

		if (is_excused(trial, r))
			continue;
		if (store_get(txn, buffer_view(&r->key), &found))
			result = MISSING;
		/* A message may have learned of a job. */
		else if (buffer_view(&r->key).at[0] != 'M' &&
			 !view_equal(found, buffer_view(&r->value)))
			result = CHANGED;
		if (result && getenv("TRACE"))
			fprintf(stderr, "%.*s\n", (int)buffer_len(&r->key),
				(const char *)buffer_view(&r->key).at);
		if (result)
			break;
	}
	store_abort(txn);
	return result;
}

static int try_salvage(const struct trial *trial, const char *file)
{
	struct salvage_settings set = { .files = &file,
					.file_count = 1,
					.say = say_nothing };
	struct salvage_counts counts;
	struct check_result check;
	struct error error;
	char folder[96], made[128];
	int result;

	snprintf(folder, sizeof(folder), "%s/new", trial->folder);
	snprintf(made, sizeof(made), "%s/data.mdb", folder);
	set.into = store_open(folder, MAP, &error);
	if (!set.into)
		return NEW_STORE_FAILED;
	if (salvage(&set, &counts, &error))
		return SALVAGE_FAILED;
	result = find_all(trial, set.into);
	store_close(set.into);
	if (!result && (check_file(made, true, &check) || !check.is_sound))
		result = NOT_SOUND;
	if (result == NOT_SOUND && getenv("TRACE"))
		fprintf(stderr, "%s\n", check.why.text);
	return result;
}

/* What passed must bear to be worked with: what is written later destroys
 * nothing that was there. */
static int try_work(const struct trial *trial, const char *folder)
{
	static unsigned char bytes[9000];
	struct error error;
	struct store *store = store_open(folder, MAP, &error);
	int rc = 0, result;

	if (!store)
		return NEW_STORE_FAILED;
	for (uint32_t i = 0; i < 24 && !rc; i++) {
		struct key key = key_chunk("ZZZZZZZZZZZZZZZZZZZZZZZZZZ", i / 2);
		struct store_txn *txn;

		rc = store_begin(store, &txn);
		if (rc)
			break;
		rc = i % 2 ? store_delete(txn, key_view(&key)) :
			     store_put(txn, key_view(&key),
				       view_make(bytes, 500 + 350 * i));
		if (rc)
			store_abort(txn);
		else
			rc = store_commit(txn);
	}
	result = rc ? LMDB_FAILED : find_all(trial, store);
	store_close(store);
	return result;
}

static int try_one(const struct trial *trial)
{
	const struct sample *sample = trial->sample;
	struct check_result check;
	char folder[96], file[128];

	snprintf(folder, sizeof(folder), "%s/old", trial->folder);
	snprintf(file, sizeof(file), "%s/data.mdb", folder);
	mkdir(folder, 0700);
	flip(trial);
	write_file(file, sample->file.data + sample->file.start, trial->cut);
	if (check_file(file, sample->has_dues, &check))
		return NOT_SOUND;
	if (check.is_sound)
		return try_work(trial, folder);
	if (getenv("TRACE"))
		fprintf(stderr, "%s\n", check.why.text);
	return try_salvage(trial, file);
}

static void clean(const struct trial *trial)
{
	static const char *const names[] = { "old/data.mdb", "old/lock.mdb",
					     "new/data.mdb", "new/lock.mdb",
					     "new.new/data.mdb",
					     "new.new/lock.mdb" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", trial->folder, names[i]);
		unlink(path);
	}
}

static bool run_trial(const struct trial *trial)
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(try_one(trial));
	waitpid(child, &status, 0);
	if (status)
		fprintf(stderr, "%s: byte %ld of %zu: status %d, signal %d\n",
			trial->sample->name, trial->flipped, trial->cut,
			WEXITSTATUS(status), WTERMSIG(status));
	clean(trial);
	return !status;
}

/* --- many of them, some side by side ------------------------------------ */

struct trials {
	struct trial *at;
	size_t count;
};

static void add(struct trials *all, const struct sample *sample, long flipped,
		size_t cut)
{
	all->at = must_realloc(all->at, (all->count + 1) * sizeof(*all->at));
	all->at[all->count++] = (struct trial){ .sample = sample,
						.flipped = flipped,
						.cut = cut };
}

static void remove_all(const char *folder)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command))
		_exit(98);
}

/* Every so-manieth of them; ends the process. */
static void run_share(const struct trials *all, size_t first)
{
	char folder[64];
	bool is_good = true;

	/* Where syncing costs nothing, if there is such a place. */
	snprintf(folder, sizeof(folder), "%s/postern-damage-XXXXXX",
		 access("/dev/shm", W_OK | X_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(folder))
		_exit(97);
	for (size_t i = first; i < all->count; i += ABREAST) {
		memcpy(all->at[i].folder, folder, sizeof(folder));
		is_good &= run_trial(&all->at[i]);
	}
	remove_all(folder);
	_exit(!is_good);
}

/* Takes them. */
static void run_trials(struct trials *all)
{
	pid_t children[ABREAST];
	int status, failed = 0;

	assert_true(all->count > 0);
	for (size_t i = 0; i < ABREAST; i++) {
		children[i] = fork();
		if (!children[i])
			run_share(all, i);
	}
	for (size_t i = 0; i < ABREAST; i++) {
		waitpid(children[i], &status, 0);
		failed += status != 0;
	}
	free(all->at);
	assert_int_equal(failed, 0);
}

/* --- the cases ---------------------------------------------------------- */

static void a_sound_store_passes(void **state)
{
	const struct samples *samples = *state;

	for (int i = 0; i < 2; i++) {
		const struct sample *sample = &samples->at[i];
		struct check_result check;
		char path[160];

		assert_true(sample->count >= 6);
		snprintf(path, sizeof(path), "%s/data.mdb", sample->folder);
		assert_int_equal(check_file(path, sample->has_dues, &check), 0);
		if (!check.is_sound)
			fail_msg("%s: %s", path, check.why.text);
		assert_true(check.records >= sample->count);
		assert_int_equal(check.bad, 0);
	}
}

static void a_flipped_byte_costs_no_more_than_its_record(void **state)
{
	const struct samples *samples = *state;
	struct trials all = { NULL, 0 };
	size_t stride = is_all() ? 1 : STRIDE;

	for (int i = 0; i < 2; i++)
		for (size_t at = 0; at < buffer_len(&samples->at[i].file);
		     at += stride)
			add(&all, &samples->at[i], (long)at,
			    buffer_len(&samples->at[i].file));
	run_trials(&all);
}

/* What LMDB steers by: meta pages, and the heads of all pages. */
static void a_flipped_head_costs_nothing(void **state)
{
	const struct samples *samples = *state;
	struct trials all = { NULL, 0 };

	for (int i = 0; i < 2; i++) {
		size_t len = buffer_len(&samples->at[i].file);

		for (size_t page = 0; page < len; page += PAGE) {
			bool is_meta = page < 2 * PAGE;

			for (size_t at = page / PAGE % 11;
			     at < (is_meta ? 160 : 24); at += 11)
				add(&all, &samples->at[i], (long)(page + at),
				    len);
		}
	}
	run_trials(&all);
}

static void a_file_that_was_cut_keeps_what_is_left(void **state)
{
	const struct samples *samples = *state;
	struct trials all = { NULL, 0 };

	for (int i = 0; i < 2; i++) {
		size_t len = buffer_len(&samples->at[i].file);

		for (size_t cut = 0; cut < len; cut += PAGE)
			add(&all, &samples->at[i], NOTHING, cut);
		add(&all, &samples->at[i], NOTHING, len - 1000);
	}
	run_trials(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_store_passes),
		cmocka_unit_test(a_flipped_byte_costs_no_more_than_its_record),
		cmocka_unit_test(a_flipped_head_costs_nothing),
		cmocka_unit_test(a_file_that_was_cut_keeps_what_is_left),
	};

	return cmocka_run_group_tests(tests, damage_samples_make,
				      damage_samples_drop);
}
