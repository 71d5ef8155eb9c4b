/*
 * Walks over jobs that are meant.  See sweep.h.
 */
#include "queue/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "conf/log.h"
#include "queue/ledger.h"
#include "queue/pick.h"
#include "queue/sweep_act.h"

enum { STEP_JOBS = 32, STEP_LOOKS = 512 };

/* Fresh first: what is deferred meanwhile is then met in held. */
struct sweep {
	struct request request;
	struct queue *queue;
	struct sweep *next;
	enum sweep_verb verb;
	struct selector selector;
	sweep_callback *call;  /* NULL: cancelled */
	void *arg;
	struct sweep_counts counts;
	/* the walk */
	enum home home;
	struct pick pick;
	size_t next_part;      /* ID: in the message's list */
	const struct conf *conf; /* for the reader's thread */
	struct picked found[STEP_JOBS];
	enum home found_home[STEP_JOBS];
	size_t count;
	bool is_last;          /* nothing is behind this step */
	int code;
	size_t outstanding;    /* changes that are on their way */
	bool is_reading;
};

/* --- on the reader's thread ------------------------------------------ */

static bool has_on_hold(const struct sweep *s, const char *lane)
{
	struct lane_record record;
	struct store_txn *txn;
	bool has;

	if (store_read(s->queue->store[HOME_HELD], &txn))
		return true;
	has = ledger_read(txn, lane, &record) ||
	      record.reasons[REASON_ON_HOLD].count;
	store_abort(txn);
	return has;
}

static bool wants_lane(void *arg, const char *lane)
{
	const struct sweep *s = arg;

	if (!selector_wants_lane(&s->selector, s->conf, lane))
		return false;
	return s->verb != SWEEP_RELEASE || has_on_hold(s, lane);
}

/* The jobs of one message, by its own list, which does not change while it
 * is there. */
static int find_message(struct sweep *s)
{
	struct key key = key_message(s->selector.value);
	struct lane_parts parts = { NULL, 0 };
	struct job_key at = { .due = 0 };
	struct store_txn *txn;
	struct view raw, rest;
	bool has;
	int rc = store_read(s->queue->store[s->home], &txn);

	if (rc)
		return rc;
	rc = store_get(txn, key_view(&key), &raw);
	if (!rc && !message_lanes(raw, &parts, &rest))
		memcpy(at.id, s->selector.value, MESSAGE_ID_LEN);
	while (s->next_part < parts.count && !rc && s->count < STEP_JOBS) {
		const struct lane_part *p = &parts.at[s->next_part++];

		memset(at.lane, 0, sizeof(at.lane));
		memcpy(at.lane, p->lane, strnlen(p->lane, LANE_NAME_MAX));
		at.part = p->part;
		rc = pick_job(txn, &at, &s->found[s->count], &has);
		if (has)
			s->found_home[s->count++] = s->home;
	}
	s->pick.is_over = s->next_part >= parts.count;
	lane_parts_clear(&parts);
	store_abort(txn);
	return store_is_absent(rc) ? 0 : rc;
}

static int find_next(struct sweep *s)
{
	struct store_txn *txn;
	int rc = store_read(s->queue->store[s->home], &txn);

	if (rc)
		return rc;
	s->pick.budget = STEP_LOOKS;
	while (s->count < STEP_JOBS &&
	       pick_next(&s->pick, txn, &s->found[s->count]))
		s->found_home[s->count++] = s->home;
	store_abort(txn);
	return s->pick.code;
}

static void run(struct request *request)
{
	struct sweep *s = (struct sweep *)request;

	s->count = 0;
	if (s->is_last)
		return;
	s->code = s->selector.kind == SELECT_ID ? find_message(s) :
						   find_next(s);
	if (!s->pick.is_over)
		return;
	s->is_last = s->home == HOME_HELD;
	s->home = HOME_HELD;
	s->next_part = 0;
	s->pick.at = key_kind(RECORD_JOB);
	s->pick.is_over = false;
}

/* --- on the loop ------------------------------------------------------ */

