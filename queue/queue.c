/*
 * The face of the queue: opening and closing, time, taking and giving
 * back, counts.  See queue.h; how it hangs together is in inner.h.
 */
#include "queue/inner.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "conf/log.h"
#include "conf/rules.h"
#include "queue/adopt.h"
#include "queue/opening.h"
#include "queue/sweep.h"

/* Lanes woken in one turn of the loop; the rest has the next one. */
enum { WAKES_A_TURN = 64 };

/* --- small things ---------------------------------------------------- */

int64_t queue_now(struct queue *queue)
{
	return clock_at(&queue->clock, clock_boot());
}

/* xorshift64*: enough for jitter. */
uint32_t queue_random(struct queue *queue)
{
	queue->dice ^= queue->dice >> 12;
	queue->dice ^= queue->dice << 25;
	queue->dice ^= queue->dice >> 27;
	return (uint32_t)(queue->dice * UINT64_C(2685821657736338717) >> 32);
}

const struct policy *queue_policy(const struct conf *conf, const char *domain,
				  const char *sender)
{
	struct rules_question question = { .recipient_domain = domain,
					   .sender = sender };

	return rules_policy(conf, question).policy;
}

const char *queue_lane_key(const struct conf *conf, const char *domain,
			   const char *sender)
{
	const struct policy *policy = queue_policy(conf, domain, sender);

	return policy->gateway_count ? policy->title : domain;
}

const struct policy *queue_lane_policy(const struct conf *conf,
				       const char *lane)
{
	for (size_t i = 0; i < conf->policy_count; i++)
		if (conf->policies[i].gateway_count &&
		    !strcmp(conf->policies[i].title, lane))
			return &conf->policies[i];
	return queue_policy(conf, lane, NULL);
}

uint32_t policy_lifetime(const struct conf *conf, const struct policy *policy)
{
	return policy->has_lifetime ? policy->lifetime : conf->lifetime;
}

uint32_t policy_patience(const struct conf *conf, const struct policy *policy,
			 bool is_unmet)
{
	uint32_t lifetime = policy_lifetime(conf, policy);

	if (is_unmet && policy->bounce_after && policy->bounce_after < lifetime)
		return policy->bounce_after;
	return lifetime;
}

uint32_t policy_delay_notice(const struct conf *conf,
			     const struct policy *policy)
{
	return policy->has_delay_notice ? policy->delay_notice :
					  conf->delay_notice;
}

const char *lane_name(const struct lane *lane)
{
	return lane->name;
}

bool lane_is_failing(const struct lane *lane)
{
	return lane->failures > 0;
}

void lane_set_user(struct lane *lane, void *user)
{
	lane->user = user;
}

void *lane_user(const struct lane *lane)
{
	return lane->user;
}

const char *queue_folder(const struct queue *queue)
{
	return queue->folder.path;
}

void queue_put(struct queue *queue, enum home home, struct edit *edit)
{
	struct change *change = edit_change(edit);

	if (queue->commit[home])
		commit_put(queue->commit[home], change);
	else if (queue->opening && home == HOME_HELD)
		opening_wait(queue->opening, change);
	else /* closed: what is stored stays as it is */
		change->done(change, CHANGE_FAILED);
}

/* --- time ------------------------------------------------------------ */

/* While anything ages; at most once a minute. */
static void save_clock(struct queue *queue, int64_t now)
{
	struct edit *edit;
	struct buffer record = { NULL, 0, 0, 0 };

	if (now - queue->clock_saved < CLOCK_SAVE_EVERY ||
	    !lanes_count(queue->lanes))
		return;
	queue->clock_saved = now;
	edit = edit_new(NULL, NULL, NULL);
	clock_pack(&record, (struct clock_record){ now, clock_wall() });
	edit_put(edit, key_clock(), &record);
	queue_put(queue, HOME_HELD, edit);
}

void queue_set_timer(struct queue *queue)
{
	int64_t now = queue_now(queue), next = lanes_next(queue->lanes);
	int64_t wait = CLOCK_SAVE_EVERY;

	if (queue->next_look < next)
		next = queue->next_look;
	if (next < now + wait)
		wait = next > now ? next - now : 0;
	/* Already set, and early enough. */
	if (ev_is_active(queue->wake) &&
	    ev_timer_remaining(queue->loop, queue->wake) * 1000 <=
		    (double)wait)
		return;
	ev_timer_stop(queue->loop, queue->wake);
	ev_timer_set(queue->wake, (double)wait / 1000, 0);
	ev_timer_start(queue->loop, queue->wake);
}

