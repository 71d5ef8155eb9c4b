/*
 * The end of a job, recorded: the report is durable before the record that
 * lets go of the recipient; a job that is deferred for the first time is in
 * held before it leaves fresh.
 */
#include "queue/inner.h"

#include <stdlib.h>

struct ending *ending_new(struct part *part)
{
	struct ending *ending = must_alloc(sizeof(*ending));

	ending->part = part;
	ending->old_due = part->progress.due;
	ending->retried = part->job.lane->retried;
	return ending;
}

static void end(struct ending *ending, bool is_recorded)
{
	struct part *part = ending->part;
	struct queue *queue = part->queue;
	struct lane *lane = part->job.lane;

	part_leave(part);
	if (ending->told)
		ending->told(ending->arg, is_recorded);
	free(ending);
	lane_consider(queue, lane);
}

/* Fresh let go of a message: a large body is held's from now on, or goes. */
static void settle(struct part *part)
{
	struct queue *queue = part->queue;
	struct edit *edit;

	if (!part->message->place.chunks)
		return;
	edit = edit_new(queue->store[HOME_FRESH], NULL, NULL);
	edit_settle(edit, part->message->envelope->id);
	queue_put(queue, HOME_HELD, edit);
}

static void on_gone(void *arg, enum change_end how)
{
	struct ending *ending = arg;
	struct part *part = ending->part;

	if (how == CHANGE_STORED) {
		part->job.lane->stored[part->home]--;
		if (part->home == HOME_FRESH)
			settle(part);
	}
	end(ending, how == CHANGE_STORED);
}

/* Nobody is left to be served: the job goes. */
static void let_go(struct ending *ending)
{
	struct part *part = ending->part;
	const char *lane = part->job.lane->name;
	const char *id = part->message->envelope->id;
	struct edit *edit = edit_new(NULL, on_gone, ending);

	edit_job_gone(edit, lane, id, part->number);
	if (part->home == HOME_HELD)
		edit_undue(edit, lane, id, part->number, ending->old_due);
	queue_put(part->queue, part->home, edit);
}

static void lane_is_held(const struct ending *ending)
{
	const struct part *part = ending->part;
	struct lane *lane = part->job.lane;

	if (part->progress.due < lane->next_due)
		lane->next_due = part->progress.due;
	/* All were asked to be tried now while this one was being recorded:
	 * no search could see it. */
	if (lane->retried != ending->retried)
		lane_force(lane);
}

static void on_moved(void *arg, enum change_end how)
{
	struct ending *ending = arg;
	struct part *part = ending->part;

	if (how == CHANGE_STORED) {
		part->job.lane->stored[HOME_FRESH]--;
		part->job.lane->stored[HOME_HELD]++;
		settle(part);
		lane_is_held(ending);
	}
	end(ending, how == CHANGE_STORED);
}

static void on_kept(void *arg, enum change_end how)
{
	struct ending *ending = arg;
	struct part *part = ending->part;
	struct edit *edit;

	if (how != CHANGE_STORED || part->home == HOME_HELD) {
		/* Without room for its record it is tried again all the
		 * same, and not before its time. */
		if (how == CHANGE_NO_ROOM && part->home == HOME_FRESH)
			part->job.lane->search_after = part->progress.due;
		lane_is_held(ending);
		end(ending, how == CHANGE_STORED);
		return;
	}
	/* Held has it; a crash before the next commit finds it in both, and
	 * held wins. */
	edit = edit_new(NULL, on_moved, ending);
	edit_job_gone(edit, part->job.lane->name, part->message->envelope->id,
		      part->number);
	queue_put(part->queue, HOME_FRESH, edit);
}

static void put_job(struct edit *edit, const struct part *part)
{
	const char *lane = part->job.lane->name;
	const char *id = part->message->envelope->id;
	struct buffer record = { NULL, 0, 0, 0 };

	progress_pack(&record, &part->progress, lane, id, part->number);
	edit_put(edit, key_job(lane, id, part->number), &record);
}

/* It is to be tried again: into held, or to a later place there. */
static void keep(struct ending *ending)
{
	struct part *part = ending->part;
	struct queue *queue = part->queue;
	const char *lane = part->job.lane->name;
	const char *id = part->message->envelope->id;
	struct edit *edit = edit_new(queue->store[HOME_FRESH], on_kept, ending);

	if (part->home == HOME_FRESH)
		edit_move(edit, lane, id, part->number);
	else
		edit_undue(edit, lane, id, part->number, ending->old_due);
	put_job(edit, part);
	edit_due(edit, lane, id, part->number, &part->progress);
	edit_change(edit)->may_lapse = true;
	queue_put(queue, HOME_HELD, edit);
}

static void on_noticed(void *arg, enum change_end how)
{
	struct ending *ending = arg;

	if (ending->part->home == HOME_HELD)
		lane_is_held(ending);
	end(ending, how == CHANGE_STORED);
}

/* The job stays where it is, marked as told of. */
static void mark(struct ending *ending)
{
	struct part *part = ending->part;
	struct edit *edit = edit_new(NULL, on_noticed, ending);

	put_job(edit, part);
	queue_put(part->queue, part->home, edit);
}

static void record(void *arg, bool is_stored)
{
	struct ending *ending = arg;

	if (!is_stored) {
		/* The store is broken; what is in it stays as it is. */
		end(ending, false);
		return;
	}
	if (ending->has_lane_news)
		lane_write(ending->part->queue, ending->part->job.lane);
	if (ending->is_notice)
		mark(ending);
	else if (ending->part->progress.open_count)
		keep(ending);
	else
		let_go(ending);
}

void ending_go(struct ending *ending)
{
	if (!ending->report_count) {
		free(ending->reports);
		record(ending, true);
		return;
	}
	report_send(ending->part, ending->reports, ending->report_count,
		    record, ending);
}
