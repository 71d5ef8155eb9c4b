/*
 * The lanes in trouble, those with the most mail first.  See queue.h.
 */
#include "queue/inner.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

struct collecting {
	struct queue *queue;
	struct queue_trouble *out;
	size_t room, count, all;
};

static uint64_t jobs_of(const struct lane *lane)
{
	return lane->stored[HOME_FRESH] + lane->stored[HOME_HELD];
}

static void describe(struct queue *queue, const struct lane *lane,
		     struct queue_trouble *out)
{
	int64_t now = queue_now(queue);

	memset(out, 0, sizeof(*out));
	memcpy(out->lane, lane->name, strnlen(lane->name, LANE_NAME_MAX));
	out->jobs = jobs_of(lane);
	out->failures = lane->failures;
	out->next = lane->is_on_hold ? -1 :
		    lane->due > now  ? (lane->due - now + 999) / 1000 :
				       0;
	out->since = now / 1000 - lane->since;
	snprintf(out->host, sizeof(out->host), "%s", lane->host);
	snprintf(out->text, sizeof(out->text), "%s", lane->text);
}

static void collect(void *arg, struct lane *lane)
{
	struct collecting *c = arg;
	size_t at;

	if (!lane->failures && !lane->is_on_hold)
		return;
	c->all++;
	for (at = c->count; at && c->out[at - 1].jobs < jobs_of(lane); at--)
		if (at < c->room)
			c->out[at] = c->out[at - 1];
	if (at >= c->room)
		return;
	describe(c->queue, lane, &c->out[at]);
	c->count += c->count < c->room;
}

size_t queue_troubles(struct queue *queue, struct queue_trouble *out,
		      size_t room, size_t *all)
{
	struct collecting c = { queue, out, room, 0, 0 };

	lanes_each(queue->lanes, collect, &c);
	*all = c.all;
	return c.count;
}
