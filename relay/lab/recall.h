/*
 * What a gateway remembers of its clients, for the faults that need it:
 * who tried to send from whom to whom, and how many came within a minute.
 * Pure; `now` is in steady seconds.  Bounded: the oldest is forgotten.
 */
#ifndef RELAY_LAB_RECALL_H
#define RELAY_LAB_RECALL_H

#include "conf/bytes.h"

struct recall;

enum { RECALL_TRIES_MAX = 10000 };

struct recall_try {
	const char *client; /* its address, without the port */
	const char *from, *to;
};

struct recall *recall_new(void);
void recall_free(struct recall *recall);
/* As if nobody had come yet. */
void recall_forget(struct recall *recall);

/* Whether less than `wait` seconds have passed since that was tried first;
 * a first try is remembered. */
bool recall_is_early(struct recall *recall, const struct recall_try *what,
		     uint32_t wait, double now);
/* Counts a connection. How many there were in this minute, which began with
 * the first one of it. */
uint64_t recall_connections(struct recall *recall, double now);

#endif
