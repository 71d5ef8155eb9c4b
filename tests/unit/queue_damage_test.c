/*
 * Damage, and stops that were not in order: what the next start makes of
 * them.
 */
#include "tests/unit/queue_rig.h"

#include <ev.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/inner.h"

enum { MAP = 512 * 1024 * 1024 };

static int cut_file(const struct rig *rig, const char *name, off_t pages)
{
	char path[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s/worker-0/%s/data.mdb", rig->spool,
		 name);
	assert_int_equal(stat(path, &st), 0);
	return truncate(path, st.st_size - pages * 4096);
}

/* The messages that were saved from a store; -1: it is not set aside. */
static int count_saved(const struct rig *rig, int worker, const char *name)
{
	char path[160], line[512];
	FILE *list;
	int count = 0;

	snprintf(path, sizeof(path), "%s/worker-%d/%s.damaged-1/salvaged.txt",
		 rig->spool, worker, name);
	list = fopen(path, "r");
	if (!list)
		return -1;
	while (fgets(line, sizeof(line), list))
		count += !strncmp(line, "saved ", 6);
	fclose(list);
	return count;
}

/* Flips a bit in the middle of the header of the root of the main tree. */
static void damage_root(const struct rig *rig, int worker, const char *name)
{
	unsigned char page[4096];
	char path[160];
	size_t root[2], newest;
	FILE *file;

	snprintf(path, sizeof(path), "%s/worker-%d/%s/data.mdb", rig->spool,
		 worker, name);
	file = fopen(path, "r+b");
	assert_non_null(file);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fread(page, sizeof(page), 1, file), 1);
		memcpy(&root[i], page + 128, sizeof(root[i]));
	}
	memcpy(&newest, page + 144, sizeof(newest));
	fseek(file, (long)(root[newest & 1] * 4096 + 10), SEEK_SET);
	fputc(0x47, file);
	fclose(file);
}

/* --- cut files ----------------------------------------------------------- */

struct reading {
	unsigned pieces, errors;
};

static void on_piece(void *arg, struct view bytes, bool is_last,
		     const char *error)
{
	struct reading *reading = arg;

	(void)bytes;
	assert_true(is_last || !error);
	reading->errors += error != NULL;
	reading->pieces++;
}

static void a_file_that_was_cut_is_set_aside_and_salvaged(void **state)
{
	static unsigned char large[100000];
	struct rig rig;
	unsigned whole = 0;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	for (int i = 0; i < 4; i++)
		rig_accept(&rig, "a@home", "b@one",
			   view_make(large, sizeof(large)));
	rig_close(&rig);
	assert_int_equal(cut_file(&rig, "held", 3), 0);
	rig_open(&rig);
	assert_int_equal(count_saved(&rig, 0, "held"), 0);
	assert_int_equal(rig_counts(&rig).messages_fresh, 4);
	while (rig_counts(&rig).messages_fresh) {
		struct job *job = rig_take(&rig);
		struct body *body;
		struct reading reading = { 0, 0 };

		/* Only the one whose chunk was cut off is lost. */
		body = body_open(rig.queue, job, on_piece, &reading);
		for (unsigned k = 0; k < 2 && !reading.errors; k++) {
			body_next(body);
			assert_true(rig_wait(&rig, &reading.pieces, k + 1, 30));
		}
		body_close(body);
		whole += !reading.errors;
		rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0",
			   "ok");
		rig_settle(&rig);
	}
	assert_int_equal(whole, 3);
	rig_clear(&rig);
}

/* Pages that came and went in one transaction are not written: the file is
 * shorter than the meta page says, and sound. */
static void free_pages_may_be_missing_at_the_end(void **state)
{
	static unsigned char large[3000];
	struct rig rig;
	struct store *store;
	struct store_txn *txn;
	struct error error;
	char path[160];

	(void)state;
	rig_init(&rig);
	snprintf(path, sizeof(path), "%s/one", rig.spool);
	store = store_open(path, MAP, &error);
	assert_non_null(store);
	for (uint32_t round = 1; round < 60; round += 7) {
		assert_int_equal(store_begin(store, &txn), 0);
		for (uint32_t i = 0; i < round; i++) {
			struct key key = key_chunk("x", i);

			assert_int_equal(store_put(txn, key_view(&key),
						   view_make(large, 3000)), 0);
		}
		for (uint32_t i = 1; i < round; i++) {
			struct key key = key_chunk("x", i);

			assert_int_equal(store_delete(txn, key_view(&key)), 0);
		}
		assert_int_equal(store_commit(txn), 0);
		store_close(store);
		store = store_open(path, MAP, &error);
		if (!store)
			fail_msg("round %u: %s", round, error.text);
	}
	store_close(store);
	rig_clear(&rig);
}

/* --- stops that were not in order ---------------------------------------- */

