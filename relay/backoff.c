/*
 * How long a child that died waits before it is started again: not at all
 * at first, for mail waits behind it; then longer and longer, so that one
 * that cannot live costs next to nothing.
 */
#include "relay/backoff.h"

unsigned backoff_pause(unsigned *deaths, double alive)
{
	unsigned pause = BACKOFF_FIRST;

	if (alive >= BACKOFF_ALIVE)
		*deaths = 0;
	if (++*deaths == 1)
		return 0;
	for (unsigned i = 2; i < *deaths && pause < BACKOFF_MAX; i++)
		pause *= 2;
	return pause < BACKOFF_MAX ? pause : BACKOFF_MAX;
}
