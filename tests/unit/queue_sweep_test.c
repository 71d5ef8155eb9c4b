/*
 * What a postmaster does to mail that waits: what is meant, what is done,
 * and what stays as it was.
 */
#include "tests/unit/queue_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/browse.h"
#include "queue/inner.h"
#include "queue/sweep.h"

struct outcome_of_sweep {
	struct sweep_counts counts;
	unsigned is_over;
};

static void on_sweep(void *arg, const struct sweep_counts *counts,
		     bool is_over)
{
	struct outcome_of_sweep *out = arg;

	out->counts = *counts;
	out->is_over |= is_over;
}

static struct sweep_counts sweep(struct rig *rig, enum sweep_verb verb,
				 const char *what)
{
	struct outcome_of_sweep out = { .is_over = 0 };
	struct selector selector;
	struct error error;

	if (selector_parse(what, &selector, &error))
		fail_msg("%s", error.text);
	sweep_new(rig->queue, verb, &selector, on_sweep, &out);
	assert_int_equal(out.is_over, 0);
	assert_true(rig_wait(rig, &out.is_over, 1, 10));
	assert_false(out.counts.is_broken);
	return out.counts;
}

static void open_rig(struct rig *rig)
{
	rig_init(rig);
	rig_open(rig);
}

/* Accepts `count` messages and defers them once. */
static void defer(struct rig *rig, unsigned count, const char *from,
		  const char *to)
{
	for (unsigned i = 0; i < count; i++)
		rig_accept(rig, from, to, VIEW("hello\r\n"));
	for (unsigned i = 0; i < count; i++)
		rig_finish(rig, rig_take(rig), OUTCOME_DEFERRED, BLAME_MESSAGE,
			   "4.2.1", "450 busy");
	rig_settle(rig);
}

static uint64_t on_disk(struct rig *rig)
{
	rig_settle(rig);
	return rig_counts(rig).messages_fresh + rig_counts(rig).jobs_held;
}

static void nothing_is_given(struct rig *rig)
{
	rig_run(rig, 0.15);
	for (size_t i = 0; i < rig->lane_count; i++)
		assert_null(queue_take(rig->queue, rig->lanes[i]));
}

static void a_count_changes_nothing(void **state)
{
	struct sweep_counts counts;
	struct rig rig;

	(void)state;
	open_rig(&rig);
	defer(&rig, 3, "a@home", "b@one c@one");
	rig_accept(&rig, "x@home", "d@two", VIEW("x"));
	counts = sweep(&rig, SWEEP_COUNT, "all");
	assert_int_equal(counts.jobs, 4);
	assert_int_equal(counts.recipients, 7);
	assert_int_equal(sweep(&rig, SWEEP_COUNT, "one").recipients, 6);
	assert_int_equal(sweep(&rig, SWEEP_COUNT, "A@HOME").jobs, 3);
	assert_int_equal(sweep(&rig, SWEEP_COUNT, rig.last_id).jobs, 1);
	assert_int_equal(sweep(&rig, SWEEP_COUNT, "<>").jobs, 0);
	assert_int_equal(on_disk(&rig), 4);
	rig_clear(&rig);
}

static void many_are_removed_and_nothing_else(void **state)
{
	struct sweep_counts counts;
	struct rig rig;

	(void)state;
	open_rig(&rig);
	defer(&rig, 100, "spam@home", "b@one");
	defer(&rig, 2, "good@home", "b@one");
	rig_accept(&rig, "spam@home", "d@two", VIEW("x"));
	counts = sweep(&rig, SWEEP_REMOVE, "spam@home");
	assert_int_equal(counts.jobs, 101);
	assert_int_equal(counts.busy, 0);
	assert_int_equal(on_disk(&rig), 2);
	rig_close(&rig);
	rig_open(&rig);
	assert_int_equal(on_disk(&rig), 2);
	rig_clear(&rig);
}

static void what_is_being_delivered_is_left_alone(void **state)
{
	struct sweep_counts counts;
	struct job *job;
	struct rig rig;

	(void)state;
	open_rig(&rig);
	rig_accept(&rig, "a@home", "b@one", VIEW("x"));
	rig_accept(&rig, "a@home", "c@one", VIEW("x"));
	job = rig_take(&rig);
	counts = sweep(&rig, SWEEP_REMOVE, "all");
	assert_int_equal(counts.jobs, 1);
	assert_int_equal(counts.busy, 1);
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	assert_int_equal(on_disk(&rig), 0);
	rig_clear(&rig);
}

