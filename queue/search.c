/*
 * Looks through one lane on the disk.  See search.h.
 */
#include "queue/search.h"

#include <stdlib.h>
#include <string.h>

#include "queue/ident.h"

enum { SMALL_READ_MAX = 64 * 1024 };

static int compare(const void *a, const void *b)
{
	const struct search_skip *x = a, *y = b;
	int order = memcmp(x->id, y->id, MESSAGE_ID_LEN);

	return order ? order : (x->part > y->part) - (x->part < y->part);
}

static bool is_skipped(const struct search *search, const struct job_key *key)
{
	struct search_skip wanted = { .part = key->part };

	memcpy(wanted.id, key->id, MESSAGE_ID_LEN);
	if (search->skip_count &&
	    bsearch(&wanted, search->skip, search->skip_count, sizeof(wanted),
		    compare))
		return true;
	for (size_t i = 0; i < search->found_count; i++)
		if (search->found[i].key.part == key->part &&
		    !memcmp(search->found[i].key.id, key->id, MESSAGE_ID_LEN))
			return true;
	return false;
}

static void add_bad(struct search *search, const struct found *found, bool has_job)
{
	search->bad = must_realloc(search->bad, (search->bad_count + 1) *
						    sizeof(*search->bad));
	search->bad[search->bad_count++] =
		(struct bad_found){ found->home, found->key, has_job };
}

static int read_job(struct store_txn *txn, const struct job_key *key,
		    struct progress *progress, bool *is_good)
{
	struct key job = key_job(key->lane, key->id, key->part);
	struct view raw;
	int rc = store_get(txn, key_view(&job), &raw);

	*is_good = !rc && !progress_unpack(raw, key->id, progress);
	return rc;
}

static bool indexes_fit(const struct progress *progress,
			const struct envelope *envelope)
{
	for (size_t i = 0; i < progress->open_count; i++)
		if (progress->open[i].index >= envelope->recipient_count)
			return false;
	return true;
}

static void take_body(struct search *search, struct found *found)
{
	struct view body = found->message.small_body;

	if (!found->message.place.chunks && body.len <= search->body_room) {
		buffer_append(&found->body, body);
		found->has_body = true;
		search->body_room -= body.len;
	}
	found->message.small_body = view_make("", 0);
}

static void found_clear(struct found *found)
{
	message_record_clear(&found->message);
	progress_clear(&found->progress);
	buffer_clear(&found->body);
}

/* Reads the job and its message; what does not check out is noted. */
static int add_found(struct search *search, struct store_txn *txn,
		     const struct found *wanted)
{
	struct found found = *wanted;
	struct key key = key_message(found.key.id);
	struct view raw = { NULL, 0 };
	bool is_good, has_job;
	int rc;

	note_reading(search->note, found.key.id);
	rc = read_job(txn, &found.key, &found.progress, &is_good);
	has_job = !rc;
	if (is_good)
		rc = store_get(txn, key_view(&key), &raw);
	if (rc && !store_is_absent(rc))
		return rc;
	if (rc || !is_good ||
	    message_unpack(raw, found.key.id, &found.message) ||
	    !indexes_fit(&found.progress, found.message.envelope)) {
		note_reading(search->note, NULL);
		add_bad(search, &found, has_job);
		found_clear(&found);
		return 0;
	}
	found.key.due = found.progress.due;
	take_body(search, &found);
	note_reading(search->note, NULL);
	store_forget(txn, raw);
	search->found = must_realloc(search->found, (search->found_count + 1) *
							sizeof(found));
	search->found[search->found_count++] = found;
	return 0;
}

/* --- walks ----------------------------------------------------------- */

struct walk {
	struct store_txn *txn;
	struct store_cursor *cursor;
	struct key prefix;
	struct view key, value;
	struct job_key at;
	int rc;
};

/* Where the walk stands is a key of its lane; parses it. */
static bool walk_is_on(struct walk *w)
{
	struct view prefix = key_view(&w->prefix);

	return !w->rc && view_equal(view_first(w->key, prefix.len), prefix) &&
	       !key_parse(w->key, &w->at);
}

