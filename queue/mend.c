/*
 * Mends what was salvaged.  See mend.h.  Goes through the jobs, then the
 * messages, some in each transaction.
 */
#include "queue/mend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/ledger.h"
#include "queue/message.h"

enum { BATCH = 256 };

/* A set, sorted when all are in it. */
struct ids {
	char (*at)[MESSAGE_ID_LEN + 1];
	size_t count, room;
};

struct mend {
	const struct salvage_settings *set;
	struct salvage_counts *counts;
	struct ids found;
	struct ids lost; /* messages of which a job was lost */
};

static void ids_add(struct ids *ids, const char *id)
{
	if (ids->count && !strcmp(ids->at[ids->count - 1], id))
		return;
	if (ids->count == ids->room) {
		ids->room = ids->room ? ids->room * 2 : 64;
		ids->at = must_realloc(ids->at, ids->room * sizeof(*ids->at));
	}
	memcpy(ids->at[ids->count++], id, sizeof(*ids->at));
}

static int by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void ids_sort(struct ids *ids)
{
	if (ids->count)
		qsort(ids->at, ids->count, sizeof(*ids->at), by_id);
}

static bool ids_has(const struct ids *ids, const char *id)
{
	return ids->count && bsearch(id, ids->at, ids->count, sizeof(*ids->at),
				     by_id);
}

struct mend *mend_new(const struct salvage_settings *settings,
		      struct salvage_counts *counts)
{
	struct mend *mend = must_alloc(sizeof(*mend));

	mend->set = settings;
	mend->counts = counts;
	return mend;
}

void mend_free(struct mend *mend)
{
	free(mend->found.at);
	free(mend->lost.at);
	free(mend);
}

void mend_note(struct mend *mend, const char *id)
{
	ids_add(&mend->found, id);
}

void mend_note_lost(struct mend *mend, const char *id)
{
	ids_add(&mend->lost, id);
}

static void say(struct mend *mend, enum salvage_fate fate, const char *text,
		const struct envelope *envelope)
{
	struct salvage_news news = { fate, text, envelope };

	mend->set->say(mend->set->arg, &news);
}

/* --- jobs ------------------------------------------------------------- */

static int lose_job(struct mend *mend, struct store_txn *txn,
		    const struct job_key *job)
{
	struct key key = key_job(job->lane, job->id, job->part);
	struct buffer text = { NULL, 0, 0, 0 };

	mend->counts->lost++;
	buffer_printf(&text, "%s, on its way to ", job->id);
	bytes_escape(&text, view_of(job->lane), LANE_NAME_MAX);
	buffer_append(&text, VIEW(": its envelope is gone"));
	buffer_append_byte(&text, '\0');
	say(mend, SALVAGE_LOST, (const char *)buffer_view(&text).at, NULL);
	buffer_clear(&text);
	return store_delete(txn, key_view(&key));
}

static bool lists(const struct lane_parts *parts, const struct job_key *job)
{
	for (size_t i = 0; i < parts->count; i++)
		if (parts->at[i].part == job->part &&
		    !strcmp(parts->at[i].lane, job->lane))
			return true;
	return false;
}

/* The message knows of the job. */
static int list_job(struct store_txn *txn, const struct job_key *job,
		    struct view raw)
{
	struct key key = key_message(job->id);
	struct buffer record = { NULL, 0, 0, 0 };
	struct lane_parts parts;
	struct view rest;
	int rc = 0;

	/* One that does not check out is put aside when it is read. */
	if (record_open(raw, RECORD_MESSAGE, job->id, NULL, &rest) ||
	    message_lanes(raw, &parts, &rest))
		return 0;
	if (!lists(&parts, job)) {
		lane_parts_add(&parts, job->lane, job->part);
		message_relane(&record, job->id, &parts, rest);
		rc = store_put(txn, key_view(&key), buffer_view(&record));
		buffer_clear(&record);
	}
	lane_parts_clear(&parts);
	return rc;
}

static int enter_job(struct store_txn *txn, const struct job_key *job,
		     const struct progress *progress)
{
	struct key due = key_due(job->lane, progress->due, job->id, job->part);
	struct lane_reason reason;
	struct view ignored;
	int rc = store_get(txn, key_view(&due), &ignored);

	if (!store_is_absent(rc))
		return rc;
	reason_of(progress, &reason);
	return ledger_enter(txn, job->lane, due, &reason);
}

