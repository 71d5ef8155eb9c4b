/*
 * Turns of destinations, the memory of bad hosts, and warm connections.
 */
#include "relay/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/hosts.h"
#include "relay/pool.h"

/* A lane is never looked into here. */
static struct lane *lane(size_t i)
{
	static char names[64];

	return (struct lane *)(void *)&names[i];
}

static size_t next(struct turns *t)
{
	struct destination *dest = turns_next(t);
	size_t i;

	if (dest == NULL)
		return 99;
	turns_begin(t, dest);
	for (i = 0; i < 64; i++)
		if (turns_lane(dest) == lane(i))
			return i;
	return 98;
}

static void destinations_take_turns(void **state)
{
	struct turns *t = turns_new();
	struct destination *d[3];
	size_t i;

	(void)state;
	turns_limit(t, 10, 20);
	for (i = 0; i < 3; i++) {
		d[i] = turns_add(t, lane(i), TURNS_NEW);
		turns_ready(t, d[i], true);
	}
	assert_int_equal(turns_waiting(t), 3);
	for (i = 0; i < 3; i++)
		assert_int_equal(next(t), i);
	for (i = 0; i < 3; i++)
		assert_int_equal(next(t), i);
	/* two at once, and no more */
	assert_int_equal(next(t), 99);
	assert_int_equal(turns_waiting(t), 0);
	assert_int_equal(turns_active(t), 6);
	turns_end(t, d[1], TURNS_WENT_WELL);
	assert_int_equal(next(t), 1);
	turns_free(t);
}

static void pace_grows_with_success_and_halves_with_trouble(void **state)
{
	struct turns *t = turns_new();
	struct destination *d = turns_add(t, lane(0), TURNS_NEW);
	unsigned i, n = 0;

	(void)state;
	turns_limit(t, 100, 5);
	turns_ready(t, d, true);
	for (i = 0; i < 60; i++) {
		while (next(t) == 0)
			n++;
		turns_end(t, d, TURNS_WENT_WELL);
		n--;
	}
	assert_int_equal(n, 4);
	while (n > 0) {
		turns_end(t, d, TURNS_HOST_BAD);
		n--;
	}
	while (next(t) == 0)
		n++;
	assert_int_equal(n, 1);
	turns_free(t);
}

static void trouble_gets_half_of_the_slots(void **state)
{
	struct turns *t = turns_new();
	struct destination *d[20];
	size_t i, n = 0;

	(void)state;
	turns_limit(t, 8, 20);
	for (i = 0; i < 20; i++) {
		d[i] = turns_add(t, lane(i), TURNS_NEW);
		turns_ready(t, d[i], true);
		turns_begin(t, d[i]);
		turns_end(t, d[i], TURNS_HOST_BAD);
	}
	while (next(t) < 20)
		n++;
	assert_int_equal(n, 4);
	assert_int_equal(turns_waiting(t), 0);
	/* a good one finds room */
	turns_ready(t, turns_add(t, lane(30), TURNS_NEW), true);
	assert_int_equal(next(t), 30);
	turns_free(t);
}

static void an_eighth_is_kept_for_those_that_went_well(void **state)
{
	struct turns *t = turns_new();
	struct destination *good = turns_add(t, lane(40), TURNS_NEW);
	size_t i, n = 0;

	(void)state;
	turns_limit(t, 16, 20);
	turns_begin(t, good);
	turns_end(t, good, TURNS_WENT_WELL);
	assert_int_equal(turns_repute(good), TURNS_GOOD);
	for (i = 0; i < 20; i++)
		turns_ready(t, turns_add(t, lane(i), TURNS_NEW), true);
	while (next(t) < 20)
		n++;
	assert_int_equal(n, 14);
	turns_ready(t, good, true);
	assert_int_equal(next(t), 40);
	assert_int_equal(next(t), 40);
	assert_int_equal(next(t), 99);
	assert_int_equal(turns_active(t), 16);
	turns_free(t);
}

