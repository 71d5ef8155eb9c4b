/*
 * How long a body may still take.  Pure: time is an argument, in seconds
 * of any clock that only moves forward.  A sender may pause for `pause`
 * seconds; every byte buys a little time back, so that a steady sender is
 * never cut off and one that drips is, whatever it sends in between.
 */
#ifndef RELAY_PACE_H
#define RELAY_PACE_H

#include <stddef.h>

enum { PACE_RATE = 500 }; /* bytes a second, least average of a body */

struct pace {
	double pause;
	double until;
};

void pace_start(struct pace *pace, double now, double pause);
void pace_count(struct pace *pace, double now, size_t bytes);
/* Seconds left; 0 or less: too slow. */
double pace_left(const struct pace *pace, double now);

#endif
