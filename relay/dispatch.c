/*
 * Comes in: lanes that have something to give.  Goes out: jobs, each taken
 * once and finished or returned once.  Owns the trips (jobs on their way),
 * the pool of warm connections and the memory of bad hosts.  Nothing is
 * stored.
 *
 * Hosts that hang cannot keep the others waiting.  When slots are short,
 * idle connections give way first.  Then whose trips do not get on for a
 * moment counts as in trouble, and trips beyond the half of the slots that
 * trouble may have are given back untried: their destinations come to their
 * turn in that half, where they are waited for as long as it takes.  At last,
 * if more than half of all trips have not got on for some seconds, those that
 * hang for longest fail.
 */
#include "relay/dispatch.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <sys/random.h>

#include "conf/log.h"
#include "relay/attempt.h"
#include "relay/own.h"
#include "relay/steady.h"
#include "relay/turns.h"

enum { STALLED_AFTER = 5 }; /* seconds without any progress */

/* Seconds without progress, while others wait, until a destination counts
 * as in trouble: one that is not known yet, one that went well before. */
static const double hesitation[] = { [TURNS_NEW] = 0.3, [TURNS_GOOD] = 0.6 };
/* So often slots are looked at while somebody waits for one. */
static const double look_every = 0.1;

struct trip {
	struct dispatch *dispatch;
	struct destination *destination;
	struct attempt *attempt;
	struct job *job;
	bool is_patient; /* begun in the share of those in trouble */
	struct trip *next, **at;
};

struct dispatch {
	struct attempt_field field;
	struct own own;
	unsigned workers;
	struct turns *turns;
	struct trip *trips;
	ev_prepare turn;  /* never started, only fed */
	ev_timer crowded; /* while somebody waits for a slot */
};

static void soon(struct dispatch *d)
{
	ev_feed_event(d->field.loop, &d->turn, EV_CUSTOM);
}

/* A total of the configuration is shared out among the workers. */
static unsigned share(unsigned total, unsigned workers)
{
	return total > workers ? total / workers : 1;
}

static void set_limits(struct dispatch *d)
{
	const struct conf *conf = d->field.conf;

	turns_limit(d->turns, share(conf->max_outbound, d->workers),
		    share(conf->max_per_destination, d->workers));
}

/* --- trips ---------------------------------------------------------- */

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
static void end_trip(struct trip *trip, enum turns_end how)
{
	struct dispatch *d = trip->dispatch;

	*trip->at = trip->next;
	if (trip->next != NULL)
		trip->next->at = trip->at;
	turns_end(d->turns, trip->destination, how);
	free(trip);
	soon(d);
}

static void on_attempt(void *arg, struct job *job, const struct result *results)
{
	struct trip *trip = arg;
	struct dispatch *d = trip->dispatch;

	end_trip(trip,
		 is_host_bad(job, results) ? TURNS_HOST_BAD : TURNS_WENT_WELL);
	queue_finish(d->field.queue, job, results);
}

/* What it calls may end the trip at once. */
static void begin_trip(struct dispatch *d, struct destination *destination,
		       struct job *job)
{
	struct trip *trip = must_alloc(sizeof(*trip));

	trip->dispatch = d;
	trip->destination = destination;
	trip->job = job;
	trip->is_patient = turns_repute(destination) == TURNS_TROUBLED;
	trip->at = &d->trips;
	trip->next = d->trips;
	if (d->trips != NULL)
		d->trips->at = &trip->next;
	d->trips = trip;
	turns_begin(d->turns, destination);
	trip->attempt = attempt_new(&d->field, job, on_attempt, trip);
	attempt_start(trip->attempt);
}

static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	struct dispatch *d = watcher->data;
	struct destination *next;
	struct job *job;

	(void)events;
	while (!d->field.is_stopping && d->field.queue != NULL &&
	       (next = turns_next(d->turns)) != NULL) {
		job = queue_take(d->field.queue, turns_lane(next));
		if (job != NULL)
			begin_trip(d, next, job);
		else
			turns_ready(d->turns, next, false);
	}
	if (turns_waiting(d->turns) > 0 && !d->field.is_stopping)
		ev_timer_start(loop, &d->crowded);
	else
		ev_timer_stop(loop, &d->crowded);
}

/* --- when slots are short ------------------------------------------- */

static double now(void *arg)
{
	(void)arg;
	return steady_now();
}

static void make_room(void *arg)
{
	struct dispatch *d = arg;
	struct client *oldest;

	while (turns_active(d->turns) + pool_count(d->field.pool) >
		       turns_slots(d->turns) &&
	       (oldest = pool_oldest(d->field.pool)) != NULL) {
		pool_remove(d->field.pool, oldest);
		client_quit(oldest);
	}
}

static bool is_stalled(const struct trip *trip)
{
	return steady_now() - attempt_progress(trip->attempt) >
	       STALLED_AFTER;
}

/* The trip that hangs for longest and may be broken off. */
static struct trip *find_stalled(struct dispatch *d, size_t *count)
{
	struct trip *trip, *worst = NULL;

