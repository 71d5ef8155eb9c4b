/*
 * Jobs whose lane is another one under the present snapshot, or that a rule
 * holds: they move in one commit of held, split if their recipients part
 * ways, and leave their old place.  They keep what was recorded of their
 * attempts.
 */
#include "queue/inner.h"

#include <stdlib.h>
#include <string.h>

#include "queue/sweep.h"

struct moving {
	struct part *part;
	struct lane **lanes;   /* of each open recipient, in order */
	bool *is_on_hold;      /* likewise */
	unsigned releases;     /* of the queue, when it began */
	bool is_moved;         /* held has the new jobs */
	bool stays;            /* one of the new jobs is under the old key */
};

static void moving_free(struct moving *m)
{
	free(m->lanes);
	free(m->is_on_hold);
	free(m);
}

static void moving_end(struct moving *m)
{
	struct queue *queue = m->part->queue;
	struct lane *old = m->part->job.lane;
	size_t count = m->part->progress.open_count;

	/* A rule went while its mail was being put on hold. */
	if (m->releases != queue->releases && !queue->is_closing)
		sweep_judge(queue, m->part->message->envelope->id);
	/* First, so that no search skips what it left under its own key. */
	part_leave(m->part);
	for (size_t i = 0; i < count; i++) {
		m->lanes[i]->entering--;
		/* Not before: a search that began meanwhile has skipped what
		 * is under the old key. */
		if (m->is_moved && !m->is_on_hold[i])
			m->lanes[i]->next_due = 0;
		lane_consider(queue, m->lanes[i]);
	}
	lane_consider(queue, old);
	moving_free(m);
}

static void settle(struct part *part)
{
	struct edit *edit;

	if (!part->message->place.chunks)
		return;
	edit = edit_new(part->queue->store[HOME_FRESH], NULL, NULL);
	edit_settle(edit, part->message->envelope->id);
	queue_put(part->queue, HOME_HELD, edit);
}

static void on_left(void *arg, enum change_end end)
{
	struct moving *m = arg;

	if (end == CHANGE_STORED) {
		m->part->job.lane->stored[HOME_FRESH]--;
		settle(m->part);
	}
	moving_end(m);
}

static bool are_together(const struct moving *m, size_t i, size_t k)
{
	return m->lanes[i] == m->lanes[k] &&
	       m->is_on_hold[i] == m->is_on_hold[k];
}

/* Is recipient i the first one that goes to its place? */
static bool leads(const struct moving *m, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (are_together(m, i, k))
			return false;
	return true;
}

static void count_new(struct moving *m)
{
	struct part *part = m->part;

	for (size_t i = 0; i < part->progress.open_count; i++) {
		if (!leads(m, i))
			continue;
		m->lanes[i]->stored[HOME_HELD]++;
	}
	m->is_moved = true;
	if (part->home == HOME_HELD)
		part->job.lane->stored[HOME_HELD]--;
}

static void on_moved(void *arg, enum change_end end)
{
	struct moving *m = arg;
	struct part *part = m->part;
	struct edit *edit;

	if (end == CHANGE_STORED)
		count_new(m);
	if (end != CHANGE_STORED || part->home == HOME_HELD) {
		moving_end(m);
		return;
	}
	edit = edit_new(NULL, on_left, m);
	edit_job_gone(edit, part->job.lane->name, part->message->envelope->id,
		      part->number);
	queue_put(part->queue, HOME_FRESH, edit);
}

/* The new job of recipient i's place, with all that go there.  Its number
 * is the index of its first, so that no two jobs of a message ever share
 * one. */
static void put_new(struct moving *m, struct edit *edit, size_t lead)
{
	struct part *part = m->part;
	struct progress new = part->progress;
	const char *lane = m->lanes[lead]->name;
	const char *id = part->message->envelope->id;
	uint32_t number = part->progress.open[lead].index;
	struct buffer record = { NULL, 0, 0, 0 };

	if (m->lanes[lead] == part->job.lane && number == part->number)
		m->stays = true;
	new.open = NULL;
	new.open_count = 0;
	new.due = m->is_on_hold[lead] ? TIME_NEVER : queue_now(part->queue);
	for (size_t i = lead; i < part->progress.open_count; i++)
		if (are_together(m, i, lead))
			progress_open(&new, part->progress.open[i].index,
				      part->progress.open[i].reason);
	progress_pack(&record, &new, lane, id, number);
	edit_move(edit, lane, id, number);
	edit_put(edit, key_job(lane, id, number), &record);
	edit_due(edit, lane, id, number, &new);
	new.log = NULL;
	progress_clear(&new);
}

static void start(struct moving *m)
{
	struct part *part = m->part;
	const char *lane = part->job.lane->name;
	const char *id = part->message->envelope->id;
	struct edit *edit = edit_new(part->queue->store[HOME_FRESH], on_moved,
				     m);

	if (part->home == HOME_HELD)
		edit_undue(edit, lane, id, part->number, part->progress.due);
	for (size_t i = 0; i < part->progress.open_count; i++)
		if (leads(m, i))
			put_new(m, edit, i);
	/* Last, so that its message never lacks a job. */
	if (part->home == HOME_HELD && !m->stays)
		edit_job_gone(edit, lane, id, part->number);
	queue_put(part->queue, HOME_HELD, edit);
}

bool part_moves(struct part *part)
{
	struct queue *queue = part->queue;
	const struct envelope *envelope = part->message->envelope;
	size_t count = part->progress.open_count, same = 0;
	struct moving *m;

	if (part->checked == queue->conf && !queue->holds.count)
		return false;
	m = must_alloc(sizeof(*m));
	m->part = part;
	m->releases = queue->releases;
	m->lanes = must_alloc(count * sizeof(struct lane *));
	m->is_on_hold = must_alloc(count * sizeof(*m->is_on_hold));
	for (size_t i = 0; i < count; i++) {
		uint32_t index = part->progress.open[i].index;
		const struct recipient *r = &envelope->recipients[index];
		const char *key = queue_lane_key(queue->conf, r->domain,
						 envelope->sender);

		m->lanes[i] = queue_lane(queue, key);
		m->is_on_hold[i] = holds_take(&queue->holds, envelope, r);
		same += m->lanes[i] == part->job.lane && !m->is_on_hold[i];
	}
	part->checked = queue->conf;
	if (same == count) {
		moving_free(m);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		m->lanes[i]->entering++;
	start(m);
	return true;
}