static void wake_lane(struct queue *queue, struct lane *lane)
{
	if (!lane_is_empty(lane)) {
		lane_consider(queue, lane);
		return;
	}
	/* Nothing that is kept speaks of a lane without mail. */
	if (lane->due) {
		lane_succeed(lane);
		lane->due = 0;
		lane_write(queue, lane);
	}
	queue->settings.events.gone(queue->settings.events.arg, lane);
	lanes_drop(queue->lanes, lane);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct queue *queue = timer->data;
	int64_t now = queue_now(queue);
	struct lane *lane;

	(void)loop, (void)events;
	for (int i = 0; i < WAKES_A_TURN; i++) {
		lane = lanes_due(queue->lanes, now);
		if (!lane)
			break;
		wake_lane(queue, lane);
	}
	save_clock(queue, now);
	if (queue->next_look <= now && !queue->settings.is_workshop) {
		queue->next_look = now + ADOPT_EVERY;
		adopt_look(queue);
		for (int home = 0; home < HOMES; home++)
			if (queue->store[home])
				store_check_readers(queue->store[home]);
	}
	queue_set_timer(queue);
}

/* --- delivering ------------------------------------------------------ */

struct job *queue_take(struct queue *queue, struct lane *lane)
{
	struct part *part;

	if (queue->is_closing || queue->is_broken ||
	    lane_is_backing_off(lane, queue_now(queue)))
		return NULL;
	while ((part = lane_pop(queue, lane))) {
		part->state = PART_ENDING;
		if (part_moves(part))
			continue;
		part->state = PART_TAKEN;
		part->epoch = lane->epoch;
		lane->taken++;
		queue->counts.taken++;
		part_show(part);
		if (lane->waiting < SEARCH_JOBS / 2)
			lane_consider(queue, lane);
		return &part->job;
	}
	lane_consider(queue, lane);
	return NULL;
}

static struct part *untake(struct job *job)
{
	struct part *part = (struct part *)job;

	part->job.lane->taken--;
	part->queue->counts.taken--;
	part->state = PART_ENDING;
	return part;
}

void queue_return(struct queue *queue, struct job *job)
{
	struct part *part = untake(job);
	struct lane *lane = part->job.lane;

	if (part->is_damaged) {
		part_put_aside(part);
		return;
	}
	if (lane_is_backing_off(lane, queue_now(queue))) {
		part_wait_first(part);
		lane_cool(queue, lane);
		lane_consider(queue, lane);
		return;
	}
	part_wait_first(part);
	/* Whoever gave it back knows that it is there: no ready is said. */
	lane->is_ready = true;
}

void queue_finish(struct queue *queue, struct job *job,
		  const struct result *results)
{
	(void)queue;
	part_finish(untake(job), results);
}

void queue_retry_lane(struct queue *queue, struct lane *lane)
{
	int64_t now = queue_now(queue);

	lane->due = 0;
	lane->retried = now > lane->retried ? now : lane->retried + 1;
	/* What is just being recorded follows: see ending.c. */
	if (lane_cold(lane, HOME_HELD))
		lane_force(lane);
	lane_consider(queue, lane);
}

static void retry_lane(void *arg, struct lane *lane)
{
	queue_retry_lane(arg, lane);
}

void queue_retry_all(struct queue *queue)
{
	lanes_each(queue->lanes, retry_lane, queue);
}

/* --- counts ----------------------------------------------------------- */

static void count_lane(void *arg, struct lane *lane)
{
	struct queue_counts *out = arg;

	out->messages_fresh += lane->stored[HOME_FRESH];
	out->jobs_held += lane->stored[HOME_HELD];
}

void queue_counts(struct queue *queue, struct queue_counts *out)
{
	struct commit_numbers fresh, held;

	*out = queue->counts;
	queue_numbers(queue, HOME_FRESH, &fresh);
	queue_numbers(queue, HOME_HELD, &held);
	out->commits = fresh.commits + held.commits;
	out->operations = fresh.changes + held.changes;
	out->bytes_live = fresh.live + held.live;
	out->bytes_limit = room_limit(queue);
	out->lanes = lanes_count(queue->lanes);
	out->messages_fresh = out->jobs_held = 0;
	lanes_each(queue->lanes, count_lane, out);
}

/* --- opening and closing --------------------------------------------- */

static void on_broken(void *arg, const char *why)
{
	struct queue *queue = arg;

	if (queue->is_broken)
		return;
	queue->is_broken = true;
	queue->settings.events.broken(queue->settings.events.arg, why);
}

/* Address space: the share may lie in either store, LMDB keeps what the
 * last transactions freed, and spool-size may grow by a new configuration.
 * 32-bit machines have to do with little. */
uint64_t queue_map_size(const struct queue *queue)
{
	uint64_t share = room_share(queue);
	uint64_t map = share + share / 2 + 64 * 1024 * 1024;

	if (sizeof(void *) < 8 && map > 512 * 1024 * 1024)
		map = 512 * 1024 * 1024;
	return map - map % (64 * 1024);
}

