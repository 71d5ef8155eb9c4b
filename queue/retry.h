/*
 * When to try again.  Pure; randomness is an argument.
 */
#ifndef QUEUE_RETRY_H
#define QUEUE_RETRY_H

#include <stdint.h>

/*
 * Milliseconds until the next attempt after `failures` failed ones (1: the
 * first just failed): `first` seconds, doubled each time, at most `max`
 * seconds, spread by a fifth to either side but never past `max`.  `random` is uniform.
 */
int64_t retry_delay(uint32_t first, uint32_t max, uint32_t failures,
		    uint32_t random);

#endif
