/*
 * Saves what can be saved.  See salvage.h.
 *
 * As far as the newest tree leads, its records are taken.  Where it is
 * broken, the tree of the transaction before it is followed, too, and then
 * the bytes of every page that neither is part of what was followed nor free
 * are searched for records.  That may find records of mail that went long
 * ago: better twice than not at all.  Mail cannot forge a record in its own
 * body: a frame has NULs in it, and no message does.
 */
#include "queue/salvage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/clock.h"
#include "queue/holds.h"
#include "queue/ledger.h"
#include "queue/losses.h"
#include "queue/mend.h"
#include "queue/message.h"
#include "queue/pages.h"
#include "queue/salvage_journal.h"

enum {
	BATCH = 4 * 1024 * 1024, /* bytes put in one transaction */
	/* Below 16 MiB the length in a frame has a NUL. */
	RECORD_MAX = 0xFFFFFF,
	PAGE_HEAD = sizeof(size_t) + 8,
};

struct salvage {
	const struct salvage_settings *set;
	struct salvage_counts *counts;
	struct mend *mend;
	struct pages pages;
	struct salvage_journal journal; /* of the same file */
	struct store_txn *txn;
	size_t in_batch;
	int code;     /* the new store's */
	bool has_bad; /* a tree led to what does not check out */
	struct losses losses;
};

/* --- the new store ---------------------------------------------------- */

static void say(struct salvage *s, enum salvage_fate fate, const char *what,
		const char *more)
{
	char text[128 + ERROR_TEXT_MAX];
	struct salvage_news news = { .fate = fate, .text = text };

	snprintf(text, sizeof(text), "%s%s", what, more);
	s->set->say(s->set->arg, &news);
}

static void flush(struct salvage *s)
{
	if (s->txn && s->code)
		store_abort(s->txn);
	else if (s->txn)
		s->code = store_commit(s->txn);
	s->txn = NULL;
	s->in_batch = 0;
}

static void put(struct salvage *s, struct key key, struct view value)
{
	if (!s->code)
		s->code = store_put(s->txn, key_view(&key), value);
	s->in_batch += value.len + key.len;
}

/* True, and what is there, when the new store has something under the key;
 * false also when nothing more can be done. */
static bool has(struct salvage *s, struct key key, struct view *value)
{
	int rc;

	if (s->code)
		return false;
	rc = store_get(s->txn, key_view(&key), value);
	if (rc && !store_is_absent(rc))
		s->code = rc;
	return !rc;
}

static bool is_there(struct salvage *s, struct key key)
{
	struct view ignored;

	return has(s, key, &ignored);
}

/* --- records ---------------------------------------------------------- */

static bool is_gone(const struct salvage *s, struct key key)
{
	return salvage_journal_is_gone(&s->journal, key_view(&key));
}

static void take_message(struct salvage *s, const char *id, uint32_t number,
			 struct view raw)
{
	struct message_record message;

	(void)number;
	if (is_gone(s, key_message(id)) || message_unpack(raw, id, &message))
		return;
	message_record_clear(&message);
	mend_note(s->mend, id);
	if (!is_there(s, key_message(id)))
		put(s, key_message(id), raw);
}

/* Attempts only grow, and open recipients only become fewer. */
static bool is_further(const struct progress *a, const struct progress *b)
{
	if (a->attempts != b->attempts)
		return a->attempts > b->attempts;
	return a->open_count < b->open_count;
}

static void take_job(struct salvage *s, const char *id, uint32_t part,
		     struct view raw)
{
	struct progress found, known;
	char lane[LANE_NAME_MAX + 1];
	struct view old;
	bool is_new = true, has_lane = !progress_lane(raw, lane);

	if ((has_lane && is_gone(s, key_job(lane, id, part))) ||
	    progress_unpack(raw, id, &found))
		return;
	mend_note(s->mend, id);
	if (has_lane) {
		if (has(s, key_job(lane, id, part), &old) &&
		    !progress_unpack(old, id, &known)) {
			is_new = is_further(&found, &known);
			if (is_new && !s->code)
				s->code = ledger_leave(s->txn, lane,
						       key_due(lane, known.due,
							       id, part));
			progress_clear(&known);
		}
		if (is_new)
			put(s, key_job(lane, id, part), raw);
	}
	progress_clear(&found);
}

static void take_chunk(struct salvage *s, const char *id, uint32_t number,
		       struct view raw)
{
	struct buffer mark = { NULL, 0, 0, 0 };

	if (is_there(s, key_chunk(id, number)))
		return;
	put(s, key_chunk(id, number), raw);
	mend_note(s->mend, id);
	/* Of nobody, until a message claims it. */
	if (is_there(s, key_message(id)) || is_there(s, key_open(id)))
		return;
	record_begin(&mark);
	record_seal(&mark, RECORD_OPEN, id, 0);
	put(s, key_open(id), buffer_view(&mark));
	buffer_clear(&mark);
}

static void take_hold(struct salvage *s, const char *id, uint32_t number,
		      struct view raw)
{
	struct hold hold;

