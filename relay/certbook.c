/*
 * The book of partners' certificates.  As text: a head line, then one line
 * for each entry, fields between tabs.  What the fields hold was escaped
 * when it came off the wire; a line that does not read is passed over, for
 * the book tells and decides nothing.
 */
#include "relay/certbook.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/chain.h"

static const char head[] = "postern-certificates 1\n";

enum {
	DAY = 24 * 3600,
	FORGET_DAYS = 400,  /* not seen for so long: no partner's any more */
	WARN_SEEN_DAYS = 30, /* only of what was met lately */
};

/* --- entries --------------------------------------------------------- */

void certbook_clear(struct certbook *book)
{
	free(book->entries);
	*book = (struct certbook){ NULL, 0 };
}

struct certbook_entry *certbook_find(const struct certbook *book,
				     const char *policy, const char *host)
{
	size_t i;

	for (i = 0; i < book->count; i++)
		if (strcmp(book->entries[i].host, host) == 0 &&
		    strcmp(book->entries[i].policy, policy) == 0)
			return &book->entries[i];
	return NULL;
}

static void drop(struct certbook *book, size_t at)
{
	book->entries[at] = book->entries[--book->count];
}

static size_t longest_unseen(const struct certbook *book)
{
	size_t i, worst = 0;

	for (i = 1; i < book->count; i++)
		if (book->entries[i].last_seen <
		    book->entries[worst].last_seen)
			worst = i;
	return worst;
}

struct certbook_entry *certbook_get(struct certbook *book, const char *policy,
				    const char *host)
{
	struct certbook_entry *entry = certbook_find(book, policy, host);

	if (entry != NULL)
		return entry;
	if (book->count == CERTBOOK_MAX)
		drop(book, longest_unseen(book));
	/* It doubles whenever it is full. */
	if ((book->count & (book->count - 1)) == 0)
		book->entries = must_realloc(book->entries,
					     (book->count ? book->count * 2
							  : 1) *
						     sizeof(*entry));
	entry = &book->entries[book->count++];
	memset(entry, 0, sizeof(*entry));
	snprintf(entry->policy, sizeof(entry->policy), "%s", policy);
	snprintf(entry->host, sizeof(entry->host), "%s", host);
	return entry;
}

/* --- text ------------------------------------------------------------ */

enum kind { TEXT, NUMBER };

#define FIELD(member, kind) \
	{ offsetof(struct certbook_entry, member), \
	  sizeof(((struct certbook_entry *)0)->member), kind }

