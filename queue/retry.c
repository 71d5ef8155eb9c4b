/*
 * When to try again.  See retry.h.
 */
#include "queue/retry.h"

int64_t retry_delay(uint32_t first, uint32_t max, uint32_t failures,
		    uint32_t random)
{
	uint64_t base = first ? first : 1, most, low, high;

	while (failures > 1 && base < max) {
		base *= 2;
		failures--;
	}
	if (base > max && max)
		base = max;
	most = (uint64_t)(max ? max : base) * 1000;
	low = base * 800;
	high = base * 1200 < most ? base * 1200 : most;
	return (int64_t)(low + ((high - low + 1) * random >> 32));
}
