/*
 * What of a lane is in memory: a window on what is due, filled by searches
 * of the reader's thread, and the one place that says what a lane needs
 * next.
 */
#include "queue/inner.h"

#include <stdlib.h>
#include <string.h>

#include "conf/log.h"

static void skip_parts(struct search *search, const struct lane *lane)
{
	size_t count = 0;

	for (const struct part *p = lane->parts; p; p = p->next)
		count++;
	search->skip = must_alloc(count * sizeof(*search->skip));
	for (const struct part *p = lane->parts; p; p = p->next) {
		struct search_skip *skip = &search->skip[search->skip_count++];

		memcpy(skip->id, p->message->envelope->id, MESSAGE_ID_LEN);
		skip->part = p->number;
	}
}

static bool is_in_memory(const struct lane *lane, const struct job_key *key)
{
	for (const struct part *p = lane->parts; p; p = p->next)
		if (p->number == key->part &&
		    !memcmp(p->message->envelope->id, key->id, MESSAGE_ID_LEN))
			return true;
	return false;
}

static void enter_found(struct queue *queue, struct lane *lane,
			struct found *found)
{
	struct message *message;
	struct part *part;

	if (is_in_memory(lane, &found->key))
		return;
	message = message_new(found->message.envelope, found->message.place);
	found->message.envelope = NULL;
	if (found->has_body)
		message_set_hot(queue, message, &found->body);
	part = part_new(queue, lane, message, found->key.part, found->home,
			PART_ENDING);
	message_drop(queue, message);
	part->progress = found->progress;
	found->progress = (struct progress){ .attempts = 0 };
	part->checked = NULL;
	/* What is on hold is neither given up nor told of. */
	if (found->why != FOUND_DUE && part_moves(part))
		return;
	if (found->why == FOUND_EXPIRED)
		part_expire(part);
	else if (found->why == FOUND_DELAYED)
		part_notice(part);
	else if (lane_is_backing_off(lane, queue_now(queue)))
		part_cool(part);
	else
		part_wait_last(part);
}

struct bad_job {
	struct queue *queue;
	struct lane *lane;
	struct bad_found found;
};

static void on_aside(void *arg, enum change_end end)
{
	struct bad_job *bad = arg;

	bad->lane->entering--;
	bad->lane->asides--;
	if (end == CHANGE_STORED && bad->found.has_job &&
	    bad->lane->stored[bad->found.home])
		bad->lane->stored[bad->found.home]--;
	lane_consider(bad->queue, bad->lane);
	free(bad);
}

static void log_aside(const char *id, const struct lane *lane)
{
	struct log_line line;

	log_begin(&line, LOG_ERROR, "warning");
	log_str(&line, "id", id);
	log_str(&line, "lane", lane->name);
	log_str(&line, "reason", "the stored record does not check out; it "
		"is put aside in the spool and not delivered");
	log_end(&line);
}

/* A job whose records do not check out is put aside; it is not tried, and
 * it does not stand in the way of others. */
static void put_aside(struct queue *queue, struct lane *lane,
		      const struct bad_found *found)
{
	struct bad_job *bad = must_alloc(sizeof(*bad));
	struct edit *edit = edit_new(NULL, on_aside, bad);
	const struct job_key *key = &found->key;

	*bad = (struct bad_job){ queue, lane, *found };
	lane->entering++;
	lane->asides++;
	edit_quarantine(edit, lane->name, key->id, key->part);
	if (found->home == HOME_HELD)
		edit_undue(edit, lane->name, key->id, key->part, key->due);
	queue_put(queue, found->home, edit);
	log_aside(key->id, lane);
}

static void on_part_aside(void *arg, enum change_end end)
{
	struct part *part = arg;
	struct lane *lane = part->job.lane;
	struct queue *queue = part->queue;

	if (end == CHANGE_STORED)
		lane->stored[part->home]--;
	part_leave(part);
	lane_consider(queue, lane);
}

