/*
 * A journal of a store that bears our number and sound checksums, but whose
 * units say anything else: reading it ends and stays in its bounds.  The
 * input is a list of units: how it is sealed (a byte), a length (two), then
 * so many bytes of body.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "queue/pack.h"
#include "queue/store_journal.h"

enum {
	PAGE = STORE_JOURNAL_PAGE,
	MAGIC = 0x554A5350,
	HEAD = 40,
	SALT_AT = 8,
	GENERATION = 7,
	ALIGN = 8,
};

enum { BAD_HEAD = 1, BAD_BODY = 2, OTHER_LENGTH = 4, OTHER_GENERATION = 8,
       OUT_OF_ORDER = 16 };

static char folder[] = "/tmp/journal-fuzz-XXXXXX";
static char path[sizeof(folder) + sizeof(STORE_JOURNAL)];
static uint64_t salt;

static void sweep(void)
{
	unlink(path);
	rmdir(folder);
}

static void make_once(void)
{
	unsigned char front[PAGE];
	struct unpack in = { view_make(front + SALT_AT, 8), false };
	int fd;

	if (salt)
		return;
	if (!mkdtemp(folder) ||
	    store_journal_make(folder, STORE_JOURNAL_LEAST))
		abort();
	snprintf(path, sizeof(path), "%s" STORE_JOURNAL, folder);
	atexit(sweep);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, front, sizeof(front)) != sizeof(front))
		abort();
	close(fd);
	salt = unpack_u64(&in);
}

static void add_unit(struct buffer *out, unsigned how, uint32_t number,
		     struct view body)
{
	struct buffer rest = { NULL, 0, 0, 0 };
	uint32_t len = (uint32_t)body.len;

	pack_u64(&rest, how & OTHER_GENERATION ? GENERATION - 1 : GENERATION);
	pack_u64(&rest, salt);
	pack_u32(&rest, how & OUT_OF_ORDER ? number * number : number);
	pack_u32(&rest, how & OTHER_LENGTH ? len * 257 : len);
	pack_u32(&rest, bytes_crc32c(!!(how & BAD_BODY), body.at, body.len));
	pack_u32(&rest, 0);
	pack_u32(out, MAGIC);
	pack_u32(out, bytes_crc32c(!!(how & BAD_HEAD), rest.data,
				   buffer_len(&rest)));
	buffer_append(out, buffer_view(&rest));
	buffer_append(out, body);
	while (buffer_len(out) % ALIGN)
		buffer_append_byte(out, 0);
	buffer_clear(&rest);
}

static int visit(void *arg, struct view key, const struct view *value)
{
	uint32_t *sum = arg;

	*sum = bytes_crc32c(*sum, key.at, key.len);
	if (value)
		*sum = bytes_crc32c(*sum, value->at, value->len);
	return 0;
}

static void read_it(void)
{
	struct store_journal_sight sight = { .visit = visit };
	struct store_journal *journal;
	uint32_t sum = 0;
	uint64_t newest;

	sight.arg = &sum;
	if (store_journal_open(folder, false, &journal))
		abort();
	store_journal_newest(journal, &newest);
	if (store_journal_walk(journal, GENERATION, &sight) ||
	    (sight.units && newest < GENERATION))
		abort();
	store_journal_close(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct view rest = view_make(data, size);
	struct buffer units = { NULL, 0, 0, 0 };
	size_t room = STORE_JOURNAL_LEAST - PAGE;
	int fd;

	make_once();
	for (uint32_t number = 0; rest.len > 3; number++) {
		size_t len = rest.at[1] | (size_t)rest.at[2] << 8;
		struct view body = view_first(view_from(rest, 3), len);

		if (buffer_len(&units) + HEAD + body.len + ALIGN > room)
			break;
		add_unit(&units, rest.at[0], number, body);
		rest = view_from(rest, 3 + body.len);
	}
	while (buffer_len(&units) < room)
		buffer_append_byte(&units, 0);
	fd = open(path, O_WRONLY);
	if (pwrite(fd, buffer_view(&units).at, room, PAGE) != (ssize_t)room)
		abort();
	close(fd);
	buffer_clear(&units);
	read_it();
	return 0;
}
