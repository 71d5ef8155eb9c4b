/*
 * Mail that waits for TLS as it was demanded: a policy may give it up
 * earlier than other mail (on-failure).
 */
#include "tests/unit/queue_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/log.h"
#include "conf/rules.h"
#include "queue/inner.h"

static char one[] = "one";
static char *patterns[] = { one };

static const struct view body = {
	(const unsigned char *)"Subject: hello\r\n\r\ntext\r\n", 24
};

/* A policy for the domain "one" that gives up after a second or two. */
static void open_rig(struct rig *rig, struct policy *policy)
{
	rig_init(rig);
	*policy = (struct policy){
		.title = one,
		.tls = TLS_VERIFY,
		.patterns = { .at = patterns, .count = 1 },
		.bounce_after = 2,
	};
	rig->conf.policies = policy;
	rig->conf.policy_count = 1;
	rig->conf.retry_first = rig->conf.retry_max = 1;
	rules_index(&rig->conf);
	rig_open(rig);
}

static void close_rig(struct rig *rig)
{
	struct policy_pattern *index = rig->conf.patterns;

	rig_clear(rig);
	free(index);
}

static void defer(struct rig *rig, struct job *job, bool is_unmet)
{
	struct result results[4] = { 0 };

	assert_true(job->envelope->recipient_count <= 4);
	for (size_t i = 0; i < job->envelope->recipient_count; i++) {
		result_set(&results[i], OUTCOME_DEFERRED, BLAME_HOST, "4.7.5",
			   "certificate of mx.one bears x, expected y");
		results[i].is_unmet = is_unmet;
		results[i].proof = (struct proof){
			.level = "verify", .verdict = "next-host",
			.reason_code = "certificate-host-mismatch",
		};
	}
	queue_finish(rig->queue, job, results);
}

static char *take_text(struct rig *rig, struct job **job)
{
	struct buffer text;
	char *copy;

	*job = rig_take(rig);
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

static void unmet_tls_is_reported_after_the_policys_time(void **state)
{
	struct policy policy;
	struct rig rig;
	struct job *job;
	char *text;

	(void)state;
	open_rig(&rig, &policy);
	rig_accept(&rig, "a@home", "b@one", body);
	defer(&rig, rig_take(&rig), true);
	assert_int_equal(rig_counts(&rig).failed, 0);
	rig_run(&rig, 3);
	job = rig_take(&rig);
	/* given up for its age already, or at this attempt */
	if (!job->envelope->is_report) {
		defer(&rig, job, true);
		job = NULL;
	} else {
		queue_return(rig.queue, job);
	}
	text = take_text(&rig, &job);
	assert_true(job->envelope->is_report);
	assert_non_null(strstr(text, "Status: 5.7.5\r\n"));
	assert_non_null(strstr(text, "encryption that is demanded"));
	assert_non_null(strstr(text, "2 seconds"));
	assert_non_null(strstr(text, "expected y"));
	free(text);
	assert_int_equal(rig_counts(&rig).failed, 1);
	done(&rig, job);
	close_rig(&rig);
}

static void other_trouble_waits_for_the_lifetime(void **state)
{
	struct policy policy;
	struct rig rig;
	struct job *job;

	(void)state;
	open_rig(&rig, &policy);
	rig_accept(&rig, "a@home", "b@one", body);
	defer(&rig, rig_take(&rig), false);
	rig_run(&rig, 3);
	job = rig_take(&rig);
	assert_false(job->envelope->is_report);
	defer(&rig, job, false);
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).failed, 0);
	assert_int_equal(rig_counts(&rig).jobs_held, 1);
	close_rig(&rig);
}

/* Lines of the log that say "bounced" and by which demand. */
static int count_bounced(FILE *log)
{
	char line[2048];
	int count = 0;

	rewind(log);
	while (fgets(line, sizeof(line), log))
		if (strstr(line, " bounced ")) {
			assert_non_null(strstr(line, " level=verify "));
			assert_non_null(strstr(
				line, " reason-code=certificate-host-mismatch "));
			count++;
		}
	return count;
}

static void mail_that_was_never_tried_is_given_up_with_the_rest(void **state)
{
	struct policy policy;
	struct rig rig;
	FILE *log = tmpfile();

	(void)state;
	assert_non_null(log);
	open_rig(&rig, &policy);
	log_open(fileno(log), LOG_TEXT, LOG_INFO, "");
	for (int i = 0; i < 20; i++)
		rig_accept(&rig, "", "b@one", body);
	rig_run(&rig, 2.5);
	defer(&rig, rig_take(&rig), true);
	rig_settle(&rig);
	/* One is given up at its attempt; the lane takes most others along,
	 * and has a few at hand to be tried. */
	rig_run(&rig, 3);
	assert_true(rig_counts(&rig).failed > 10);
	while (rig_counts(&rig).failed < 20) {
		defer(&rig, rig_take(&rig), true);
		rig_run(&rig, 0.1);
	}
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 0);
	assert_int_equal(rig_counts(&rig).jobs_held, 0);
	close_rig(&rig);
	log_close();
	/* those too that were never tried say by what */
	assert_int_equal(count_bounced(log), 20);
	fclose(log);
}

static void a_demand_that_changed_is_tried_first(void **state)
{
	struct policy policy;
	struct rig rig;
	struct job *job;

	(void)state;
	open_rig(&rig, &policy);
	rig_accept(&rig, "a@home", "b@one", body);
	defer(&rig, rig_take(&rig), true);
	rig_settle(&rig);
	rig_close(&rig);
	rig_run(&rig, 2.5);
	rig_open(&rig);
	job = rig_take(&rig);
	assert_false(job->envelope->is_report);
	done(&rig, job);
	assert_int_equal(rig_counts(&rig).failed, 0);
	close_rig(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unmet_tls_is_reported_after_the_policys_time),
		cmocka_unit_test(other_trouble_waits_for_the_lifetime),
		cmocka_unit_test(
			mail_that_was_never_tried_is_given_up_with_the_rest),
		cmocka_unit_test(a_demand_that_changed_is_tried_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
