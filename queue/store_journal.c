/*
 * Opens, makes and writes journals.  See store_journal.h, and for the bytes
 * store_journal_inner.h.
 */
#include "queue/store_journal_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/folder.h"
#include "queue/pack.h"

enum { FRONT = 20, PATH_ROOM = FOLDER_MAX + 32 };

#define FRONT_MAGIC "PSTNJRN1"

/* --- opening ---------------------------------------------------------- */

static void pack_front(struct buffer *out, uint64_t salt)
{
	buffer_append(out, VIEW(FRONT_MAGIC));
	pack_u64(out, salt);
	pack_u32(out, bytes_crc32c(0, out->data + out->start, buffer_len(out)));
}

static bool unpack_front(struct view raw, uint64_t *salt)
{
	struct unpack in = { view_from(raw, sizeof(FRONT_MAGIC) - 1), false };

	*salt = unpack_u64(&in);
	return view_equal(view_first(raw, sizeof(FRONT_MAGIC) - 1),
			  VIEW(FRONT_MAGIC)) &&
	       unpack_u32(&in) == bytes_crc32c(0, raw.at, FRONT - 4) &&
	       !in.is_bad;
}

static int write_all(int fd, const unsigned char *at, size_t len)
{
	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0)
			return errno;
		at += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? errno : 0;
}

int store_journal_make(const char *folder, uint64_t size)
{
	char path[PATH_ROOM], draft[PATH_ROOM];
	struct buffer bytes = { NULL, 0, 0, 0 };
	struct error ignored;
	uint64_t salt;
	size_t len = STORE_JOURNAL_MOST;
	int fd, rc = 0;

	if (size < len)
		len = size < STORE_JOURNAL_LEAST ? STORE_JOURNAL_LEAST
						 : (size_t)size;
	len -= len % PAGE;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		return errno;
	salt |= 1;
	snprintf(path, sizeof(path), "%s" STORE_JOURNAL, folder);
	snprintf(draft, sizeof(draft), "%s" STORE_JOURNAL_DRAFT, folder);
	fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0)
		return errno;
	pack_front(&bytes, salt);
	memset(buffer_reserve(&bytes, len - FRONT), 0, len - FRONT);
	buffer_added(&bytes, len - FRONT);
	rc = write_all(fd, buffer_view(&bytes).at, buffer_len(&bytes));
	buffer_clear(&bytes);
	close(fd);
	if (!rc && rename(draft, path))
		rc = errno;
	if (rc)
		unlink(draft);
	else if (folder_sync(folder, &ignored))
		rc = EIO;
	return rc;
}

/* The salt of a first page that does not check out is in the unit behind
 * it, where no mail can lie. */
static uint64_t salt_of(const unsigned char *page, const unsigned char *unit)
{
	struct unpack in = { view_make(unit, UNIT_HEAD), false };
	uint64_t salt;
	uint32_t magic, crc;

	if (unpack_front(view_make(page, FRONT), &salt))
		return salt;
	magic = unpack_u32(&in);
	crc = unpack_u32(&in);
	unpack_u64(&in);
	salt = unpack_u64(&in);
	return magic == UNIT_MAGIC &&
			       crc == bytes_crc32c(0, unit + CHECKED,
						   UNIT_HEAD - CHECKED) ?
		       salt :
		       0;
}

int store_journal_open(const char *folder, bool writes,
		       struct store_journal **out)
{
	unsigned char page[FRONT], unit[UNIT_HEAD];
	struct store_journal *journal;
	char path[PATH_ROOM];
	struct stat st;
	int fd;

	*out = NULL;
	snprintf(path, sizeof(path), "%s" STORE_JOURNAL, folder);
	fd = open(path, (writes ? O_RDWR | O_DSYNC : O_RDONLY) | O_CLOEXEC |
				O_NOFOLLOW);
	if (fd < 0)
		return errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    st.st_size < STORE_JOURNAL_LEAST ||
	    st.st_size > STORE_JOURNAL_MOST || st.st_size % PAGE ||
	    pread(fd, page, sizeof(page), 0) != sizeof(page) ||
	    pread(fd, unit, sizeof(unit), PAGE) != sizeof(unit) ||
	    !salt_of(page, unit)) {
		close(fd);
		return EBADMSG;
	}
	journal = must_alloc(sizeof(*journal));
	journal->fd = fd;
	journal->size = (size_t)st.st_size;
	journal->end = PAGE;
	journal->salt = salt_of(page, unit);
	*out = journal;
	return 0;
}

