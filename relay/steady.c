/*
 * The kernel's monotonic clock.  See steady.h.
 */
#include "relay/steady.h"

#include <time.h>

double steady_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