static void sweep_free(struct sweep *s)
{
	struct sweep **at = &s->queue->sweeps;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	for (size_t i = 0; i < s->count; i++)
		picked_clear(&s->found[i]);
	free(s);
}

static void tell(struct sweep *s, bool is_over)
{
	if (s->call)
		s->call(s->arg, &s->counts, is_over);
}

static void on_step(struct request *request);

static void start_step(struct sweep *s)
{
	s->is_reading = true;
	/* What is not open cannot be walked through. */
	if (s->queue->opening) {
		s->is_last = true;
		s->counts.is_broken = true;
	}
	s->queue->is_sweeping = true;
	s->conf = s->queue->conf;
	s->request.run = run;
	s->request.done = on_step;
	reader_put(s->queue->reader, &s->request);
}

/* When nothing of a step is on its way any more: the next one. */
static void go_on(struct sweep *s)
{
	if (s->outstanding || s->is_reading)
		return;
	if (s->queue->is_broken || s->queue->is_closing)
		s->counts.is_broken = true;
	if (!s->is_last && s->call && !s->counts.is_broken) {
		tell(s, false);
		start_step(s);
		return;
	}
	tell(s, true);
	sweep_free(s);
}

static void on_done(void *arg, bool is_recorded)
{
	struct sweep *s = arg;

	s->outstanding--;
	if (!is_recorded)
		s->counts.is_broken = true;
	go_on(s);
}

static void act(struct sweep *s, size_t i)
{
	struct sweep_act what = {
		.queue = s->queue,
		.verb = s->verb,
		.selector = &s->selector,
		.picked = &s->found[i],
		.home = s->found_home[i],
		.counts = &s->counts,
		.done = on_done,
		.arg = s,
	};

	s->outstanding++;
	if (!sweep_act(&what))
		s->outstanding--;
}

static void on_rule(void *arg, enum change_end end)
{
	on_done(arg, end == CHANGE_STORED);
}

static void put_rule(struct sweep *s)
{
	struct queue *queue = s->queue;
	struct hold hold = { s->selector, clock_wall() / 1000 };
	struct edit *edit;
	struct buffer record = { NULL, 0, 0, 0 };

	s->counts.has_rule = true;
	if (!holds_add(&queue->holds, &hold))
		return;
	edit = edit_new(NULL, on_rule, s);
	hold_pack(&record, &hold);
	edit_put(edit, key_hold(&hold.rule), &record);
	edit_change(edit)->is_urgent = true;
	s->outstanding++;
	queue_put(queue, HOME_HELD, edit);
	queue_judge_lanes(queue);
}

static void drop_expire_id(void *arg, struct lane *lane)
{
	(void)arg;
	*lane->expire_id = '\0';
}

static void drop_rule(struct sweep *s)
{
	struct queue *queue = s->queue;
	struct edit *edit;

	s->counts.has_rule = holds_remove(&queue->holds, &s->selector);
	if (!s->counts.has_rule)
		return;
	queue->releases++;
	lanes_each(queue->lanes, drop_expire_id, NULL);
	edit = edit_new(NULL, on_rule, s);
	edit_delete(edit, key_hold(&s->selector));
	edit_change(edit)->is_urgent = true;
	s->outstanding++;
	queue_put(queue, HOME_HELD, edit);
	queue_judge_lanes(queue);
}

static void release_all(struct sweep *s)
{
	struct selector all = s->selector;

	while (s->queue->holds.count) {
		s->selector = s->queue->holds.at[0].rule;
		drop_rule(s);
	}
	s->selector = all;
}

static void sweep_lane(void *arg, struct lane *lane)
{
	(void)arg;
	if (!lane->search)
		lane_sweep(lane);
}

/* Several sweeps take turns: each reads its own step to the end, and the
 * reader does one request after the other. */
static void end_reading(struct sweep *s)
{
	struct queue *queue = s->queue;

	s->is_reading = false;
	queue->is_sweeping = false;
	for (const struct sweep *at = queue->sweeps; at; at = at->next)
		queue->is_sweeping |= at->is_reading;
	if (queue->is_sweeping || !queue->has_left)
		return;
	queue->has_left = false;
	lanes_each(queue->lanes, sweep_lane, queue);
}

