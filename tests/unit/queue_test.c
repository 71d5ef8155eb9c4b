/*
 * The spool by its face: what is accepted is given, once, whole, also
 * after a restart; what is deferred waits; what is done is gone.
 */
#include "tests/unit/queue_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "queue/inner.h"

static void what_is_stored_is_given_whole(void **state)
{
	struct rig rig;
	struct job *job;
	struct buffer body;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept(&rig, "a@example.net", "b@example.org", VIEW("hello\r\n"));
	job = rig_take(&rig);
	assert_string_equal(job->envelope->id, rig.last_id);
	assert_string_equal(job->envelope->sender, "a@example.net");
	assert_int_equal(job->envelope->recipient_count, 1);
	assert_string_equal(lane_name(job->lane), "example.org");
	body = rig_body(&rig, job);
	assert_true(view_equal(buffer_view(&body), VIEW("hello\r\n")));
	buffer_clear(&body);
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 0);
	assert_int_equal(rig_counts(&rig).jobs_held, 0);
	assert_int_equal(rig_counts(&rig).delivered, 1);
	rig_clear(&rig);
}

static void a_restart_gives_it_again_until_it_is_finished(void **state)
{
	struct rig rig;
	struct job *job;
	struct buffer body;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept(&rig, "a@example.net", "b@example.org", VIEW("hello\r\n"));
	job = rig_take(&rig);
	rig_close(&rig);
	rig_open(&rig);
	job = rig_take(&rig);
	assert_string_equal(job->envelope->id, rig.last_id);
	body = rig_body(&rig, job);
	assert_true(view_equal(buffer_view(&body), VIEW("hello\r\n")));
	buffer_clear(&body);
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	rig_close(&rig);
	rig_open(&rig);
	rig_run(&rig, 0.1);
	assert_null(rig.lane);
	assert_int_equal(rig_counts(&rig).lanes, 0);
	rig_clear(&rig);
}

static void a_large_body_comes_back_in_pieces(void **state)
{
	enum { SIZE = 3 * 1000 * 1000 + 17 };
	unsigned char *bytes = malloc(SIZE);
	struct rig rig;
	struct buffer body;
	uint64_t live;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)(i * 2654435761u >> 13);
	rig_init(&rig);
	rig_open(&rig);
	live = rig_counts(&rig).bytes_live;
	rig_accept(&rig, "a@example.net", "b@example.org",
		   view_make(bytes, SIZE));
	body = rig_body(&rig, rig_take(&rig));
	assert_true(view_equal(buffer_view(&body), view_make(bytes, SIZE)));
	buffer_clear(&body);
	rig_close(&rig);
	rig_open(&rig);
	assert_true(rig_counts(&rig).bytes_live > SIZE);
	struct job *job = rig_take(&rig);
	body = rig_body(&rig, job);
	assert_true(view_equal(buffer_view(&body), view_make(bytes, SIZE)));
	buffer_clear(&body);
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	rig_settle(&rig);
	assert_true(rig_counts(&rig).bytes_live < live + 256 * 1024);
	free(bytes);
	rig_clear(&rig);
}

static void recipients_part_by_lane(void **state)
{
	struct rig rig;
	struct job *first, *second;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept(&rig, "a@x", "b@one c@two d@one", VIEW("x"));
	first = rig_take(&rig);
	assert_int_equal(rig.ready, 2);
	if (!strcmp(lane_name(first->lane), "one"))
		assert_int_equal(first->envelope->recipient_count, 2);
	else
		assert_string_equal(first->envelope->recipients[0].address,
				    "c@two");
	rig_finish(&rig, first, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 1);
	rig_close(&rig);
	rig_open(&rig);
	second = rig_take(&rig);
	rig_finish(&rig, second, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 0);
	rig_clear(&rig);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void what_is_deferred_waits_and_comes_again(void **state)
{
	struct rig rig;
	struct job *job;
	double since;

	(void)state;
	rig_init(&rig);
	rig.conf.retry_first = 1;
	rig.conf.retry_max = 1;
	rig_open(&rig);
	rig_accept(&rig, "a@x", "b@one", VIEW("x"));
	job = rig_take(&rig);
	since = now();
	rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_MESSAGE, "4.2.0", "later");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 0);
	assert_int_equal(rig_counts(&rig).jobs_held, 1);
	job = rig_take(&rig);
	assert_true(now() - since > 0.75); /* 1 s less a fifth, of jitter */
	assert_int_equal(job->attempts, 1);
	rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_HOST, "4.4.1", "down");
	rig_settle(&rig);
	rig_close(&rig);
	rig_open(&rig);
	job = rig_take(&rig);
	assert_int_equal(job->attempts, 2);
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).jobs_held, 0);
	rig_clear(&rig);
}

/* With enough in memory, what falls due meanwhile is looked for later, and
 * not again and again. */
static void a_full_lane_does_not_spin(void **state)
{
	enum { COUNT = 40 };
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig.conf.retry_first = rig.conf.retry_max = 1;
	rig_open(&rig);
	rig_accept_many(&rig, COUNT, "b@one");
	rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED, BLAME_MESSAGE,
		   "4.2.1", "busy");
	rig_run(&rig, 1.5);
	assert_int_equal(rig_counts(&rig).jobs_held, 1);
	assert_true(rig.lane->next_due <= queue_now(rig.queue));
	assert_true(rig.lane->wake > queue_now(rig.queue) ||
		    rig.lane->waiting < SEARCH_JOBS / 2);
	for (int i = 0; i < COUNT; i++)
		rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).jobs_held, 0);
	rig_clear(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stored_is_given_whole),
		cmocka_unit_test(a_restart_gives_it_again_until_it_is_finished),
		cmocka_unit_test(a_large_body_comes_back_in_pieces),
		cmocka_unit_test(recipients_part_by_lane),
		cmocka_unit_test(what_is_deferred_waits_and_comes_again),
		cmocka_unit_test(a_full_lane_does_not_spin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