static const struct field {
	size_t at, size;
	enum kind kind;
} fields[] = {
	FIELD(policy, TEXT),	    FIELD(host, TEXT),
	FIELD(sha256, TEXT),	    FIELD(previous, TEXT),
	FIELD(pin, TEXT),	    FIELD(issuer, TEXT),
	FIELD(names, TEXT),	    FIELD(not_before, NUMBER),
	FIELD(not_after, NUMBER),   FIELD(first_seen, NUMBER),
	FIELD(last_seen, NUMBER),   FIELD(verdict, TEXT),
	FIELD(changes, NUMBER),	    FIELD(flips, NUMBER),
	FIELD(warned, NUMBER),
	FIELD(would_failed, NUMBER), FIELD(would, TEXT),
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

/* The numbers are of 4 or 8 bytes; dates before 1970 count as 0. */
static uint64_t get_number(const struct field *field, const void *from)
{
	uint32_t small;
	uint64_t large;

	if (field->size == sizeof(small)) {
		memcpy(&small, from, sizeof(small));
		return small;
	}
	memcpy(&large, from, sizeof(large));
	return large > INT64_MAX ? 0 : large;
}

static int read_number(const struct field *field, struct view word, void *to)
{
	uint64_t large;
	uint32_t small;
	bool is_small = field->size == sizeof(small);

	if (view_number(word, is_small ? UINT32_MAX : INT64_MAX, &large))
		return -1;
	small = (uint32_t)large;
	memcpy(to, is_small ? (void *)&small : (void *)&large, field->size);
	return 0;
}

static int read_text(const struct field *field, struct view word, void *to)
{
	char *out = to;

	if (word.len >= field->size || view_index(word, 0) < word.len)
		return -1;
	if (word.len > 0)
		memcpy(out, word.at, word.len);
	out[word.len] = '\0';
	return 0;
}

static int read_entry(struct view line, struct certbook_entry *entry)
{
	size_t i;

	for (i = 0; i < FIELDS; i++) {
		size_t end = view_index(line, '\t');
		struct view word = view_first(line, end);
		void *to = (char *)entry + fields[i].at;

		if ((end == line.len) != (i + 1 == FIELDS))
			return -1;
		if (fields[i].kind == TEXT ? read_text(&fields[i], word, to)
					   : read_number(&fields[i], word, to))
			return -1;
		line = view_from(line, end + 1);
	}
	return entry->policy[0] && entry->host[0] ? 0 : -1;
}

size_t certbook_read(struct certbook *book, struct view text)
{
	struct certbook_entry entry;
	size_t bad = 0;

	if (!view_starts_fold(text, view_of(head)))
		return text.len > 0;
	text = view_from(text, strlen(head));
	while (text.len > 0) {
		struct view line = view_cut(&text, '\n');

		memset(&entry, 0, sizeof(entry));
		if (read_entry(line, &entry) == 0)
			*certbook_get(book, entry.policy, entry.host) = entry;
		else
			bad++;
	}
	return bad;
}

void certbook_write(const struct certbook *book, struct buffer *out)
{
	size_t i, k;

	buffer_append(out, view_of(head));
	for (i = 0; i < book->count; i++)
		for (k = 0; k < FIELDS; k++) {
			const char *from = (const char *)&book->entries[i] +
					   fields[k].at;

			if (fields[k].kind == TEXT)
				buffer_append(out, view_of(from));
			else
				buffer_printf(out, "%" PRIu64,
					      get_number(&fields[k], from));
			buffer_append_byte(out, k + 1 < FIELDS ? '\t' : '\n');
		}
}

/* --- sightings ------------------------------------------------------- */

int64_t certbook_days_left(const struct certbook_entry *entry, int64_t now)
{
	int64_t left = entry->not_after - now;

	return left >= 0 ? left / DAY : -((-left + DAY - 1) / DAY);
}

static void take_certificate(struct certbook_entry *to,
			     const struct certbook_entry *from)
{
	memcpy(to->sha256, from->sha256, sizeof(to->sha256));
	memcpy(to->pin, from->pin, sizeof(to->pin));
	memcpy(to->issuer, from->issuer, sizeof(to->issuer));
	memcpy(to->names, from->names, sizeof(to->names));
	to->not_before = from->not_before;
	to->not_after = from->not_after;
	to->first_seen = from->first_seen;
	to->warned = 0;
}

/* "; issued by X, before Y", or nothing. */
static void tell_change(char out[CERTBOOK_TEXT_MAX], const char *what,
			const char *old, const char *now)
{
	enum { SHOWN = 90 };
	size_t len = strlen(out);

	if (strcmp(old, now) != 0)
		snprintf(out + len, CERTBOOK_TEXT_MAX - len,
			 "; %s %.*s, before %.*s", what, SHOWN,
			 now[0] ? now : "none", SHOWN, old[0] ? old : "none");
}

void certbook_change_text(const struct certbook_entry *old,
			  const struct certbook_entry *now,
			  char out[CERTBOOK_TEXT_MAX])
{
	char was[16], is[16];

	snprintf(out, CERTBOOK_TEXT_MAX, "certificate changed: %s key",
		 strcmp(old->pin, now->pin) == 0 ? "the same" : "another");
	tell_change(out, "bears", old->names, now->names);
	tell_change(out, "issued by", old->issuer, now->issuer);
	chain_date(old->not_after, was);
	chain_date(now->not_after, is);
	tell_change(out, "ends", was, is);
	if (now->flips == CERTBOOK_FLIPS_TOLD)
		snprintf(out + strlen(out), CERTBOOK_TEXT_MAX - strlen(out),
			 "; it presents two certificates by turns, which is "
			 "not told again");
}

/* Back to the one before, soon after it came. */
static bool is_flip(const struct certbook_entry *old,
		    const struct certbook_entry *seen)
{
	return old->previous[0] && strcmp(seen->sha256, old->previous) == 0 &&
	       seen->last_seen - old->first_seen < DAY;
}

static void enter(struct certbook *book, const struct certbook_entry *seen,
		  certbook_say *say, void *arg)
{
	struct certbook_entry *entry =
		certbook_get(book, seen->policy, seen->host);
	struct certbook_entry old = *entry;
	bool is_other = seen->sha256[0] &&
			strcmp(seen->sha256, entry->sha256) != 0;

	entry->would_failed += seen->would_failed;
	if (seen->would[0])
		memcpy(entry->would, seen->would, sizeof(entry->would));
	/* Another worker may have seen something newer. */
	if (seen->last_seen < entry->last_seen)
		return;
	entry->last_seen = seen->last_seen;
	if (seen->verdict[0])
		memcpy(entry->verdict, seen->verdict, sizeof(entry->verdict));
	if (!is_other)
		return;
	take_certificate(entry, seen);
	if (!old.sha256[0])
		return;
	memcpy(entry->previous, old.sha256, sizeof(entry->previous));
	entry->changes++;
	entry->flips = 0;
	if (is_flip(&old, seen)) {
		entry->flips = old.flips < UINT_MAX ? old.flips + 1 : UINT_MAX;
		entry->warned = old.warned;
	}
	if (entry->flips <= CERTBOOK_FLIPS_TOLD)
		say(arg, CERTBOOK_CHANGED, &old, entry);
}

static void warn_of_end(struct certbook_entry *entry, int64_t now,
			certbook_say *say, void *arg)
{
	static const unsigned marks[] = { 1, 7, 30 };
	int64_t left = certbook_days_left(entry, now);
	size_t i;

	if (!entry->sha256[0] || now - entry->last_seen > WARN_SEEN_DAYS * DAY)
		return;
	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (left <= (int64_t)marks[i])
			break;
	if (i == sizeof(marks) / sizeof(marks[0]) ||
	    (entry->warned && entry->warned <= marks[i]))
		return;
	entry->warned = marks[i];
	say(arg, CERTBOOK_ENDS, NULL, entry);
}

void certbook_merge(struct certbook *book, const struct certbook *sightings,
		    int64_t now, certbook_say *say, void *arg)
{
	size_t i;

	for (i = 0; i < sightings->count; i++)
		enter(book, &sightings->entries[i], say, arg);
	for (i = book->count; i-- > 0;)
		if (now - book->entries[i].last_seen >
		    (int64_t)FORGET_DAYS * DAY)
			drop(book, i);
	for (i = 0; i < book->count; i++)
		warn_of_end(&book->entries[i], now, say, arg);
}