static void who_hesitates_may_be_too_many(void **state)
{
	struct turns *t = turns_new();
	struct destination *d[8];
	size_t i;

	(void)state;
	turns_limit(t, 8, 1);
	for (i = 0; i < 8; i++) {
		d[i] = turns_add(t, lane(i), TURNS_NEW);
		turns_ready(t, d[i], true);
	}
	for (i = 0; i < 7; i++)
		assert_int_equal(next(t), i);
	assert_int_equal(next(t), 99);
	assert_int_equal(turns_waiting(t), 1);
	for (i = 0; i < 7; i++)
		turns_suspect(t, d[i]);
	assert_int_equal(turns_surplus(t), 3);
	/* one gives way; the one that waits comes before it */
	turns_end(t, d[0], TURNS_UNDECIDED);
	turns_ready(t, d[0], true);
	assert_int_equal(next(t), 7);
	assert_int_equal(next(t), 99);
	/* it goes on as soon as trouble has less than its half */
	for (i = 1; i < 4; i++)
		turns_end(t, d[i], TURNS_WENT_WELL);
	assert_int_equal(turns_surplus(t), 0);
	turns_end(t, d[4], TURNS_WENT_WELL);
	for (i = 1; i < 5; i++)
		turns_ready(t, d[i], false);
	assert_int_equal(next(t), 0);
	turns_free(t);
}

static void trouble_from_before_is_probed_by_one(void **state)
{
	struct turns *t = turns_new();
	struct destination *d = turns_add(t, lane(0), TURNS_TROUBLED);

	(void)state;
	turns_limit(t, 8, 20);
	turns_ready(t, d, true);
	assert_int_equal(next(t), 0);
	assert_int_equal(next(t), 99);
	turns_end(t, d, TURNS_WENT_WELL);
	assert_int_equal(next(t), 0);
	assert_int_equal(next(t), 0);
	assert_int_equal(next(t), 99);
	turns_free(t);
}

static void one_slot_serves_trouble_too(void **state)
{
	struct turns *t = turns_new();
	struct destination *d = turns_add(t, lane(0), TURNS_NEW);

	(void)state;
	turns_ready(t, d, true);
	turns_begin(t, d);
	turns_end(t, d, TURNS_HOST_BAD);
	assert_int_equal(next(t), 0);
	turns_free(t);
}

static void a_lane_that_is_gone_ends_its_trips(void **state)
{
	struct turns *t = turns_new();
	struct destination *d = turns_add(t, lane(0), TURNS_NEW);

	(void)state;
	turns_limit(t, 4, 4);
	turns_ready(t, d, true);
	assert_int_equal(next(t), 0);
	turns_remove(t, d);
	assert_null(turns_any(t));
	assert_int_equal(next(t), 99);
	turns_end(t, d, TURNS_HOST_BAD);
	assert_int_equal(turns_active(t), 0);
	turns_free(t);
}

static void bad_hosts_are_remembered_for_longer_each_time(void **state)
{
	struct hosts *h = hosts_new();
	struct net_address a, b;
	double now = 1000;

	(void)state;
	net_parse(VIEW("192.0.2.1"), &a);
	net_parse(VIEW("192.0.2.2"), &b);
	assert_false(hosts_is_bad(h, "mx", &a, now));
	hosts_failed(h, "mx", &a, now);
	assert_true(hosts_is_bad(h, "mx", &a, now + 299));
	assert_false(hosts_is_bad(h, "mx", &b, now));
	assert_false(hosts_is_bad(h, "my", &a, now));
	/* what fails side by side is one failure */
	hosts_failed(h, "mx", &a, now + 1);
	assert_false(hosts_is_bad(h, "mx", &a, now + 301));
	hosts_failed(h, "mx", &a, now + 301);
	assert_true(hosts_is_bad(h, "mx", &a, now + 900));
	assert_false(hosts_is_bad(h, "mx", &a, now + 902));
	now += 902;
	hosts_failed(h, "mx", &a, now);
	hosts_failed(h, "mx", &a, now += 1200);
	hosts_failed(h, "mx", &a, now += 2400);
	assert_true(hosts_is_bad(h, "mx", &a, now + 3599));
	assert_false(hosts_is_bad(h, "mx", &a, now + 3601));
	hosts_worked(h, "mx", &a);
	assert_false(hosts_is_bad(h, "mx", &a, now));
	hosts_failed(h, "mx", &a, now);
	assert_false(hosts_is_bad(h, "mx", &a, now + 301));
	hosts_free(h);
}

