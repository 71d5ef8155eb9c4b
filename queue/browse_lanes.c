/*
 * The lanes of all folders, merged.  What a lane costs does not depend on
 * how much it holds: its record has the counts, the oldest job and the next
 * due one are a seek each.  Only fresh, which is small, is counted.
 */
#include <stdio.h>
#include <string.h>

#include "queue/browse_inner.h"
#include "queue/clock.h"
#include "queue/ident.h"
#include "queue/ledger.h"

/* Jobs of a lane counted in fresh. */
enum { FRESH_COUNTED = 10000 };

/* --- names ----------------------------------------------------------- */

/* The next lane's name in a store; "" when there is none. */
static int next_name(struct store *store, enum home home, const char *after,
		     char out[LANE_NAME_MAX + 1])
{
	struct key from = key_kind(home == HOME_HELD ? RECORD_LANE : RECORD_JOB);
	unsigned char kind = from.at[0];
	struct store_cursor *cursor;
	struct store_txn *txn;
	struct view key, value;
	int rc = store_read(store, &txn);

	*out = '\0';
	if (rc)
		return rc;
	if (*after && home == HOME_HELD) {
		from = key_lane(after);
		from.at[from.len++] = 0;
	} else if (*after) {
		from = key_lane_prefix(RECORD_JOB, after);
		from.at[from.len - 1] = 1;
	}
	rc = store_walk(txn, &cursor);
	if (!rc)
		rc = store_seek(cursor, key_view(&from), &key, &value);
	if (!rc && key.at[0] == kind) {
		struct view name = view_from(key, 1);

		name = view_first(name, view_index(name, 0));
		name = view_first(name, LANE_NAME_MAX);
		memcpy(out, name.at, name.len);
		out[name.len] = '\0';
	}
	store_walk_end(cursor);
	store_abort(txn);
	return store_is_absent(rc) ? 0 : rc;
}

static int first_name(struct browse *browse, const char *after,
		      char out[LANE_NAME_MAX + 1])
{
	char name[LANE_NAME_MAX + 1];

	*out = '\0';
	for (size_t i = 0; i < browse->count; i++)
		for (int home = 0; home < HOMES; home++) {
			struct store *store = browse->shelves[i].store[home];
			int rc = store ? next_name(store, (enum home)home,
						   after, name) :
					 0;

			if (rc)
				return rc;
			if (store && *name && (!*out || strcmp(name, out) < 0))
				memcpy(out, name, sizeof(name));
		}
	return 0;
}

/* --- one lane -------------------------------------------------------- */

static void at_least(int64_t *have, int64_t value)
{
	if (value < *have)
		*have = value;
}

/* The first key of that kind in the lane; *has, with what it says. */
static int first_key(struct store_txn *txn, struct key prefix,
		     struct job_key *out, bool *has)
{
	struct store_cursor *cursor;
	struct view key, value, wanted = key_view(&prefix);
	int rc = store_walk(txn, &cursor);

	*has = false;
	if (rc)
		return rc;
	rc = store_seek(cursor, wanted, &key, &value);
	if (!rc)
		*has = view_equal(view_first(key, wanted.len), wanted) &&
		       !key_parse(key, out);
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
}

static int note_oldest(struct store_txn *txn, const struct shelf *shelf,
		       struct browse_lane *lane)
{
	struct job_key at;
	bool has;
	int rc = first_key(txn, key_lane_prefix(RECORD_JOB, lane->record.name),
			   &at, &has);

	if (!rc && has)
		at_least(&lane->oldest, shelf_wall(shelf, ident_time(at.id)));
	return rc;
}

static void add_reason(struct lane_record *sum, unsigned number,
		       const struct lane_reason *reason)
{
	struct lane_reason *to;

	if (!reason->count)
		return;
	if (number > REASON_ON_HOLD && number < REASON_OTHERS)
		number = reason_number(sum, reason);
	to = &sum->reasons[number];
	if (to->count) {
		to->count += reason->count;
		at_least(&to->since, reason->since);
	} else {
		*to = *reason;
	}
}

static void add_record(const struct shelf *shelf, struct browse_lane *lane,
		       struct lane_record *record)
{
	struct lane_record *sum = &lane->record;