	(void)id, (void)number;
	if (hold_unpack(raw, &hold))
		return;
	put(s, key_hold(&hold.rule), raw);
}

static void take_clock(struct salvage *s, const char *id, uint32_t number,
		       struct view raw)
{
	struct clock_record found, known;
	struct view old;

	(void)id, (void)number;
	if (clock_unpack(raw, &found))
		return;
	if (has(s, key_clock(), &old) && !clock_unpack(old, &known) &&
	    known.spool >= found.spool)
		return;
	put(s, key_clock(), raw);
}

/* Lanes' back-offs, and marks of open bodies, are made anew. */
static const struct taker {
	enum record_kind kind;
	void (*take)(struct salvage *s, const char *id, uint32_t number,
		     struct view raw);
	const char *name;
} takers[] = {
	{ RECORD_MESSAGE, take_message, "the envelope of " },
	{ RECORD_JOB, take_job, "the state of a delivery of " },
	{ RECORD_CHUNK, take_chunk, "a piece of the body of " },
	{ RECORD_HOLD, take_hold, "a rule that holds mail" },
	{ RECORD_CLOCK, take_clock, "the clock" },
	{ RECORD_LANE, NULL, NULL },
	{ RECORD_OPEN, NULL, NULL },
};

static bool begins(struct salvage *s)
{
	if (s->in_batch >= BATCH)
		flush(s);
	if (!s->code && !s->txn)
		s->code = store_begin(s->set->into, &s->txn);
	return !s->code;
}

static const struct taker *taker_of(struct view raw)
{
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
		if (record_is_framed(raw, takers[i].kind))
			return &takers[i];
	return NULL;
}

/* A whole record; false when it does not check out. */
static bool take(struct salvage *s, struct view raw)
{
	const struct taker *taker = taker_of(raw);
	char id[MESSAGE_ID_LEN + 1];
	struct view payload;
	uint32_t number;

	if (!taker || record_open(raw, taker->kind, NULL, &number, &payload))
		return false;
	record_id(raw, id);
	if (taker->take && begins(s))
		taker->take(s, id, number, raw);
	return true;
}

static void lose(struct salvage *s, struct view raw)
{
	const struct taker *taker = taker_of(raw);

	s->has_bad = true;
	if (taker && taker->take)
		losses_add(&s->losses, taker->kind, raw);
}

static void tell_loss(void *arg, const struct loss *loss)
{
	struct salvage *s = arg;
	const char *name;
	size_t i = 0;

	while ((char)takers[i].kind != loss->kind)
		i++;
	name = takers[i].name;
	if (loss->kind == RECORD_JOB)
		mend_note_lost(s->mend, loss->id);
	s->counts->lost++;
	/* Those that belong to a message end in "of ". */
	say(s, SALVAGE_LOST, name,
	    name[strlen(name) - 1] == ' ' ? loss->id : "");
}

/* --- where a tree leads ----------------------------------------------- */

static void visit(void *arg, struct view key, struct view value)
{
	struct salvage *s = arg;
	struct key aside = { .len = key.len };
	struct job_key job;

	if (key.at[0] == RECORD_DUE ||
	    salvage_journal_is_gone(&s->journal, key))
		return;
	if (key.at[0] != RECORD_QUARANTINE || s->set->takes_aside) {
		if (take(s, value))
			return;
		if (!key_parse(key, &job))
			mend_note_lost(s->mend, job.id);
		/* Its node may be what is wrong: then its page is searched
		 * for it. */
		if (record_length(value) && record_length(value) != value.len)
			s->has_bad = true;
		else
			lose(s, value);
		return;
	}
	if (key.len <= KEY_MAX + 1 && begins(s)) {
		memcpy(aside.at, key.at, key.len);
		put(s, aside, value);
	}
}

/* --- where none leads ------------------------------------------------- */

/* A record that begins in a page: in it, or, at the front of a page, on
 * those that follow, too. Its length when it was taken, else 0. */
static size_t take_at(struct salvage *s, size_t number,
		      const unsigned char *page, size_t at)
{
	struct pages *p = &s->pages;
	struct view raw = view_make(page + at, p->size - at);
	size_t len = record_length(raw), pages;
	unsigned char *more;

	if (!len || len > RECORD_MAX)
		return 0;
	if (len <= raw.len) {
		raw.len = len;
		if (take(s, raw))
			return len;
		lose(s, raw);
		return 0;
	}
	pages = (at + len + p->size - 1) / p->size;
	if (at != PAGE_HEAD || pages > p->count - number)
		return 0;
	more = must_alloc(pages * p->size);
	if (pages_read(p, number, pages, more) ||
	    !take(s, view_make(more + at, len))) {
		lose(s, raw);
		pages = 0;
	}
	/* What is in a body is no record. */
	for (size_t i = 0; i < pages; i++)
		p->use[number + i] = PAGE_SEARCHED;
	free(more);
	return pages ? len : 0;
}

