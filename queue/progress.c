/*
 * How far a job has come: which recipients are still open, and the first
 * and the last attempts made.  The payload of J records; see message.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/message.h"
#include "queue/pack.h"

void progress_open(struct progress *progress, uint32_t index,
		   const char *reason)
{
	size_t count = progress->open_count;

	if ((count & (count - 1)) == 0)
		progress->open =
			must_realloc(progress->open, (count ? count * 2 : 1) *
							sizeof(*progress->open));
	progress->open[progress->open_count++] = (struct open_recipient){
		.index = index,
		.reason = reason ? must_strdup(reason) : NULL,
	};
}

static void copy_text(char *out, const char *text)
{
	snprintf(out, ATTEMPT_TEXT_MAX, "%.*s", ATTEMPT_TEXT_MAX - 1, text);
}

void progress_attempt(struct progress *progress, const struct result *result,
		      int64_t now)
{
	struct attempt *a;

	if (progress->log_count == ATTEMPTS_KEPT) {
		memmove(&progress->log[ATTEMPTS_FIRST],
			&progress->log[ATTEMPTS_FIRST + 1],
			(ATTEMPTS_KEPT - ATTEMPTS_FIRST - 1) * sizeof(*a));
		progress->log_count--;
	}
	progress->log = must_realloc(progress->log,
				     (progress->log_count + 1) * sizeof(*a));
	a = &progress->log[progress->log_count++];
	a->at = now;
	a->reply_code = result->reply_code;
	memcpy(a->status, result->status, sizeof(a->status));
	copy_text(a->host, result->host);
	copy_text(a->text, result->text);
	a->proof = result->proof;
	progress->attempts++;
}

const struct attempt *progress_last(const struct progress *progress)
{
	return progress->log_count ? &progress->log[progress->log_count - 1] :
				     NULL;
}

void progress_clear(struct progress *progress)
{
	for (size_t i = 0; i < progress->open_count; i++)
		free(progress->open[i].reason);
	free(progress->open);
	free(progress->log);
	*progress = (struct progress){ .attempts = 0 };
}

void progress_pack(struct buffer *out, const struct progress *progress,
		   const char *lane, const char *id, uint32_t part)
{
	record_begin(out);
	pack_text(out, lane);
	pack_u32(out, progress->attempts);
	pack_u8(out, progress->is_noticed);
	pack_u64(out, (uint64_t)progress->due);
	pack_u32(out, (uint32_t)progress->open_count);
	for (size_t i = 0; i < progress->open_count; i++) {
		const struct open_recipient *o = &progress->open[i];

		pack_u32(out, o->index);
		pack_text(out, o->reason);
	}
	pack_u32(out, (uint32_t)progress->log_count);
	for (size_t i = 0; i < progress->log_count; i++) {
		const struct attempt *a = &progress->log[i];

		pack_u64(out, (uint64_t)a->at);
		pack_u16(out, (uint16_t)a->reply_code);
		pack_text(out, a->status);
		pack_text(out, a->host);
		pack_text(out, a->text);
		proof_pack(out, &a->proof);
	}
	record_seal(out, RECORD_JOB, id, part);
}

static void unpack_open(struct unpack *in, struct progress *out)
{
	uint32_t index = unpack_u32(in);
	char *reason = unpack_text(in);

	progress_open(out, index, *reason ? reason : NULL);
	free(reason);
}

static void unpack_attempt(struct unpack *in, struct attempt *a)
{
	a->at = (int64_t)unpack_u64(in);
	a->reply_code = unpack_u16(in);
	unpack_field(in, a->status, sizeof(a->status));
	unpack_field(in, a->host, sizeof(a->host));
	unpack_field(in, a->text, sizeof(a->text));
	proof_unpack(in, &a->proof);
}

int progress_unpack(struct view raw, const char *id, struct progress *out)
{
	struct unpack in = { .is_bad = false };
	uint32_t count;

	*out = (struct progress){ .attempts = 0 };
	if (record_open(raw, RECORD_JOB, id, NULL, &in.rest))
		return -1;
	unpack_view(&in); /* the lane, for salvage */
	out->attempts = unpack_u32(&in);
	out->is_noticed = unpack_u8(&in) != 0;
	out->due = (int64_t)unpack_u64(&in);
	count = unpack_count(&in, 8);
	while (count-- && !in.is_bad)
		unpack_open(&in, out);
	count = unpack_count(&in, 8);
	if (count > ATTEMPTS_KEPT)
		in.is_bad = true;
	if (count && !in.is_bad)
		out->log = must_alloc(count * sizeof(*out->log));
	while (count-- && !in.is_bad)
		unpack_attempt(&in, &out->log[out->log_count++]);
	if (unpack_is_whole(&in) && out->open_count)
		return 0;
	progress_clear(out);
	return -1;
}

int progress_lane(struct view raw, char lane[LANE_NAME_MAX + 1])
{
	struct unpack in = { .rest = view_from(raw, RECORD_FRAME) };

	unpack_field(&in, lane, LANE_NAME_MAX + 1);
	return in.is_bad ? -1 : 0;
}