int queue_open_store(struct queue *queue, enum home home, uint64_t map,
		     struct error *error)
{
	static const char *const names[HOMES] = { "fresh", "held" };
	char path[FOLDER_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s", queue->folder.path,
			   names[home]);

	if ((size_t)len >= sizeof(path))
		return error_set(error, "%s: too long", queue->folder.path);
	queue->store[home] = store_open(path, map, error);
	return queue->store[home] ? 0 : -1;
}

int queue_open_stores(struct queue *queue, uint64_t map, struct error *error)
{
	if (queue_open_store(queue, HOME_FRESH, map, error))
		return -1;
	return queue_open_store(queue, HOME_HELD, map, error);
}

static void wake_at_start(void *arg, struct lane *lane)
{
	struct queue *queue = arg;

	lanes_wake_at(queue->lanes, lane, queue_now(queue));
}

void queue_start_commit(struct queue *queue, enum home home)
{
	queue->commit[home] = commit_new(queue->loop, queue->store[home],
					 home == HOME_FRESH, on_broken, queue);
}

static void start(struct queue *queue)
{
	for (int home = 0; home < HOMES; home++)
		if (queue->store[home])
			queue_start_commit(queue, (enum home)home);
	if (!queue->settings.folder)
		room_say(queue);
	queue->reader = reader_new(queue->loop);
	queue->wake = must_alloc(sizeof(*queue->wake));
	ev_timer_init(queue->wake, on_timer, 0, 0);
	queue->wake->data = queue;
	lanes_each(queue->lanes, wake_at_start, queue);
	queue->next_look = queue_now(queue) + ADOPT_FIRST;
	queue_set_timer(queue);
}

static void seed(struct queue *queue)
{
	struct { uint64_t low, dice; uint8_t high; } random = { 1, 1, 1 };

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random.low = (uint64_t)clock_wall() << 20;
	queue->ids = (struct ident_source){ queue->folder.number, random.high,
					    random.low };
	queue->dice = random.dice | 1;
}

/* Clean: the next start finds nothing to be checked. */
static void free_stores(struct queue *queue, bool is_clean)
{
	store_close(queue->store[HOME_FRESH]);
	store_close(queue->store[HOME_HELD]);
	note_close(queue->note, is_clean);
	folder_release(&queue->folder);
	lanes_free(queue->lanes);
	holds_clear(&queue->holds);
	free(queue->wake);
	free(queue);
}

struct queue *queue_open(struct ev_loop *loop,
			 const struct queue_settings *settings,
			 struct error *error)
{
	struct queue *queue = must_alloc(sizeof(*queue));

	queue->loop = loop;
	queue->settings = *settings;
	queue->conf = settings->conf;
	queue->folder.lock = -1;
	queue->lanes = lanes_new();
	if (settings->folder)
		queue->folder = *settings->folder;
	if ((!settings->folder &&
	     folder_take(settings->spool, &queue->folder, error)) ||
	    opening_begin(queue, error)) {
		opening_end(queue);
		free_stores(queue, false);
		return NULL;
	}
	seed(queue);
	start(queue);
	if (queue->opening)
		opening_go(queue->opening);
	return queue;
}

static void forget_demand(void *arg, struct lane *lane)
{
	(void)arg;
	/* What was demanded may be so no more. */
	lane->is_unmet = false;
}

void queue_configure(struct queue *queue, const struct conf *conf)
{
	queue->conf = conf;
	lanes_each(queue->lanes, forget_demand, NULL);
	queue_judge_lanes(queue);
}

static void forget_lane(void *arg, struct lane *lane)
{
	struct queue *queue = arg;

	while (lane->parts) {
		struct part *part = lane->parts;

		if (part->state == PART_TAKEN)
			queue->counts.taken--;
		part_leave(part);
	}
}

/* A change that ends may begin another one, in the other store and from
 * there once more. */
static void drain(struct queue *queue)
{
	for (int round = 0; round < 4; round++) {
		if (queue->commit[HOME_HELD])
			commit_drain(queue->commit[HOME_HELD]);
		commit_drain(queue->commit[HOME_FRESH]);
	}
}

void queue_close(struct queue *queue)
{
	bool is_clean;

	if (!queue)
		return;
	is_clean = !queue->is_broken && !queue->opening;
	queue->clock_saved = 0;
	save_clock(queue, queue_now(queue));
	queue->is_closing = true;
	ev_timer_stop(queue->loop, queue->wake);
	opening_end(queue);
	drain(queue);
	/* What it still reads may be for reports. */
	reader_free(queue->reader);
	adopt_end(queue);
	drain(queue);
	sweep_end_all(queue);
	for (int home = 0; home < HOMES; home++) {
		commit_free(queue->commit[home]);
		queue->commit[home] = NULL;
	}
	lanes_each(queue->lanes, forget_lane, queue);
	free_stores(queue, is_clean && !queue->is_broken);
}
