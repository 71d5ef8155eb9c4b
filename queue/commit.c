/*
 * Group commit.  See commit.h.
 */
#include "queue/commit.h"

#include <ev.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/log.h"
#include "queue/transact.h"

enum {
	BATCH_CHANGES = 512,
	BATCH_BYTES = 8 * 1024 * 1024, /* LMDB holds a transaction's pages in
	                                * memory until it is written */
	NO_ROOM_PAUSE = 1000,          /* ms until kept changes are tried again */
};

struct line {
	struct change *first, **last;
	size_t count;
};

struct commit {
	struct ev_loop *loop;
	struct store *store;
	commit_broken *broken;
	void *arg;
	ev_async wake;
	ev_prepare turn;
	pthread_t thread;
	/* the loop's own */
	struct line fresh;  /* handed over at the end of the loop's turn */
	size_t outstanding; /* put and not reported yet */
	bool has_told;      /* broken was reported */
	/* shared, under the mutex */
	pthread_mutex_t mutex;
	pthread_cond_t work, rest;
	struct line waiting, ended;
	size_t urgent;
	bool is_asleep, is_stopping, is_hurried, is_paused;
	bool is_asked;      /* for a checkpoint */
	bool is_ahead;      /* one is due then: */
	struct timespec first_at, pause_until, checkpoint_at;
	int failure;        /* the code that broke the store, 0 while good */
	struct commit_numbers numbers;
};

static void line_init(struct line *line)
{
	line->first = NULL;
	line->last = &line->first;
	line->count = 0;
}

static void line_add(struct line *line, struct change *change)
{
	change->next = NULL;
	*line->last = change;
	line->last = &change->next;
	line->count++;
}

static void line_join(struct line *to, struct line *from)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	to->count += from->count;
	line_init(from);
}

static struct change *line_cut(struct line *line)
{
	struct change *change = line->first;

	if (!change)
		return NULL;
	line->first = change->next;
	if (!line->first)
		line->last = &line->first;
	line->count--;
	return change;
}

static struct timespec later(int milliseconds)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += milliseconds / 1000;
	t.tv_nsec += milliseconds % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

/* --- on the commit thread ------------------------------------------- */

static void set_numbers(struct commit *c, const struct store_numbers *n)
{
	c->numbers.live = n->live;
	c->numbers.idle = n->file > n->live ? n->file - n->live : 0;
}

/* Commits the batch. 0, or why the store is broken. */
static int commit_batch(struct commit *c, struct line *batch)
{
	struct store_numbers n = { 0, 0 };
	int rc = transact(c->store, batch->first, &n);

	if (rc)
		return rc;
	pthread_mutex_lock(&c->mutex);
	c->numbers.commits++;
	c->numbers.changes += batch->count;
	if (n.file)
		set_numbers(c, &n);
	pthread_mutex_unlock(&c->mutex);
	return 0;
}

enum work { WORK_OVER, WORK_BATCH, WORK_CHECKPOINT };

/* Under the mutex: waits until there is something to be done now. OVER when
 * all is done and the thread is to end. */
static enum work wait_for_work(struct commit *c)
{
	for (;;) {
		struct timespec *until = &c->first_at;

		if (c->is_asked)
			return WORK_CHECKPOINT;
		if (!c->waiting.first) {
			if (c->is_stopping)
				return WORK_OVER;
			until = c->is_ahead ? &c->checkpoint_at : NULL;
		} else if (c->is_stopping || c->is_hurried) {
			return WORK_BATCH;
		} else if (c->is_paused && !c->urgent) {
			until = &c->pause_until;
		} else if (c->urgent || c->waiting.count >= COMMIT_CROWD) {
			return WORK_BATCH;
		}
		c->is_asleep = true;
		if (!until)
			pthread_cond_wait(&c->work, &c->mutex);
		else if (pthread_cond_timedwait(&c->work, &c->mutex, until)) {
			c->is_asleep = false;
			if (!c->waiting.first)
				return WORK_CHECKPOINT;
			c->is_paused = false;
			return WORK_BATCH;
		}
		c->is_asleep = false;
	}
}

