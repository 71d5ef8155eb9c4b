/*
 * What was carried over.  See restore.h.
 */
#include "queue/restore.h"

#include <stdlib.h>
#include <string.h>

void restored_clear(struct restored *restored)
{
	envelope_free(restored->envelope);
	for (size_t i = 0; i < restored->job_count; i++)
		progress_clear(&restored->jobs[i]);
	free(restored->jobs);
	memset(restored, 0, sizeof(*restored));
}

struct restored_place *restored_places(const struct restored *restored)
{
	size_t count = restored->envelope->recipient_count, seen = 0;
	struct restored_place *places = must_alloc((count + 1) *
						   sizeof(*places));

	for (size_t i = 0; i < count; i++)
		places[i].job = SIZE_MAX;
	for (size_t i = 0; i < restored->job_count; i++)
		for (size_t k = 0; k < restored->jobs[i].open_count; k++) {
			const struct open_recipient *o =
				&restored->jobs[i].open[k];

			if (o->index >= count ||
			    places[o->index].job != SIZE_MAX) {
				free(places);
				return NULL;
			}
			places[o->index] =
				(struct restored_place){ i, o->reason };
			seen++;
		}
	if (count && seen == count)
		return places;
	free(places);
	return NULL;
}

void restored_fill(struct progress *out, const struct progress *job,
		   int64_t shift, int64_t now)
{
	out->attempts = job->attempts;
	out->is_noticed = job->is_noticed;
	out->due = job->due == TIME_NEVER ? TIME_NEVER : now;
	if (!job->log_count)
		return;
	out->log = must_alloc(job->log_count * sizeof(*out->log));
	memcpy(out->log, job->log, job->log_count * sizeof(*out->log));
	out->log_count = job->log_count;
	for (size_t i = 0; i < out->log_count; i++)
		out->log[i].at += shift * 1000;
}
