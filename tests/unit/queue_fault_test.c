/*
 * What the spool does with kills, damage and wrong folders.
 */
#include "tests/unit/queue_rig.h"

#include <errno.h>
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

#include "queue/note.h"
#include "queue/record.h"
#include "queue/store.h"

enum { MAP = 512 * 1024 * 1024 };

/* --- looking into a closed spool ------------------------------------- */

static struct store *open_store(const struct rig *rig, const char *name)
{
	char path[160];
	struct error error;
	struct store *store;

	snprintf(path, sizeof(path), "%s/worker-0/%s", rig->spool, name);
	store = store_open(path, MAP, &error);
	if (!store)
		fail_msg("%s", error.text);
	return store;
}

/* Copies of all values whose keys begin with `kind`. */
struct copies {
	struct { struct buffer key, value; } at[16];
	size_t count;
};

static void copy_kind(struct store *store, char kind, struct copies *copies)
{
	struct store_txn *txn;
	struct store_cursor *cursor;
	struct key from = key_kind((enum record_kind)kind);
	struct view key, value;
	int rc;

	assert_int_equal(store_read(store, &txn), 0);
	assert_int_equal(store_walk(txn, &cursor), 0);
	for (rc = store_seek(cursor, key_view(&from), &key, &value);
	     !rc && key.at[0] == (unsigned char)kind && copies->count < 16;
	     rc = store_next(cursor, &key, &value)) {
		buffer_append(&copies->at[copies->count].key, key);
		buffer_append(&copies->at[copies->count++].value, value);
	}
	store_walk_end(cursor);
	store_abort(txn);
}

static void put_copies(struct store *store, struct copies *copies)
{
	struct store_txn *txn;

	assert_int_equal(store_begin(store, &txn), 0);
	for (size_t i = 0; i < copies->count; i++)
		assert_int_equal(store_put(txn,
					   buffer_view(&copies->at[i].key),
					   buffer_view(&copies->at[i].value)),
				 0);
	assert_int_equal(store_commit(txn), 0);
}

static void clear_copies(struct copies *copies)
{
	for (size_t i = 0; i < copies->count; i++) {
		buffer_clear(&copies->at[i].key);
		buffer_clear(&copies->at[i].value);
	}
	copies->count = 0;
}

static size_t count_kind(const struct rig *rig, const char *name, char kind)
{
	struct copies copies = { .count = 0 };
	struct store *store = open_store(rig, name);
	size_t count;

	copy_kind(store, kind, &copies);
	count = copies.count;
	clear_copies(&copies);
	store_close(store);
	return count;
}

/* As if the damage had been there when the last one stopped in order. */
static void leave_in_order(const struct rig *rig)
{
	char path[160];
	struct note_found ignored;
	struct error error;

	snprintf(path, sizeof(path), "%s/worker-0", rig->spool);
	note_close(note_open(path, &ignored, &error), true);
}

/* Flips one bit in the middle of the first value of that kind. */
static void damage(const struct rig *rig, const char *name, char kind)
{
	struct copies copies = { .count = 0 };
	struct store *store = open_store(rig, name);
	struct buffer *value;

	copy_kind(store, kind, &copies);
	assert_true(copies.count > 0);
	value = &copies.at[0].value;
	value->data[value->start + buffer_len(value) / 2] ^= 4;
	put_copies(store, &copies);
	clear_copies(&copies);
	store_close(store);
	leave_in_order(rig);
}

/* --- kills ----------------------------------------------------------- */

/* Accepts one message after the other, some of them large, and says each
 * id to the pipe once it is reported stored. Never returns. */
static void accept_for_ever(struct rig *rig, int pipe)
{
	static unsigned char large[200000];

	rig_reopen_loop(rig);
	rig_open(rig);
	for (unsigned i = 0;; i++) {
		rig_accept(rig, "a@home", "b@one c@two",
			   i % 4 ? VIEW("small") :
				   view_make(large, sizeof(large)));
		if (write(pipe, rig->last_id, MESSAGE_ID_LEN) !=
		    MESSAGE_ID_LEN)
			_exit(1);
	}
}