static void take_batch(struct commit *c, struct line *batch)
{
	size_t bytes = 0;

	line_init(batch);
	c->is_paused = false;
	while (c->waiting.first && batch->count < BATCH_CHANGES &&
	       bytes < BATCH_BYTES) {
		struct change *change = line_cut(&c->waiting);

		bytes += change->bytes;
		c->urgent -= change->is_urgent;
		line_add(batch, change);
	}
	c->first_at = later(COMMIT_PATIENCE);
}

/* Under the mutex: the ended ones go back to the loop, the kept ones that
 * found no room behind those that wait. */
static void give_back(struct commit *c, struct line *batch)
{
	struct line again;
	struct change *change;

	line_init(&again);
	while ((change = line_cut(batch))) {
		bool waits = change->is_kept && !change->may_lapse &&
			     change->end == CHANGE_NO_ROOM;

		if (waits && c->is_stopping)
			change->end = CHANGE_FAILED;
		if (!waits || c->is_stopping) {
			line_add(&c->ended, change);
			continue;
		}
		change->is_urgent = false;
		line_add(&again, change);
	}
	if (again.first) {
		line_join(&c->waiting, &again);
		c->is_paused = true;
		c->pause_until = later(NO_ROOM_PAUSE);
	}
	if (c->ended.first)
		ev_async_send(c->loop, &c->wake);
	pthread_cond_broadcast(&c->rest);
}

/* From any thread. */
static void on_asked(void *arg)
{
	struct commit *c = arg;

	pthread_mutex_lock(&c->mutex);
	c->is_asked = true;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->mutex);
}

/* Under the mutex, but for the work. */
static void do_batch(struct commit *c)
{
	struct line batch;
	int failure = c->failure;
	bool is_ahead;

	take_batch(c, &batch);
	pthread_mutex_unlock(&c->mutex);
	/* Nothing is tried again on a store that failed. */
	if (failure)
		transact_fail(batch.first);
	else
		failure = commit_batch(c, &batch);
	is_ahead = store_is_ahead(c->store);
	pthread_mutex_lock(&c->mutex);
	if (is_ahead && !c->is_ahead)
		c->checkpoint_at = later(COMMIT_AHEAD);
	c->is_ahead = is_ahead;
	c->failure = failure;
	give_back(c, &batch);
}

static void do_checkpoint(struct commit *c)
{
	struct store_numbers n = { 0, 0 };
	struct store_txn *txn;
	int rc;

	c->is_asked = false;
	pthread_mutex_unlock(&c->mutex);
	rc = store_checkpoint(c->store);
	if (!rc && !store_read(c->store, &txn)) {
		store_numbers(txn, &n);
		store_abort(txn);
	}
	pthread_mutex_lock(&c->mutex);
	if (n.file)
		set_numbers(c, &n);
	/* For want of room it is tried again. */
	c->is_ahead = store_is_full(rc);
	c->checkpoint_at = later(NO_ROOM_PAUSE);
	if (!rc || store_is_full(rc) || c->failure)
		return;
	c->failure = rc;
	ev_async_send(c->loop, &c->wake);
}

static void *run(void *arg)
{
	struct commit *c = arg;
	enum work work;

	store_host(c->store, on_asked, c);
	pthread_mutex_lock(&c->mutex);
	while ((work = wait_for_work(c)) != WORK_OVER) {
		if (work == WORK_BATCH)
			do_batch(c);
		else
			do_checkpoint(c);
	}
	pthread_mutex_unlock(&c->mutex);
	/* What it cannot do is done at the next start. */
	store_leave(c->store);
	return NULL;
}

/* --- on the loop ---------------------------------------------------- */

static void hand_over(struct commit *c)
{
	bool wakes;

	if (!c->fresh.first)
		return;
	pthread_mutex_lock(&c->mutex);
	if (!c->waiting.first)
		c->first_at = later(COMMIT_PATIENCE);
	wakes = !c->waiting.first;
	for (struct change *at = c->fresh.first; at; at = at->next)
		c->urgent += at->is_urgent;
	line_join(&c->waiting, &c->fresh);
	wakes = c->is_asleep && (wakes || c->urgent ||
				 c->waiting.count >= COMMIT_CROWD);
	pthread_mutex_unlock(&c->mutex);
	/* It would only meet the mutex. */
	if (wakes)
		pthread_cond_signal(&c->work);
}