static void only_the_recipients_that_are_meant_go(void **state)
{
	struct rig rig;
	struct job *job;

	(void)state;
	open_rig(&rig);
	defer(&rig, 1, "a@home", "b@one c@two");
	/* One message, two jobs, one of them goes. */
	assert_int_equal(on_disk(&rig), 2);
	rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED, BLAME_MESSAGE,
		   "4.2.1", "450 busy");
	assert_int_equal(on_disk(&rig), 2);
	assert_int_equal(sweep(&rig, SWEEP_REMOVE, "two").jobs, 1);
	assert_int_equal(on_disk(&rig), 1);
	sweep(&rig, SWEEP_RETRY, "one");
	job = rig_take(&rig);
	assert_string_equal(job->envelope->recipients[0].address, "b@one");
	queue_return(rig.queue, job);
	rig_clear(&rig);
}

static void a_bounce_tells_the_sender(void **state)
{
	struct rig rig;
	struct job *job;
	struct buffer text;

	(void)state;
	open_rig(&rig);
	defer(&rig, 1, "a@home", "b@one");
	assert_int_equal(sweep(&rig, SWEEP_BOUNCE, "one").jobs, 1);
	job = rig_take(&rig);
	assert_true(job->envelope->is_report);
	text = rig_body(&rig, job);
	buffer_append_byte(&text, 0);
	assert_non_null(strstr((char *)text.data, "given up by the"));
	assert_non_null(strstr((char *)text.data, "450 busy"));
	buffer_clear(&text);
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	assert_int_equal(on_disk(&rig), 0);
	rig_clear(&rig);
}

static void one_message_is_tried_at_once(void **state)
{
	struct rig rig;
	struct job *job;
	char id[MESSAGE_ID_LEN + 1];

	(void)state;
	open_rig(&rig);
	defer(&rig, 3, "a@home", "b@one");
	memcpy(id, rig.last_id, sizeof(id));
	nothing_is_given(&rig);
	assert_int_equal(sweep(&rig, SWEEP_RETRY, id).jobs, 1);
	job = rig_take(&rig);
	assert_string_equal(job->envelope->id, id);
	nothing_is_given(&rig);
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	assert_int_equal(on_disk(&rig), 2);
	rig_clear(&rig);
}

static void a_backed_off_lane_is_asked_again(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	rig_accept(&rig, "a@home", "b@one", VIEW("x"));
	rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED, BLAME_HOST, "4.4.1",
		   "down");
	rig_settle(&rig);
	nothing_is_given(&rig);
	assert_int_equal(sweep(&rig, SWEEP_RETRY, "two").jobs, 0);
	assert_int_equal(sweep(&rig, SWEEP_RETRY, "all").jobs, 1);
	queue_return(rig.queue, rig_take(&rig));
	rig_clear(&rig);
}

/* A retry meets jobs at each moment of their way to be deferred; whoever is
 * there then is tried once more, and nobody twice. */
static void what_is_just_being_deferred_is_asked_again_once(void **state)
{
	static const enum blame blames[] = { BLAME_HOST, BLAME_RECIPIENT };
	struct rig rig;

	(void)state;
	for (int i = 0; i < 6; i++) {
		enum blame blame = blames[i & 1];

		open_rig(&rig);
		rig_accept(&rig, "a@home", "b@one", VIEW("x"));
		rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED, blame,
			   "4.4.1", "down");
		/* on its way to held, a moment later, or there */
		if (i / 2 == 1)
			rig_run(&rig, 0.002);
		else if (i / 2 == 2)
			rig_settle(&rig);
		queue_retry_all(rig.queue);
		rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED,
			   BLAME_RECIPIENT, "4.2.2", "full");
		rig_run(&rig, 0.1);
		assert_null(queue_take(rig.queue, rig.lane));
		assert_int_equal(rig_counts(&rig).deferred, 2);
		/* Once for each time that it is asked. */
		queue_retry_all(rig.queue);
		rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
		rig_clear(&rig);
	}
}

