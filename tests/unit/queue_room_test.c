/*
 * What the spool does when it, or its disk, is full.
 */
#include "tests/unit/queue_rig.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

static unsigned fill(struct rig *rig)
{
	static unsigned char piece[20000];
	unsigned count = 0;

	while (!rig->no_room && count < 10000) {
		struct intake *intake = rig_begin(rig);
		unsigned ended = rig->stored + rig->no_room + rig->failed;

		intake_append(intake, view_make(piece, sizeof(piece)));
		intake_commit(intake, rig_envelope("a@home", "b@one"));
		while (rig->stored + rig->no_room + rig->failed == ended)
			rig_run(rig, 0.001);
		count++;
	}
	return count;
}

static void a_full_spool_refuses_mail_and_goes_on_delivering(void **state)
{
	struct rig rig;
	uint64_t before;
	unsigned count;

	(void)state;
	rig_init(&rig);
	rig.conf.spool_size = 4 * 1024 * 1024;
	rig_open(&rig);
	assert_true(queue_has_room(rig.queue, 1024 * 1024));
	assert_false(queue_has_room(rig.queue, 4 * 1024 * 1024));
	/* What could fit into it is never refused for good. */
	assert_true(queue_largest(rig.queue) < 4 * 1024 * 1024);
	assert_false(queue_has_room(rig.queue, queue_largest(rig.queue)));
	assert_true(queue_has_room(rig.queue,
				   queue_largest(rig.queue) - 256 * 1024));
	count = fill(&rig);
	assert_true(count > 100 && count < 210);
	assert_int_equal(rig.failed, 0);
	assert_int_equal(rig.broken, 0);
	assert_false(queue_has_room(rig.queue, 20000));
	/* It is late, but a notice of that waits for room. */
	rig.conf.delay_notice = 1;
	rig_run(&rig, 2.1);
	before = rig_counts(&rig).accepted;
	rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED, BLAME_MESSAGE,
		   "4.0.0", "no");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).accepted, before);
	rig.conf.delay_notice = 0;
	/* A deferral and a report still find room. */
	rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED, BLAME_MESSAGE,
		   "4.0.0", "no");
	rig_finish(&rig, rig_take(&rig), OUTCOME_FAILED, BLAME_MESSAGE,
		   "5.0.0", "no");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).accepted, before + 1);
	assert_int_equal(rig_counts(&rig).jobs_held, 2);
	for (int i = 0; i < 50; i++)
		rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
	rig_settle(&rig);
	assert_true(queue_has_room(rig.queue, 20000));
	rig_accept(&rig, "a@home", "b@one", VIEW("again"));
	rig_clear(&rig);
}

/* Chunks appended until the client has to wait; at most `most`. */
static unsigned pour(struct intake *intake, unsigned most)
{
	static const unsigned char piece[64 * 1024];
	unsigned count = 0;

	while (count < most && !intake_is_full(intake)) {
		intake_append(intake, view_make(piece, sizeof(piece)));
		count++;
	}
	return count;
}

/* One that is alone has more of its chunks on the way to the disk at once,
 * so that a commit is worth its wait; whoever comes then still has its own. */
static void a_large_body_leaves_others_their_part(void **state)
{
	struct intake *first, *second;
	struct rig rig;
	unsigned alone;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	first = rig_begin(&rig);
	alone = pour(first, 1000);
	assert_in_range(alone, 16, 64);
	second = rig_begin(&rig);
	assert_in_range(pour(second, 1000), 2, 8);
	assert_true(rig_wait(&rig, &rig.rooms, 2, 10));
	assert_false(intake_is_full(first));
	assert_false(intake_is_full(second));
	assert_in_range(pour(first, 1000), 2, alone);
	intake_commit(first, rig_envelope("a@home", "b@one"));
	intake_commit(second, rig_envelope("a@home", "b@two"));
	assert_true(rig_wait(&rig, &rig.stored, 2, 10));
	rig_clear(&rig);
}

