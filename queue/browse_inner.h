/*
 * What the rooms of browse share.  Nobody else includes this.
 */
#ifndef QUEUE_BROWSE_INNER_H
#define QUEUE_BROWSE_INNER_H

#include "queue/browse.h"
#include "queue/lanes.h"

/* A worker's folder. */
struct shelf {
	unsigned number;
	struct store *store[HOMES]; /* NULL: not there */
	int64_t to_wall;            /* ms from the spool's clock to UTC */
};

struct browse {
	struct shelf *shelves;
	size_t count;
};

/* UTC seconds of a time in ms of the shelf's clock. */
int64_t shelf_wall(const struct shelf *shelf, int64_t spool);

/* The store's code as a reason; -1. */
int browse_fail(int code, struct error *error);

#endif
