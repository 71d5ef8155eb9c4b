/*
 * What the queue tells senders: failures, delays, hand-overs, and the end
 * of reports that cannot be delivered.
 */
#include "tests/unit/queue_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/addr.h"

static const struct view body = {
	(const unsigned char *)"Subject: hello\r\n\r\nsecret text\r\n", 31
};

static void open_rig(struct rig *rig)
{
	rig_init(rig);
	rig_open(rig);
}

/* The next job, which must be a report to that address; its text. */
static char *take_report(struct rig *rig, const char *to, struct job **job)
{
	struct buffer text;
	char *copy;

	*job = rig_take(rig);
	assert_true((*job)->envelope->is_report);
	assert_string_equal((*job)->envelope->sender, "");
	assert_string_equal((*job)->envelope->recipients[0].address, to);
	text = rig_body(rig, *job);
	copy = view_string(buffer_view(&text));
	buffer_clear(&text);
	return copy;
}

static void done(struct rig *rig, struct job *job)
{
	rig_finish(rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	rig_settle(rig);
}

static void assert_empty(struct rig *rig)
{
	rig_settle(rig);
	assert_int_equal(rig_counts(rig).messages_fresh, 0);
	assert_int_equal(rig_counts(rig).jobs_held, 0);
}

static void a_refusal_is_reported_to_the_sender(void **state)
{
	struct rig rig;
	struct job *job;
	char *text;

	(void)state;
	open_rig(&rig);
	rig_accept(&rig, "a@home", "b@one c@one", body);
	job = rig_take(&rig);
	rig_finish(&rig, job, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.1",
		   "550 5.1.1 unknown");
	text = take_report(&rig, "a@home", &job);
	assert_string_equal(lane_name(job->lane), "home");
	assert_non_null(strstr(text, "Final-Recipient: rfc822; b@one"));
	assert_non_null(strstr(text, "Final-Recipient: rfc822; c@one"));
	assert_non_null(strstr(text, "Subject: hello"));
	assert_null(strstr(text, "secret"));
	free(text);
	assert_int_equal(rig_counts(&rig).taken, 1);
	done(&rig, job);
	assert_empty(&rig);
	rig_clear(&rig);
}

static void a_stored_message_is_not_done_before_its_report_is(void **state)
{
	struct rig rig;
	struct job *job;
	char *text;
	bool has_report = false;

	(void)state;
	open_rig(&rig);
	rig_accept(&rig, "a@home", "b@one", body);
	job = rig_take(&rig);
	rig_finish(&rig, job, OUTCOME_FAILED, BLAME_MESSAGE, "5.0.0", "no");
	/* Closed with the report on its way: one of both is there. */
	rig_close(&rig);
	rig_open(&rig);
	rig_run(&rig, 0.2);
	for (int i = 0; i < 2 && rig.lane && !has_report; i++) {
		job = rig_take(&rig);
		has_report = job->envelope->is_report;
		queue_return(rig.queue, job);
	}
	assert_true(has_report);
	text = take_report(&rig, "a@home", &job);
	free(text);
	rig_clear(&rig);
}

static void all_of_it_returns_where_it_was_asked_for(void **state)
{
	struct rig rig;
	struct job *job;
	struct intake *intake;
	struct envelope *envelope;
	char *text;

	(void)state;
	open_rig(&rig);
	intake = rig_begin(&rig);
	intake_append(intake, body);
	envelope = rig_envelope("a@home", "b@one");
	envelope->ret = RETURN_FULL;
	intake_commit(intake, envelope);
	assert_true(rig_wait(&rig, &rig.stored, 1, 5));
	rig_finish(&rig, rig_take(&rig), OUTCOME_FAILED, BLAME_MESSAGE,
		   "5.0.0", "no");
	text = take_report(&rig, "a@home", &job);
	assert_non_null(strstr(text, "message/rfc822\r\n"));
	assert_non_null(strstr(text, "secret text"));
	free(text);
	rig_clear(&rig);
}

static void nothing_is_said_to_the_null_sender(void **state)
{
	struct rig rig;

	(void)state;
	open_rig(&rig);
	rig_accept(&rig, "", "b@one", body);
	rig_finish(&rig, rig_take(&rig), OUTCOME_FAILED, BLAME_MESSAGE,
		   "5.0.0", "no");
	assert_empty(&rig);
	rig_clear(&rig);
}

static void never_is_silent_and_success_is_told(void **state)
{
	struct rig rig;
	struct job *job;
	struct intake *intake;
	struct envelope *envelope;
	char *text;

	(void)state;
	open_rig(&rig);
	for (int i = 0; i < 2; i++) {
		intake = rig_begin(&rig);
		intake_append(intake, body);
		envelope = rig_envelope("a@home", "b@one");
		envelope->recipients[0].notify = i ? NOTIFY_SUCCESS :
						     NOTIFY_NEVER;
		intake_commit(intake, envelope);
		assert_true(rig_wait(&rig, &rig.stored, (unsigned)i + 1, 5));
		job = rig_take(&rig);
		if (i) {
			done(&rig, job);
			continue;
		}
		rig_finish(&rig, job, OUTCOME_FAILED, BLAME_MESSAGE, "5.0.0",
			   "no");
		assert_empty(&rig);
	}
	text = take_report(&rig, "a@home", &job);
	assert_non_null(strstr(text, "Action: relayed"));
	free(text);
	done(&rig, job);
	assert_empty(&rig);
	rig_clear(&rig);
}

static void a_report_that_fails_ends_at_the_postmaster(void **state)
{
	struct rig rig;
	struct address postmaster = { .text = "pm@site", .domain = "site" };
	struct job *job;
	char *text;

	(void)state;
	rig_init(&rig);
	rig.conf.postmaster = &postmaster;
	rig_open(&rig);
	rig_accept(&rig, "a@home", "b@one", body);
	rig_finish(&rig, rig_take(&rig), OUTCOME_FAILED, BLAME_MESSAGE,
		   "5.0.0", "no");
	text = take_report(&rig, "a@home", &job);
	free(text);
	rig_finish(&rig, job, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.1", "who");
	text = take_report(&rig, "pm@site", &job);
	assert_non_null(strstr(text, "Subject: Undeliverable report"));
	free(text);
	rig_finish(&rig, job, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.1", "who");
	assert_empty(&rig);
	rig.conf.postmaster = NULL;
	rig_clear(&rig);
}

static void a_delay_is_told_once(void **state)
{
	struct rig rig;
	struct job *job;
	char *text;

	(void)state;
	rig_init(&rig);
	rig.conf.delay_notice = 1;
	rig.conf.retry_first = rig.conf.retry_max = 1;
	rig_open(&rig);
	rig_accept(&rig, "a@home", "b@one", body);
	job = rig_take(&rig);
	rig_run(&rig, 2.1);
	rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_MESSAGE, "4.0.0",
		   "450 later");
	text = take_report(&rig, "a@home", &job);
	assert_non_null(strstr(text, "Action: delayed"));
	assert_non_null(strstr(text, "450 later"));
	free(text);
	done(&rig, job);
	job = rig_take(&rig);
	assert_false(job->envelope->is_report);
	rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_MESSAGE, "4.0.0",
		   "450 later");
	job = rig_take(&rig);
	assert_false(job->envelope->is_report);
	assert_int_equal(job->attempts, 2);
	done(&rig, job);
	assert_empty(&rig);
	rig_clear(&rig);
}

/* The first is tried again and again, the other came while the lane backed
 * off and is never tried: both are told of, then given up, for one reason. */
static void what_waits_behind_a_dead_host_is_told_and_given_up(void **state)
{
	struct rig rig;
	struct job *job;
	unsigned delayed = 0, given_up = 0;

	(void)state;
	rig_init(&rig);
	rig.conf.delay_notice = 2;
	rig.conf.lifetime = 5;
	rig.conf.retry_first = rig.conf.retry_max = 1;
	rig_open(&rig);
	rig_accept(&rig, "a@home", "b@one", body);
	job = rig_take(&rig);
	rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_HOST, "4.4.1", "no way");
	rig_accept(&rig, "a@home", "c@one", body);
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).jobs_held, 2);
	while (given_up < 2) {
		struct buffer text;

		job = rig_take(&rig);
		if (!job->envelope->is_report) {
			rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_HOST,
				   "4.4.1", "no way");
			continue;
		}
		text = rig_body(&rig, job);
		buffer_append_byte(&text, 0);
		assert_non_null(strstr((char *)text.data, "no way"));
		delayed += strstr((char *)text.data, "Action: delayed") != NULL;
		given_up += strstr((char *)text.data, "Action: failed") != NULL;
		buffer_clear(&text);
		done(&rig, job);
	}
	assert_int_equal(delayed, 2);
	assert_empty(&rig);
	rig_clear(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_is_reported_to_the_sender),
		cmocka_unit_test(
			a_stored_message_is_not_done_before_its_report_is),
		cmocka_unit_test(all_of_it_returns_where_it_was_asked_for),
		cmocka_unit_test(nothing_is_said_to_the_null_sender),
		cmocka_unit_test(never_is_silent_and_success_is_told),
		cmocka_unit_test(a_report_that_fails_ends_at_the_postmaster),
		cmocka_unit_test(a_delay_is_told_once),
		cmocka_unit_test(
			what_waits_behind_a_dead_host_is_told_and_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
