/*
 * The spool's own clock: it begins with the wall clock, then goes on with
 * CLOCK_BOOTTIME, so that a wall clock that jumps expires nothing and
 * stalls nothing.  Over a stop it goes on by what the wall clock says, at
 * least 0 and at most CLOCK_GAP_MAX.  Pure: readings come in as arguments.
 * All in milliseconds.
 */
#ifndef QUEUE_CLOCK_H
#define QUEUE_CLOCK_H

#include "conf/bytes.h"

enum { CLOCK_GAP_MAX = 3600 * 1000, CLOCK_SAVE_EVERY = 60 * 1000 };

struct spool_clock {
	int64_t base;  /* the spool's time when ... */
	int64_t boot;  /* ... CLOCK_BOOTTIME said this */
	int64_t last;  /* what was said last: it never goes back */
};

/* What is stored (Z), and when it was. */
struct clock_record {
	int64_t spool, wall;
};

/* `stored` may be NULL: a new spool. */
void clock_start(struct spool_clock *clock, const struct clock_record *stored,
		 int64_t wall, int64_t boot);
int64_t clock_at(struct spool_clock *clock, int64_t boot);
void clock_pack(struct buffer *out, struct clock_record record);
int clock_unpack(struct view raw, struct clock_record *out);

/* The kernel's readings. */
int64_t clock_wall(void);
int64_t clock_boot(void);

#endif
