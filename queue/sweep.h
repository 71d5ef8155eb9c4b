/*
 * What a postmaster does to mail that waits, through the same commit door
 * as everything else: a walk over the jobs that are meant, a few a step,
 * read by the reader's thread and changed on the loop.  A job that is being
 * delivered just then is left alone and counted.
 */
#ifndef QUEUE_SWEEP_H
#define QUEUE_SWEEP_H

#include "queue/holds.h"
#include "queue/queue.h"

struct sweep;

enum sweep_verb {
	SWEEP_COUNT,   /* nothing is changed */
	SWEEP_RETRY,   /* due now, and its destination too */
	SWEEP_HOLD,    /* a rule; counts what it takes now */
	SWEEP_RELEASE, /* the rule is gone, and what it took is due now */
	SWEEP_JUDGE,   /* the same without touching a rule */
	SWEEP_REMOVE,  /* nobody is told */
	SWEEP_BOUNCE,  /* the sender is told */
};

struct sweep_counts {
	uint64_t jobs, recipients; /* that were meant, and done with */
	uint64_t busy;         /* jobs that were being delivered */
	uint64_t on_hold;      /* of the jobs */
	bool has_rule;         /* HOLD, RELEASE: the rule was set, was there */
	bool is_broken;        /* the store failed: not all was done */
};

/* Once at the end when is_over, and now and then before it. The sweep is
 * gone after the last. */
typedef void sweep_callback(void *arg, const struct sweep_counts *counts,
			    bool is_over);

/* The callback never comes before this returns. */
struct sweep *sweep_new(struct queue *queue, enum sweep_verb verb,
			const struct selector *selector, sweep_callback *call,
			void *arg);
/* What of a message is on hold though no rule takes it any more is due now;
 * nobody waits for it. */
void sweep_judge(struct queue *queue, const char *id);
/* Stops after what is under way; no callback follows. */
void sweep_cancel(struct sweep *sweep);
/* The queue closes; its reader has ended. */
void sweep_end_all(struct queue *queue);

#endif
