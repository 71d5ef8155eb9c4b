/*
 * What a start finds and settles.  See recover.h.
 */
#include "queue/recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/log.h"
#include "queue/ledger.h"

static int store_error(struct error *error, const char *what, int rc)
{
	return error_set(error, "%s: %s", what, store_say(rc));
}

/* --- the clock ------------------------------------------------------- */

static int recover_clock(struct queue *queue, struct store_txn *held,
			 bool *is_new)
{
	struct clock_record stored;
	struct key key = key_clock();
	struct view raw;
	int rc = store_get(held, key_view(&key), &raw);
	bool has = !rc && !clock_unpack(raw, &stored);

	*is_new = store_is_absent(rc);
	clock_start(&queue->clock, has ? &stored : NULL, clock_wall(),
		    clock_boot());
	return store_is_absent(rc) ? 0 : rc;
}

/* --- lanes ----------------------------------------------------------- */

static int recover_records(struct queue *queue, struct store_txn *held)
{
	struct key from = key_kind(RECORD_LANE);
	struct store_cursor *cursor;
	struct view key, value;
	int rc = store_walk(held, &cursor);

	if (rc)
		return rc;
	for (rc = store_seek(cursor, key_view(&from), &key, &value);
	     !rc && key.at[0] == RECORD_LANE;
	     rc = store_next(cursor, &key, &value)) {
		char *name = view_string(view_from(key, 1));
		struct lane_record record;

		/* Through the ledger: it counts anew what does not check
		 * out. */
		rc = ledger_read(held, name, &record);
		if (!rc)
			lane_from_record(queue_lane(queue, name), &record);
		free(name);
		if (rc)
			break;
	}
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
}

/* A lane has jobs in held, the first of them due then.  Without a record
 * nobody would look for them: it is made anew. */
static int recover_dues(struct queue *queue, struct store_txn *held,
			const struct job_key *first, struct edit *repairs)
{
	struct lane *lane = queue_lane(queue, first->lane);
	struct lane_record record;
	int rc = 0;

	lane->next_due = first->due;
	if (lane->stored[HOME_HELD])
		return 0;
	rc = ledger_read(held, first->lane, &record);
	if (rc)
		return rc;
	lane_from_record(lane, &record);
	edit_lane(repairs, &record);
	return 0;
}

/* One seek for each lane: behind its first job the next lane is sought. */
static int recover_lanes(struct queue *queue, struct store_txn *held,
			 struct edit *repairs)
{
	struct key from = key_kind(RECORD_DUE);
	struct store_cursor *cursor;
	struct view key, value;
	struct job_key first;
	int rc = recover_records(queue, held);

	if (!rc)
		rc = store_walk(held, &cursor);
	if (rc)
		return rc;
	rc = store_seek(cursor, key_view(&from), &key, &value);
	while (!rc && key.at[0] == RECORD_DUE) {
		if (key_parse(key, &first)) {
			rc = store_next(cursor, &key, &value);
			continue;
		}
		rc = recover_dues(queue, held, &first, repairs);
		if (rc)
			break;
		from = key_lane_prefix(RECORD_DUE, first.lane);
		from.at[from.len - 1] = 1;
		rc = store_seek(cursor, key_view(&from), &key, &value);
	}
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
}

/* --- holds ----------------------------------------------------------- */

static void warn_of_bad(const struct queue *queue, unsigned bad)
{
	if (bad)
		log_say(LOG_WARNING, "warning", "%u rules that hold mail in %s "
			"do not check out and are not obeyed", bad,
			queue->folder.path);
}

static int recover_holds(struct queue *queue, struct store_txn *held)
{
	unsigned bad = 0;
	int rc = holds_read(&queue->holds, held, &bad);

	warn_of_bad(queue, bad);
	return rc;
}

/* A folder that is new has the rules of the others. */
static void inherit_from(struct queue *queue, const char *path)
{
	struct error ignored;
	struct store *store = access(path, F_OK) ?
				      NULL :
				      store_open_reader(path, &ignored);
	struct store_txn *txn;
	unsigned bad = 0;

	if (!store)
		return;
	if (!store_read(store, &txn)) {
		holds_read(&queue->holds, txn, &bad);
		store_abort(txn);
	}
	store_close(store);
}