	for (unsigned i = 0; i < LANE_REASONS; i++) {
		struct lane_reason reason = record->reasons[i];

		reason.since = shelf_wall(shelf, reason.since * 1000);
		add_reason(sum, i, &reason);
	}
	sum->jobs += record->jobs;
	if (record->failures < sum->failures || !*record->text)
		return;
	sum->due = record->due ? shelf_wall(shelf, record->due) : 0;
	sum->failures = record->failures;
	sum->since = shelf_wall(shelf, record->since * 1000);
	memcpy(sum->status, record->status, sizeof(sum->status));
	memcpy(sum->host, record->host, sizeof(sum->host));
	memcpy(sum->text, record->text, sizeof(sum->text));
}

static int64_t now_of(const struct shelf *shelf)
{
	return clock_wall() - shelf->to_wall;
}

static int add_held(struct store_txn *txn, const struct shelf *shelf,
		    struct browse_lane *lane, int64_t *backs_off)
{
	struct lane_record record;
	struct job_key at;
	bool has;
	int rc = ledger_read(txn, lane->record.name, &record);

	*backs_off = 0;
	if (rc)
		return rc;
	if (record.failures && record.due > now_of(shelf))
		*backs_off = record.due;
	add_record(shelf, lane, &record);
	rc = first_key(txn, key_lane_prefix(RECORD_DUE, lane->record.name), &at,
		       &has);
	if (rc || !has)
		return rc;
	if (at.due < *backs_off)
		at.due = *backs_off;
	at_least(&lane->next, shelf_wall(shelf, at.due));
	return note_oldest(txn, shelf, lane);
}

static int add_fresh(struct store_txn *txn, const struct shelf *shelf,
		     struct browse_lane *lane, int64_t backs_off)
{
	struct key prefix = key_lane_prefix(RECORD_JOB, lane->record.name);
	struct view key, value, wanted = key_view(&prefix);
	struct store_cursor *cursor;
	uint64_t count = 0;
	int rc = store_walk(txn, &cursor);

	if (rc)
		return rc;
	rc = store_seek(cursor, wanted, &key, &value);
	while (!rc && view_equal(view_first(key, wanted.len), wanted) &&
	       count < FRESH_COUNTED) {
		count++;
		rc = store_next(cursor, &key, &value);
	}
	store_walk_end(cursor);
	if (rc && !store_is_absent(rc))
		return rc;
	lane->fresh += count;
	lane->is_fresh_least |= count == FRESH_COUNTED;
	if (!count)
		return 0;
	at_least(&lane->next, backs_off ? shelf_wall(shelf, backs_off) :
					  clock_wall() / 1000);
	return note_oldest(txn, shelf, lane);
}

static int add_shelf(const struct shelf *shelf, struct browse_lane *lane)
{
	struct store_txn *txn;
	int64_t backs_off = 0;
	int rc = 0;

	if (shelf->store[HOME_HELD]) {
		rc = store_read(shelf->store[HOME_HELD], &txn);
		if (rc)
			return rc;
		rc = add_held(txn, shelf, lane, &backs_off);
		store_abort(txn);
	}
	if (rc || !shelf->store[HOME_FRESH])
		return rc;
	rc = store_read(shelf->store[HOME_FRESH], &txn);
	if (rc)
		return rc;
	rc = add_fresh(txn, shelf, lane, backs_off);
	store_abort(txn);
	return rc;
}

int browse_lanes(struct browse *browse, const char *after,
		 struct browse_lane *out, size_t room, size_t *count,
		 struct error *error)
{
	char name[LANE_NAME_MAX + 1], last[LANE_NAME_MAX + 1];
	int rc = 0;

	snprintf(name, sizeof(name), "%s", after);
	for (*count = 0; *count < room; ) {
		struct browse_lane *lane = &out[*count];

		memcpy(last, name, sizeof(last));
		rc = first_name(browse, last, name);
		if (rc || !*name)
			break;
		memset(lane, 0, sizeof(*lane));
		memcpy(lane->record.name, name, sizeof(name));
		lane->next = lane->oldest = BROWSE_NEVER;
		for (size_t i = 0; i < browse->count && !rc; i++)
			rc = add_shelf(&browse->shelves[i], lane);
		if (rc)
			break;
		/* A lane without mail that only remembers a dead host. */
		*count += lane->record.jobs || lane->fresh;
	}
	return rc ? error_set(error, "the spool cannot be read: %s",
			      store_say(rc)) :
		    0;
}
