/*
 * What a lab's gateway remembers of its clients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "relay/lab/recall.h"

static void a_try_is_early_until_its_time_has_passed(void **state)
{
	static const struct recall_try one = { "::1", "a@b", "c@d" };
	static const struct recall_try others[] = {
		{ "::2", "a@b", "c@d" },
		{ "::1", "", "c@d" },
		{ "::1", "a@b", "c@" },
		{ "::1", "a@bc", "@d" },
	};
	struct recall *recall = recall_new();

	(void)state;
	assert_true(recall_is_early(recall, &one, 30, 100));
	assert_true(recall_is_early(recall, &one, 30, 129.9));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(recall_is_early(recall, &others[i], 30, 130));
	assert_false(recall_is_early(recall, &one, 30, 130));
	assert_false(recall_is_early(recall, &one, 30, 1e6));
	recall_forget(recall);
	assert_true(recall_is_early(recall, &one, 30, 1e6));
	recall_free(recall);
}

static void the_oldest_try_is_forgotten(void **state)
{
	struct recall *recall = recall_new();
	struct recall_try what = { "::1", "a@b", "first" };
	char to[32];

	(void)state;
	assert_true(recall_is_early(recall, &what, 10, 0));
	what.to = to;
	for (unsigned i = 0; i < RECALL_TRIES_MAX; i++) {
		snprintf(to, sizeof(to), "c%u@d", i);
		assert_true(recall_is_early(recall, &what, 10, 1));
	}
	assert_false(recall_is_early(recall, &what, 10, 20));
	what.to = "first";
	assert_true(recall_is_early(recall, &what, 10, 20));
	recall_free(recall);
}

static void connections_are_counted_by_the_minute(void **state)
{
	struct recall *recall = recall_new();

	(void)state;
	assert_int_equal(recall_connections(recall, 5), 1);
	assert_int_equal(recall_connections(recall, 6), 2);
	assert_int_equal(recall_connections(recall, 64.9), 3);
	assert_int_equal(recall_connections(recall, 65), 1);
	assert_int_equal(recall_connections(recall, 124), 2);
	recall_forget(recall);
	assert_int_equal(recall_connections(recall, 124.5), 1);
	assert_int_equal(recall_connections(recall, 184), 2);
	recall_free(recall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_try_is_early_until_its_time_has_passed),
		cmocka_unit_test(the_oldest_try_is_forgotten),
		cmocka_unit_test(connections_are_counted_by_the_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
