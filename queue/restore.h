/*
 * A message that was carried over from another spool, with its id, its age
 * and what was recorded of its attempts.
 */
#ifndef QUEUE_RESTORE_H
#define QUEUE_RESTORE_H

#include "queue/message.h"
#include "queue/queue.h"

struct restored {
	/* id, accepted and accepted_wall are kept; the size is what comes */
	struct envelope *envelope;
	/* Each of its recipients is open in exactly one of them. Times of
	 * attempts are UTC seconds; due is TIME_NEVER for what is on hold,
	 * else it is tried now. */
	struct progress *jobs;
	size_t job_count;
};

void restored_clear(struct restored *restored);

/* As intake_new(); takes what is restored. The body is appended, then
 * intake_commit() gets no envelope. It goes to held; its jobs are laid out
 * anew, as the configuration says. */
struct intake *intake_restore(struct queue *queue, struct restored *restored,
			      intake_callback *call, void *arg);

/* --- for intake.c ------------------------------------------------------ */

/* Which job each recipient is open in, and its reason there; NULL when the
 * jobs do not fit the envelope. To be freed. */
struct restored_place {
	size_t job;
	const char *reason;
};
struct restored_place *restored_places(const struct restored *restored);
/* What is known of a job, into a new one: attempts, notice and due. Adds
 * `shift` to its times. */
void restored_fill(struct progress *out, const struct progress *job,
		   int64_t shift, int64_t now);

#endif
