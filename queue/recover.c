/*
 * What a start finds and settles.  See recover.h.
 */
#include "queue/recover.h"

#include <stdlib.h>
#include <string.h>

#include "conf/log.h"
#include "queue/ledger.h"

static int store_error(struct error *error, const char *what, int rc)
{
	return error_set(error, "%s: %s", what, store_say(rc));
}

/* --- the clock ------------------------------------------------------- */

static int recover_clock(struct queue *queue, struct store_txn *held)
{
	struct clock_record stored;
	struct key key = key_clock();
	struct view raw;
	int rc = store_get(held, key_view(&key), &raw);
	bool has = !rc && !clock_unpack(raw, &stored);

	clock_start(&queue->clock, has ? &stored : NULL, clock_wall(),
		    clock_boot());
	return store_is_absent(rc) ? 0 : rc;
}

/* --- lanes ----------------------------------------------------------- */

static int first_due(struct store_txn *held, struct lane *lane)
{
	struct key from = key_lane_prefix(RECORD_DUE, lane->name);
	struct store_cursor *cursor;
	struct view prefix = key_view(&from), key, value;
	struct job_key at;
	int rc = store_walk(held, &cursor);

	if (rc)
		return rc;
	rc = store_seek(cursor, prefix, &key, &value);
	if (!rc && view_equal(view_first(key, prefix.len), prefix) &&
	    !key_parse(key, &at))
		lane->next_due = at.due;
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
}

static int recover_lanes(struct queue *queue, struct store_txn *held)
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
		struct lane *lane = NULL;

		/* Through the ledger: it counts anew what does not check
		 * out. */
		rc = ledger_read(held, name, &record);
		if (!rc) {
			lane = queue_lane(queue, name);
			lane_from_record(lane, &record);
			rc = first_due(held, lane);
		}
		free(name);
		if (rc)
			break;
	}
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
}

/* --- holds ----------------------------------------------------------- */

static int recover_holds(struct queue *queue, struct store_txn *held)
{
	struct key from = key_kind(RECORD_HOLD);
	struct store_cursor *cursor;
	struct view key, value;
	struct hold hold;
	int rc = store_walk(held, &cursor);

	if (rc)
		return rc;
	for (rc = store_seek(cursor, key_view(&from), &key, &value);
	     !rc && key.at[0] == RECORD_HOLD;
	     rc = store_next(cursor, &key, &value))
		if (!hold_unpack(value, &hold))
			holds_add(&queue->holds, &hold);
		else
			log_say(LOG_WARNING, "warning", "a rule that holds mail "
				"in %s does not check out and is not obeyed",
				queue->folder.path);
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
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
		if (key_parse(key, &job))
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
		struct edit *orphans)
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
	rc = recover_clock(queue, held);
	if (!rc)
		rc = recover_holds(queue, held);
	if (!rc)
		rc = recover_lanes(queue, held);
	if (!rc)
		rc = recover_fresh(queue, fresh, held, doubles);
	if (!rc)
		rc = collect_open(held, orphans);
	store_abort(held);
	store_abort(fresh);
	return rc;
}

int recover(struct queue *queue, struct error *error)
{
	struct edit *doubles = edit_new(NULL, NULL, NULL);
	struct edit *orphans = edit_new(queue->store[HOME_FRESH], NULL, NULL);
	int rc = look(queue, doubles, orphans);

	/* Doubles first: a body whose message leaves fresh is settled. */
	if (!rc)
		rc = edit_carry_out(doubles, queue->store[HOME_FRESH]);
	if (!rc)
		rc = edit_carry_out(orphans, queue->store[HOME_HELD]);
	edit_free(doubles);
	edit_free(orphans);
	return rc ? store_error(error, queue->folder.path, rc) : 0;
}