/* What is left of a relay that was killed. */
static pid_t kill_after(struct rig *rig, void (*life)(struct rig *rig))
{
	pid_t child = fork();
	int status;

	if (!child) {
		rig_reopen_loop(rig);
		rig_open(rig);
		life(rig);
		raise(SIGKILL);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	return child;
}

static void defer(struct rig *rig)
{
	rig_finish(rig, rig_take(rig), OUTCOME_DEFERRED, BLAME_MESSAGE, "4.0.0",
		   "no");
	rig_settle(rig);
}

/* One message in each store. */
static void leave_mail(struct rig *rig)
{
	rig_accept(rig, "a@home", "b@one", VIEW("first"));
	defer(rig);
	rig_accept(rig, "a@home", "b@two", VIEW("second"));
}

static void a_sound_folder_is_as_it_was_after_a_kill(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	kill_after(&rig, leave_mail);
	rig_open(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 1);
	assert_int_equal(rig_counts(&rig).jobs_held, 1);
	assert_int_equal(count_saved(&rig, 0, "held"), -1);
	rig_clear(&rig);
}

/* LMDB may well take the page beside it, of a state long ago, for the root:
 * all is there, and not in use. */
static void damage_after_a_stop_in_order_is_found(void **state)
{
	unsigned char page[2 * 4096];
	char path[160];
	struct rig rig;
	size_t txn[2];
	FILE *file;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	leave_mail(&rig);
	rig_close(&rig);
	snprintf(path, sizeof(path), "%s/worker-0/held/data.mdb", rig.spool);
	file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fread(page, sizeof(page), 1, file), 1);
	memcpy(&txn[0], page + 144, sizeof(txn[0]));
	memcpy(&txn[1], page + 4096 + 144, sizeof(txn[1]));
	fseek(file, (txn[1] > txn[0] ? 4096 : 0) + 128, SEEK_SET);
	fputc(page[(txn[1] > txn[0] ? 4096 : 0) + 128] ^ 1, file);
	fclose(file);
	rig_open(&rig);
	assert_int_equal(count_saved(&rig, 0, "held"), 1);
	assert_int_equal(rig_counts(&rig).messages_fresh, 1);
	assert_int_equal(rig_counts(&rig).jobs_held, 1);
	rig_clear(&rig);
}

static void damage_after_a_kill_costs_nothing(void **state)
{
	static const char *const names[] = { "fresh", "held" };
	struct rig rig;

	(void)state;
	for (int i = 0; i < 2; i++) {
		rig_init(&rig);
		kill_after(&rig, leave_mail);
		damage_root(&rig, 0, names[i]);
		rig_open(&rig);
		/* No more is touched than what was found there. */
		assert_int_equal(count_saved(&rig, 0, names[i]), 1);
		/* What was in fresh is in held then. */
		assert_int_equal(rig_counts(&rig).messages_fresh, i);
		assert_int_equal(rig_counts(&rig).jobs_held, 2 - i);
		rig_close(&rig);
		rig_open(&rig);
		assert_int_equal(rig_counts(&rig).jobs_held, 2 - i);
		rig_clear(&rig);
	}
}

/* In the file, and let go of in the journal alone; false when the machine
 * was too slow for that. */
static bool kill_after_removal(struct rig *rig)
{
	pid_t child = fork();
	int status;

	if (!child) {
		rig_reopen_loop(rig);
		rig_open(rig);
		rig_accept(rig, "a@home", "b@one", VIEW("first"));
		rig_run(rig, 0.3);
		rig_accept(rig, "a@home", "b@two", VIEW("second"));
		rig_finish(rig, rig_take(rig), OUTCOME_DELIVERED, BLAME_NONE,
			   "2.0.0", "ok");
		while (!commit_is_idle(rig->queue->commit[HOME_FRESH]))
			rig_run(rig, 0.001);
		if (store_is_ahead(rig->queue->store[HOME_FRESH]))
			raise(SIGKILL);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status);
}

static void what_a_journal_let_go_of_is_not_salvaged(void **state)
{
	struct rig rig;
	int tries = 0;

	(void)state;
	rig_init(&rig);
	while (!kill_after_removal(&rig)) {
		assert_true(tries++ < 10);
		rig_clear(&rig);
		rig_init(&rig);
	}
	damage_root(&rig, 0, "fresh");
	rig_open(&rig);
	assert_int_equal(count_saved(&rig, 0, "fresh"), 1);
	assert_int_equal(rig_counts(&rig).messages_fresh, 0);
	assert_int_equal(rig_counts(&rig).jobs_held, 1);
	rig_clear(&rig);
}

/* --- beside service ------------------------------------------------------ */

/* Much to be checked in held, and one in fresh. */
static void leave_much(struct rig *rig)
{
	static unsigned char large[6 * 1024 * 1024];

	rig_accept(rig, "a@home", "b@one", view_make(large, sizeof(large)));
	defer(rig);
	rig_accept(rig, "a@home", "b@two", VIEW("old"));
}

