/*
 * Lanes on a real spool: backlogs larger than the window, hosts that are
 * down, configurations that change.
 */
#include "tests/unit/queue_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/rules.h"
#include "queue/inner.h"

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void a_long_backlog_is_given_once_each(void **state)
{
	enum { COUNT = 3000 };
	static char ids[COUNT][MESSAGE_ID_LEN + 1];
	struct job *held[8];
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept_many(&rig, COUNT / 2, "b@one");
	rig_close(&rig);
	rig_open(&rig);
	rig_accept_many(&rig, COUNT / 2, "b@one");
	for (unsigned i = 0; i < COUNT; i++) {
		struct job *job = rig_take(&rig);

		memcpy(ids[i], job->envelope->id, sizeof(ids[i]));
		/* Several under way at a time. */
		if (i >= 8)
			rig_finish(&rig, held[i % 8], OUTCOME_DELIVERED,
				   BLAME_NONE, "2.0.0", "ok");
		held[i % 8] = job;
	}
	for (unsigned i = 0; i < 8; i++)
		rig_finish(&rig, held[i], OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
	qsort(ids, COUNT, sizeof(ids[0]), compare);
	for (unsigned i = 1; i < COUNT; i++)
		assert_string_not_equal(ids[i - 1], ids[i]);
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 0);
	assert_int_equal(rig_counts(&rig).taken, 0);
	rig_clear(&rig);
}

static void a_dead_host_costs_one_write_and_holds_no_memory(void **state)
{
	struct rig rig;
	struct queue_counts before, after;
	struct job *job;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept_many(&rig, 2000, "b@one");
	job = rig_take(&rig);
	before = rig_counts(&rig);
	rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_HOST, "4.4.1", "down");
	rig_settle(&rig);
	after = rig_counts(&rig);
	/* the lane, the job into held, the job out of fresh */
	assert_int_equal(after.operations - before.operations, 3);
	assert_int_equal(after.jobs_held, 1);
	assert_int_equal(after.messages_fresh, 1999);
	assert_null(queue_take(rig.queue, rig.lane));
	/* Mail that comes now is held at once. */
	rig_accept(&rig, "", "b@one", VIEW("x"));
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).jobs_held, 2);
	rig_close(&rig);
	rig_open(&rig);
	rig_run(&rig, 0.2);
	assert_int_equal(rig.ready, 1);
	assert_null(rig.lane);
	assert_int_equal(rig_counts(&rig).messages_fresh, 1999);
	assert_int_equal(rig_counts(&rig).jobs_held, 2);
	queue_retry_all(rig.queue);
	job = rig_take(&rig);
	assert_non_null(job);
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	rig_clear(&rig);
}

static void twenty_failures_at_once_are_one_step(void **state)
{
	struct rig rig;
	struct job *jobs[20];

	(void)state;
	rig_init(&rig);
	rig.conf.retry_first = 2;
	rig.conf.retry_max = 100000;
	rig_open(&rig);
	rig_accept_many(&rig, 20, "b@one");
	for (int i = 0; i < 20; i++)
		jobs[i] = rig_take(&rig);
	for (int i = 0; i < 20; i++)
		rig_finish(&rig, jobs[i], OUTCOME_DEFERRED, BLAME_HOST, "4.4.1",
			   "down");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).jobs_held, 20);
	/* 2 s and a fifth, not 2^20. */
	assert_true(rig_wait(&rig, &rig.ready, 2, 4));
	rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE, "2.0.0",
		   "ok");
	rig_settle(&rig);
	rig_clear(&rig);
}

static unsigned count_noticed(struct rig *rig, enum home home)
{
	struct key from = key_kind(RECORD_JOB);
	struct store_cursor *cursor;
	struct store_txn *txn;
	struct view key, value;
	unsigned count = 0;
	int rc = store_read(rig->queue->store[home], &txn);

	assert_int_equal(rc, 0);
	assert_int_equal(store_walk(txn, &cursor), 0);
	for (rc = store_seek(cursor, key_view(&from), &key, &value);
	     !rc && key.at[0] == RECORD_JOB;
	     rc = store_next(cursor, &key, &value)) {
		struct progress progress;

		assert_int_equal(progress_unpack(value, NULL, &progress), 0);
		count += progress.is_noticed;
		progress_clear(&progress);
	}
	store_walk_end(cursor);
	store_abort(txn);
	return count;
}