static size_t kill_one(struct rig *rig, unsigned delay, char (*ids)[27],
		       size_t count)
{
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		close(ends[0]);
		accept_for_ever(rig, ends[1]);
	}
	close(ends[1]);
	/* Every third is killed wherever it is, perhaps while it opens. */
	if (delay % 3 && read(ends[0], ids[count], MESSAGE_ID_LEN) ==
				 MESSAGE_ID_LEN)
		ids[count++][MESSAGE_ID_LEN] = '\0';
	usleep(delay);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	while (count < 4000 && read(ends[0], ids[count], MESSAGE_ID_LEN) ==
				       MESSAGE_ID_LEN)
		ids[count++][MESSAGE_ID_LEN] = '\0';
	close(ends[0]);
	return count;
}

static void mark_seen(char (*ids)[27], bool *seen, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(ids[i], id))
			seen[i] = true;
}

static void a_kill_loses_nothing_that_was_reported_stored(void **state)
{
	static char ids[4000][27];
	static bool seen[2][4000];
	struct rig rig;
	size_t count = 0;

	(void)state;
	rig_init(&rig);
	for (unsigned i = 0; i < 12; i++)
		count = kill_one(&rig, 20000 + i * 7919 % 60000, ids, count);
	assert_true(count >= 8);
	rig_open(&rig);
	for (uint64_t jobs = rig_counts(&rig).messages_fresh; jobs; jobs--) {
		struct job *job = rig_take(&rig);
		struct buffer body = rig_body(&rig, job);
		int lane = !strcmp(lane_name(job->lane), "two");

		assert_true(buffer_len(&body) == 5 ||
			    buffer_len(&body) == 200000);
		assert_int_equal(job->envelope->size, buffer_len(&body));
		buffer_clear(&body);
		mark_seen(ids, seen[lane], count, job->envelope->id);
		rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0",
			   "ok");
	}
	for (size_t i = 0; i < count; i++)
		assert_true(seen[0][i] && seen[1][i]);
	/* No chunk is left of what was cut off. */
	rig_settle(&rig);
	rig_close(&rig);
	assert_int_equal(count_kind(&rig, "held", 'C'), 0);
	assert_int_equal(count_kind(&rig, "held", 'O'), 0);
	assert_int_equal(count_kind(&rig, "fresh", 'M'), 0);
	rig_clear(&rig);
}

