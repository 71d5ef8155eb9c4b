/*
 * The inner side of intakes; the outer one is in queue.h.
 */
#ifndef QUEUE_INTAKE_H
#define QUEUE_INTAKE_H

#include "queue/inner.h"

/* A report of our own: it may use the reserve, and waits for room rather
 * than fail. */
void intake_keep(struct intake *intake);

#endif