void part_put_aside(struct part *part)
{
	struct edit *edit = edit_new(NULL, on_part_aside, part);
	const char *lane = part->job.lane->name;
	const char *id = part->message->envelope->id;

	edit_quarantine(edit, lane, id, part->number);
	if (part->home == HOME_HELD)
		edit_undue(edit, lane, id, part->number, part->progress.due);
	queue_put(part->queue, part->home, edit);
	log_aside(id, part->job.lane);
}

static void enter_all(struct queue *queue, struct lane *lane,
		      struct search *search)
{
	if (search->next_due < lane->next_due)
		lane->next_due = search->next_due;
	memcpy(lane->notice_id, search->notice_to, sizeof(lane->notice_id));
	memcpy(lane->expire_id, search->expire_id, sizeof(lane->expire_id));
	for (size_t i = 0; i < search->found_count; i++)
		enter_found(queue, lane, &search->found[i]);
	for (size_t i = 0; i < search->bad_count; i++)
		if (!is_in_memory(lane, &search->bad[i].key))
			put_aside(queue, lane, &search->bad[i]);
	if (search->found_count + search->bad_count == 0)
		lane->search_after = queue_now(queue) + 1000;
}

static void on_searched(struct request *request)
{
	struct search *search = (struct search *)request;
	struct queue *queue = search->queue;
	struct lane *lane = search->lane;

	if (search->code)
		log_say(LOG_ERROR, "warning", "lane %s cannot be read: %s",
			lane->name, store_say(search->code));
	if (search->code) {
		lane->search_after = queue_now(queue) + 1000;
		lane->next_due = 0;
	} else if (!queue->is_closing)
		enter_all(queue, lane, search);
	lane->search = NULL;
	lane->has_old = search->has_more_old && !search->code;
	lane_sweep(lane);
	/* Those that were asked for by force and found no place yet. */
	if (search->has_more_forced && !lane->forced) {
		lane->forced = search->forced;
		lane->forced_from = search->forced_from;
	}
	search_free(search);
	lane_consider(queue, lane);
}

static void start_search(struct queue *queue, struct lane *lane, int64_t now)
{
	struct search *search = must_alloc(sizeof(*search));
	const struct policy *policy = queue_lane_policy(queue->conf, lane->name);
	int64_t notice = policy_delay_notice(queue->conf, policy);

	search->request.run = search_run;
	search->request.done = on_searched;
	search->queue = queue;
	search->lane = lane;
	search->note = queue->note;
	search->store[HOME_FRESH] = queue->store[HOME_FRESH];
	search->store[HOME_HELD] = queue->store[HOME_HELD];
	memcpy(search->name, lane->name, strnlen(lane->name, LANE_NAME_MAX));
	/* A destination that was down is tried with little at first; what is
	 * too old does not wait for it. */
	search->want = lane_is_backing_off(lane, now) ? 0 :
		       lane->failures		      ? LANE_JOBS_LEAST :
							SEARCH_JOBS;
	search->want_old = SEARCH_JOBS;
	search->now = now;
	search->forced = lane->forced;
	search->forced_from = lane->forced_from;
	search->expire_before = now - policy_patience(queue->conf, policy,
						      lane->is_unmet) *
					    INT64_C(1000);
	/* While there is no room nobody is told of a delay; later, then. */
	search->delay_before = notice && room_to_spare(queue) ?
				       now - notice * 1000 : 0;
	memcpy(search->notice_id, lane->notice_id, sizeof(search->notice_id));
	memcpy(search->expire_id, lane->expire_id, sizeof(search->expire_id));
	memcpy(search->born, queue->born, sizeof(search->born));
	search->body_room = (HOT_BODIES_MAX - queue->hot_bytes) / 8;
	skip_parts(search, lane);
	lane->forced = 0;
	/* What becomes held meanwhile lowers it again. */
	lane->next_due = TIME_NEVER;
	lane->search = search;
	reader_put(queue->reader, &search->request);
}

/* --- what a lane needs ---------------------------------------------- */

