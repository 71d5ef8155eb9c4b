/*
 * The lanes' records.  See ledger.h.
 */
#include "queue/ledger.h"

#include <string.h>

#include "conf/log.h"

static int count_jobs(struct store_txn *txn, const char *lane, uint64_t *count)
{
	struct key first = key_lane_prefix(RECORD_JOB, lane);
	struct view prefix = key_view(&first), key, value;
	struct store_cursor *cursor;
	int rc = store_walk(txn, &cursor);

	*count = 0;
	if (rc)
		return rc;
	rc = store_seek(cursor, prefix, &key, &value);
	while (!rc && view_equal(view_first(key, prefix.len), prefix)) {
		++*count;
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
	int rc = store_get(txn, key_view(&key), &raw);

	if (rc && !store_is_absent(rc))
		return rc;
	if (!rc && !lane_unpack(raw, out) && !strcmp(out->name, lane))
		return 0;
	memset(out, 0, sizeof(*out));
	memcpy(out->name, lane, strnlen(lane, LANE_NAME_MAX));
	if (rc)
		return 0;
	log_say(LOG_WARNING, "warning", "the record of lane %s does not check "
		"out: its back-off is forgotten", lane);
	return count_jobs(txn, lane, &out->jobs);
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

int ledger_add(struct store_txn *txn, const char *lane, int delta)
{
	struct lane_record record;
	int rc = ledger_read(txn, lane, &record);

	if (rc)
		return rc;
	if (delta < 0 && record.jobs < (uint64_t)-delta)
		record.jobs = 0;
	else
		record.jobs += (uint64_t)(int64_t)delta;
	return put(txn, &record);
}

int ledger_write(struct store_txn *txn, const struct lane_record *record)
{
	struct lane_record stored, merged = *record;
	int rc = ledger_read(txn, record->name, &stored);

	if (rc)
		return rc;
	merged.jobs = stored.jobs;
	return put(txn, &merged);
}
