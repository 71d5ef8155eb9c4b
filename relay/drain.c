/*
 * The last moments of a process with an event loop: connections that were
 * told to finish still have bytes to send, and nobody else waits for them.
 */
#include "relay/drain.h"

#include <ev.h>

static void on_limit(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)watcher;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

void drain_loop(struct ev_loop *loop, double seconds)
{
	ev_timer limit;

	ev_now_update(loop);
	ev_timer_init(&limit, on_limit, seconds, 0.);
	ev_timer_start(loop, &limit);
	/* It alone is no reason to go on. */
	ev_unref(loop);
	ev_run(loop, 0);
	ev_ref(loop);
	ev_timer_stop(loop, &limit);
}