/* Few are tried where a host was down; but all are told of. */
static void what_is_late_does_not_wait_for_its_lane(void **state)
{
	enum { COUNT = 200 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig.conf.retry_first = rig.conf.retry_max = 2;
	rig.conf.delay_notice = 1;
	rig_open(&rig);
	rig_accept_many(&rig, COUNT, "b@one");
	rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED, BLAME_HOST, "4.4.1",
		   "down");
	rig_settle(&rig);
	rig.conf.retry_first = rig.conf.retry_max = 100;
	assert_true(rig_wait(&rig, &rig.ready, 2, 5));
	rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED, BLAME_HOST, "4.4.1",
		   "down");
	/* But for one that was in memory to be tried just then. */
	for (int i = 0; i < 100 && count_noticed(&rig, HOME_FRESH) +
				count_noticed(&rig, HOME_HELD) < COUNT - 1; i++)
		rig_run(&rig, 0.05);
	assert_true(count_noticed(&rig, HOME_FRESH) +
			    count_noticed(&rig, HOME_HELD) >= COUNT - 1);
	assert_int_equal(rig_counts(&rig).deferred, 2);
	rig_clear(&rig);
}

static void a_message_that_is_to_blame_stops_nobody(void **state)
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
	assert_int_equal(rig_counts(&rig).jobs_held, 3);
	assert_null(queue_take(rig.queue, rig.lane));
	queue_retry_all(rig.queue);
	for (int i = 0; i < 3; i++) {
		struct job *job = rig_take(&rig);

		assert_int_equal(job->attempts, 1);
		rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_RECIPIENT,
			   "4.2.2", "full");
	}
	/* Once each: what failed again waits again. */
	rig_run(&rig, 0.3);
	assert_null(queue_take(rig.queue, rig.lane));
	rig_clear(&rig);
}

static void finish_many(struct rig *rig, unsigned count, enum blame blame)
{
	while (count--)
		rig_finish(rig, rig_take(rig), OUTCOME_DEFERRED, blame, "4", "");
	rig_settle(rig);
}

