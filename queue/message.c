/*
 * The payloads of M, J and L records.  See message.h.
 */
#include "queue/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/pack.h"

/* What most records take beside the body, to be asked for at once. */
enum { USUAL_HEAD = 512 };

void lane_parts_add(struct lane_parts *parts, const char *lane, uint32_t part)
{
	parts->at = must_realloc(parts->at,
				 (parts->count + 1) * sizeof(*parts->at));
	parts->at[parts->count++] =
		(struct lane_part){ must_strdup(lane), part };
}

void lane_parts_clear(struct lane_parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		free(parts->at[i].lane);
	free(parts->at);
	*parts = (struct lane_parts){ NULL, 0 };
}

static void pack_parts(struct buffer *out, const struct lane_parts *parts)
{
	pack_u32(out, (uint32_t)parts->count);
	for (size_t i = 0; i < parts->count; i++) {
		pack_u32(out, parts->at[i].part);
		pack_text(out, parts->at[i].lane);
	}
}

static void unpack_parts(struct unpack *in, struct lane_parts *parts)
{
	uint32_t count = unpack_count(in, 8);

	parts->at = count ? must_alloc(count * sizeof(*parts->at)) : NULL;
	parts->count = 0;
	while (count-- && !in->is_bad) {
		struct lane_part *p = &parts->at[parts->count++];

		p->part = unpack_u32(in);
		p->lane = unpack_text(in);
		if (strlen(p->lane) > LANE_NAME_MAX)
			in->is_bad = true;
	}
}

/* The place of the body stands before the envelope, so that it can be
 * read without it. */
void message_pack(struct buffer *out, const struct lane_parts *parts,
		  const struct envelope *envelope, struct body_place place,
		  struct view small_body)
{
	buffer_reserve(out, small_body.len + USUAL_HEAD);
	record_begin(out);
	pack_parts(out, parts);
	pack_u64(out, place.size);
	pack_u32(out, place.chunks);
	envelope_pack(envelope, out);
	pack_view(out, small_body);
	record_seal(out, RECORD_MESSAGE, envelope->id, 0);
}

int message_unpack(struct view raw, const char *id, struct message_record *out)
{
	struct unpack in = { .is_bad = false };

	*out = (struct message_record){ .envelope = NULL };
	if (record_open(raw, RECORD_MESSAGE, id, NULL, &in.rest))
		return -1;
	unpack_parts(&in, &out->parts);
	out->place.size = unpack_u64(&in);
	out->place.chunks = unpack_u32(&in);
	out->envelope = envelope_unpack(&in, id);
	out->small_body = unpack_view(&in);
	if (out->envelope && unpack_is_whole(&in) &&
	    (out->place.chunks || out->small_body.len == out->place.size))
		return 0;
	message_record_clear(out);
	return -1;
}

void message_record_clear(struct message_record *record)
{
	lane_parts_clear(&record->parts);
	envelope_free(record->envelope);
	*record = (struct message_record){ .envelope = NULL };
}

int message_lanes(struct view raw, struct lane_parts *parts, struct view *rest)
{
	struct unpack in = { .rest = view_from(raw, RECORD_FRAME) };

	*parts = (struct lane_parts){ NULL, 0 };
	unpack_parts(&in, parts);
	*rest = in.rest;
	if (!in.is_bad)
		return 0;
	lane_parts_clear(parts);
	return -1;
}

int message_place(struct view raw, struct body_place *place)
{
	struct unpack in = { .rest = view_from(raw, RECORD_FRAME) };
	uint32_t count = unpack_count(&in, 8);

	while (count-- && !in.is_bad) {
		unpack_u32(&in);
		unpack_view(&in);
	}
	place->size = unpack_u64(&in);
	place->chunks = unpack_u32(&in);
	return in.is_bad ? -1 : 0;
}

void message_relane(struct buffer *out, const char *id,
		    const struct lane_parts *parts, struct view rest)
{
	record_begin(out);
	pack_parts(out, parts);
	buffer_append(out, rest);
	record_seal(out, RECORD_MESSAGE, id, 0);
}

void reason_of(const struct progress *progress, struct lane_reason *out)
{
	const struct attempt *last = progress_last(progress);

	memset(out, 0, sizeof(*out));
	if (!last)
		return;
	out->since = last->at / 1000;
	memcpy(out->status, last->status, sizeof(out->status));
	snprintf(out->text, sizeof(out->text), "%.*s", LANE_REASON_MAX - 1,
		 last->text);
}

unsigned reason_number(const struct lane_record *lane,
		       const struct lane_reason *reason)
{
	unsigned spare = REASON_OTHERS;

	if (!*reason->status && !*reason->text)
		return REASON_UNTRIED;
	for (unsigned i = REASON_OTHERS - 1; i > REASON_ON_HOLD; i--) {
		const struct lane_reason *has = &lane->reasons[i];

		if (!has->count)
			spare = i;
		else if (!strcmp(has->text, reason->text) &&
			 !strcmp(has->status, reason->status))
			return i;
	}
	return spare;
}

static bool is_named(unsigned reason)
{
	return reason > REASON_ON_HOLD && reason < REASON_OTHERS;
}

static void pack_reason(struct buffer *out, unsigned number,
			const struct lane_reason *reason)
{
	pack_u64(out, reason->count);
	if (!reason->count)
		return;
	pack_u64(out, (uint64_t)reason->since);
	if (!is_named(number))
		return;
	pack_text(out, reason->status);
	pack_text(out, reason->text);
}

static void unpack_reason(struct unpack *in, unsigned number,
			  struct lane_reason *reason)
{
	reason->count = unpack_u64(in);
	if (!reason->count)
		return;
	reason->since = (int64_t)unpack_u64(in);
	if (!is_named(number))
		return;
	unpack_field(in, reason->status, sizeof(reason->status));
	unpack_field(in, reason->text, sizeof(reason->text));
}

void lane_pack(struct buffer *out, const struct lane_record *lane)
{
	record_begin(out);
	pack_text(out, lane->name);
	pack_u64(out, (uint64_t)lane->due);
	pack_u32(out, lane->failures);
	pack_u64(out, (uint64_t)lane->since);
	pack_u64(out, lane->jobs);
	pack_text(out, lane->notice_id);
	pack_text(out, lane->status);
	pack_text(out, lane->host);
	pack_text(out, lane->text);
	for (unsigned i = 0; i < LANE_REASONS; i++)
		pack_reason(out, i, &lane->reasons[i]);
	record_seal(out, RECORD_LANE, NULL, 0);
}

int lane_unpack(struct view raw, struct lane_record *out)
{
	struct unpack in = { .is_bad = false };

	memset(out, 0, sizeof(*out));
	if (record_open(raw, RECORD_LANE, NULL, NULL, &in.rest))
		return -1;
	unpack_field(&in, out->name, sizeof(out->name));
	out->due = (int64_t)unpack_u64(&in);
	out->failures = unpack_u32(&in);
	out->since = (int64_t)unpack_u64(&in);
	out->jobs = unpack_u64(&in);
	unpack_field(&in, out->notice_id, sizeof(out->notice_id));
	unpack_field(&in, out->status, sizeof(out->status));
	unpack_field(&in, out->host, sizeof(out->host));
	unpack_field(&in, out->text, sizeof(out->text));
	for (unsigned i = 0; i < LANE_REASONS; i++)
		unpack_reason(&in, i, &out->reasons[i]);
	return unpack_is_whole(&in) ? 0 : -1;
}
