/*
 * The spool's own clock.  See clock.h.
 */
#include "queue/clock.h"

#include <time.h>

#include "queue/pack.h"
#include "queue/record.h"

void clock_start(struct spool_clock *clock, const struct clock_record *stored,
		 int64_t wall, int64_t boot)
{
	int64_t gap = 0;

	if (stored && wall > stored->wall)
		gap = wall - stored->wall;
	if (gap > CLOCK_GAP_MAX)
		gap = CLOCK_GAP_MAX;
	clock->base = stored ? stored->spool + gap : wall;
	if (clock->base < 0)
		clock->base = 0;
	clock->boot = boot;
	clock->last = clock->base;
}

int64_t clock_at(struct spool_clock *clock, int64_t boot)
{
	int64_t now = clock->base + (boot - clock->boot);

	if (now > clock->last)
		clock->last = now;
	return clock->last;
}

void clock_pack(struct buffer *out, struct clock_record record)
{
	record_begin(out);
	pack_u64(out, (uint64_t)record.spool);
	pack_u64(out, (uint64_t)record.wall);
	record_seal(out, RECORD_CLOCK, NULL, 0);
}

int clock_unpack(struct view raw, struct clock_record *out)
{
	struct unpack in = { .is_bad = false };

	if (record_open(raw, RECORD_CLOCK, NULL, NULL, &in.rest))
		return -1;
	out->spool = (int64_t)unpack_u64(&in);
	out->wall = (int64_t)unpack_u64(&in);
	return unpack_is_whole(&in) ? 0 : -1;
}

static int64_t reading(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall(void)
{
	return reading(CLOCK_REALTIME);
}

int64_t clock_boot(void)
{
	return reading(CLOCK_BOOTTIME);
}
