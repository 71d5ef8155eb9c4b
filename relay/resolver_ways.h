/*
 * The ways to the DNS that the resolver process has open: the one taken
 * now, those being probed, and old ones whose last questions are still
 * under way.
 */
#ifndef RELAY_RESOLVER_WAYS_H
#define RELAY_RESOLVER_WAYS_H

#include "conf/conf.h"
#include "relay/resolver_upstream.h"

struct ways;
struct way;
struct pollfd;

/* The snapshot is borrowed for life.  NULL with the reason. */
struct ways *ways_new(const struct conf *conf, struct error *error);
void ways_free(struct ways *ways);

/* False until the first way is decided: nothing can be asked before. */
bool ways_are_ready(const struct ways *ways);
/* The way for the next question; only when they are ready. */
struct way *ways_take(struct ways *ways);
struct upstream *way_upstream(struct way *way);
/* The question taken for is answered or cancelled. */
void way_release(struct way *way);

/* What to wait for: fills up to `room`, returns how many there are. */
size_t ways_watch(struct ways *ways, struct pollfd *out, size_t room);
/*
 * Collects answers, probes, changes the way, frees old ones; `now` in
 * seconds, monotonic.  Returns the seconds until it wants to be called
 * again, or -1 with the reason when the library is broken.
 */
double ways_step(struct ways *ways, double now, struct error *error);

enum { WAYS_WATCH_MAX = 16 };

#endif