static void the_memory_of_hosts_is_bounded(void **state)
{
	struct hosts *h = hosts_new();
	struct net_address a;
	char name[32];
	int i, bad = 0;

	(void)state;
	net_parse(VIEW("192.0.2.1"), &a);
	for (i = 0; i < 3 * HOSTS_MAX; i++) {
		snprintf(name, sizeof(name), "mx%d", i);
		hosts_failed(h, name, &a, i * 0.01);
	}
	for (i = 0; i < 3 * HOSTS_MAX; i++) {
		snprintf(name, sizeof(name), "mx%d", i);
		bad += hosts_is_bad(h, name, &a, 31);
		/* and forgetting one loses no other */
		if (i % 2 == 0)
			hosts_worked(h, name, &a);
	}
	assert_int_equal(bad, HOSTS_MAX);
	for (bad = i = 0; i < 3 * HOSTS_MAX; i++) {
		snprintf(name, sizeof(name), "mx%d", i);
		bad += hosts_is_bad(h, name, &a, 31);
	}
	assert_int_equal(bad, HOSTS_MAX / 2);
	hosts_free(h);
}

static void connections_serve_only_the_same_demand(void **state)
{
	static struct policy with = { .gateway_count = 1 }, without;
	static struct demand demand = { .policy = &without,
					.level = TLS_MAY }, other;
	struct candidate candidate = { .host = "mx.example" };
	struct pool_key key = { .generation = 1,
				.domain = "a.example",
				.candidate = &candidate,
				.demand = &demand };
	struct pool_key asked = key;
	struct candidate elsewhere;
	struct pool *p = pool_new();
	int item;

	(void)state;
	net_parse(VIEW("192.0.2.1"), &candidate.address);
	net_set_port(&candidate.address, 25);
	pool_put(p, &key, &item);
	/* for a domain by its MX: that domain alone, under that policy */
	assert_null(pool_take_for(p, 1, &without, "b.example"));
	assert_null(pool_take_for(p, 2, &without, "a.example"));
	assert_null(pool_take_for(p, 1, &with, "a.example"));
	assert_ptr_equal(pool_take_for(p, 1, &without, "a.example"), &item);
	assert_int_equal(pool_count(p), 0);

	pool_put(p, &key, &item);
	other = demand;
	other.level = TLS_VERIFY;
	asked.demand = &other;
	assert_null(pool_take(p, &asked));
	asked = key;
	asked.generation = 2;
	assert_null(pool_take(p, &asked));
	asked = key;
	elsewhere = candidate;
	net_set_port(&elsewhere.address, 26);
	asked.candidate = &elsewhere;
	assert_null(pool_take(p, &asked));
	asked = key;
	asked.domain = "b.example";
	assert_ptr_equal(pool_take(p, &asked), &item);

	/* behind gateways all domains of the policy are one */
	demand.policy = &with;
	pool_put(p, &key, &item);
	assert_ptr_equal(pool_take_for(p, 1, &with, "c.example"), &item);
	pool_put(p, &key, &item);
	assert_ptr_equal(pool_oldest(p), &item);
	assert_true(pool_remove(p, &item));
	assert_false(pool_remove(p, &item));
	demand.policy = &without;
	pool_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destinations_take_turns),
		cmocka_unit_test(
			pace_grows_with_success_and_halves_with_trouble),
		cmocka_unit_test(trouble_gets_half_of_the_slots),
		cmocka_unit_test(an_eighth_is_kept_for_those_that_went_well),
		cmocka_unit_test(who_hesitates_may_be_too_many),
		cmocka_unit_test(trouble_from_before_is_probed_by_one),
		cmocka_unit_test(one_slot_serves_trouble_too),
		cmocka_unit_test(a_lane_that_is_gone_ends_its_trips),
		cmocka_unit_test(bad_hosts_are_remembered_for_longer_each_time),
		cmocka_unit_test(the_memory_of_hosts_is_bounded),
		cmocka_unit_test(connections_serve_only_the_same_demand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
