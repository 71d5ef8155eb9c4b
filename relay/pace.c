/*
 * The pace of a body as one point in time, which bytes push away and
 * which never lies further ahead than one whole pause.
 */
#include "relay/pace.h"

void pace_start(struct pace *pace, double now, double pause)
{
	pace->pause = pause;
	pace->until = now + pause;
}

void pace_count(struct pace *pace, double now, size_t bytes)
{
	pace->until += (double)bytes / PACE_RATE;
	if (pace->until > now + pace->pause)
		pace->until = now + pace->pause;
}

double pace_left(const struct pace *pace, double now)
{
	return pace->until - now;
}