/* More than are found at once, their times among each other's. */
static void when_all_are_asked_each_is_tried_once(void **state)
{
	enum { COUNT = 150 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept_many(&rig, COUNT, "b@one");
	finish_many(&rig, COUNT, BLAME_RECIPIENT);
	for (int i = 0; i < 2; i++) {
		queue_retry_all(rig.queue);
		finish_many(&rig, COUNT, BLAME_RECIPIENT);
		rig_run(&rig, 0.1);
		assert_null(queue_take(rig.queue, rig.lane));
	}
	assert_int_equal(rig_counts(&rig).deferred, 3 * COUNT);
	/* A host that fails puts it off, no more. */
	rig.conf.retry_first = rig.conf.retry_max = 1;
	queue_retry_all(rig.queue);
	finish_many(&rig, 3, BLAME_RECIPIENT);
	finish_many(&rig, 1, BLAME_HOST);
	assert_null(queue_take(rig.queue, rig.lane));
	rig.conf.retry_first = rig.conf.retry_max = 60;
	finish_many(&rig, COUNT - 4, BLAME_RECIPIENT);
	rig_clear(&rig);
}

static void what_is_given_back_comes_first(void **state)
{
	struct rig rig;
	struct job *job;
	char id[MESSAGE_ID_LEN + 1];

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept_many(&rig, 3, "b@one");
	job = rig_take(&rig);
	memcpy(id, job->envelope->id, sizeof(id));
	queue_return(rig.queue, job);
	job = rig_take(&rig);
	assert_string_equal(job->envelope->id, id);
	assert_int_equal(job->attempts, 0);
	rig_clear(&rig);
}

static void recipients_have_fates_of_their_own(void **state)
{
	struct result results[3] = { 0 };
	struct rig rig;
	struct job *job;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept(&rig, "", "a@one b@one c@one", VIEW("x"));
	job = rig_take(&rig);
	result_set(&results[0], OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	result_set(&results[1], OUTCOME_DEFERRED, BLAME_RECIPIENT, "4.2.2",
		   "full");
	result_set(&results[2], OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.1", "no");
	queue_finish(rig.queue, job, results);
	rig_settle(&rig);
	rig_close(&rig);
	rig_open(&rig);
	queue_retry_all(rig.queue);
	job = rig_take(&rig);
	assert_int_equal(job->envelope->recipient_count, 1);
	assert_string_equal(job->envelope->recipients[0].address, "b@one");
	rig_clear(&rig);
}

/* "one" and "two" become one lane, of a policy with gateways. */
static void set_policy(struct rig *rig, struct conf *conf,
		       struct policy *policy)
{
	static char *patterns[] = { (char *)"one", (char *)"two" };
	static struct gateway gateway = { .host = (char *)"gw" };

	memset(policy, 0, sizeof(*policy));
	policy->title = (char *)"one";
	policy->patterns = (struct strings){ .at = patterns, .count = 2 };
	policy->gateways = &gateway;
	policy->gateway_count = 1;
	*conf = rig->conf;
	conf->policies = policy;
	conf->policy_count = 1;
	rules_index(conf);
}

static void jobs_move_when_their_lane_changes(void **state)
{
	struct rig rig;
	struct conf conf;
	struct policy policy;
	unsigned first = 0, second = 0, third = 0;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	set_policy(&rig, &conf, &policy);
	/* fresh in two lanes; held in another; all to be one */
	rig_accept(&rig, "", "a@one b@two c@three", VIEW("x"));
	rig_accept(&rig, "", "d@two", VIEW("y"));
	rig_settle(&rig);
	queue_configure(rig.queue, &conf);
	for (int i = 0; i < 4; i++) {
		struct job *job = rig_take(&rig);
		const struct envelope *e = job->envelope;

		assert_ptr_equal(job->conf, &conf);
		assert_int_equal(e->recipient_count, 1);
		assert_string_not_equal(lane_name(job->lane), "two");
		first += !strcmp(e->recipients[0].address, "a@one");
		second += !strcmp(e->recipients[0].address, "b@two") ||
			  !strcmp(e->recipients[0].address, "d@two");
		third += !strcmp(e->recipients[0].address, "c@three");
		if (!strcmp(e->recipients[0].domain, "two"))
			assert_string_equal(lane_name(job->lane), "one");
		rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0",
			   "ok");
	}
	assert_int_equal(first, 1);
	assert_int_equal(second, 2);
	assert_int_equal(third, 1);
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 0);
	assert_int_equal(rig_counts(&rig).jobs_held, 0);
	rig_clear(&rig);
	free(conf.patterns);
}

static void a_job_splits_when_its_policy_goes(void **state)
{
	static unsigned char large[70000];
	struct rig rig;
	struct conf before, after;
	struct policy policy;
	struct buffer body;

	(void)state;
	rig_init(&rig);
	set_policy(&rig, &before, &policy);
	after = rig.conf;
	rig_open(&rig);
	queue_configure(rig.queue, &before);
	rig_accept(&rig, "", "a@one b@two c@one", view_make(large, 70000));
	queue_configure(rig.queue, &after);
	for (int i = 0; i < 2; i++) {
		struct job *job = rig_take(&rig);

		assert_int_equal(job->envelope->recipient_count,
				 strcmp(lane_name(job->lane), "one") ? 1 : 2);
		body = rig_body(&rig, job);
		assert_int_equal(buffer_len(&body), 70000);
		buffer_clear(&body);
		rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0",
			   "ok");
		rig_settle(&rig);
	}
	assert_int_equal(rig_counts(&rig).jobs_held, 0);
	assert_true(rig_counts(&rig).bytes_live < 70000);
	rig_clear(&rig);
	free(before.patterns);
}

/* Recipients that part ways and meet again keep apart in the spool, also when
 * the one that the first job was named after has left it. */
