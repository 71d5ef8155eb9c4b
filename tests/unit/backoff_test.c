/*
 * A child that dies is started at once, then ever later, and is forgiven
 * when it lived long enough.
 */
#include "relay/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void pauses_double_up_to_five_seconds(void **state)
{
	static const unsigned expected[] = { 0,	   100,	 200,  400,  800,
					     1600, 3200, 5000, 5000, 5000 };
	unsigned deaths = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(backoff_pause(&deaths, 5), expected[i]);
}

static void ten_seconds_alive_begin_a_new_row(void **state)
{
	unsigned deaths = 0;

	(void)state;
	backoff_pause(&deaths, 0);
	backoff_pause(&deaths, 0);
	assert_int_equal(backoff_pause(&deaths, 9999), 200);
	assert_int_equal(backoff_pause(&deaths, 10000), 0);
	assert_int_equal(backoff_pause(&deaths, 0), 100);
}

static void a_million_deaths_still_pause_five_seconds(void **state)
{
	unsigned deaths = 0, last = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		last = backoff_pause(&deaths, 0);
	assert_int_equal(last, BACKOFF_MAX);
	deaths = UINT32_MAX - 1;
	assert_int_equal(backoff_pause(&deaths, 0), BACKOFF_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_up_to_five_seconds),
		cmocka_unit_test(ten_seconds_alive_begin_a_new_row),
		cmocka_unit_test(a_million_deaths_still_pause_five_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