static bool walk_from(struct walk *w, struct key from)
{
	w->rc = store_seek(w->cursor, key_view(&from), &w->key, &w->value);
	return walk_is_on(w);
}

static bool walk_next(struct walk *w)
{
	w->rc = store_next(w->cursor, &w->key, &w->value);
	return walk_is_on(w);
}

static int walk_code(const struct walk *w)
{
	return store_is_absent(w->rc) ? 0 : w->rc;
}

/* Nothing is told of what is on hold. */
static bool is_noticed(struct walk *w)
{
	struct progress progress;
	bool is_good, is_noticed;

	if (read_job(w->txn, &w->at, &progress, &is_good) || !is_good)
		return false;
	is_noticed = progress.is_noticed || progress.due == TIME_NEVER;
	progress_clear(&progress);
	return is_noticed;
}

static bool is_on_hold(struct walk *w)
{
	struct progress progress;
	bool is_good, is_on_hold;

	if (read_job(w->txn, &w->at, &progress, &is_good) || !is_good)
		return false;
	is_on_hold = progress.due == TIME_NEVER;
	progress_clear(&progress);
	return is_on_hold;
}

/* Jobs of messages that are too old, in the order of their ids.  Those on
 * hold do not expire; those at the front are looked at once. */
static int find_expired(struct search *search, struct walk *w, enum home home)
{
	size_t left = search->want_old;
	bool is_front = home == HOME_HELD;
	int rc = 0;

	w->prefix = key_lane_prefix(RECORD_JOB, search->name);
	for (bool is_on = walk_from(w, is_front ? key_job(search->name,
							  search->expire_id, 0) :
						  w->prefix);
	     is_on && left && !rc; is_on = walk_next(w)) {
		struct found found = { .why = FOUND_EXPIRED, .home = home,
				       .key = w->at };

		if (ident_time(w->at.id) >= search->expire_before)
			break;
		if (home == HOME_HELD && is_on_hold(w)) {
			if (is_front)
				memcpy(search->expire_id, w->at.id,
				       sizeof(search->expire_id));
			continue;
		}
		is_front = false;
		if (is_skipped(search, &w->at))
			continue;
		rc = add_found(search, w->txn, &found);
		left--;
	}
	search->has_more_old |= !left;
	return rc ? rc : walk_code(w);
}

/* The next search begins there, or before. */
static void notice_from(struct search *search, const char *id)
{
	if (strcmp(id, search->notice_to) < 0)
		memcpy(search->notice_to, id, sizeof(search->notice_to));
}

/* Jobs whose senders are to be told that it takes longer, from where the
 * last search stopped. */
static int find_delayed(struct search *search, struct walk *w, enum home home)
{
	size_t left = search->want_old;
	int rc = 0;

	w->prefix = key_lane_prefix(RECORD_JOB, search->name);
	for (bool is_on = walk_from(w, key_job(search->name, search->notice_id, 0));
	     is_on && !rc; is_on = walk_next(w)) {
		struct found found = { .why = FOUND_DELAYED, .home = home,
				       .key = w->at };

		if (ident_time(w->at.id) >= search->delay_before)
			break;
		if (is_noticed(w))
			continue;
		/* What is in memory may leave it as it came: it is looked at
		 * once more. */
		if (is_skipped(search, &w->at)) {
			notice_from(search, w->at.id);
			continue;
		}
		if (!left) {
			search->has_more_old = true;
			notice_from(search, w->at.id);
			break;
		}
		rc = add_found(search, w->txn, &found);
		left--;
	}
	return rc ? rc : walk_code(w);
}

static int find_fresh(struct search *search, struct walk *w)
{
	size_t left = search->want;
	int rc = 0;

	w->prefix = key_lane_prefix(RECORD_JOB, search->name);
	for (bool is_on = walk_from(w, *search->born ? key_job(search->name,
							       search->born, 0) :
						       w->prefix);
	     is_on && left && !rc; is_on = walk_next(w)) {
		struct found found = { .why = FOUND_DUE, .home = HOME_FRESH,
				       .key = w->at };

		if (is_skipped(search, &w->at))
			continue;
		rc = add_found(search, w->txn, &found);
		left--;
	}
	return rc ? rc : walk_code(w);
}

