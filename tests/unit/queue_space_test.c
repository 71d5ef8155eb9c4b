/*
 * Group commit and the reuse of space, on a real spool: commits a message
 * fall as more wait, and what was delivered gives its pages back, so that
 * the files stay near what was ever in use at a time.  SPACE_MESSAGES says
 * how many go through (a day's worth: 200000).
 */
#include "tests/unit/queue_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/inner.h"

/* What is committed together and which pages are used again does not depend
 * on the disk. */
static void move_into_memory(struct rig *rig)
{
	char spool[] = "/dev/shm/postern-queue-XXXXXX";

	if (!mkdtemp(spool))
		return;
	assert_int_equal(rmdir(rig->spool), 0);
	memcpy(rig->spool, spool, sizeof(spool));
}

static double commits_each(struct rig *rig, uint64_t before, unsigned count)
{
	rig_settle(rig);
	return (double)(rig_counts(rig).commits - before) / count;
}

static void commits_fall_as_load_grows(void **state)
{
	enum { COUNT = 256 };
	uint64_t before;
	double alone, together;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	move_into_memory(&rig);
	rig_open(&rig);
	before = rig_counts(&rig).commits;
	for (int i = 0; i < COUNT; i++)
		rig_accept(&rig, "", "b@one", VIEW("hello\r\n"));
	alone = commits_each(&rig, before, COUNT);
	before = rig_counts(&rig).commits;
	rig_accept_many(&rig, COUNT, "b@one");
	together = commits_each(&rig, before, COUNT);
	print_message("commits a message: %.3f one by one, %.3f with %d "
		      "waiting\n", alone, together, COUNT);
	assert_true(alone >= 1);
	assert_true(together < 0.1);
	rig_clear(&rig);
}

/* --- space ----------------------------------------------------------- */

static size_t chance(uint32_t *dice, size_t below)
{
	*dice = *dice * 1664525 + 1013904223;
	return (*dice >> 8) % below;
}

/* As mail comes: most of it small, some of it large. */
static size_t length_of(uint32_t *dice)
{
	size_t lot = chance(dice, 100);

	return lot < 70 ? 500 + chance(dice, 4000) :
	       lot < 97 ? 4000 + chance(dice, 28000) :
			  33000 + chance(dice, 170000);
}

static void send_one(struct rig *rig, uint32_t *dice)
{
	static unsigned char piece[16 * 1024];
	struct intake *intake = rig_begin(rig);
	char to[32];

	for (size_t left = length_of(dice); left;) {
		size_t len = left < sizeof(piece) ? left : sizeof(piece);

		intake_append(intake, view_make(piece, len));
		left -= len;
	}
	snprintf(to, sizeof(to), "b@d%zu.example", chance(dice, 20));
	intake_commit(intake, rig_envelope("", to));
}

/* One in ten is deferred and delivered later. */
static void deliver_all(struct rig *rig, uint64_t sent, uint32_t *dice)
{
	while (rig_counts(rig).delivered < sent) {
		struct job *job;

		queue_retry_all(rig->queue);
		job = rig_take(rig);
		if (!job->attempts && !chance(dice, 10))
			rig_finish(rig, job, OUTCOME_DEFERRED, BLAME_MESSAGE,
				   "4.2.1", "later");
		else
			rig_finish(rig, job, OUTCOME_DELIVERED, BLAME_NONE,
				   "2.0.0", "ok");
		if (!chance(dice, 32))
			rig_run(rig, 0.002);
	}
}

static uint64_t file_size(const struct rig *rig, enum home home)
{
	static const char *const names[HOMES] = { "fresh", "held" };
	char path[FOLDER_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", queue_folder(rig->queue),
		 names[home]);
	return (uint64_t)folder_data_size(path);
}

static uint64_t live(struct rig *rig, enum home home)
{
	struct commit_numbers n;

	commit_numbers(rig->queue->commit[home], &n);
	return n.live;
}

/* What is stated in docs/spool.md. */
static uint64_t most_allowed(uint64_t live)
{
	return live + live / 2 + 1024 * 1024;
}

static void note_most(struct rig *rig, uint64_t most[HOMES])
{
	for (int i = 0; i < HOMES; i++) {
		uint64_t now = live(rig, (enum home)i);

		if (now > most[i])
			most[i] = now;
	}
}

static void check_size(struct rig *rig, enum home home, uint64_t most)
{
	uint64_t size = file_size(rig, home);

	print_message("%s: %llu KiB were in use at most, the file has %llu "
		      "KiB\n", home == HOME_FRESH ? "fresh" : "held",
		      (unsigned long long)most / 1024,
		      (unsigned long long)size / 1024);
	assert_true(size <= most_allowed(most));
}

static void delivered_mail_gives_its_space_back(void **state)
{
	enum { WAVE = 250 };
	const char *wanted = getenv("SPACE_MESSAGES");
	unsigned count = wanted ? (unsigned)atoi(wanted) : 1000;
	uint64_t most[HOMES] = { 0, 0 };
	uint32_t dice = 1;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	move_into_memory(&rig);
	rig_open(&rig);
	for (unsigned n = 0; n < count; n += WAVE) {
		unsigned stored = rig.stored;

		for (int i = 0; i < WAVE; i++)
			send_one(&rig, &dice);
		assert_true(rig_wait(&rig, &rig.stored, stored + WAVE, 60));
		note_most(&rig, most);
		deliver_all(&rig, n + WAVE, &dice);
	}
	rig_settle(&rig);
	check_size(&rig, HOME_FRESH, most[HOME_FRESH]);
	check_size(&rig, HOME_HELD, most[HOME_HELD]);
	rig_clear(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commits_fall_as_load_grows),
		cmocka_unit_test(delivered_mail_gives_its_space_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