static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	(void)loop, (void)events;
	hand_over(watcher->data);
}

static void report(struct commit *c)
{
	struct line ended;
	struct change *change;
	int failure;

	line_init(&ended);
	pthread_mutex_lock(&c->mutex);
	line_join(&ended, &c->ended);
	failure = c->failure;
	pthread_mutex_unlock(&c->mutex);
	while ((change = line_cut(&ended))) {
		c->outstanding--;
		change->done(change, change->end);
	}
	if (failure && !c->has_told) {
		c->has_told = true;
		c->broken(c->arg, store_say(failure));
	}
}

static void on_wake(struct ev_loop *loop, ev_async *watcher, int events)
{
	(void)loop, (void)events;
	report(watcher->data);
}

void commit_put(struct commit *c, struct change *change)
{
	line_add(&c->fresh, change);
	c->outstanding++;
}

void commit_numbers(struct commit *c, struct commit_numbers *out)
{
	pthread_mutex_lock(&c->mutex);
	*out = c->numbers;
	pthread_mutex_unlock(&c->mutex);
}

bool commit_is_idle(const struct commit *c)
{
	return c->outstanding == 0;
}

void commit_drain(struct commit *c)
{
	while (c->outstanding) {
		hand_over(c);
		pthread_mutex_lock(&c->mutex);
		c->is_hurried = true;
		c->is_paused = false;
		pthread_cond_signal(&c->work);
		while (!c->ended.first && !c->is_paused)
			pthread_cond_wait(&c->rest, &c->mutex);
		c->is_hurried = false;
		if (!c->ended.first) {
			/* No room for what is kept: it stays undone. */
			pthread_mutex_unlock(&c->mutex);
			return;
		}
		pthread_mutex_unlock(&c->mutex);
		report(c);
	}
}

static void use_journal(struct store *store)
{
	int rc = store_use_journal(store);

	if (rc)
		log_say(LOG_WARNING, "warning", "%s has no journal: %s; each "
			"commit waits for the disk twice", store_folder(store),
			store_say(rc));
}

struct commit *commit_new(struct ev_loop *loop, struct store *store,
			  bool is_journalled, commit_broken *broken,
			  void *arg)
{
	struct commit *c = must_alloc(sizeof(*c));
	struct store_txn *txn;
	struct store_numbers n = { 0, 0 };
	pthread_condattr_t monotonic;

	c->loop = loop;
	c->store = store;
	c->broken = broken;
	c->arg = arg;
	line_init(&c->fresh);
	line_init(&c->waiting);
	line_init(&c->ended);
	if (is_journalled)
		use_journal(store);
	if (!store_read(store, &txn)) {
		store_numbers(txn, &n);
		store_abort(txn);
	}
	set_numbers(c, &n);
	pthread_mutex_init(&c->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&c->work, &monotonic);
	pthread_cond_init(&c->rest, NULL);
	pthread_condattr_destroy(&monotonic);
	ev_async_init(&c->wake, on_wake);
	c->wake.data = c;
	ev_async_start(loop, &c->wake);
	ev_prepare_init(&c->turn, on_turn);
	c->turn.data = c;
	/* After all others that end a turn: what they put goes too. */
	ev_set_priority(&c->turn, EV_MINPRI);
	ev_prepare_start(loop, &c->turn);
	if (pthread_create(&c->thread, NULL, run, c))
		abort();
	return c;
}

void commit_free(struct commit *c)
{
	struct change *change;

	if (!c)
		return;
	commit_drain(c);
	hand_over(c);
	pthread_mutex_lock(&c->mutex);
	c->is_stopping = true;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->mutex);
	pthread_join(c->thread, NULL);
	report(c);
	/* What those reports still wanted. */
	while ((change = line_cut(&c->fresh)))
		change->done(change, CHANGE_FAILED);
	ev_prepare_stop(c->loop, &c->turn);
	ev_async_stop(c->loop, &c->wake);
	pthread_mutex_destroy(&c->mutex);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->rest);
	free(c);
}