/* More than half of what there is: its chunks that are durable already are
 * not counted as still to come. */
static void a_large_body_takes_its_room_once(void **state)
{
	static unsigned char piece[64 * 1024];
	struct intake *intake;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig.conf.spool_size = 4 * 1024 * 1024;
	rig_open(&rig);
	intake = rig_begin(&rig);
	for (int i = 0; i < 40; i++) {
		intake_append(intake, view_make(piece, sizeof(piece)));
		while (intake_is_full(intake))
			rig_run(&rig, 0.001);
	}
	intake_commit(intake, rig_envelope("a@home", "b@one"));
	assert_true(rig_wait(&rig, &rig.stored, 1, 5));
	rig_clear(&rig);
}

/* A report finds no place; what lets go of other mail needs none. */
static void what_finds_no_room_keeps_nothing_else_waiting(void **state)
{
	static unsigned char large[30000];
	struct rlimit before, none;
	struct envelope *whole;
	struct intake *intake;
	struct job *first, *second;
	struct stat st;
	struct rig rig;
	char path[160];

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	whole = rig_envelope("a@home", "b@one");
	whole->ret = RETURN_FULL;
	intake = rig_begin(&rig);
	intake_append(intake, view_make(large, sizeof(large)));
	intake_commit(intake, whole);
	assert_true(rig_wait(&rig, &rig.stored, 1, 5));
	rig_accept(&rig, "a@home", "b@one", VIEW("x"));
	first = rig_take(&rig);
	second = rig_take(&rig);
	/* All of that is in the file. */
	rig_run(&rig, 0.2);
	snprintf(path, sizeof(path), "%s/worker-0/fresh/data.mdb", rig.spool);
	assert_int_equal(stat(path, &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	none = before;
	/* Six pages: one change needs four, the report eight more. */
	none.rlim_cur = (rlim_t)st.st_size + 24 * 1024;
	setrlimit(RLIMIT_FSIZE, &none);
	rig_finish(&rig, first, OUTCOME_FAILED, BLAME_MESSAGE, "5.0.0", "no");
	rig_run(&rig, 0.2);
	rig_finish(&rig, second, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	rig_run(&rig, 1.3);
	assert_int_equal(rig_counts(&rig).messages_fresh, 1);
	setrlimit(RLIMIT_FSIZE, &before);
	rig_run(&rig, 1.3);
	/* The report alone. */
	assert_int_equal(rig_counts(&rig).messages_fresh, 1);
	assert_int_equal(rig.broken, 0);
	rig_clear(&rig);
}

static void a_disk_that_refuses_writes_is_no_room_until_it_takes_them(
	void **state)
{
	static unsigned char large[30000];
	struct rlimit before, none;
	struct rig rig;
	struct intake *intake;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept(&rig, "a@home", "b@one", VIEW("first"));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	none = before;
	none.rlim_cur = 4096;
	setrlimit(RLIMIT_FSIZE, &none);
	intake = rig_begin(&rig);
	intake_append(intake, view_make(large, sizeof(large)));
	intake_commit(intake, rig_envelope("a@home", "b@one"));
	assert_true(rig_wait(&rig, &rig.no_room, 1, 5));
	/* The result waits too, and is not lost. */
	rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE,
		   "2.0.0", "ok");
	rig_run(&rig, 0.2);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(rig.broken, 0);
	rig_accept(&rig, "a@home", "b@one", VIEW("second"));
	rig_run(&rig, 1.3);
	assert_int_equal(rig_counts(&rig).messages_fresh, 1);
	rig_clear(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_full_spool_refuses_mail_and_goes_on_delivering),
		cmocka_unit_test(a_large_body_takes_its_room_once),
		cmocka_unit_test(a_large_body_leaves_others_their_part),
		cmocka_unit_test(what_finds_no_room_keeps_nothing_else_waiting),
		cmocka_unit_test(
		    a_disk_that_refuses_writes_is_no_room_until_it_takes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
