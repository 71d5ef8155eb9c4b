/*
 * A worker's numbers as lines for `postern status`: `number NAME VALUE`,
 * then `lane =NAME JOBS FAILURES SINCE NEXT =HOST =TEXT`, then how many
 * more lanes are in trouble.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "relay/control.h"

enum { LANES_SHOWN = 20 };

static void put_number(struct buffer *out, const char *name, uint64_t value)
{
	buffer_printf(out, "number %s %" PRIu64 "\n", name, value);
}

static void put_counts(struct buffer *out, struct queue *queue)
{
	struct queue_counts counts;

	queue_counts(queue, &counts);
	put_number(out, "messages-new", counts.messages_fresh);
	put_number(out, "messages-deferred", counts.jobs_held);
	put_number(out, "destinations", counts.lanes);
	put_number(out, "bytes-live", counts.bytes_live);
	put_number(out, "bytes-limit", counts.bytes_limit);
	put_number(out, "accepted", counts.accepted);
	put_number(out, "delivered", counts.delivered);
	put_number(out, "deferred", counts.deferred);
	put_number(out, "bounced", counts.failed);
	put_number(out, "commits", counts.commits);
	put_number(out, "changes", counts.operations);
}

static void put_lane(struct buffer *out, const struct queue_trouble *trouble)
{
	buffer_append(out, VIEW("lane"));
	control_put(out, trouble->lane);
	buffer_printf(out, " %" PRIu64 " %" PRIu32 " %" PRId64 " %" PRId64,
		      trouble->jobs, trouble->failures, trouble->since,
		      trouble->next);
	control_put(out, trouble->host);
	control_put(out, trouble->text);
	buffer_append(out, VIEW("\n"));
}

void control_status(struct buffer *out, const struct control_numbers *numbers)
{
	struct queue_trouble *troubles =
		must_alloc(LANES_SHOWN * sizeof(*troubles));
	size_t all, count = queue_troubles(numbers->queue, troubles,
					   LANES_SHOWN, &all);

	put_number(out, "pid", (uint64_t)getpid());
	put_number(out, "supervisor-pid", (uint64_t)getppid());
	put_number(out, "uptime", (uint64_t)numbers->uptime);
	put_number(out, "sessions", numbers->sessions);
	put_number(out, "deliveries", numbers->deliveries);
	put_counts(out, numbers->queue);
	put_number(out, "destinations-in-trouble", all);
	for (size_t i = 0; i < count; i++)
		put_lane(out, &troubles[i]);
	free(troubles);
}