static void a_sender_on_hold_waits_until_released(void **state)
{
	struct rig rig;
	struct job *job;

	(void)state;
	open_rig(&rig);
	defer(&rig, 2, "bad@home", "b@one");
	assert_true(sweep(&rig, SWEEP_HOLD, "bad@home").has_rule);
	/* New mail of theirs, and the rest is not hindered. */
	rig_accept(&rig, "bad@home", "c@one", VIEW("x"));
	rig_accept(&rig, "good@home", "c@one", VIEW("x"));
	sweep(&rig, SWEEP_RETRY, "one");
	job = rig_take(&rig);
	assert_string_equal(job->envelope->sender, "good@home");
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	nothing_is_given(&rig);
	assert_int_equal(on_disk(&rig), 3);
	assert_int_equal(sweep(&rig, SWEEP_COUNT, "all").on_hold, 3);
	/* It is still so after a start, and nothing expires. */
	rig.conf.lifetime = 1;
	rig_run(&rig, 1.1);
	rig_close(&rig);
	rig_open(&rig);
	nothing_is_given(&rig);
	sweep(&rig, SWEEP_RETRY, "all");
	nothing_is_given(&rig);
	assert_int_equal(on_disk(&rig), 3);
	rig.conf.lifetime = 1000;
	assert_true(sweep(&rig, SWEEP_RELEASE, "bad@home").has_rule);
	for (int i = 0; i < 3; i++)
		rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
	assert_int_equal(on_disk(&rig), 0);
	assert_false(sweep(&rig, SWEEP_RELEASE, "bad@home").has_rule);
	rig_clear(&rig);
}

static void a_domain_on_hold_costs_nothing(void **state)
{
	struct queue_counts before, after;
	struct rig rig;

	(void)state;
	open_rig(&rig);
	defer(&rig, 3, "a@home", "b@one");
	rig_accept(&rig, "a@home", "b@one", VIEW("x"));
	before = rig_counts(&rig);
	assert_true(sweep(&rig, SWEEP_HOLD, "ONE").has_rule);
	after = rig_counts(&rig);
	assert_int_equal(after.operations - before.operations, 1);
	sweep(&rig, SWEEP_RETRY, "all");
	nothing_is_given(&rig);
	rig_close(&rig);
	rig_open(&rig);
	nothing_is_given(&rig);
	sweep(&rig, SWEEP_RELEASE, "all");
	sweep(&rig, SWEEP_RETRY, "all");
	for (int i = 0; i < 4; i++)
		rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
	assert_int_equal(on_disk(&rig), 0);
	rig_clear(&rig);
}

static void all_is_on_hold_until_released(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	rig.conf.lifetime = 1;
	defer(&rig, 2, "a@home", "b@one");
	assert_true(sweep(&rig, SWEEP_HOLD, "all").has_rule);
	/* What comes to a destination that is new waits, too. */
	rig_accept(&rig, "a@home", "b@two", VIEW("x"));
	assert_int_equal(sweep(&rig, SWEEP_RETRY, "all").on_hold, 3);
	nothing_is_given(&rig);
	rig_close(&rig);
	rig_open(&rig);
	nothing_is_given(&rig);
	assert_int_equal(on_disk(&rig), 3);
	rig.conf.lifetime = 3600;
	assert_true(sweep(&rig, SWEEP_RELEASE, "all").has_rule);
	sweep(&rig, SWEEP_RETRY, "all");
	for (int i = 0; i < 3; i++)
		rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
	assert_int_equal(on_disk(&rig), 0);
	rig_clear(&rig);
}

static void one_message_on_hold_is_one(void **state)
{
	struct rig rig;
	struct job *job;
	char id[MESSAGE_ID_LEN + 1];

	(void)state;
	open_rig(&rig);
	defer(&rig, 2, "a@home", "b@one");
	memcpy(id, rig.last_id, sizeof(id));
	assert_int_equal(sweep(&rig, SWEEP_HOLD, id).jobs, 1);
	sweep(&rig, SWEEP_RETRY, "all");
	job = rig_take(&rig);
	assert_string_not_equal(job->envelope->id, id);
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	nothing_is_given(&rig);
	rig_settle(&rig);
	assert_int_equal(sweep(&rig, SWEEP_RELEASE, id).jobs, 1);
	job = rig_take(&rig);
	assert_string_equal(job->envelope->id, id);
	queue_return(rig.queue, job);
	id[25] = id[25] == '0' ? '1' : '0';
	assert_false(sweep(&rig, SWEEP_HOLD, id).has_rule);
	rig_clear(&rig);
}

static void a_release_meets_what_is_just_being_parked(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	rig_accept(&rig, "a@home", "b@one", VIEW("x"));
	sweep(&rig, SWEEP_HOLD, "a@home");
	assert_null(queue_take(rig.queue, rig.lane));
	sweep(&rig, SWEEP_RELEASE, "a@home");
	queue_return(rig.queue, rig_take(&rig));
	rig_clear(&rig);
}

