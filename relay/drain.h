/*
 * The last moments of a process with an event loop.
 */
#ifndef RELAY_DRAIN_H
#define RELAY_DRAIN_H

struct ev_loop;

/* Runs the loop until nothing is left on it, which is when every connection
 * that was finished has sent its last reply and its peer has taken it, or
 * for so many seconds.  What remains is the kernel's to send: the process
 * ends, and leaves the (default) loop as it is. */
void drain_loop(struct ev_loop *loop, double seconds);

#endif