static void search_page(struct salvage *s, size_t number,
			const unsigned char *page)
{
	size_t size = s->pages.size, at = 0, taken;

	while (at + RECORD_FRAME <= size) {
		const unsigned char *found = memchr(page + at, 'P', size - at);

		if (!found)
			break;
		at = (size_t)(found - page);
		taken = at + RECORD_FRAME <= size ? take_at(s, number, page, at)
						  : 0;
		at += taken ? taken : 1;
	}
}

static bool is_searched(const struct salvage *s, size_t number)
{
	unsigned char use = s->pages.use[number];

	return use == PAGE_UNKNOWN ||
	       (s->has_bad && (use == PAGE_LEAF || use == PAGE_OVERFLOW));
}

static void search_pages(struct salvage *s)
{
	unsigned char *page = must_alloc(s->pages.size);
	bool *wanted = must_alloc(s->pages.count + 1);

	for (size_t i = PAGES_METAS; i < s->pages.count; i++)
		wanted[i] = is_searched(s, i);
	for (size_t i = PAGES_METAS; i < s->pages.count && !s->code; i++) {
		if (!wanted[i] || s->pages.use[i] == PAGE_SEARCHED)
			continue;
		if (pages_read(&s->pages, i, 1, page)) {
			s->counts->lost++;
			say(s, SALVAGE_LOST, "a page that cannot be read", "");
			continue;
		}
		search_page(s, i, page);
	}
	free(wanted);
	free(page);
}

/* --- all of it -------------------------------------------------------- */

/* Marks what is free by the newest tree's own list, unless that is wrong
 * somewhere: then it is not believed at all. */
static void mark_free(struct pages *p)
{
	struct pages_walk walk = { .visit = NULL };

	pages_walk_free(p, &p->meta[p->newest], &walk);
	for (size_t i = 0; walk.faults && i < p->count; i++)
		if (p->use[i] == PAGE_FREE)
			p->use[i] = PAGE_UNKNOWN;
}

/* What lay behind the end of the file cannot be named. */
static void tell_cut(struct salvage *s)
{
	const struct pages *p = &s->pages;
	const struct pages_meta *meta = &p->meta[p->newest];
	char text[64];

	if (!meta->is_good || meta->last < p->count)
		return;
	snprintf(text, sizeof(text), "%zu of its %zu pages",
		 meta->last + 1 - p->count, meta->last + 1);
	s->counts->lost++;
	say(s, SALVAGE_LOST, "the end of the file: ", text);
}

/* What is newer than the newest tree. */
static void read_journal(struct salvage *s, const char *file)
{
	const struct pages *p = &s->pages;
	const struct pages_meta *meta = &p->meta[p->newest];
	char text[80];
	int rc = salvage_journal_open(&s->journal, file,
				      meta->is_good ? meta->txn : 0);

	if (rc || s->journal.missing || s->journal.unread) {
		snprintf(text, sizeof(text), "%u, and %zu of its pages",
			 s->journal.missing, s->journal.unread);
		s->counts->lost++;
		s->counts->is_whole = false;
		say(s, SALVAGE_LOST, "changes in the journal: ",
		    rc ? "it cannot be read" : text);
	}
	salvage_journal_each(&s->journal, visit, s);
}

static void collect(struct salvage *s)
{
	struct pages *p = &s->pages;
	struct pages_walk walk = { .visit = visit, .arg = s };
	struct pages_walk old = walk;
	/* Else the newest one may be the one that is broken. */
	bool is_newest = pages_metas_agree(p), is_whole;

	if (p->meta[p->newest].is_good)
		pages_walk(p, &p->meta[p->newest], PAGES_MAIN, &walk);
	is_whole = is_newest && !walk.faults;
	s->counts->is_whole &= is_whole;
	if (is_whole && !s->has_bad)
		return;
	if (!is_whole)
		tell_cut(s);
	if (!is_whole)
		say(s, SALVAGE_NOTED, "the tree is broken: ",
		    walk.faults ? walk.first.text
				: "a meta page does not check out");
	if (is_newest)
		mark_free(p);
	if (!is_whole && p->meta[!p->newest].is_good)
		pages_walk(p, &p->meta[!p->newest], PAGES_MAIN, &old);
	search_pages(s);
}

int salvage(const struct salvage_settings *settings,
	    struct salvage_counts *counts, struct error *error)
{
	struct salvage s = { .set = settings, .counts = counts };
	int rc = 0;

	*counts = (struct salvage_counts){ .is_whole = true };
	s.mend = mend_new(settings, counts);
	for (size_t i = 0; i < settings->file_count && !rc && !s.code; i++) {
		rc = pages_open(&s.pages, settings->files[i], error);
		if (rc)
			break;
		s.has_bad = false;
		read_journal(&s, settings->files[i]);
		collect(&s);
		flush(&s);
		salvage_journal_close(&s.journal);
		pages_close(&s.pages);
	}
	if (!rc && !s.code)
		s.code = losses_tell(&s.losses, settings->into, tell_loss, &s);
	if (!rc && !s.code)
		s.code = mend_all(s.mend);
	mend_free(s.mend);
	losses_clear(&s.losses);
	return s.code ? error_set(error, "what is saved cannot be stored: %s",
				  store_say(s.code))
		      : rc;
}