static int inherit_holds(struct queue *queue)
{
	struct edit *edit = edit_new(NULL, NULL, NULL);
	char path[FOLDER_MAX + 64];
	int rc = 0;

	for (unsigned k = 0; k < FOLDER_WORKERS_MAX; k++) {
		snprintf(path, sizeof(path), "%s/worker-%u",
			 queue->settings.spool, k);
		if (access(path, F_OK))
			break;
		if (k == queue->folder.number)
			continue;
		snprintf(path, sizeof(path), "%s/worker-%u/held",
			 queue->settings.spool, k);
		inherit_from(queue, path);
	}
	for (size_t i = 0; i < queue->holds.count; i++) {
		struct buffer record = { NULL, 0, 0, 0 };

		hold_pack(&record, &queue->holds.at[i]);
		edit_put(edit, key_hold(&queue->holds.at[i].rule), &record);
	}
	if (queue->holds.count)
		rc = edit_carry_out(edit, queue->store[HOME_HELD]);
	edit_free(edit);
	return rc;
}

/* --- between the stores ----------------------------------------------- */

/* A job that is in held too was deferred or moved when the crash came. */
static int is_held(struct store_txn *held, const struct job_key *job,
		   bool *answer)
{
	struct key key = key_message(job->id);
	struct lane_parts parts;
	struct view raw, rest;
	int rc = store_get(held, key_view(&key), &raw);

	*answer = false;
	if (rc)
		return store_is_absent(rc) ? 0 : rc;
	if (message_lanes(raw, &parts, &rest))
		return 0;
	for (size_t i = 0; i < parts.count; i++)
		*answer |= parts.at[i].part == job->part;
	lane_parts_clear(&parts);
	return 0;
}

static int recover_fresh(struct queue *queue, struct store_txn *fresh,
			 struct store_txn *held, struct edit *doubles)
{
	struct key from = key_kind(RECORD_JOB);
	struct store_cursor *cursor;
	struct view key, value;
	struct job_key job;
	bool is_double;
	int rc = store_walk(fresh, &cursor);

	if (rc)
		return rc;
	for (rc = store_seek(cursor, key_view(&from), &key, &value);
	     !rc && key.at[0] == RECORD_JOB;
	     rc = store_next(cursor, &key, &value)) {
		/* What came since the start is entered already. */
		if (key_parse(key, &job) ||
		    (*queue->born && strcmp(job.id, queue->born) >= 0))
			continue;
		rc = is_held(held, &job, &is_double);
		if (rc)
			break;
		if (is_double)
			edit_job_gone(doubles, job.lane, job.id, job.part);
		else
			queue_lane(queue, job.lane)->stored[HOME_FRESH]++;
	}
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
}

static int collect_open(struct store_txn *held, struct edit *orphans)
{
	struct key from = key_kind(RECORD_OPEN);
	struct store_cursor *cursor;
	struct view key, value;
	char id[MESSAGE_ID_LEN + 1];
	int rc = store_walk(held, &cursor);

	if (rc)
		return rc;
	for (rc = store_seek(cursor, key_view(&from), &key, &value);
	     !rc && key.at[0] == RECORD_OPEN;
	     rc = store_next(cursor, &key, &value))
		if (!key_parse_id(key, id))
			edit_settle(orphans, id);
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
}

static int look(struct queue *queue, struct edit *doubles,
		struct edit *orphans, bool *is_new)
{
	struct store_txn *fresh, *held;
	int rc = store_read(queue->store[HOME_FRESH], &fresh);

	if (rc)
		return rc;
	rc = store_read(queue->store[HOME_HELD], &held);
	if (rc) {
		store_abort(fresh);
		return rc;
	}
	rc = recover_clock(queue, held, is_new);
	if (!rc)
		rc = recover_holds(queue, held);
	if (!rc)
		rc = recover_lanes(queue, held, orphans);
	if (!rc)
		rc = recover_fresh(queue, fresh, held, doubles);
	/* Chunks of mail that is not salvaged yet are nobody's, and stay. */
	if (!rc && !queue->is_owed)
		rc = collect_open(held, orphans);
	store_abort(held);
	store_abort(fresh);
	return rc;
}

int recover(struct queue *queue, struct error *error)
{
	struct edit *doubles = edit_new(NULL, NULL, NULL);
	struct edit *orphans = edit_new(queue->store[HOME_FRESH], NULL, NULL);
	bool is_new;
	int rc = look(queue, doubles, orphans, &is_new);

	/* Doubles first: a body whose message leaves fresh is settled. */
	if (!rc)
		rc = edit_carry_out(doubles, queue->store[HOME_FRESH]);
	if (!rc)
		rc = edit_carry_out(orphans, queue->store[HOME_HELD]);
	if (!rc && is_new && queue->settings.spool)
		rc = inherit_holds(queue);
	edit_free(doubles);
	edit_free(orphans);
	return rc ? store_error(error, queue->folder.path, rc) : 0;
}