void store_journal_close(struct store_journal *journal)
{
	if (!journal)
		return;
	close(journal->fd);
	buffer_clear(&journal->batch);
	free(journal);
}

/* --- writing ---------------------------------------------------------- */

void store_journal_start(struct store_journal *journal, uint64_t generation)
{
	store_journal_drop(journal);
	if (journal->generation == generation)
		return;
	journal->generation = generation;
	journal->end = PAGE;
	journal->written = 0;
	journal->is_spoiled = false;
}

static void collect(struct store_journal *journal, struct view key,
		    const struct view *value)
{
	static const unsigned char none[UNIT_HEAD];
	struct buffer *batch = &journal->batch;
	size_t len = 8 + key.len + (value ? value->len : 0);

	if (journal->is_over || len > journal->size ||
	    buffer_len(batch) + len + UNIT_HEAD + PAGE > journal->size) {
		journal->is_over = true;
		return;
	}
	if (!journal->is_open) {
		journal->is_open = true;
		journal->unit = buffer_len(batch);
		buffer_append(batch, view_make(none, UNIT_HEAD));
	}
	pack_u32(batch, (uint32_t)key.len);
	pack_u32(batch, value ? (uint32_t)value->len : DELETED);
	buffer_append(batch, key);
	if (value)
		buffer_append(batch, *value);
}

void store_journal_put(struct store_journal *journal, struct view key,
		       struct view value)
{
	collect(journal, key, &value);
}

void store_journal_delete(struct store_journal *journal, struct view key)
{
	collect(journal, key, NULL);
}

static void fill(struct buffer *out, size_t align)
{
	size_t more = (align - buffer_len(out) % align) % align;

	memset(buffer_reserve(out, more), 0, more);
	buffer_added(out, more);
}

void store_journal_mark(struct store_journal *journal)
{
	struct buffer *batch = &journal->batch, head = { NULL, 0, 0, 0 };
	struct buffer rest = { NULL, 0, 0, 0 };
	unsigned char *at;
	size_t len;

	if (!journal->is_open)
		return;
	at = batch->data + batch->start + journal->unit;
	len = buffer_len(batch) - journal->unit - UNIT_HEAD;
	pack_u64(&rest, journal->generation);
	pack_u64(&rest, journal->salt);
	pack_u32(&rest, journal->written + journal->units);
	pack_u32(&rest, (uint32_t)len);
	pack_u32(&rest, bytes_crc32c(0, at + UNIT_HEAD, len));
	pack_u32(&rest, 0);
	pack_u32(&head, UNIT_MAGIC);
	pack_u32(&head, bytes_crc32c(0, rest.data, buffer_len(&rest)));
	buffer_append(&head, buffer_view(&rest));
	memcpy(at, head.data, UNIT_HEAD);
	buffer_clear(&head);
	buffer_clear(&rest);
	fill(batch, ALIGN);
	journal->units++;
	journal->is_open = false;
}

void store_journal_drop(struct store_journal *journal)
{
	buffer_reset(&journal->batch);
	journal->units = 0;
	journal->is_open = journal->is_over = false;
}

bool store_journal_has_batch(const struct store_journal *journal)
{
	return journal->units || journal->is_open || journal->is_over;
}

bool store_journal_fits(const struct store_journal *journal)
{
	size_t left = journal->size - journal->end;

	/* A unit's filling comes on top. */
	return !journal->is_spoiled && !journal->is_over &&
	       buffer_len(&journal->batch) + ALIGN <= left;
}

int store_journal_write(struct store_journal *journal)
{
	struct buffer *batch = &journal->batch;
	size_t len;
	ssize_t n;
	int rc = 0;

	store_journal_mark(journal);
	if (!store_journal_fits(journal)) {
		store_journal_drop(journal);
		return ENOSPC;
	}
	fill(batch, PAGE);
	len = buffer_len(batch);
	n = pwrite(journal->fd, batch->data + batch->start, len,
		   (off_t)journal->end);
	if (n != (ssize_t)len)
		rc = n < 0 ? errno : EIO;
	journal->is_spoiled |= rc != 0;
	if (!rc) {
		journal->end += len;
		journal->written += journal->units;
	}
	store_journal_drop(journal);
	return rc;
}

bool store_journal_has(const struct store_journal *journal,
		       uint64_t generation)
{
	return journal->written && journal->generation == generation;
}