/* Was it tried since all were asked to be tried? */
static bool is_forced(struct search *search, struct walk *w)
{
	struct progress progress;
	const struct attempt *last;
	bool is_good, is_old;

	if (!search->forced || read_job(w->txn, &w->at, &progress, &is_good) ||
	    !is_good)
		return false;
	last = progress_last(&progress);
	is_old = !last || last->at <= search->forced;
	progress_clear(&progress);
	return is_old;
}

/* Is it wanted before its time?  Jobs stay where they are until they are
 * tried, so that the walk goes on where the last one stopped. */
static bool is_early(struct search *search, struct walk *w, bool *is_on)
{
	if (w->at.due < search->forced_from) {
		*is_on = walk_from(w, key_due(search->name,
					      search->forced_from, "", 0));
		return false;
	}
	if (is_forced(search, w))
		return true;
	*is_on = walk_next(w);
	return false;
}

static int find_held(struct search *search, struct walk *w)
{
	size_t left = search->want;
	bool is_on;
	int rc = 0;

	w->prefix = key_lane_prefix(RECORD_DUE, search->name);
	is_on = walk_from(w, w->prefix);
	/* Those on hold are the last. */
	while (is_on && !rc && w->at.due != TIME_NEVER) {
		struct found found = { .why = FOUND_DUE, .home = HOME_HELD,
				       .key = w->at };

		if (is_skipped(search, &w->at)) {
			is_on = walk_next(w);
			continue;
		}
		if (w->at.due > search->now) {
			if (w->at.due < search->next_due)
				search->next_due = w->at.due;
			if (!search->forced)
				break;
			if (!is_early(search, w, &is_on))
				continue;
		}
		if (!left) {
			search->next_due = search->now;
			search->has_more_forced = search->forced != 0;
			if (w->at.due > search->forced_from)
				search->forced_from = w->at.due;
			break;
		}
		rc = add_found(search, w->txn, &found);
		left--;
		is_on = walk_next(w);
	}
	return rc ? rc : walk_code(w);
}

static int look(struct search *search, enum home home)
{
	struct walk w = { .rc = 0 };
	bool is_new;
	int rc = store_read(search->store[home], &w.txn);

	if (rc)
		return rc;
	rc = store_walk(w.txn, &w.cursor);
	/* What is new and may be looked at alone is not old enough. */
	is_new = home == HOME_FRESH && *search->born;
	if (!rc && !is_new)
		rc = find_expired(search, &w, home);
	if (!rc && !is_new && search->delay_before > 0)
		rc = find_delayed(search, &w, home);
	if (!rc)
		rc = home == HOME_FRESH ? find_fresh(search, &w) :
					  find_held(search, &w);
	store_walk_end(w.cursor);
	store_abort(w.txn);
	return rc;
}

void search_run(struct request *request)
{
	struct search *search = (struct search *)request;
	struct ident_source none = { .worker = 0 };

	search->next_due = TIME_NEVER;
	ident_make(&none, search->delay_before > 0 ? search->delay_before : 0,
		   search->notice_to);
	if (strcmp(search->notice_to, search->notice_id) < 0)
		memcpy(search->notice_to, search->notice_id,
		       sizeof(search->notice_to));
	if (search->skip_count)
		qsort(search->skip, search->skip_count, sizeof(*search->skip),
		      compare);
	search->code = look(search, HOME_FRESH);
	if (!search->code && search->store[HOME_HELD])
		search->code = look(search, HOME_HELD);
}

void search_free(struct search *search)
{
	for (size_t i = 0; i < search->found_count; i++)
		found_clear(&search->found[i]);
	free(search->found);
	free(search->bad);
	free(search->skip);
	free(search);
}
