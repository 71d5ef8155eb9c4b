/*
 * The lanes' records.  See ledger.h.
 */
#include "queue/ledger.h"

#include <string.h>

#include "conf/log.h"

/* The number of its reason that a D entry bears. */
static unsigned number_in(struct view value)
{
	return value.len == 1 && value.at[0] < LANE_REASONS ? value.at[0] :
							      REASON_OTHERS;
}

/* Reasons are forgotten with the record: all are others now, but for those
 * on hold and the untried. */
static int count_jobs(struct store_txn *txn, const char *lane,
		      struct lane_record *out)
{
	struct key first = key_lane_prefix(RECORD_DUE, lane);
	struct view prefix = key_view(&first), key, value;
	struct store_cursor *cursor;
	int rc = store_walk(txn, &cursor);

	if (rc)
		return rc;
	rc = store_seek(cursor, prefix, &key, &value);
	while (!rc && view_equal(view_first(key, prefix.len), prefix)) {
		unsigned number = number_in(value);

		if (number > REASON_ON_HOLD)
			number = REASON_OTHERS;
		out->reasons[number].count++;
		out->jobs++;
		rc = store_next(cursor, &key, &value);
	}
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
}

int ledger_read(struct store_txn *txn, const char *lane,
		struct lane_record *out)
{
	struct key key = key_lane(lane);
	struct view raw = { NULL, 0 };
	bool is_absent;
	int rc = store_get(txn, key_view(&key), &raw);

	if (rc && !store_is_absent(rc))
		return rc;
	if (!rc && !lane_unpack(raw, out) && !strcmp(out->name, lane))
		return 0;
	memset(out, 0, sizeof(*out));
	memcpy(out->name, lane, strnlen(lane, LANE_NAME_MAX));
	is_absent = rc != 0;
	/* For a lane that is new this finds nothing, with one seek. */
	rc = count_jobs(txn, lane, out);
	if (!rc && (out->jobs || !is_absent))
		log_say(LOG_WARNING, "warning", "the record of lane %s %s: its "
			"back-off is forgotten", lane,
			is_absent ? "is missing" : "does not check out");
	return rc;
}

static int put(struct store_txn *txn, const struct lane_record *record)
{
	struct key key = key_lane(record->name);
	struct buffer raw = { NULL, 0, 0, 0 };
	int rc;

	if (!record->jobs && !record->due) {
		rc = store_delete(txn, key_view(&key));
		return store_is_absent(rc) ? 0 : rc;
	}
	lane_pack(&raw, record);
	rc = store_put(txn, key_view(&key), buffer_view(&raw));
	buffer_clear(&raw);
	return rc;
}

static int count_in(struct store_txn *txn, const char *name,
		    const struct lane_reason *reason, bool is_on_hold,
		    unsigned char *number)
{
	struct lane_record lane;
	struct lane_reason *entry;
	int rc = ledger_read(txn, name, &lane);

	if (rc)
		return rc;
	*number = is_on_hold ? REASON_ON_HOLD :
			       (unsigned char)reason_number(&lane, reason);
	entry = &lane.reasons[*number];
	if (!entry->count) {
		*entry = *reason;
		entry->count = 0;
	}
	entry->count++;
	lane.jobs++;
	return put(txn, &lane);
}

static int count_out(struct store_txn *txn, const char *name, unsigned number)
{
	struct lane_record lane;
	int rc = ledger_read(txn, name, &lane);

	if (rc)
		return rc;
	/* A record that was counted anew knows only the others. */
	if (!lane.reasons[number].count)
		number = REASON_OTHERS;
	if (lane.reasons[number].count)
		lane.reasons[number].count--;
	if (lane.jobs)
		lane.jobs--;
	return put(txn, &lane);
}

int ledger_leave(struct store_txn *txn, const char *lane, struct key due)
{
	struct view value;
	unsigned number;
	int rc = store_get(txn, key_view(&due), &value);

	if (rc)
		return store_is_absent(rc) ? 0 : rc;
	number = number_in(value);
	/* Counted while it is there, for the lane may have to be counted
	 * anew. */
	rc = count_out(txn, lane, number);
	return rc ? rc : store_delete(txn, key_view(&due));
}

int ledger_enter(struct store_txn *txn, const char *lane, struct key due,
		 const struct lane_reason *reason)
{
	struct job_key at;
	unsigned char number;
	int rc = ledger_leave(txn, lane, due);

	if (!rc)
		rc = count_in(txn, lane, reason,
			      !key_parse(key_view(&due), &at) &&
				      at.due == TIME_NEVER,
			      &number);
	return rc ? rc :
		    store_put(txn, key_view(&due), view_make(&number, 1));
}

int ledger_write(struct store_txn *txn, const struct lane_record *record)
{
	struct lane_record stored, merged = *record;
	int rc = ledger_read(txn, record->name, &stored);

	if (rc)
		return rc;
	merged.jobs = stored.jobs;
	memcpy(merged.reasons, stored.reasons, sizeof(merged.reasons));
	return put(txn, &merged);
}
