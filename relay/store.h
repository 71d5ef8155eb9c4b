/*
 * The relay's store for server.h: the queue's intake.
 */
#ifndef RELAY_STORE_H
#define RELAY_STORE_H

#include "relay/server.h"

/* `store` is the struct queue, a message the struct intake. */
extern const struct store_verbs store_queue;

#endif
