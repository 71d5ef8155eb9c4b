/*
 * What a sweep does to one job that it found.  Inside queue/.
 */
#ifndef QUEUE_SWEEP_ACT_H
#define QUEUE_SWEEP_ACT_H

#include "queue/inner.h"
#include "queue/pick.h"
#include "queue/sweep.h"

struct sweep_act {
	struct queue *queue;
	enum sweep_verb verb;
	const struct selector *selector;
	struct picked *picked;  /* as it is on the disk; what is needed of it
	                         * is taken */
	enum home home;
	struct sweep_counts *counts;
	void (*done)(void *arg, bool is_recorded);
	void *arg;
};

/* True when done() follows. */
bool sweep_act(const struct sweep_act *what);

#endif