/* A machine that is busy may have checked it before we look. */
static void open_beside(struct rig *rig)
{
	for (int i = 0; i < 10; i++) {
		rig_init(rig);
		/* Nothing that is deferred comes due meanwhile. */
		rig->conf.retry_first = rig->conf.retry_max = 24 * 3600;
		kill_after(rig, leave_much);
		rig->patience = 1;
		rig_open(rig);
		if (rig->queue->opening)
			return;
		rig_clear(rig);
	}
	fail_msg("held was never checked beside service");
}

/* The old one waits, for held may have it too; new mail does not. */
static struct job *take_new(struct rig *rig, const char *body)
{
	struct job *job;

	rig_accept(rig, "a@home", "b@two", view_of(body));
	job = rig_take(rig);
	if (rig->queue->opening)
		assert_string_equal(job->envelope->id, rig->last_id);
	return job;
}

static void service_begins_while_held_is_being_checked(void **state)
{
	struct rig rig;
	struct job *job;

	(void)state;
	open_beside(&rig);
	job = take_new(&rig, "new");
	rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0", "ok");
	job = take_new(&rig, "another");
	rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_MESSAGE, "4.0.0",
		   "later");
	for (int i = 0; rig.queue->opening && i < 3000; i++)
		rig_run(&rig, 0.01);
	assert_null(rig.queue->opening);
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 1);
	assert_int_equal(rig_counts(&rig).jobs_held, 2);
	rig_finish(&rig, rig_take(&rig), OUTCOME_DELIVERED, BLAME_NONE, "2.0.0",
		   "ok");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 0);
	rig_clear(&rig);
}

static void a_stop_while_held_is_being_checked_loses_nothing(void **state)
{
	struct queue_counts counts;
	struct rig rig;

	(void)state;
	open_beside(&rig);
	rig_accept(&rig, "a@home", "b@three", VIEW("new"));
	rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED, BLAME_MESSAGE,
		   "4.0.0", "later");
	rig_close(&rig);
	rig.patience = 0;
	rig_open(&rig);
	counts = rig_counts(&rig);
	assert_int_equal(counts.messages_fresh + counts.jobs_held, 3);
	rig_clear(&rig);
}

/* --- what somebody died of ----------------------------------------------- */

static void die_reading(struct rig *rig)
{
	rig_accept(rig, "a@home", "b@one c@two", VIEW("deadly"));
	note_reading(rig->queue->note, rig->last_id);
	rig_accept(rig, "a@home", "b@one", VIEW("harmless"));
}

static void a_message_that_a_worker_died_of_is_put_aside(void **state)
{
	static const struct {
		int signal;
		unsigned left;
	} rows[] = { { SIGBUS, 1 }, { SIGSEGV, 1 }, { SIGKILL, 3 } };
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_init(&rig);
		rig.dead_pid = kill_after(&rig, die_reading);
		rig.dead_signal = rows[i].signal;
		rig_open(&rig);
		assert_int_equal(rig_counts(&rig).messages_fresh, rows[i].left);
		rig_close(&rig);
		/* Once is enough. */
		rig_open(&rig);
		assert_int_equal(rig_counts(&rig).messages_fresh, rows[i].left);
		rig_clear(&rig);
	}
}

/* --- somebody else's folder ----------------------------------------------- */

static void a_damaged_folder_without_an_owner_is_adopted(void **state)
{
	char theirs[96], other[96];
	struct rig rig;

	(void)state;
	rig_init(&rig);
	kill_after(&rig, leave_mail);
	snprintf(theirs, sizeof(theirs), "%s/worker-0", rig.spool);
	snprintf(other, sizeof(other), "%s/worker-1", rig.spool);
	assert_int_equal(rename(theirs, other), 0);
	damage_root(&rig, 1, "held");
	rig_open(&rig);
	rig.queue->next_look = 0;
	queue_set_timer(rig.queue);
	for (int i = 0; rig_counts(&rig).jobs_held < 2 && i < 3000; i++)
		rig_run(&rig, 0.01);
	rig_settle(&rig);
	assert_int_equal(count_saved(&rig, 1, "held"), 1);
	assert_int_equal(rig_counts(&rig).jobs_held, 2);
	rig_clear(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_was_cut_is_set_aside_and_salvaged),
		cmocka_unit_test(free_pages_may_be_missing_at_the_end),
		cmocka_unit_test(a_sound_folder_is_as_it_was_after_a_kill),
		cmocka_unit_test(damage_after_a_kill_costs_nothing),
		cmocka_unit_test(what_a_journal_let_go_of_is_not_salvaged),
		cmocka_unit_test(damage_after_a_stop_in_order_is_found),
		cmocka_unit_test(service_begins_while_held_is_being_checked),
		cmocka_unit_test(a_stop_while_held_is_being_checked_loses_nothing),
		cmocka_unit_test(a_message_that_a_worker_died_of_is_put_aside),
		cmocka_unit_test(a_damaged_folder_without_an_owner_is_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
