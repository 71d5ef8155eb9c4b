/*
 * See duration.h.
 */
#include "conf/duration.h"

#include <stddef.h>
#include <stdio.h>

const char *duration_text(uint32_t seconds, char out[DURATION_TEXT_MAX])
{
	static const struct {
		uint32_t length;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" },
		      { 1, "second" } };
	size_t i = 0;

	while (seconds == 0 ? units[i].length > 1 : seconds % units[i].length)
		i++;
	seconds /= units[i].length;
	(void)snprintf(out, DURATION_TEXT_MAX, "%u %s%s", (unsigned)seconds,
		       units[i].name, seconds == 1 ? "" : "s");
	return out;
}
