/*
 * What a lane's record says, on a real spool: how many jobs wait and for
 * what, also when the record was lost or damaged.
 */
#include "tests/unit/queue_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "queue/inner.h"
#include "queue/ledger.h"

static struct lane_record read_lane(struct rig *rig, const char *lane)
{
	struct lane_record record;
	struct store_txn *txn;

	rig_settle(rig);
	assert_int_equal(store_read(rig->queue->store[HOME_HELD], &txn), 0);
	assert_int_equal(ledger_read(txn, lane, &record), 0);
	store_abort(txn);
	return record;
}

static void what_waits_is_counted_by_its_reason(void **state)
{
	enum { COUNT = 20, NAMED = REASON_OTHERS - REASON_ON_HOLD - 1 };
	struct job *jobs[COUNT];
	struct lane_record lane;
	struct rig rig;
	char text[32];

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept_many(&rig, COUNT + 2, "b@one");
	for (int i = 0; i < COUNT; i++)
		jobs[i] = rig_take(&rig);
	for (int i = 0; i < COUNT; i++) {
		snprintf(text, sizeof(text), "450 busy %d", i);
		rig_finish(&rig, jobs[i], OUTCOME_DEFERRED, BLAME_MESSAGE,
			   "4.2.1", text);
	}
	lane = read_lane(&rig, "one");
	assert_int_equal(lane.jobs, COUNT);
	assert_int_equal(lane.reasons[REASON_UNTRIED].count, 0);
	assert_int_equal(lane.reasons[REASON_OTHERS].count, COUNT - NAMED);
	for (int i = REASON_ON_HOLD + 1; i < REASON_OTHERS; i++)
		assert_int_equal(lane.reasons[i].count, 1);
	queue_retry_all(rig.queue);
	/* Those of fresh, then one that gets a reason of its own: that of the
	 * first is free, and the next one shares it. */
	for (int i = 0; i < 4; i++)
		rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED,
			   BLAME_MESSAGE, "4.2.1", "450 all the same");
	lane = read_lane(&rig, "one");
	assert_int_equal(lane.jobs, COUNT + 2);
	queue_retry_all(rig.queue);
	for (int i = 0; i < COUNT + 2; i++)
		rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
	lane = read_lane(&rig, "one");
	assert_int_equal(lane.jobs, 0);
	for (int i = 0; i < LANE_REASONS; i++)
		assert_int_equal(lane.reasons[i].count, 0);
	rig_clear(&rig);
}

/* Its record gone, or with a byte that is wrong. */
static void spoil_lane(struct rig *rig, const char *lane, bool is_lost)
{
	struct key key = key_lane(lane);
	struct buffer raw = { NULL, 0, 0, 0 };
	struct store_txn *txn;
	struct view value;

	assert_int_equal(store_begin(rig->queue->store[HOME_HELD], &txn), 0);
	assert_int_equal(store_get(txn, key_view(&key), &value), 0);
	buffer_append(&raw, value);
	raw.data[raw.start + buffer_len(&raw) / 2] ^= 1;
	if (is_lost)
		assert_int_equal(store_delete(txn, key_view(&key)), 0);
	else
		assert_int_equal(store_put(txn, key_view(&key),
					   buffer_view(&raw)), 0);
	assert_int_equal(store_commit(txn), 0);
	buffer_clear(&raw);
}

static void a_lane_without_its_record_is_found(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept_many(&rig, 3, "b@one");
	for (int i = 0; i < 3; i++)
		rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED,
			   BLAME_RECIPIENT, "4.2.2", "full");
	rig_settle(&rig);
	for (int is_lost = 0; is_lost < 2; is_lost++) {
		spoil_lane(&rig, "one", is_lost);
		rig_close(&rig);
		rig_open(&rig);
		assert_int_equal(rig_counts(&rig).jobs_held, 3);
	}
	assert_int_equal(read_lane(&rig, "one").jobs, 3);
	/* In service: one goes, and the others are still counted. */
	for (int left = 2; left >= 0; left--) {
		spoil_lane(&rig, "one", left & 1);
		queue_retry_all(rig.queue);
		rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
		assert_int_equal(read_lane(&rig, "one").jobs, left);
	}
	rig_clear(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_is_counted_by_its_reason),
		cmocka_unit_test(a_lane_without_its_record_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
