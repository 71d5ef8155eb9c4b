/*
 * Messages and jobs in memory: how they come there, wait in their lane,
 * are shown to the relay and leave again.
 */
#include "queue/inner.h"

#include <stdlib.h>

struct message *message_new(struct envelope *envelope, struct body_place place)
{
	struct message *message = must_alloc(sizeof(*message));

	message->refs = 1;
	message->envelope = envelope;
	message->place = place;
	return message;
}

static void message_cool(struct queue *queue, struct message *message)
{
	if (!message->has_hot)
		return;
	queue->hot_bytes -= buffer_len(&message->hot);
	buffer_clear(&message->hot);
	message->has_hot = false;
}

void message_drop(struct queue *queue, struct message *message)
{
	if (--message->refs)
		return;
	message_cool(queue, message);
	envelope_free(message->envelope);
	free(message);
}

void message_set_hot(struct queue *queue, struct message *message,
		     struct buffer *body)
{
	if (queue->hot_bytes + buffer_len(body) > HOT_BODIES_MAX)
		return;
	message->hot = *body;
	*body = (struct buffer){ NULL, 0, 0, 0 };
	message->has_hot = true;
	queue->hot_bytes += buffer_len(&message->hot);
}

struct part *part_new(struct queue *queue, struct lane *lane,
		      struct message *message, uint32_t number,
		      enum home home, enum part_state state)
{
	struct part *part = must_alloc(sizeof(*part));

	part->queue = queue;
	part->job.lane = lane;
	part->message = message;
	message->refs++;
	part->number = number;
	part->home = home;
	part->state = state;
	part->checked = queue->conf;
	part->epoch = lane->epoch;
	part->next = lane->parts;
	if (part->next)
		part->next->previous = part;
	lane->parts = part;
	if (state == PART_ENTERING)
		lane->entering++;
	else
		lane->memory[home]++;
	return part;
}

static void unlink_part(struct part *part)
{
	if (part->previous)
		part->previous->next = part->next;
	else
		part->job.lane->parts = part->next;
	if (part->next)
		part->next->previous = part->previous;
}

/* The shown envelope is the message's own when all are open; else a copy
 * that shares its strings. */
static void hide(struct part *part)
{
	if (!part->job.envelope || part->job.envelope == part->message->envelope)
		return;
	free(part->job.envelope->recipients);
	free(part->job.envelope);
	part->job.envelope = NULL;
}

void part_show(struct part *part)
{
	const struct envelope *whole = part->message->envelope;
	struct envelope *shown;

	hide(part);
	part->job.attempts = part->progress.attempts;
	part->job.conf = part->queue->conf;
	if (part->progress.open_count == whole->recipient_count) {
		part->job.envelope = part->message->envelope;
		return;
	}
	shown = must_alloc(sizeof(*shown));
	*shown = *whole;
	shown->recipient_count = part->progress.open_count;
	shown->recipients = must_alloc(shown->recipient_count *
				       sizeof(*shown->recipients));
	for (size_t i = 0; i < shown->recipient_count; i++)
		shown->recipients[i] =
			whole->recipients[part->progress.open[i].index];
	part->job.envelope = shown;
}

static void part_free(struct part *part)
{
	hide(part);
	unlink_part(part);
	progress_clear(&part->progress);
	message_drop(part->queue, part->message);
	free(part);
}

void part_leave(struct part *part)
{
	struct lane *lane = part->job.lane;

	if (part->state == PART_ENTERING)
		lane->entering--;
	else
		lane->memory[part->home]--;
	if (!lane->search && !part->queue->is_sweeping) {
		part_free(part);
		return;
	}
	/* What reads now may find it on the disk as it was before. */
	part->queue->has_left |= part->queue->is_sweeping;
	part->state = PART_GONE;
}

void lane_sweep(struct lane *lane)
{
	struct part *next;

	for (struct part *part = lane->parts; part; part = next) {
		next = part->next;
		if (part->state != PART_GONE)
			continue;
		if (part->queue->is_sweeping)
			part->queue->has_left = true;
		else
			part_free(part);
	}
}

void part_wait_last(struct part *part)
{
	struct lane *lane = part->job.lane;

	part->state = PART_WAITING;
	part->after = NULL;
	if (lane->last)
		lane->last->after = part;
	else
		lane->first = part;
	lane->last = part;
	lane->waiting++;
	part->queue->waiting++;
}

void part_wait_first(struct part *part)
{
	struct lane *lane = part->job.lane;

	part->state = PART_WAITING;
	part->after = lane->first;
	lane->first = part;
	if (!lane->last)
		lane->last = part;
	lane->waiting++;
	part->queue->waiting++;
}

void part_wait_no_more(struct part *part)
{
	struct lane *lane = part->job.lane;
	struct part *before = NULL;

	for (struct part *at = lane->first; at != part; at = at->after)
		before = at;
	if (before)
		before->after = part->after;
	else
		lane->first = part->after;
	if (lane->last == part)
		lane->last = before;
	if (!lane->first)
		lane->is_ready = false;
	part->after = NULL;
	part->state = PART_ENDING;
	lane->waiting--;
	part->queue->waiting--;
}

struct part *lane_pop(struct queue *queue, struct lane *lane)
{
	struct part *part = lane->first;

	if (!part)
		return NULL;
	lane->first = part->after;
	if (!lane->first) {
		lane->last = NULL;
		lane->is_ready = false;
	}
	part->after = NULL;
	lane->waiting--;
	queue->waiting--;
	return part;
}

/* Was it brought before its time, because all were asked to be tried? */
static bool is_early(const struct part *part)
{
	const struct attempt *last = progress_last(&part->progress);

	return last && last->at <= part->job.lane->retried &&
	       part->progress.due > queue_now(part->queue);
}

void part_cool(struct part *part)
{
	struct lane *lane = part->job.lane;

	if (part->home == HOME_HELD && part->progress.due < lane->next_due)
		lane->next_due = part->progress.due;
	if (part->home == HOME_HELD && is_early(part))
		lane_force(lane);
	part_leave(part);
}

void lane_cool(struct queue *queue, struct lane *lane)
{
	struct part *part;

	while ((part = lane_pop(queue, lane)))
		part_cool(part);
}

void part_stored(struct part *part)
{
	struct queue *queue = part->queue;
	struct lane *lane = part->job.lane;
	bool is_hot = part->home == HOME_FRESH && !queue->is_closing &&
		      !lane_cold(lane, HOME_FRESH) &&
		      lane->waiting < LANE_JOBS_MAX &&
		      (queue->waiting < ALL_JOBS_MAX ||
		       lane->waiting < LANE_JOBS_LEAST) &&
		      !lane_is_backing_off(lane, queue_now(queue));

	lane->entering--;
	lane->stored[part->home]++;
	lane->memory[part->home]++;
	part->state = PART_ENDING;
	if (part->home == HOME_HELD && part->progress.due < lane->next_due)
		lane->next_due = part->progress.due;
	if (is_hot)
		part_wait_last(part);
	else
		part_leave(part);
	lane_consider(queue, lane);
}
