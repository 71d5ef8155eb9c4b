/*
 * Comes in: lanes that have something to give.  Goes out: jobs, each taken
 * once and finished or returned once.  Owns destinations (what is known
 * about a lane's pace), trips (jobs on their way), the pool of warm
 * connections and the memory of bad hosts.  Nothing is stored.
 *
 * Slots are shared fairly: destinations take turns, one job a turn.  When
 * all slots are taken, idle connections give way first; then, if more than
 * half of the trips have not got on for some seconds, the longest of those,
 * so that hosts that hang cannot keep the others waiting.
 */
#include "relay/dispatch.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <sys/random.h>

#include "relay/attempt.h"
#include "relay/own.h"

enum {
	PACE_FIRST = 2,    /* trips at once to a destination not known yet */
	STALLED_AFTER = 5, /* seconds without any progress */
};

struct destination {
	struct lane *lane;
	unsigned limit, active;
	unsigned credit;     /* successes since the limit last rose */
	bool is_ready;       /* the lane has something to give */
	bool is_gone;        /* the lane is no more */
	struct destination *next, *previous; /* in the ring; NULL: not in */
	struct destination *next_known, **at_known;
};

struct trip {
	struct dispatch *dispatch;
	struct destination *destination;
	struct attempt *attempt;
	struct job *job;
	struct trip *next, **at;
};

struct dispatch {
	struct attempt_field field;
	struct own own;
	unsigned workers;
	struct destination *known; /* all there are */
	struct destination *ring; /* whose turn it is */
	struct trip *trips;
	size_t active;
	ev_prepare turn;          /* never started, only fed */
	ev_timer crowded;         /* while somebody waits for a slot */
};

/* --- the ring ------------------------------------------------------- */

static void ring_add(struct dispatch *d, struct destination *dest)
{
	if (dest->next != NULL)
		return;
	if (d->ring == NULL) {
		dest->next = dest->previous = d->ring = dest;
		return;
	}
	dest->next = d->ring;
	dest->previous = d->ring->previous;
	dest->previous->next = dest;
	d->ring->previous = dest;
}

static void ring_remove(struct dispatch *d, struct destination *dest)
{
	if (dest->next == NULL)
		return;
	if (d->ring == dest)
		d->ring = dest->next != dest ? dest->next : NULL;
	dest->next->previous = dest->previous;
	dest->previous->next = dest->next;
	dest->next = dest->previous = NULL;
}

/* --- totals of the configuration, shared out among the workers ------- */

static unsigned share(unsigned total, unsigned workers)
{
	return total > workers ? total / workers : 1;
}

static size_t slots(const struct dispatch *d)
{
	return share(d->field.conf->max_outbound, d->workers);
}

static unsigned pace_max(const struct dispatch *d)
{
	return share(d->field.conf->max_per_destination, d->workers);
}

static unsigned pace(const struct dispatch *d, const struct destination *dest)
{
	return dest->limit < pace_max(d) ? dest->limit : pace_max(d);
}

/* --- turns ---------------------------------------------------------- */

static void soon(struct dispatch *d)
{
	ev_feed_event(d->field.loop, &d->turn, EV_CUSTOM);
}

/* In the ring stands who has something to give and may. */
static void reconsider(struct dispatch *d, struct destination *dest)
{
	if (dest->is_ready && !dest->is_gone && dest->active < pace(d, dest))
		ring_add(d, dest);
	else
		ring_remove(d, dest);
}

static struct destination *learn(struct dispatch *d, struct lane *lane)
{
	struct destination *dest = must_alloc(sizeof(*dest));

	dest->lane = lane;
	dest->limit = PACE_FIRST;
	dest->at_known = &d->known;
	dest->next_known = d->known;
	if (d->known != NULL)
		d->known->at_known = &dest->next_known;
	d->known = dest;
	lane_set_user(lane, dest);
	return dest;
}

static void forget(struct destination *dest)
{
	if (!dest->is_gone || dest->active > 0)
		return;
	*dest->at_known = dest->next_known;
	if (dest->next_known != NULL)
		dest->next_known->at_known = dest->at_known;
	free(dest);
}

