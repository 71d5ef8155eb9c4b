/*
 * What a start finds and settles, before service and before any thread:
 * the clock, the lanes, what a crash left between the two stores, and
 * chunks that belong to no message.  Costs what is fresh and how many
 * lanes there are, not what is held.
 */
#ifndef QUEUE_RECOVER_H
#define QUEUE_RECOVER_H

#include "queue/inner.h"

int recover(struct queue *queue, struct error *error);

#endif
