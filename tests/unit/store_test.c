/*
 * A journalled store: what was committed is seen by everybody, survives
 * what comes after it, and is there after a kill.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/store.h"

enum { MAP = 64 * 1024 * 1024 };

struct bench {
	char top[64], folder[96], copy[96];
	struct store *store;
	atomic_int asked;
};

static void on_asked(void *arg)
{
	struct bench *b = arg;

	atomic_store(&b->asked, 1);
}

/* This thread is its host. */
static void open_it(struct bench *b, uint64_t map)
{
	struct error error;

	b->store = store_open(b->folder, map, &error);
	if (!b->store)
		fail_msg("%s", error.text);
	assert_int_equal(store_use_journal(b->store), 0);
	store_host(b->store, on_asked, b);
}

static void make(struct bench *b, uint64_t map)
{
	memset(b, 0, sizeof(*b));
	snprintf(b->top, sizeof(b->top), "/tmp/postern-store-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	snprintf(b->folder, sizeof(b->folder), "%s/store", b->top);
	snprintf(b->copy, sizeof(b->copy), "%s/copy", b->top);
	open_it(b, map);
}

static void run(const char *format, const char *a, const char *z)
{
	char command[512];

	snprintf(command, sizeof(command), format, a, z);
	assert_int_equal(system(command), 0);
}

static void clear(struct bench *b)
{
	assert_int_equal(store_leave(b->store), 0);
	store_close(b->store);
	run("rm -rf '%s'%s", b->top, "");
}

static int put(struct bench *b, const char *key, size_t len)
{
	static const char value[300 * 1024];
	struct store_txn *txn;
	int rc = store_begin(b->store, &txn);

	assert_int_equal(rc, 0);
	rc = store_put(txn, view_of(key), view_make(value, len));
	if (!rc)
		return store_commit(txn);
	store_abort(txn);
	return rc;
}

static void drop(struct bench *b, const char *key)
{
	struct store_txn *txn;

	assert_int_equal(store_begin(b->store, &txn), 0);
	assert_int_equal(store_delete(txn, view_of(key)), 0);
	assert_int_equal(store_commit(txn), 0);
}

static bool has_in(struct store_txn *txn, const char *key)
{
	struct view ignored;
	int rc = store_get(txn, view_of(key), &ignored);

	assert_true(!rc || store_is_absent(rc));
	return !rc;
}

static bool has(struct store *store, const char *key)
{
	struct store_txn *txn;
	bool is_there;

	assert_int_equal(store_read(store, &txn), 0);
	is_there = has_in(txn, key);
	store_abort(txn);
	return is_there;
}

/* What a killed process leaves. */
static struct store *after_a_kill(struct bench *b)
{
	struct error error;
	struct store *store;

	run("rm -rf '%s'%s", b->copy, "");
	run("cp -r '%s' '%s'", b->folder, b->copy);
	store = store_open(b->copy, MAP, &error);
	if (!store)
		fail_msg("%s", error.text);
	return store;
}

static void what_is_committed_survives_a_kill(void **state)
{
	struct store *copy;
	struct bench b;

	(void)state;
	make(&b, MAP);
	assert_int_equal(put(&b, "a", 10), 0);
	assert_int_equal(put(&b, "b", 9000), 0);
	drop(&b, "a");
	assert_true(store_is_ahead(b.store));
	copy = after_a_kill(&b);
	assert_false(has(copy, "a"));
	assert_true(has(copy, "b"));
	store_close(copy);
	assert_int_equal(store_checkpoint(b.store), 0);
	assert_false(store_is_ahead(b.store));
	copy = after_a_kill(&b);
	assert_true(has(copy, "b"));
	store_close(copy);
	clear(&b);
}

/* Longer than the journal: each generation is one commit of the file's. */
static void a_journal_that_is_full_begins_anew(void **state)
{
	struct store *copy;
	struct bench b;
	char key[32];

	(void)state;
	make(&b, MAP);
	for (int i = 0; i < 700; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(put(&b, key, (size_t)i), 0);
		if (i % 100 == 50) {
			copy = after_a_kill(&b);
			assert_true(has(copy, key));
			assert_true(has(copy, "k0"));
			store_close(copy);
		}
	}
	/* More than it holds at all. */
	for (int i = 0; i < 5; i++) {
		struct store_txn *txn;
		static char large[300 * 1024];

		assert_int_equal(store_begin(b.store, &txn), 0);
		for (int k = 0; k < 5; k++) {
			snprintf(key, sizeof(key), "l%d.%d", i, k);
			assert_int_equal(
				store_put(txn, view_of(key),
					  view_make(large, sizeof(large))), 0);
		}
		assert_int_equal(store_commit(txn), 0);
		assert_false(store_is_ahead(b.store));
	}
	copy = after_a_kill(&b);
	assert_true(has(copy, "k699"));
	assert_true(has(copy, "l4.4"));
	store_close(copy);
	clear(&b);
}

static void what_was_not_there_is_not_journalled(void **state)
{
	struct store_txn *txn;
	struct bench b;

	(void)state;
	make(&b, MAP);
	assert_int_equal(store_begin(b.store, &txn), 0);
	assert_true(store_is_absent(store_delete(txn, view_of("nobody"))));
	assert_int_equal(store_commit(txn), 0);
	assert_false(store_is_ahead(b.store));
	assert_int_equal(store_checkpoint(b.store), 0);
	assert_int_equal(put(&b, "a", 10), 0);
	assert_true(has(b.store, "a"));
	clear(&b);
}

static void an_abort_takes_back_its_own_alone(void **state)
{
	struct store *copy;
	struct store_txn *txn;
	struct bench b;

	(void)state;
	make(&b, MAP);
	assert_int_equal(put(&b, "a", 10), 0);
	assert_int_equal(store_begin(b.store, &txn), 0);
	assert_int_equal(store_put(txn, view_of("b"), VIEW("x")), 0);
	assert_int_equal(store_delete(txn, view_of("a")), 0);
	store_abort(txn);
	assert_int_equal(store_begin(b.store, &txn), 0);
	assert_true(has_in(txn, "a"));
	assert_false(has_in(txn, "b"));
	store_abort(txn);
	assert_int_equal(put(&b, "c", 10), 0);
	copy = after_a_kill(&b);
	assert_true(has(copy, "a"));
	assert_false(has(copy, "b"));
	assert_true(has(copy, "c"));
	store_close(copy);
	clear(&b);
}

static void what_finds_no_room_leaves_the_rest(void **state)
{
	struct bench b;
	char key[16];
	int rc = 0, last = 0;

	(void)state;
	make(&b, 1024 * 1024);
	assert_int_equal(put(&b, "a", 10), 0);
	for (int i = 0; !rc && i < 200; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		rc = put(&b, key, 20000);
		last = i;
	}
	assert_true(store_is_full(rc));
	assert_true(last > 20);
	assert_false(has(b.store, key));
	snprintf(key, sizeof(key), "k%d", last - 1);
	assert_true(has(b.store, key));
	assert_true(has(b.store, "a"));
	drop(&b, key);
	assert_false(has(b.store, key));
	clear(&b);
}

static void a_checkpoint_that_fails_loses_nothing(void **state)
{
	struct rlimit before, none;
	struct store *copy;
	struct stat st;
	struct bench b;
	char path[128];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	make(&b, MAP);
	assert_int_equal(put(&b, "a", 100 * 1024), 0);
	assert_true(store_is_ahead(b.store));
	snprintf(path, sizeof(path), "%s/data.mdb", b.folder);
	assert_int_equal(stat(path, &st), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	none = before;
	none.rlim_cur = (rlim_t)st.st_size;
	setrlimit(RLIMIT_FSIZE, &none);
	assert_true(store_is_full(store_checkpoint(b.store)));
	assert_true(store_is_ahead(b.store));
	/* Nothing is promised that the file would have no room for. */
	assert_true(store_is_full(put(&b, "b", 10)));
	setrlimit(RLIMIT_FSIZE, &before);
	copy = after_a_kill(&b);
	assert_true(has(copy, "a"));
	assert_false(has(copy, "b"));
	store_close(copy);
	assert_int_equal(put(&b, "c", 10), 0);
	assert_true(has(b.store, "a"));
	assert_true(has(b.store, "c"));
	clear(&b);
}

static void an_old_journal_is_void(void **state)
{
	struct store *copy;
	struct bench b;
	char from[128], to[128];

	(void)state;
	make(&b, MAP);
	snprintf(from, sizeof(from), "%s/journal", b.folder);
	snprintf(to, sizeof(to), "%s/old", b.top);
	assert_int_equal(put(&b, "a", 10), 0);
	run("cp '%s' '%s'", from, to);
	drop(&b, "a");
	assert_int_equal(store_checkpoint(b.store), 0);
	run("cp '%s' '%s'", to, from);
	copy = after_a_kill(&b);
	assert_false(has(copy, "a"));
	store_close(copy);
	clear(&b);
}

/* --- other threads ------------------------------------------------------ */

static void serve_until(struct bench *b, atomic_int *is_over)
{
	while (!atomic_load(is_over))
		if (atomic_exchange(&b->asked, 0))
			assert_int_equal(store_checkpoint(b->store), 0);
}

struct guest {
	struct bench *bench;
	atomic_int is_over;
	int saw;
};

static void *read_it(void *arg)
{
	struct guest *g = arg;

	g->saw = has(g->bench->store, "a");
	atomic_store(&g->is_over, 1);
	return NULL;
}

static void *write_it(void *arg)
{
	struct guest *g = arg;

	g->saw = put(g->bench, "b", 10) == 0;
	atomic_store(&g->is_over, 1);
	return NULL;
}

static void others_see_all_and_get_their_turn(void **state)
{
	void *(*const lives[])(void *) = { read_it, write_it };
	struct bench b;

	(void)state;
	make(&b, MAP);
	for (int i = 0; i < 2; i++) {
		struct guest guest = { .bench = &b };
		pthread_t thread;

		assert_int_equal(put(&b, "a", 10), 0);
		assert_true(store_is_ahead(b.store));
		pthread_create(&thread, NULL, lives[i], &guest);
		serve_until(&b, &guest.is_over);
		pthread_join(thread, NULL);
		assert_true(guest.saw);
	}
	assert_false(store_is_ahead(b.store));
	assert_true(has(b.store, "a"));
	assert_true(has(b.store, "b"));
	clear(&b);
}

/* --- all at once -------------------------------------------------------- */

enum { COMMITS = 600, GUESTS = 3, OWN = 25 };

struct crowd {
	struct bench *bench;
	atomic_int committed, number, left, wrong;
};

/* Nobody sees less than what was committed before. */
static void *look_again_and_again(void *arg)
{
	struct crowd *crowd = arg;

	while (atomic_load(&crowd->committed) < COMMITS) {
		int before = atomic_load(&crowd->committed), seen = 0;
		struct store_txn *txn;
		struct view value;

		if (store_read(crowd->bench->store, &txn)) {
			atomic_store(&crowd->wrong, 1);
			break;
		}
		if (!store_get(txn, view_of("count"), &value))
			memcpy(&seen, value.at, sizeof(seen));
		store_abort(txn);
		if (seen < before)
			atomic_store(&crowd->wrong, 1);
		usleep(500);
	}
	atomic_fetch_sub(&crowd->left, 1);
	return NULL;
}

static void *write_again_and_again(void *arg)
{
	struct crowd *crowd = arg;
	int number = atomic_fetch_add(&crowd->number, 1);
	char key[32];

	for (int i = 0; i < OWN; i++) {
		snprintf(key, sizeof(key), "own%d.%d", number, i);
		if (put(crowd->bench, key, 100))
			atomic_store(&crowd->wrong, 1);
		usleep(700);
	}
	atomic_fetch_sub(&crowd->left, 1);
	return NULL;
}

static void count_up(struct crowd *crowd)
{
	struct store *store = crowd->bench->store;
	struct store_txn *txn;

	for (int i = 1; i <= COMMITS; i++) {
		assert_int_equal(store_begin(store, &txn), 0);
		assert_int_equal(store_put(txn, view_of("count"),
					   view_make(&i, sizeof(i))), 0);
		if (i % 7)
			assert_int_equal(store_commit(txn), 0);
		else
			store_abort(txn);
		if (i % 7)
			atomic_store(&crowd->committed, i);
		if (atomic_exchange(&crowd->bench->asked, 0))
			assert_int_equal(store_checkpoint(store), 0);
	}
	atomic_store(&crowd->committed, COMMITS);
	while (atomic_load(&crowd->left))
		if (atomic_exchange(&crowd->bench->asked, 0))
			assert_int_equal(store_checkpoint(store), 0);
}

static void many_work_at_once(void **state)
{
	pthread_t threads[2 * GUESTS];
	struct store *copy;
	struct bench b;
	struct crowd crowd = { .bench = &b };
	char key[32];

	(void)state;
	make(&b, MAP);
	atomic_store(&crowd.left, 2 * GUESTS);
	for (int i = 0; i < 2 * GUESTS; i++)
		pthread_create(&threads[i], NULL,
			       i % 2 ? look_again_and_again
				     : write_again_and_again, &crowd);
	count_up(&crowd);
	for (int i = 0; i < 2 * GUESTS; i++)
		pthread_join(threads[i], NULL);
	assert_false(atomic_load(&crowd.wrong));
	copy = after_a_kill(&b);
	assert_true(has(copy, "count"));
	for (int i = 0; i < GUESTS * OWN; i++) {
		snprintf(key, sizeof(key), "own%d.%d", i / OWN, i % OWN);
		assert_true(has(copy, key));
	}
	store_close(copy);
	clear(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_committed_survives_a_kill),
		cmocka_unit_test(a_journal_that_is_full_begins_anew),
		cmocka_unit_test(what_was_not_there_is_not_journalled),
		cmocka_unit_test(an_abort_takes_back_its_own_alone),
		cmocka_unit_test(what_finds_no_room_leaves_the_rest),
		cmocka_unit_test(a_checkpoint_that_fails_loses_nothing),
		cmocka_unit_test(an_old_journal_is_void),
		cmocka_unit_test(others_see_all_and_get_their_turn),
		cmocka_unit_test(many_work_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
