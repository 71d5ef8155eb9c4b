/*
 * How a folder's stores come into use: at once after a stop in order, else
 * when they were checked.  When held takes long, it is opened beside
 * service: what is meant for it waits here, mail that was in fresh before
 * waits there, and new mail is taken and delivered.
 */
#ifndef QUEUE_OPENING_H
#define QUEUE_OPENING_H

#include "queue/inner.h"

struct opening;

/* Opens both stores of queue->folder, or fresh alone: then queue->opening
 * is set. */
int opening_begin(struct queue *queue, struct error *error);
/* The queue is ready otherwise: goes on beside it. */
void opening_go(struct opening *opening);
/* A change for held. */
void opening_wait(struct opening *opening, struct change *change);
/* So much waits that nothing more should. */
bool opening_is_full(const struct opening *opening);
/* The queue closes: what waits is undone. */
void opening_end(struct queue *queue);

#endif