/* Two domains of one policy in one job: the rule splits it. */
static void a_job_is_split_by_a_hold(void **state)
{
	struct gateway gateway = { .host = (char *)"mx", .port = 25 };
	char *all[] = { (char *)"*" };
	struct policy policy = { .title = all[0], .patterns = { all, 1, true },
				 .gateways = &gateway, .gateway_count = 1 };
	struct policy_pattern pattern = { "*", &policy };
	struct rig rig;
	struct job *job;

	(void)state;
	open_rig(&rig);
	rig_close(&rig);
	rig.conf.policies = &policy;
	rig.conf.policy_count = 1;
	rig.conf.patterns = &pattern;
	rig.conf.pattern_count = 1;
	rig_open(&rig);
	sweep(&rig, SWEEP_HOLD, "two");
	rig_accept(&rig, "a@home", "b@one c@two d@three e@two", VIEW("x"));
	job = rig_take(&rig);
	assert_int_equal(job->envelope->recipient_count, 2);
	assert_string_equal(job->envelope->recipients[0].domain, "one");
	assert_string_equal(job->envelope->recipients[1].domain, "three");
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	nothing_is_given(&rig);
	assert_int_equal(on_disk(&rig), 1);
	assert_int_equal(sweep(&rig, SWEEP_RELEASE, "two").jobs, 1);
	job = rig_take(&rig);
	assert_int_equal(job->envelope->recipient_count, 2);
	assert_string_equal(job->envelope->recipients[0].address, "c@two");
	assert_string_equal(job->envelope->recipients[1].address, "e@two");
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	assert_int_equal(on_disk(&rig), 0);
	rig_close(&rig);
	rig.conf.policies = NULL;
	rig.conf.policy_count = rig.conf.pattern_count = 0;
	rig_clear(&rig);
}

static void two_sweeps_and_a_delivery_agree(void **state)
{
	struct outcome_of_sweep out[2] = { { .is_over = 0 } };
	struct selector selector = { .kind = SELECT_ALL };
	unsigned delivered = 0;
	struct rig rig;

	(void)state;
	open_rig(&rig);
	for (int i = 0; i < 300; i++)
		rig_accept(&rig, "a@home", "b@one", VIEW("x"));
	for (int i = 0; i < 2; i++)
		sweep_new(rig.queue, SWEEP_REMOVE, &selector, on_sweep,
			  &out[i]);
	while (!out[0].is_over || !out[1].is_over) {
		struct job *job = rig.lane ? queue_take(rig.queue, rig.lane) :
					     NULL;

		if (job) {
			rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE,
				   "2.0.0", "ok");
			delivered++;
		}
		rig_run(&rig, 0.001);
	}
	assert_int_equal(out[0].counts.jobs + out[1].counts.jobs + delivered,
			 300);
	assert_int_equal(on_disk(&rig), 0);
	rig_clear(&rig);
}

static void a_close_ends_a_sweep(void **state)
{
	struct outcome_of_sweep out = { .is_over = 0 };
	struct selector selector = { .kind = SELECT_ALL };
	struct rig rig;

	(void)state;
	open_rig(&rig);
	defer(&rig, 200, "a@home", "b@one");
	sweep_new(rig.queue, SWEEP_BOUNCE, &selector, on_sweep, &out);
	rig_run(&rig, 0.002);
	rig_close(&rig);
	assert_true(out.is_over);
	rig_open(&rig);
	rig_clear(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_count_changes_nothing),
		cmocka_unit_test(many_are_removed_and_nothing_else),
		cmocka_unit_test(what_is_being_delivered_is_left_alone),
		cmocka_unit_test(only_the_recipients_that_are_meant_go),
		cmocka_unit_test(a_bounce_tells_the_sender),
		cmocka_unit_test(one_message_is_tried_at_once),
		cmocka_unit_test(a_backed_off_lane_is_asked_again),
		cmocka_unit_test(
			what_is_just_being_deferred_is_asked_again_once),
		cmocka_unit_test(a_sender_on_hold_waits_until_released),
		cmocka_unit_test(a_domain_on_hold_costs_nothing),
		cmocka_unit_test(all_is_on_hold_until_released),
		cmocka_unit_test(one_message_on_hold_is_one),
		cmocka_unit_test(a_release_meets_what_is_just_being_parked),
		cmocka_unit_test(a_job_is_split_by_a_hold),
		cmocka_unit_test(two_sweeps_and_a_delivery_agree),
		cmocka_unit_test(a_close_ends_a_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