void lane_write(struct queue *queue, const struct lane *lane)
{
	struct edit *edit = edit_new(NULL, NULL, NULL);
	struct lane_record record;

	lane_to_record(lane, &record);
	edit_lane(edit, &record);
	queue_put(queue, HOME_HELD, edit);
}

static bool wants_search(const struct queue *queue, const struct lane *lane,
		       int64_t now)
{
	/* What is being put aside would only be found again. */
	if (lane->asides || lane->waiting >= SEARCH_JOBS / 2 ||
	    (lane->waiting >= LANE_JOBS_LEAST &&
	     queue->waiting >= ALL_JOBS_MAX))
		return false;
	return lane_cold(lane, HOME_FRESH) ||
	       (lane_cold(lane, HOME_HELD) && lane->next_due <= now) ||
	       lane->forced;
}

/* Those of the last search are to be through first. */
static bool wants_old(const struct lane *lane, int64_t now)
{
	uint64_t all = lane->memory[HOME_FRESH] + lane->memory[HOME_HELD];

	return lane->has_old && !lane->search && !lane->asides &&
	       lane->search_after <= now &&
	       all - lane->waiting - lane->taken < SEARCH_JOBS / 2;
}

/* What is due already waits until some of what is in memory was taken: then
 * the lane is considered again. */
static int64_t next_look(const struct lane *lane, int64_t now)
{
	if (!lane_cold(lane, HOME_HELD))
		return TIME_NEVER;
	return lane->next_due > now ? lane->next_due : now + LANE_LINGER;
}

void lane_consider(struct queue *queue, struct lane *lane)
{
	int64_t now = queue_now(queue), wake = TIME_NEVER;

	if (queue->is_closing || queue->settings.is_workshop)
		return;
	if (lane_is_empty(lane)) {
		if (lane->wake == TIME_NEVER)
			wake = now + LANE_LINGER;
		else
			wake = lane->wake;
	} else if (lane->is_on_hold) {
		wake = TIME_NEVER;
	} else if (wants_old(lane, now)) {
		start_search(queue, lane, now);
	} else if (lane_is_backing_off(lane, now)) {
		wake = lane->due;
	} else if (!lane->search && wants_search(queue, lane, now)) {
		if (lane->search_after > now)
			wake = lane->search_after;
		else
			start_search(queue, lane, now);
	} else if (!lane->search) {
		wake = next_look(lane, now);
	}
	lanes_wake_at(queue->lanes, lane, wake);
	queue_set_timer(queue);
	if (lane->first && !lane->is_ready &&
	    !lane_is_backing_off(lane, now)) {
		lane->is_ready = true;
		queue->settings.events.ready(queue->settings.events.arg, lane);
	}
}

/* --- lanes on hold ---------------------------------------------------- */

/* A lane of one domain is on hold as a whole when the domain is; under a
 * policy's title there may be others. */
static bool is_on_hold(const struct queue *queue, const char *lane)
{
	const struct conf *conf = queue->conf;

	if (holds_has_all(&queue->holds))
		return true;
	if (!holds_has_domain(&queue->holds, lane))
		return false;
	for (size_t i = 0; i < conf->policy_count; i++)
		if (!strcmp(conf->policies[i].title, lane))
			return false;
	return true;
}

struct lane *queue_lane(struct queue *queue, const char *name)
{
	struct lane *lane = lanes_find(queue->lanes, name);

	if (lane)
		return lane;
	lane = lanes_get(queue->lanes, name);
	lane->is_on_hold = is_on_hold(queue, name);
	return lane;
}

static void judge_lane(void *arg, struct lane *lane)
{
	struct queue *queue = arg;

	lane->is_on_hold = is_on_hold(queue, lane->name);
	if (lane->is_on_hold)
		lane_cool(queue, lane);
	lane_consider(queue, lane);
}

void queue_judge_lanes(struct queue *queue)
{
	lanes_each(queue->lanes, judge_lane, queue);
}
