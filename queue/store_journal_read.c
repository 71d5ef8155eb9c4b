/*
 * Reads journals: as bytes from a stranger, for the disk may have changed
 * any of them.  See store_journal.h.
 */
#include "queue/store_journal_inner.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/pack.h"

struct unit {
	uint64_t generation;
	uint32_t sequence, crc;
	struct view body;
};

/* Is there a head of ours, its body inside the file? */
static bool read_head(struct view raw, uint64_t salt, struct unit *out)
{
	struct unpack in = { view_first(raw, UNIT_HEAD), false };
	uint32_t crc, len;

	if (raw.len < UNIT_HEAD || unpack_u32(&in) != UNIT_MAGIC)
		return false;
	crc = unpack_u32(&in);
	if (crc != bytes_crc32c(0, raw.at + CHECKED, UNIT_HEAD - CHECKED))
		return false;
	out->generation = unpack_u64(&in);
	if (unpack_u64(&in) != salt)
		return false;
	out->sequence = unpack_u32(&in);
	len = unpack_u32(&in);
	out->crc = unpack_u32(&in);
	out->body = view_from(raw, UNIT_HEAD);
	if (len > out->body.len)
		return false;
	out->body.len = len;
	return true;
}

static bool is_next(struct unpack *in, struct view *key, struct view *value,
		    bool *is_delete)
{
	uint32_t key_len = unpack_u32(in), len = unpack_u32(in);

	*is_delete = len == DELETED;
	if (*is_delete)
		len = 0;
	if (in->is_bad || !key_len || key_len > in->rest.len ||
	    len > in->rest.len - key_len)
		return false;
	*key = view_first(in->rest, key_len);
	*value = view_first(view_from(in->rest, key_len), len);
	in->rest = view_from(in->rest, (size_t)key_len + len);
	return true;
}

static bool is_whole(const struct unit *unit)
{
	struct unpack in = { unit->body, false };
	struct view key, value;
	bool is_delete;

	if (unit->crc != bytes_crc32c(0, unit->body.at, unit->body.len))
		return false;
	while (in.rest.len)
		if (!is_next(&in, &key, &value, &is_delete))
			return false;
	return true;
}

static int show(const struct unit *unit, const struct store_journal_sight *to)
{
	struct unpack in = { unit->body, false };
	struct view key, value;
	bool is_delete;
	int rc = 0;

	while (!rc && in.rest.len && to->visit &&
	       is_next(&in, &key, &value, &is_delete))
		rc = to->visit(to->arg, key, is_delete ? NULL : &value);
	return rc;
}

/* Pages that the disk does not give are as empty; how many there are. */
static size_t read_units(const struct store_journal *journal,
			 unsigned char **out)
{
	size_t all = journal->size - PAGE, bad = 0;

	*out = must_alloc(all);
	if (pread(journal->fd, *out, all, PAGE) == (ssize_t)all)
		return 0;
	for (size_t at = 0; at < all; at += PAGE) {
		if (pread(journal->fd, *out + at, PAGE, (off_t)(PAGE + at)) ==
		    PAGE)
			continue;
		memset(*out + at, 0, PAGE);
		bad++;
	}
	return bad;
}

/* A whole unit behind others that are not: those are missing. */
static void note_gap(struct store_journal_sight *sight,
		     const struct unit *unit, uint32_t expected, size_t from,
		     size_t at)
{
	if (unit->sequence == expected)
		return;
	if (!sight->missing) {
		sight->first = PAGE + from;
		sight->bytes = at - from;
	}
	sight->missing += unit->sequence - expected;
}

/* What may be a head of the generation that does not check out. Heads that
 * are older do, and mail does not know the salt. */
static bool is_ruin(struct view raw, uint64_t salt, uint64_t generation)
{
	struct unpack in = { view_first(raw, UNIT_HEAD), false };
	struct unit ignored;
	int marks = unpack_u32(&in) == UNIT_MAGIC;

	unpack_u32(&in);
	marks += unpack_u64(&in) == generation;
	marks += unpack_u64(&in) == salt;
	return !in.is_bad && marks >= 2 && !read_head(raw, salt, &ignored);
}

/* Behind the last unit comes the next one of its batch, or a new batch. */
static bool has_ruin(struct view rest, size_t to_page, uint64_t salt,
		     uint64_t generation)
{
	return is_ruin(rest, salt, generation) ||
	       is_ruin(view_from(rest, to_page), salt, generation);
}

int store_journal_walk(struct store_journal *journal, uint64_t generation,
		       struct store_journal_sight *sight)
{
	unsigned char *units;
	uint32_t expected = 0;
	size_t from = 0, all = journal->size - PAGE;
	int rc = 0;

	sight->unread = read_units(journal, &units);
	sight->units = sight->missing = 0;
	sight->is_cut = false;
	for (size_t at = 0; !rc && at < all;) {
		struct unit unit;

		if (!read_head(view_make(units + at, all - at),
			       journal->salt, &unit) ||
		    unit.generation != generation ||
		    unit.sequence < expected) {
			at += ALIGN;
			continue;
		}
		/* Behind a length that is right comes the next one. */
		sight->is_cut = !is_whole(&unit);
		if (!sight->is_cut) {
			note_gap(sight, &unit, expected, from, at);
			rc = show(&unit, sight);
			sight->units++;
			expected = unit.sequence + 1;
		}
		at += UNIT_HEAD + unit.body.len;
		at += (ALIGN - at % ALIGN) % ALIGN;
		if (!sight->is_cut)
			from = at;
	}
	if (!sight->is_cut)
		sight->is_cut = has_ruin(view_make(units + from, all - from),
					 (PAGE - from % PAGE) % PAGE,
					 journal->salt, generation);
	free(units);
	return rc;
}

void store_journal_newest(struct store_journal *journal, uint64_t *generation)
{
	unsigned char *units;
	size_t all = journal->size - PAGE;

	read_units(journal, &units);
	*generation = 0;
	/* Into the bodies, too: what is damaged may hide no other unit. */
	for (size_t at = 0; at < all; at += ALIGN) {
		struct unit unit;

		if (read_head(view_make(units + at, all - at), journal->salt,
			      &unit) &&
		    unit.generation > *generation)
			*generation = unit.generation;
	}
	free(units);
}

bool store_journal_is_as_written(const struct store_journal *journal,
				 const struct store_journal_sight *sight)
{
	return sight->units == journal->written && !sight->missing &&
	       !sight->unread;
}

