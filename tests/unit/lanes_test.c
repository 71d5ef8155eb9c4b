/*
 * Lanes, retry times, the spool's clock and ids.
 */
#include "queue/lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "queue/clock.h"
#include "queue/ident.h"
#include "queue/retry.h"

static void lanes_wake_in_the_order_of_time(void **state)
{
	struct lanes *lanes = lanes_new();
	struct lane *lane;
	int64_t last = -1;
	char name[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "lane%d", i);
		lane = lanes_get(lanes, name);
		lanes_wake_at(lanes, lane, i * 7919 % 1000);
	}
	assert_int_equal(lanes_count(lanes), 1000);
	/* moved, taken out, dropped */
	lanes_wake_at(lanes, lanes_find(lanes, "lane500"), 2000);
	lanes_wake_at(lanes, lanes_find(lanes, "lane501"), 0);
	lanes_wake_at(lanes, lanes_find(lanes, "lane502"), TIME_NEVER);
	lanes_drop(lanes, lanes_find(lanes, "lane503"));
	assert_null(lanes_find(lanes, "lane503"));
	for (int i = 0; i < 998; i++) {
		int64_t next = lanes_next(lanes);

		assert_true(next >= last);
		last = next;
		assert_null(lanes_due(lanes, next - 1));
		lane = lanes_due(lanes, next);
		assert_non_null(lane);
		assert_int_equal(lane->wake, TIME_NEVER);
	}
	assert_int_equal(last, 2000);
	assert_int_equal(lanes_next(lanes), TIME_NEVER);
	lanes_free(lanes);
}

static void many_failures_of_one_moment_are_one(void **state)
{
	struct lanes *lanes = lanes_new();
	struct lane *lane = lanes_get(lanes, "one");
	struct result r = { .host = "mx" };
	unsigned taken_at = lane->epoch;

	(void)state;
	result_set(&r, OUTCOME_DEFERRED, BLAME_HOST, "4.4.1", "down");
	assert_true(lane_fail(lane, taken_at, &r, 10000, 500));
	for (int i = 0; i < 19; i++)
		assert_false(lane_fail(lane, taken_at, &r, 10001, 500));
	assert_int_equal(lane->failures, 1);
	assert_int_equal(lane->due, 10500);
	assert_true(lane_is_backing_off(lane, 10499));
	assert_false(lane_is_backing_off(lane, 10500));
	assert_true(lane_fail(lane, lane->epoch, &r, 10600, 1000));
	assert_int_equal(lane->failures, 2);
	assert_int_equal(lane->since, 10);
	assert_true(lane_succeed(lane));
	assert_false(lane_succeed(lane));
	assert_false(lane_is_backing_off(lane, 0));
	lanes_free(lanes);
}

static void a_lane_comes_back_from_its_record(void **state)
{
	struct lanes *lanes = lanes_new();
	struct lane *lane = lanes_get(lanes, "one"), *other;
	struct result r = { .host = "mx[192.0.2.1]:25" };
	struct lane_record record;

	(void)state;
	result_set(&r, OUTCOME_DEFERRED, BLAME_HOST, "4.7.5", "bad name");
	lane_fail(lane, 0, &r, 7000, 60000);
	lane_to_record(lane, &record);
	record.jobs = 12;
	other = lanes_get(lanes, "two");
	lane_from_record(other, &record);
	assert_int_equal(other->due, 67000);
	assert_int_equal(other->failures, 1);
	assert_int_equal(other->stored[HOME_HELD], 12);
	assert_int_equal(lane_cold(other, HOME_HELD), 12);
	assert_string_equal(other->status, "4.7.5");
	assert_string_equal(other->text, "bad name");
	lanes_free(lanes);
}

static void retries_double_up_to_the_cap_and_spread(void **state)
{
	static const struct {
		uint32_t failures;
		int64_t low, high;
	} rows[] = {
		{ 1, 48000, 72000 },	   { 2, 96000, 144000 },
		{ 3, 192000, 288000 },	   { 6, 1536000, 2304000 },
		{ 7, 2880000, 3600000 },   { 8, 2880000, 3600000 },
		{ 4000000000u, 2880000, 3600000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(retry_delay(60, 3600, rows[i].failures, 0),
				 rows[i].low);
		assert_int_equal(retry_delay(60, 3600, rows[i].failures,
					     UINT32_MAX), rows[i].high);
	}
	assert_true(retry_delay(0, 0, 1, 0) > 0);
	assert_int_equal(retry_delay(60, 30, 1, UINT32_MAX), 30000);
}

static void the_clock_takes_little_of_a_stop_and_never_goes_back(void **state)
{
	enum { DAY = 24 * 3600 * 1000 };
	static const struct {
		int64_t wall; /* at the start, relative to what is stored */
		int64_t gap;
	} rows[] = {
		{ 0, 0 }, { 5000, 5000 }, { DAY, CLOCK_GAP_MAX },
		{ INT64_C(3650) * DAY, CLOCK_GAP_MAX }, { -DAY, 0 },
		{ INT64_C(-3650) * DAY, 0 },
	};
	struct spool_clock clock;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct clock_record stored = { 1000000, INT64_C(1) << 41 };

		clock_start(&clock, &stored, stored.wall + rows[i].wall, 77);
		assert_int_equal(clock_at(&clock, 77), 1000000 + rows[i].gap);
		assert_int_equal(clock_at(&clock, 87),
				 1000010 + rows[i].gap);
		assert_int_equal(clock_at(&clock, 80),
				 1000010 + rows[i].gap);
	}
	clock_start(&clock, NULL, 5555, 1);
	assert_int_equal(clock_at(&clock, 2), 5556);
}

static void ids_sort_by_time_and_tell_it(void **state)
{
	struct ident_source source = { 3, 0x3f, UINT64_MAX - 1 };
	char a[MESSAGE_ID_LEN + 1], b[MESSAGE_ID_LEN + 1];

	(void)state;
	ident_make(&source, 1795564800123, a);
	assert_int_equal(strlen(a), MESSAGE_ID_LEN);
	assert_int_equal(ident_time(a), 1795564800123);
	ident_make(&source, 1795564800123, b);
	assert_true(strcmp(a, b) < 0);
	ident_make(&source, 1795564800124, a);
	assert_true(strcmp(b, a) < 0);
	assert_int_equal(ident_time("01M87YD6QR00CCAZER93TGJA6"), -1);
	assert_int_equal(ident_time("01M87YD6QR00CCAZER93TGJA6i"), -1);
	source.worker = 4;
	ident_make(&source, 1795564800124, b);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lanes_wake_in_the_order_of_time),
		cmocka_unit_test(many_failures_of_one_moment_are_one),
		cmocka_unit_test(a_lane_comes_back_from_its_record),
		cmocka_unit_test(retries_double_up_to_the_cap_and_spread),
		cmocka_unit_test(
			the_clock_takes_little_of_a_stop_and_never_goes_back),
		cmocka_unit_test(ids_sort_by_time_and_tell_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
