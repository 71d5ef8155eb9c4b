/*
 * Which way to the DNS follows from which findings.
 */
#include "relay/resolver_dnssec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#define PEND PROBE_PENDING
#define GOOD PROBE_SECURE
#define BARE PROBE_ANSWERED
#define FAIL PROBE_FAILED

enum { WAIT = -1, WAIT_RECURSE = -2 };

static const struct row {
	enum dnssec_way now;
	unsigned uncertain;
	bool is_early, may_recurse;
	enum probe_finding forward, plain, recurse;
	int way; /* or WAIT, WAIT_RECURSE */
	bool is_certain;
} rows[] = {
	/* nothing known yet */
	{0,		0,	0, 1, PEND, PEND, PEND, WAIT,	      0},
	{ 0,	       0,	0, 1, PEND, BARE, PEND, WAIT,	      0},
	{ 0,	       0,	0, 1, FAIL, PEND, PEND, WAIT,	      0},
 /* a resolver that can: nothing else is waited for */
	{ 0,	       0,	0, 1, GOOD, PEND, PEND, DNSSEC_FORWARD,	1},
	{ 0,	       0,	0, 0, GOOD, FAIL, PEND, DNSSEC_FORWARD,	1},
	{ DNSSEC_INSECURE, 9,  0, 0, GOOD, PEND, PEND, DNSSEC_FORWARD,  1},
	{ DNSSEC_RECURSE,  0,  0, 1, GOOD, PEND, PEND, DNSSEC_FORWARD,  1},
 /* the system's strips: from the roots, if that works */
	{ 0,	       0,	0, 1, FAIL, BARE, PEND, WAIT_RECURSE,    0},
	{ 0,	       0,	0, 1, FAIL, BARE, GOOD, DNSSEC_RECURSE,	1},
	{ 0,	       0,	0, 1, FAIL, BARE, FAIL, DNSSEC_INSECURE, 0},
	{ DNSSEC_INSECURE, 3,  0, 1, FAIL, BARE, FAIL, DNSSEC_INSECURE, 1},
 /* a configured one is never walked around */
	{ 0,	       0,	0, 0, FAIL, BARE, PEND, DNSSEC_INSECURE, 0},
	{ 0,	       3,	0, 0, FAIL, BARE, GOOD, DNSSEC_INSECURE, 1},
 /* one that could: only when it fails again and again */
	{ DNSSEC_FORWARD,  0,  0, 0, FAIL, BARE, PEND, DNSSEC_FORWARD,  0},
	{ DNSSEC_FORWARD,  2,  0, 0, FAIL, BARE, PEND, DNSSEC_FORWARD,  0},
	{ DNSSEC_FORWARD,  3,  0, 0, FAIL, BARE, PEND, DNSSEC_INSECURE, 1},
	{ DNSSEC_RECURSE,  1,  0, 1, FAIL, BARE, FAIL, DNSSEC_RECURSE,  0},
 /* an outage changes nothing that was known */
	{ DNSSEC_FORWARD,  99, 0, 1, FAIL, FAIL, PEND, DNSSEC_FORWARD,  0},
	{ DNSSEC_RECURSE,  99, 0, 1, FAIL, FAIL, PEND, DNSSEC_RECURSE,  0},
	{ 0,	       0,	0, 1, FAIL, FAIL, PEND, DNSSEC_INSECURE, 0},
	{ DNSSEC_NOTHING,  5,  0, 1, FAIL, FAIL, PEND, DNSSEC_INSECURE, 0},
 /* no clock, no DNSSEC */
	{ 0,	       0,	1, 1, PEND, PEND, PEND, DNSSEC_NOTHING,	0},
	{ DNSSEC_FORWARD,  0,  1, 1, GOOD, PEND, PEND, DNSSEC_NOTHING,  0},
};

static void the_way_follows_from_what_the_probes_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct dnssec_findings f = {
			.now = row->now,
			.uncertain = row->uncertain,
			.is_clock_early = row->is_early,
			.may_recurse = row->may_recurse,
			.forward = row->forward,
			.plain = row->plain,
			.recurse = row->recurse,
		};
		struct dnssec_choice choice = dnssec_choose(&f);
		int way = choice.is_made	 ? (int)choice.way
			  : choice.wants_recurse ? WAIT_RECURSE
						 : WAIT;

		if (way != row->way || choice.is_certain != row->is_certain)
			fail_msg("row %zu: way %d certain %d", i, way,
				 choice.is_certain);
		if (choice.is_made && way != DNSSEC_FORWARD)
			assert_non_null(choice.why);
	}
}

static void probing_is_eager_while_uncertain(void **state)
{
	static const unsigned expected[] = { 300, 1, 2, 4, 8, 10, 10 };

	(void)state;
	for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(dnssec_probe_pause(i), expected[i]);
	assert_int_equal(dnssec_probe_pause(~0u), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_follows_from_what_the_probes_found),
		cmocka_unit_test(probing_is_eager_while_uncertain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