static int mend_job(struct mend *mend, struct store_txn *txn, struct view key)
{
	struct progress progress;
	struct job_key job;
	struct key message;
	struct view raw;
	int rc;

	if (key_parse(key, &job) || !ids_has(&mend->found, job.id))
		return 0;
	message = key_message(job.id);
	rc = store_get(txn, key_view(&message), &raw);
	if (store_is_absent(rc))
		return lose_job(mend, txn, &job);
	if (!rc)
		rc = list_job(txn, &job, raw);
	if (!rc)
		rc = store_get(txn, key, &raw);
	if (rc || progress_unpack(raw, job.id, &progress))
		return rc;
	rc = enter_job(txn, &job, &progress);
	progress_clear(&progress);
	mend->counts->jobs++;
	return rc;
}

/* --- messages --------------------------------------------------------- */

static bool same_domain(const struct envelope *envelope, size_t a, size_t b)
{
	return !strcmp(envelope->recipients[a].domain,
		       envelope->recipients[b].domain);
}

/* The job that a recipient was in: one that began with its own domain, else
 * the last that began before it, for it shared a policy's lane. */
static size_t part_of(const struct message_record *message, size_t recipient)
{
	const struct lane_parts *parts = &message->parts;
	size_t best = 0;

	for (size_t i = 0; i < parts->count; i++) {
		uint32_t first = parts->at[i].part;

		if (first >= message->envelope->recipient_count)
			continue;
		if (same_domain(message->envelope, first, recipient))
			return i;
		if (first <= recipient && first >= message->parts.at[best].part)
			best = i;
	}
	return best;
}

static int make_job(struct mend *mend, struct store_txn *txn,
		    const struct message_record *message, size_t index)
{
	const struct lane_part *part = &message->parts.at[index];
	const struct envelope *envelope = message->envelope;
	struct progress progress = { .attempts = 0 };
	struct buffer record = { NULL, 0, 0, 0 };
	struct job_key job = { .part = part->part };
	struct key key = key_job(part->lane, envelope->id, part->part);
	int rc = 0;

	for (size_t i = 0; i < envelope->recipient_count; i++)
		if (part_of(message, i) == index)
			progress_open(&progress, (uint32_t)i, NULL);
	memcpy(job.id, envelope->id, sizeof(job.id));
	memcpy(job.lane, part->lane, strlen(part->lane) + 1);
	if (progress.open_count) {
		progress_pack(&record, &progress, part->lane, envelope->id,
			      part->part);
		rc = store_put(txn, key_view(&key), buffer_view(&record));
		if (!rc)
			rc = enter_job(txn, &job, &progress);
		mend->counts->jobs++;
	}
	buffer_clear(&record);
	progress_clear(&progress);
	return rc;
}

static int has_job(struct store_txn *txn, const char *id,
		   const struct lane_part *part, bool *has)
{
	struct key key = key_job(part->lane, id, part->part);
	struct view ignored;
	int rc = store_get(txn, key_view(&key), &ignored);

	*has = !rc;
	return store_is_absent(rc) ? 0 : rc;
}

/* A job that is missing is done with, unless all are or one was lost. */
static int mend_parts(struct mend *mend, struct store_txn *txn,
		      const struct message_record *message)
{
	const struct lane_parts *parts = &message->parts;
	const char *id = message->envelope->id;
	bool *has = must_alloc(parts->count * sizeof(*has)), any = false;
	int rc = 0;

	for (size_t i = 0; i < parts->count && !rc; i++) {
		rc = has_job(txn, id, &parts->at[i], &has[i]);
		any |= has[i];
	}
	for (size_t i = 0; i < parts->count && !rc; i++)
		if (!has[i] && (!any || ids_has(&mend->lost, id)))
			rc = make_job(mend, txn, message, i);
	free(has);
	return rc;
}

static int count_missing(struct store_txn *txn, const char *id,
			 const struct body_place *place, uint32_t *missing)
{
	*missing = 0;
	for (uint32_t i = 0; i < place->chunks; i++) {
		struct key key = key_chunk(id, i);
		struct view ignored;
		int rc = store_get(txn, key_view(&key), &ignored);

		if (rc && !store_is_absent(rc))
			return rc;
		*missing += rc != 0;
	}
	return 0;
}