	*count = 0;
	for (trip = d->trips; trip != NULL; trip = trip->next) {
		if (!is_stalled(trip))
			continue;
		++*count;
		if (!attempt_is_committed(trip->attempt) &&
		    (worst == NULL || attempt_progress(trip->attempt) <
					      attempt_progress(worst->attempt)))
			worst = trip;
	}
	return worst;
}

static void suspect_hesitating(struct dispatch *d)
{
	double now = steady_now();
	struct trip *trip;

	for (trip = d->trips; trip != NULL; trip = trip->next) {
		enum turns_repute repute = turns_repute(trip->destination);

		if (repute != TURNS_TROUBLED &&
		    now - attempt_progress(trip->attempt) > hesitation[repute])
			turns_suspect(d->turns, trip->destination);
	}
}

static void give_back(struct dispatch *d, struct trip *trip)
{
	struct destination *destination = trip->destination;
	struct job *job = trip->job;
	struct log_line line;

	log_begin(&line, LOG_INFO, "returned");
	log_str(&line, "id", job->envelope->id);
	log_str(&line, "lane", lane_name(job->lane));
	log_str(&line, "reason", "its host hesitates and other mail waits");
	log_end(&line);
	attempt_free(trip->attempt);
	end_trip(trip, TURNS_UNDECIDED);
	queue_return(d->field.queue, job);
	turns_ready(d->turns, destination, true);
}

/* One slot for each that waits, from what trouble has too much; those begun
 * last first, for the others are nearer to their end. */
static void give_back_surplus(struct dispatch *d)
{
	size_t count = turns_surplus(d->turns);
	size_t waiting = turns_waiting(d->turns);
	double now = steady_now();
	struct trip *trip, *next;

	if (count > waiting)
		count = waiting;
	for (trip = d->trips; trip != NULL && count > 0; trip = next) {
		next = trip->next;
		if (turns_repute(trip->destination) != TURNS_TROUBLED ||
		    trip->is_patient || !attempt_is_untouched(trip->attempt) ||
		    now - attempt_progress(trip->attempt) <=
			    hesitation[TURNS_NEW])
			continue;
		give_back(d, trip);
		count--;
	}
}

static void break_stalled(struct dispatch *d)
{
	size_t half = turns_slots(d->turns) / 2, stalled;
	size_t waiting = turns_waiting(d->turns);
	struct result why = { 0 };
	struct trip *trip;

	result_set(&why, OUTCOME_DEFERRED, BLAME_HOST, "4.4.5",
		   "no progress while other mail waited for a connection");
	for (; waiting > 0; waiting--) {
		trip = find_stalled(d, &stalled);
		if (trip == NULL || stalled <= half)
			break;
		attempt_break(trip->attempt, &why);
	}
}

static void on_crowded(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct dispatch *d = watcher->data;

	(void)loop;
	(void)events;
	suspect_hesitating(d);
	give_back_surplus(d);
	break_stalled(d);
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
		.certwatch = settings->certwatch,
		.hosts = hosts_new(),
		.pool = pool_new(),
		.own = &d->own.route,
		.now = now,
		.make_room = make_room,
		.arg = d,
	};
	d->turns = turns_new();
	set_limits(d);
	seed(&d->field);
	ev_prepare_init(&d->turn, on_turn);
	ev_timer_init(&d->crowded, on_crowded, look_every, look_every);
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
	struct destination *destination = lane_user(lane);

	if (d == NULL)
		return;
	if (destination == NULL) {
		destination = turns_add(d->turns, lane,
					lane_is_failing(lane) ? TURNS_TROUBLED :
								TURNS_NEW);
		lane_set_user(lane, destination);
	}
	turns_ready(d->turns, destination, true);
	soon(d);
}

void dispatch_gone(void *dispatch, struct lane *lane)
{
	struct dispatch *d = dispatch;
	struct destination *destination = lane_user(lane);

	if (d == NULL || destination == NULL)
		return;
	lane_set_user(lane, NULL);
	turns_remove(d->turns, destination);
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
	set_limits(d);
	soon(d);
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
	end_trip(trip, TURNS_UNDECIDED);
	queue_return(d->field.queue, job);
}

/* What waits for DNS or for a connection has no host yet that could be left
 * in the middle of a message: it need not be waited for. */
static void abort_waiting(struct dispatch *d)
{
	struct trip *trip, *next;

	for (trip = d->trips; trip != NULL; trip = next) {
		next = trip->next;
		if (!attempt_is_underway(trip->attempt))
			abort_trip(d, trip);
	}
}

void dispatch_stop(struct dispatch *d)
{
	d->field.is_stopping = true;
	close_idle(d);
	abort_waiting(d);
	ev_timer_stop(d->field.loop, &d->crowded);
}

size_t dispatch_active(const struct dispatch *d)
{
	return turns_active(d->turns);
}

void dispatch_free(struct dispatch *d)
{
	struct destination *left;

	if (d == NULL)
		return;
	dispatch_stop(d);
	while (d->trips != NULL)
		abort_trip(d, d->trips);
	while ((left = turns_any(d->turns)) != NULL)
		dispatch_gone(d, turns_lane(left));
	ev_clear_pending(d->field.loop, &d->turn);
	pool_free(d->field.pool);
	hosts_free(d->field.hosts);
	own_clear(&d->own);
	turns_free(d->turns);
	free(d);
}
