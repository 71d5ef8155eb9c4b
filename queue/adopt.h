/*
 * Folders that lost their owner (fewer workers than before, a slow death,
 * a hand-over): whoever finds the lock free moves the mail into its own
 * held store, a few jobs a step on the reader's thread, ids kept, and
 * empties the folder.  A crash in between may leave a job in both; the next
 * one to adopt finds it here and only removes it there.
 */
#ifndef QUEUE_ADOPT_H
#define QUEUE_ADOPT_H

#include "queue/inner.h"

enum {
	ADOPT_FIRST = 2 * 1000,  /* ms after the start */
	ADOPT_EVERY = 60 * 1000,
	/* Longer than a dead worker waits at most before it is back. */
	ADOPT_AGAIN = 6 * 1000,
};

/* Looks for one and begins to empty it. */
void adopt_look(struct queue *queue);
/* The queue closes; after its reader has ended. */
void adopt_end(struct queue *queue);

#endif
