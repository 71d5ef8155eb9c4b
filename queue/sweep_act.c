/*
 * What a sweep does to one job: found in memory or brought there, changed,
 * and recorded through the same rooms as a job that was delivered.
 */
#include "queue/sweep_act.h"

#include <stdlib.h>
#include <string.h>

static struct part *find_part(const struct lane *lane,
			      const struct job_key *key)
{
	for (struct part *p = lane->parts; p; p = p->next)
		if (p->number == key->part &&
		    !memcmp(p->message->envelope->id, key->id, MESSAGE_ID_LEN))
			return p;
	return NULL;
}

static struct part *bring(const struct sweep_act *what, struct lane *lane)
{
	struct picked *picked = what->picked;
	struct message *message = message_new(picked->message.envelope,
					      picked->message.place);
	struct part *part = part_new(what->queue, lane, message,
				     picked->key.part, what->home,
				     PART_ENDING);

	picked->message.envelope = NULL;
	message_drop(what->queue, message);
	part->progress = picked->progress;
	picked->progress = (struct progress){ .attempts = 0 };
	part->checked = NULL;
	return part;
}

/* The job as one that ends: out of its line, or from the disk. */
static struct part *grasp(const struct sweep_act *what, struct lane *lane,
			  struct part *part)
{
	if (!part)
		return bring(what, lane);
	part_wait_no_more(part);
	return part;
}

static bool is_meant(const struct sweep_act *what,
		     const struct envelope *envelope, uint32_t index)
{
	return selector_takes_message(what->selector, envelope) &&
	       selector_takes_recipient(what->selector,
					&envelope->recipients[index]);
}

static uint64_t count_meant(const struct sweep_act *what)
{
	const struct picked *p = what->picked;
	uint64_t count = 0;

	for (size_t i = 0; i < p->progress.open_count; i++)
		count += is_meant(what, p->message.envelope,
				  p->progress.open[i].index);
	return count;
}

static bool end_part(const struct sweep_act *what, struct part *part)
{
	const struct envelope *envelope = part->message->envelope;
	size_t count = part->progress.open_count;
	bool *ends = must_alloc(count * sizeof(*ends));

	for (size_t i = 0; i < count; i++)
		ends[i] = is_meant(what, envelope,
				   part->progress.open[i].index);
	part_end(part, ends, what->verb == SWEEP_BOUNCE, what->done, what->arg);
	free(ends);
	return true;
}

/* Due now, wherever it is. */
static bool make_due(const struct sweep_act *what, struct part *part)
{
	struct ending *ending = ending_new(part);

	part->progress.due = queue_now(what->queue);
	ending->told = what->done;
	ending->arg = what->arg;
	ending_go(ending);
	return true;
}

static bool retry(const struct sweep_act *what, struct lane *lane,
		  struct part *part)
{
	if (lane->due > queue_now(what->queue)) {
		lane->due = 0;
		lane_write(what->queue, lane);
	}
	if (part || what->home == HOME_FRESH ||
	    what->picked->progress.due <= queue_now(what->queue)) {
		lane_consider(what->queue, lane);
		return false;
	}
	return make_due(what, bring(what, lane));
}

/* How many of its recipients a rule still takes. */
static size_t count_held(const struct part *part)
{
	const struct envelope *envelope = part->message->envelope;
	size_t count = 0;

	for (size_t i = 0; i < part->progress.open_count; i++)
		count += holds_take(&part->queue->holds, envelope,
				    &envelope->recipients[
					    part->progress.open[i].index]);
	return count;
}

static bool release(const struct sweep_act *what, struct part *part)
{
	size_t held = count_held(part);

	if (!held)
		return make_due(what, part);
	what->counts->on_hold++;
	what->counts->jobs--;
	/* Another rule has some or all of them. */
	if (held == part->progress.open_count || !part_moves(part))
		part_leave(part);
	return false;
}

static bool do_it(const struct sweep_act *what, struct lane *lane,
		  struct part *part, bool is_on_hold)
{
	what->counts->jobs++;
	what->counts->recipients += count_meant(what);
	switch (what->verb) {
	case SWEEP_COUNT:
	case SWEEP_HOLD:
		what->counts->on_hold += is_on_hold;
		return false;
	case SWEEP_RETRY:
		return retry(what, lane, part);
	case SWEEP_RELEASE:
	case SWEEP_JUDGE:
		return release(what, bring(what, lane));
	case SWEEP_REMOVE:
	case SWEEP_BOUNCE:
		return end_part(what, grasp(what, lane, part));
	}
	return false;
}

bool sweep_act(const struct sweep_act *what)
{
	struct lane *lane = queue_lane(what->queue, what->picked->key.lane);
	struct part *part = find_part(lane, &what->picked->key);
	bool is_on_hold = what->picked->progress.due == TIME_NEVER;

	/* It is not there any more. */
	if (part && part->state == PART_GONE)
		return false;
	/* What is just being put on hold is judged again by itself. */
	if ((what->verb == SWEEP_RELEASE || what->verb == SWEEP_JUDGE) &&
	    (part || !is_on_hold))
		return false;
	if (part && part->state != PART_WAITING) {
		what->counts->busy++;
		return false;
	}
	if (what->verb == SWEEP_RETRY && is_on_hold) {
		what->counts->on_hold++;
		return false;
	}
	return do_it(what, lane, part, is_on_hold);
}