/* More at once while it goes well, up to the limit; half when it does not. */
static void adjust_pace(struct dispatch *d, struct destination *dest,
			bool is_host_bad)
{
	if (is_host_bad) {
		dest->limit = dest->limit > 1 ? dest->limit / 2 : 1;
		dest->credit = 0;
	} else if (++dest->credit >= dest->limit &&
		   dest->limit < pace_max(d)) {
		dest->limit++;
		dest->credit = 0;
	}
}

static bool is_host_bad(const struct job *job, const struct result *results)
{
	size_t i;

	for (i = 0; i < job->envelope->recipient_count; i++)
		if (results[i].outcome == OUTCOME_DEFERRED &&
		    results[i].blame == BLAME_HOST)
			return true;
	return false;
}

/* Unlinked before the queue is told: it may call us from there. */
static void end_trip(struct trip *trip)
{
	struct dispatch *d = trip->dispatch;
	struct destination *dest = trip->destination;

	*trip->at = trip->next;
	if (trip->next != NULL)
		trip->next->at = trip->at;
	d->active--;
	dest->active--;
	if (dest->is_gone)
		forget(dest);
	else
		reconsider(d, dest);
	free(trip);
	soon(d);
}

static void on_attempt(void *arg, struct job *job, const struct result *results)
{
	struct trip *trip = arg;
	struct dispatch *d = trip->dispatch;

	adjust_pace(d, trip->destination, is_host_bad(job, results));
	end_trip(trip);
	queue_finish(d->field.queue, job, results);
}

/* What it calls may end the trip at once. */
static void begin_trip(struct dispatch *d, struct destination *dest,
		       struct job *job)
{
	struct trip *trip = must_alloc(sizeof(*trip));

	trip->dispatch = d;
	trip->destination = dest;
	trip->job = job;
	trip->at = &d->trips;
	trip->next = d->trips;
	if (d->trips != NULL)
		d->trips->at = &trip->next;
	d->trips = trip;
	d->active++;
	dest->active++;
	reconsider(d, dest);
	trip->attempt = attempt_new(&d->field, job, on_attempt, trip);
	attempt_start(trip->attempt);
}

static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	struct dispatch *d = watcher->data;
	struct destination *dest;
	struct job *job;

	(void)events;
	while (!d->field.is_stopping && d->field.queue != NULL &&
	       d->ring != NULL && d->active < slots(d)) {
		dest = d->ring;
		d->ring = dest->next;
		job = queue_take(d->field.queue, dest->lane);
		if (job != NULL) {
			begin_trip(d, dest, job);
		} else {
			dest->is_ready = false;
			reconsider(d, dest);
		}
	}
	if (d->ring != NULL && !d->field.is_stopping)
		ev_timer_start(loop, &d->crowded);
	else
		ev_timer_stop(loop, &d->crowded);
}

static double now(void *arg)
{
	const struct dispatch *d = arg;

	return ev_now(d->field.loop);
}

/* --- when slots are short ------------------------------------------- */

static void make_room(void *arg)
{
	struct dispatch *d = arg;
	struct client *oldest;

	while (d->active + pool_count(d->field.pool) > slots(d) &&
	       (oldest = pool_oldest(d->field.pool)) != NULL) {
		pool_remove(d->field.pool, oldest);
		client_quit(oldest);
	}
}

static bool is_stalled(const struct dispatch *d, const struct trip *trip)
{
	return ev_now(d->field.loop) - attempt_progress(trip->attempt) >
	       STALLED_AFTER;
}

/* The trip that hangs for longest and may be broken off. */
static struct trip *find_stalled(struct dispatch *d, size_t *count)
{
	struct trip *trip, *worst = NULL;

	*count = 0;
	for (trip = d->trips; trip != NULL; trip = trip->next) {
		if (!is_stalled(d, trip))
			continue;
		++*count;
		if (!attempt_is_committed(trip->attempt) &&
		    (worst == NULL || attempt_progress(trip->attempt) <
					      attempt_progress(worst->attempt)))
			worst = trip;
	}
	return worst;
}

static size_t count_waiting(const struct dispatch *d)
{
	const struct destination *dest = d->ring;
	size_t count = 0;

	do
		count += dest != NULL;
	while (dest != NULL && (dest = dest->next) != d->ring);
	return count;
}