static void say_saved(struct mend *mend, const struct message_record *message,
		      uint32_t missing)
{
	const struct envelope *envelope = message->envelope;
	struct buffer text = { NULL, 0, 0, 0 };

	buffer_printf(&text, "%s from <", envelope->id);
	bytes_escape(&text, view_of(envelope->sender), 256);
	buffer_printf(&text, ">, %llu bytes, %zu recipient%s",
		      (unsigned long long)envelope->size,
		      envelope->recipient_count,
		      envelope->recipient_count == 1 ? "" : "s");
	if (missing)
		buffer_printf(&text, ": %u of the %u pieces of its body are "
			      "gone", missing, message->place.chunks);
	buffer_append_byte(&text, '\0');
	say(mend, missing ? SALVAGE_LOST : SALVAGE_SAVED,
	    (const char *)buffer_view(&text).at, envelope);
	buffer_clear(&text);
	mend->counts->messages += !missing;
	mend->counts->lost += missing != 0;
}

/* What lacks a piece of its body stays: it is put aside when it is read. */
static int mend_whole(struct mend *mend, struct store_txn *txn,
		      const struct message_record *message)
{
	const char *id = message->envelope->id;
	struct key open = key_open(id);
	uint32_t missing;
	int rc = count_missing(txn, id, &message->place, &missing);

	if (rc)
		return rc;
	say_saved(mend, message, missing);
	rc = mend_parts(mend, txn, message);
	if (!rc && message->place.chunks)
		rc = store_delete(txn, key_view(&open));
	return store_is_absent(rc) ? 0 : rc;
}

static int mend_message(struct mend *mend, struct store_txn *txn,
			struct view key)
{
	struct message_record message;
	char id[MESSAGE_ID_LEN + 1];
	struct buffer copy = { NULL, 0, 0, 0 };
	struct view raw;
	int rc;

	if (key_parse_id(key, id) || !ids_has(&mend->found, id))
		return 0;
	rc = store_get(txn, key, &raw);
	if (rc)
		return rc;
	/* A value does not outlive the next put. */
	buffer_append(&copy, raw);
	if (!message_unpack(buffer_view(&copy), id, &message)) {
		rc = mend_whole(mend, txn, &message);
		message_record_clear(&message);
	}
	buffer_clear(&copy);
	return rc;
}

/* --- bodies ----------------------------------------------------------- */

/* One that nobody has claimed: its message may be in fresh. */
static int mend_body(struct mend *mend, struct store_txn *txn, struct view key)
{
	char id[MESSAGE_ID_LEN + 1], text[128];

	(void)txn;
	if (key_parse_id(key, id) || !ids_has(&mend->found, id))
		return 0;
	snprintf(text, sizeof(text), "a body without its envelope: that of %s",
		 id);
	say(mend, SALVAGE_NOTED, text, NULL);
	return 0;
}

/* --- all of them ------------------------------------------------------ */

typedef int mend_one(struct mend *mend, struct store_txn *txn, struct view key);

/* Some keys of a kind from `from` on, which is then behind the last one;
 * none when all were had. */
static int next_keys(struct store_txn *txn, enum record_kind kind,
		     struct key *from, struct key *keys, size_t *count)
{
	struct store_cursor *cursor;
	struct view key, value;
	int rc = store_walk(txn, &cursor);

	*count = 0;
	if (rc)
		return rc;
	for (rc = store_seek(cursor, key_view(from), &key, &value);
	     !rc && key.at[0] == (unsigned char)kind && *count < BATCH;
	     rc = store_next(cursor, &key, &value)) {
		keys[*count].len = key.len;
		memcpy(keys[*count].at, key.at, key.len);
		++*count;
	}
	store_walk_end(cursor);
	if (*count) {
		*from = keys[*count - 1];
		from->at[from->len++] = 0;
	}
	return store_is_absent(rc) ? 0 : rc;
}

static int mend_kind(struct mend *mend, enum record_kind kind, mend_one *one)
{
	struct key *keys = must_alloc(BATCH * sizeof(*keys));
	struct key from = key_kind(kind);
	size_t count = 1;
	int rc = 0;

	while (count && !rc) {
		struct store_txn *txn;

		rc = store_begin(mend->set->into, &txn);
		if (rc)
			break;
		rc = next_keys(txn, kind, &from, keys, &count);
		for (size_t i = 0; i < count && !rc; i++)
			rc = one(mend, txn, key_view(&keys[i]));
		if (rc)
			store_abort(txn);
		else
			rc = store_commit(txn);
	}
	free(keys);
	return rc;
}

int mend_all(struct mend *mend)
{
	int rc;

	ids_sort(&mend->found);
	ids_sort(&mend->lost);
	rc = mend_kind(mend, RECORD_JOB, mend_job);
	if (!rc)
		rc = mend_kind(mend, RECORD_MESSAGE, mend_message);
	return rc ? rc : mend_kind(mend, RECORD_OPEN, mend_body);
}