static void a_body_that_never_ended_is_swept_at_the_next_start(void **state)
{
	static unsigned char piece[64 * 1024];
	struct rig rig;
	pid_t child;
	int status;

	(void)state;
	rig_init(&rig);
	child = fork();
	if (!child) {
		struct intake *intake;

		rig_reopen_loop(&rig);
		rig_open(&rig);
		intake = rig_begin(&rig);
		for (int i = 0; i < 6; i++)
			intake_append(intake, view_make(piece, sizeof(piece)));
		rig_run(&rig, 0.5);
		_exit(rig_counts(&rig).bytes_live > 6 * 64 * 1024 ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_true(count_kind(&rig, "held", 'C') >= 6);
	rig_open(&rig);
	rig_close(&rig);
	assert_int_equal(count_kind(&rig, "held", 'C'), 0);
	assert_int_equal(count_kind(&rig, "held", 'O'), 0);
	rig_clear(&rig);
}

static void what_is_in_both_stores_is_held_s(void **state)
{
	struct copies copies = { .count = 0 };
	struct rig rig;
	struct store *store;
	struct job *job;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept(&rig, "a@home", "b@one", VIEW("x"));
	rig_close(&rig);
	store = open_store(&rig, "fresh");
	copy_kind(store, 'M', &copies);
	copy_kind(store, 'J', &copies);
	store_close(store);
	assert_int_equal(copies.count, 2);
	rig_open(&rig);
	job = rig_take(&rig);
	rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_MESSAGE, "4.0.0", "no");
	rig_settle(&rig);
	rig_close(&rig);
	/* As if the crash had come before the second commit. */
	store = open_store(&rig, "fresh");
	put_copies(store, &copies);
	store_close(store);
	clear_copies(&copies);
	rig_open(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 0);
	assert_int_equal(rig_counts(&rig).jobs_held, 1);
	rig_close(&rig);
	assert_int_equal(count_kind(&rig, "fresh", 'M'), 0);
	assert_int_equal(count_kind(&rig, "fresh", 'J'), 0);
	rig_clear(&rig);
}

/* --- damage ----------------------------------------------------------- */

static void a_damaged_record_is_put_aside_and_stops_nobody(void **state)
{
	static const char kinds[] = "MJ";
	struct rig rig;
	struct job *job;

	(void)state;
	for (int i = 0; kinds[i]; i++) {
		rig_init(&rig);
		rig_open(&rig);
		rig_accept(&rig, "a@home", "b@one", VIEW("first"));
		rig_accept(&rig, "a@home", "b@one", VIEW("second"));
		rig_close(&rig);
		damage(&rig, "fresh", kinds[i]);
		rig_open(&rig);
		job = rig_take(&rig);
		assert_string_equal(job->envelope->id, rig.last_id);
		rig_finish(&rig, job, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0",
			   "ok");
		rig_settle(&rig);
		assert_int_equal(rig_counts(&rig).messages_fresh, 0);
		rig_close(&rig);
		assert_int_equal(count_kind(&rig, "fresh", 'Q'), 2);
		assert_int_equal(count_kind(&rig, "fresh", 'M'), 0);
		rig_clear(&rig);
	}
}

static void on_damaged(void *arg, struct view bytes, bool is_last,
		       const char *error)
{
	unsigned *errors = arg;

	(void)bytes;
	if (error) {
		assert_true(is_last);
		++*errors;
	}
}

static void a_body_that_does_not_check_out_is_never_given(void **state)
{
	static unsigned char large[100000];
	struct rig rig;
	struct job *job;
	struct body *body;
	unsigned errors = 0;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept(&rig, "a@home", "b@one", view_make(large, sizeof(large)));
	rig_close(&rig);
	damage(&rig, "held", 'C');
	rig_open(&rig);
	job = rig_take(&rig);
	body = body_open(rig.queue, job, on_damaged, &errors);
	body_next(body);
	assert_true(rig_wait(&rig, &errors, 1, 5));
	body_close(body);
	rig_finish(&rig, job, OUTCOME_DEFERRED, BLAME_MESSAGE, "4.3.0", "disk");
	rig_settle(&rig);
	assert_int_equal(rig_counts(&rig).messages_fresh, 0);
	assert_int_equal(rig_counts(&rig).jobs_held, 0);
	rig_close(&rig);
	assert_int_equal(count_kind(&rig, "fresh", 'Q'), 2);
	rig_clear(&rig);
}

static void a_damaged_lane_record_is_counted_anew(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	rig_accept(&rig, "a@home", "b@one", VIEW("first"));
	rig_finish(&rig, rig_take(&rig), OUTCOME_DEFERRED, BLAME_HOST, "4.4.1",
		   "no");
	rig_settle(&rig);
	rig_close(&rig);
	damage(&rig, "held", 'L');
	rig_open(&rig);
	assert_int_equal(rig_counts(&rig).jobs_held, 1);
	rig_clear(&rig);
}

/* --- folders ------------------------------------------------------------ */

static void two_of_us_never_share_a_folder(void **state)
{
	struct rig rig;
	struct queue_settings settings = { .workers = 1 };
	struct queue *other;

	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	settings.spool = rig.spool;
	settings.conf = &rig.conf;
	other = queue_open(rig.loop, &settings, &rig.error);
	assert_non_null(other);
	assert_string_not_equal(queue_folder(other), queue_folder(rig.queue));
	queue_close(other);
	rig_clear(&rig);
}

static void a_folder_that_is_not_ours_alone_is_refused(void **state)
{
	struct rig rig;
	struct queue_settings settings = { .workers = 1 };

	(void)state;
	rig_init(&rig);
	settings.spool = rig.spool;
	settings.conf = &rig.conf;
	chmod(rig.spool, 0777);
	assert_null(queue_open(rig.loop, &settings, &rig.error));
	assert_non_null(strstr(rig.error.text, "chmod 700"));
	chmod(rig.spool, 0700);
	settings.spool = "/dev/null";
	assert_null(queue_open(rig.loop, &settings, &rig.error));
	settings.spool = "/nowhere/at/all";
	assert_null(queue_open(rig.loop, &settings, &rig.error));
	rig_clear(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_loses_nothing_that_was_reported_stored),
		cmocka_unit_test(
			a_body_that_never_ended_is_swept_at_the_next_start),
		cmocka_unit_test(what_is_in_both_stores_is_held_s),
		cmocka_unit_test(a_damaged_record_is_put_aside_and_stops_nobody),
		cmocka_unit_test(a_body_that_does_not_check_out_is_never_given),
		cmocka_unit_test(a_damaged_lane_record_is_counted_anew),
		cmocka_unit_test(two_of_us_never_share_a_folder),
		cmocka_unit_test(a_folder_that_is_not_ours_alone_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