static void on_crowded(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct dispatch *d = watcher->data;
	size_t waiting = count_waiting(d), stalled;
	struct result why = { 0 };
	struct trip *trip;

	(void)loop;
	(void)events;
	result_set(&why, OUTCOME_DEFERRED, BLAME_HOST, "4.4.5",
		   "no progress while other mail waited for a connection");
	for (; waiting > 0 && d->active > slots(d) / 2; waiting--) {
		trip = find_stalled(d, &stalled);
		if (trip == NULL || stalled <= slots(d) / 2)
			break;
		attempt_break(trip->attempt, &why);
	}
	soon(d);
}

/* --- the face ------------------------------------------------------- */

static void seed(struct attempt_field *field)
{
	ssize_t got;

	do
		got = getrandom(&field->seed, sizeof(field->seed), 0);
	while (got < 0 && errno == EINTR);
}

struct dispatch *dispatch_new(struct ev_loop *loop,
			      const struct dispatch_settings *settings)
{
	struct dispatch *d = must_alloc(sizeof(*d));

	d->workers = settings->workers > 0 ? settings->workers : 1;
	own_init(&d->own, settings->conf);
	d->field = (struct attempt_field){
		.loop = loop,
		.conf = settings->conf,
		.dns = settings->dns,
		.tls = settings->tls,
		.hosts = hosts_new(),
		.pool = pool_new(),
		.own = &d->own.route,
		.now = now,
		.make_room = make_room,
		.arg = d,
	};
	seed(&d->field);
	ev_prepare_init(&d->turn, on_turn);
	ev_timer_init(&d->crowded, on_crowded, 1., 1.);
	d->turn.data = d->crowded.data = d;
	return d;
}

void dispatch_attach(struct dispatch *d, struct queue *queue)
{
	d->field.queue = queue;
	soon(d);
}

void dispatch_ready(void *dispatch, struct lane *lane)
{
	struct dispatch *d = dispatch;
	struct destination *dest = lane_user(lane);

	if (dest == NULL)
		dest = learn(d, lane);
	dest->is_ready = true;
	reconsider(d, dest);
	soon(d);
}

void dispatch_gone(void *dispatch, struct lane *lane)
{
	struct dispatch *d = dispatch;
	struct destination *dest = lane_user(lane);

	if (dest == NULL)
		return;
	lane_set_user(lane, NULL);
	dest->is_gone = true;
	dest->lane = NULL;
	ring_remove(d, dest);
	forget(dest);
}

static void close_idle(struct dispatch *d)
{
	struct client *client;

	while ((client = pool_oldest(d->field.pool)) != NULL) {
		pool_remove(d->field.pool, client);
		client_quit(client);
	}
}

void dispatch_configure(struct dispatch *d, const struct conf *conf)
{
	/* What is kept was judged under the old snapshot. */
	close_idle(d);
	own_clear(&d->own);
	own_init(&d->own, conf);
	d->field.conf = conf;
	soon(d);
}

void dispatch_stop(struct dispatch *d)
{
	d->field.is_stopping = true;
	close_idle(d);
	ev_timer_stop(d->field.loop, &d->crowded);
}

size_t dispatch_active(const struct dispatch *d)
{
	return d->active;
}

/* Untried, unless a part of it was done or may have been. */
static void abort_trip(struct dispatch *d, struct trip *trip)
{
	struct result why = { 0 };
	struct job *job = trip->job;

	if (!attempt_is_untouched(trip->attempt)) {
		result_set(&why, OUTCOME_DEFERRED, BLAME_NONE, "4.3.2",
			   "the relay was stopped in the middle of it");
		attempt_break(trip->attempt, &why);
		return;
	}
	attempt_free(trip->attempt);
	end_trip(trip);
	queue_return(d->field.queue, job);
}

void dispatch_free(struct dispatch *d)
{
	if (d == NULL)
		return;
	dispatch_stop(d);
	while (d->trips != NULL)
		abort_trip(d, d->trips);
	while (d->known != NULL)
		dispatch_gone(d, d->known->lane);
	ev_clear_pending(d->field.loop, &d->turn);
	pool_free(d->field.pool);
	hosts_free(d->field.hosts);
	own_clear(&d->own);
	free(d);
}