static void on_step(struct request *request)
{
	struct sweep *s = (struct sweep *)request;

	if (s->code) {
		log_say(LOG_ERROR, "warning", "the spool cannot be read: %s",
			store_say(s->code));
		s->counts.is_broken = true;
	}
	/* What this step changes must not end it before it is through. */
	s->outstanding++;
	if (s->verb == SWEEP_HOLD && s->count && s->call)
		put_rule(s);
	for (size_t i = 0; i < s->count; i++) {
		if (s->call && !s->queue->is_closing)
			act(s, i);
		picked_clear(&s->found[i]);
	}
	s->count = 0;
	end_reading(s);
	s->outstanding--;
	go_on(s);
}

/* --- whole lanes ------------------------------------------------------- */

/* Destinations are asked, not the jobs one by one; but in a workshop nobody
 * would remember. */
static bool is_for_lanes(const struct sweep *s)
{
	return s->verb == SWEEP_RETRY && !s->queue->settings.is_workshop &&
	       (s->selector.kind == SELECT_ALL ||
		s->selector.kind == SELECT_DOMAIN);
}

static void retry_lane(void *arg, struct lane *lane)
{
	struct sweep *s = arg;
	const char *domain = s->selector.value;
	uint64_t jobs = lane->stored[HOME_FRESH] + lane->stored[HOME_HELD];

	if (s->selector.kind == SELECT_DOMAIN && strcmp(lane->name, domain) &&
	    strcmp(lane->name, queue_lane_key(s->queue->conf, domain, "")))
		return;
	if (lane->is_on_hold) {
		s->counts.on_hold += jobs;
		return;
	}
	s->counts.jobs += jobs;
	queue_retry_lane(s->queue, lane);
}

/* --- the face --------------------------------------------------------- */

struct sweep *sweep_new(struct queue *queue, enum sweep_verb verb,
			const struct selector *selector, sweep_callback *call,
			void *arg)
{
	struct sweep *s = must_alloc(sizeof(*s));

	s->queue = queue;
	s->verb = verb;
	s->selector = *selector;
	s->call = call;
	s->arg = arg;
	s->next = queue->sweeps;
	queue->sweeps = s;
	s->outstanding = 1;
	/* Only in held anything is on hold. */
	s->home = verb == SWEEP_RELEASE ? HOME_HELD : HOME_FRESH;
	pick_init(&s->pick, &s->selector);
	s->pick.wants_lane = wants_lane;
	s->pick.arg = s;
	/* A rule for an id is made where the message is; the others take what
	 * comes, too. */
	s->is_last = (verb == SWEEP_HOLD && selector->kind != SELECT_ID) ||
		     is_for_lanes(s);
	if (is_for_lanes(s))
		lanes_each(queue->lanes, retry_lane, s);
	else if (verb == SWEEP_HOLD && selector->kind != SELECT_ID)
		put_rule(s);
	else if (verb == SWEEP_RELEASE && selector->kind == SELECT_ALL)
		release_all(s);
	else if (verb == SWEEP_RELEASE)
		drop_rule(s);
	s->outstanding--;
	start_step(s);
	return s;
}

static void on_judged(void *arg, const struct sweep_counts *counts,
		      bool is_over)
{
	(void)arg, (void)counts, (void)is_over;
}

void sweep_judge(struct queue *queue, const char *id)
{
	struct selector selector = { .kind = SELECT_ID };

	memcpy(selector.value, id, MESSAGE_ID_LEN);
	sweep_new(queue, SWEEP_JUDGE, &selector, on_judged, NULL);
}

void sweep_cancel(struct sweep *s)
{
	s->call = NULL;
}

void sweep_end_all(struct queue *queue)
{
	while (queue->sweeps) {
		struct sweep *s = queue->sweeps;

		s->counts.is_broken = true;
		tell(s, true);
		sweep_free(s);
	}
}