static void jobs_that_meet_again_are_all_kept(void **state)
{
	static char *patterns[] = { (char *)"one", (char *)"two" };
	unsigned first = 0, second = 0;
	struct rig rig;
	struct conf joined, apart;
	struct policy policy;
	struct job *jobs[2];

	(void)state;
	rig_init(&rig);
	set_policy(&rig, &joined, &policy);
	policy.title = (char *)"two";
	policy.patterns.at = patterns;
	apart = rig.conf;
	rig_open(&rig);
	queue_configure(rig.queue, &joined);
	rig_accept(&rig, "", "a@one b@two", VIEW("x"));
	queue_configure(rig.queue, &apart);
	queue_return(rig.queue, rig_take(&rig));
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).jobs_held, 2);
	rig_close(&rig);
	rig.conf = joined;
	rig_open(&rig);
	/* Both before either ends. */
	for (int i = 0; i < 2; i++)
		jobs[i] = rig_take(&rig);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(lane_name(jobs[i]->lane), "two");
		assert_int_equal(jobs[i]->envelope->recipient_count, 1);
		first += jobs[i]->envelope->recipients[0].address[0] == 'a';
		second += jobs[i]->envelope->recipients[0].address[0] == 'b';
		rig_finish(&rig, jobs[i], OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
	}
	rig_settle(&rig);
	assert_int_equal(first, 1);
	assert_int_equal(second, 1);
	assert_int_equal(rig_counts(&rig).jobs_held, 0);
	rig.conf = apart;
	rig_clear(&rig);
	free(joined.patterns);
}

/* Another worker's folder, left with fresh, held and large mail in it. */
static void a_folder_without_an_owner_is_adopted(void **state)
{
	static unsigned char large[5 * 1000 * 1000];
	struct rig first, second;
	size_t large_ones = 0;

	(void)state;
	large[4999999] = 1;
	rig_init(&first);
	rig_init(&second);
	memcpy(second.own, second.spool, sizeof(second.own));
	memcpy(second.spool, first.spool, sizeof(second.spool));
	rig_open(&first);
	rig_open(&second);
	assert_non_null(strstr(queue_folder(second.queue), "worker-1"));
	rig_accept_many(&second, 100, "b@one");
	rig_accept(&second, "", "a@two b@three",
		   view_make(large, sizeof(large)));
	rig_finish(&second, rig_take(&second), OUTCOME_DEFERRED, BLAME_RECIPIENT,
		   "4.2.2", "full");
	rig_settle(&second);
	rig_close(&second);
	for (int i = 0; i < 200 && rig_counts(&first).jobs_held < 102; i++)
		rig_run(&first, 0.05);
	assert_int_equal(rig_counts(&first).jobs_held, 102);
	queue_retry_all(first.queue);
	for (int i = 0; i < 102; i++) {
		struct job *job = rig_take(&first);
		struct buffer body = rig_body(&first, job);

		if (buffer_len(&body) == sizeof(large)) {
			large_ones++;
			assert_int_equal(body.data[body.start + 4999999], 1);
		} else {
			assert_int_equal(buffer_len(&body), 7);
		}
		buffer_clear(&body);
		rig_finish(&first, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0",
			   "ok");
	}
	assert_int_equal(large_ones, 2);
	rig_settle(&first);
	assert_int_equal(rig_counts(&first).jobs_held, 0);
	assert_true(rig_counts(&first).bytes_live < 300000);
	rig_open(&second);
	assert_int_equal(rig_counts(&second).messages_fresh, 0);
	assert_int_equal(rig_counts(&second).jobs_held, 0);
	rig_close(&second);
	memcpy(second.spool, second.own, sizeof(second.own));
	rig_clear(&second);
	rig_clear(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_backlog_is_given_once_each),
		cmocka_unit_test(
			a_dead_host_costs_one_write_and_holds_no_memory),
		cmocka_unit_test(twenty_failures_at_once_are_one_step),
		cmocka_unit_test(what_is_late_does_not_wait_for_its_lane),
		cmocka_unit_test(a_message_that_is_to_blame_stops_nobody),
		cmocka_unit_test(when_all_are_asked_each_is_tried_once),
		cmocka_unit_test(what_is_given_back_comes_first),
		cmocka_unit_test(recipients_have_fates_of_their_own),
		cmocka_unit_test(jobs_move_when_their_lane_changes),
		cmocka_unit_test(a_job_splits_when_its_policy_goes),
		cmocka_unit_test(jobs_that_meet_again_are_all_kept),
		cmocka_unit_test(a_folder_without_an_owner_is_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
