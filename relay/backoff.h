/*
 * How long a child that died waits before it is started again.  Pure.
 */
#ifndef RELAY_BACKOFF_H
#define RELAY_BACKOFF_H

enum {
	BACKOFF_FIRST = 100,   /* ms, after the second death in a row */
	BACKOFF_MAX = 5000,    /* ms */
	BACKOFF_ALIVE = 10000, /* ms alive that make it a new row */
};

/*
 * `deaths` counts the row and is updated; the first death of a row is
 * followed by a start at once, then 100 ms doubling to 5 s.  Times are in
 * milliseconds.
 */
unsigned backoff_pause(unsigned *deaths, double alive);

#endif
