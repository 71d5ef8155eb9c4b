/*
 * Frames and keys.  See record.h.
 */
#include "queue/record.h"

#include <string.h>

#include "queue/pack.h"

static const unsigned char magic[4] = { 'P', 'S', 'T', 'N' };

enum { AT_VERSION = 4, AT_KIND = 5, AT_ID = 6, AT_NUMBER = 32,
       AT_LENGTH = 36, AT_CRC = 40 };

static void put_u32(unsigned char *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t get_u32(const unsigned char *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

static uint32_t checksum(const unsigned char *frame, size_t payload)
{
	uint32_t crc = bytes_crc32c(0, frame, AT_CRC);

	return bytes_crc32c(crc, frame + RECORD_FRAME, payload);
}

void record_begin(struct buffer *out)
{
	memset(buffer_reserve(out, RECORD_FRAME), 0, RECORD_FRAME);
	buffer_added(out, RECORD_FRAME);
}

void record_seal(struct buffer *out, enum record_kind kind, const char *id,
		 uint32_t number)
{
	unsigned char *frame = out->data + out->start;
	size_t payload = buffer_len(out) - RECORD_FRAME;

	memcpy(frame, magic, sizeof(magic));
	frame[AT_VERSION] = RECORD_VERSION;
	frame[AT_KIND] = (unsigned char)kind;
	memset(frame + AT_ID, 0, MESSAGE_ID_LEN);
	if (id)
		memcpy(frame + AT_ID, id, strnlen(id, MESSAGE_ID_LEN));
	put_u32(frame + AT_NUMBER, number);
	put_u32(frame + AT_LENGTH, (uint32_t)payload);
	put_u32(frame + AT_CRC, checksum(frame, payload));
}

int record_open(struct view raw, enum record_kind kind, const char *id,
		uint32_t *number, struct view *payload)
{
	if (raw.len < RECORD_FRAME || memcmp(raw.at, magic, sizeof(magic)) ||
	    raw.at[AT_VERSION] != RECORD_VERSION ||
	    raw.at[AT_KIND] != (unsigned char)kind)
		return -1;
	if (get_u32(raw.at + AT_LENGTH) != raw.len - RECORD_FRAME)
		return -1;
	if (id && memcmp(raw.at + AT_ID, id, MESSAGE_ID_LEN))
		return -1;
	if (get_u32(raw.at + AT_CRC) !=
	    checksum(raw.at, raw.len - RECORD_FRAME))
		return -1;
	if (number)
		*number = get_u32(raw.at + AT_NUMBER);
	*payload = view_from(raw, RECORD_FRAME);
	return 0;
}

static bool is_framed(struct view raw)
{
	return raw.len >= RECORD_FRAME &&
	       !memcmp(raw.at, magic, sizeof(magic)) &&
	       raw.at[AT_VERSION] == RECORD_VERSION;
}

bool record_is_framed(struct view raw, enum record_kind kind)
{
	return is_framed(raw) && raw.at[AT_KIND] == (unsigned char)kind;
}

size_t record_length(struct view raw)
{
	return is_framed(raw) ? RECORD_FRAME + (size_t)get_u32(raw.at +
							       AT_LENGTH) :
				0;
}

uint32_t record_number(struct view raw)
{
	return get_u32(raw.at + AT_NUMBER);
}

void record_id(struct view raw, char id[MESSAGE_ID_LEN + 1])
{
	for (size_t i = 0; i < MESSAGE_ID_LEN; i++) {
		unsigned char c = raw.at[AT_ID + i];

		id[i] = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ?
				(char)c :
				'?';
	}
	id[MESSAGE_ID_LEN] = '\0';
}

struct view key_view(const struct key *key)
{
	return view_make(key->at, key->len);
}

static void key_add(struct key *key, const void *at, size_t len)
{
	if (len > KEY_MAX - key->len)
		len = KEY_MAX - key->len;
	memcpy(key->at + key->len, at, len);
	key->len += len;
}

/* Numbers in keys stand in big-endian order, so that they sort. */
static void key_add_number(struct key *key, uint64_t value, size_t width)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (unsigned char)(value >> (8 * (width - 1 - i)));
	key_add(key, bytes, width);
}

static void key_add_id(struct key *key, const char *id)
{
	key_add(key, id, strnlen(id, MESSAGE_ID_LEN));
}

struct key key_kind(enum record_kind kind)
{
	struct key key = { .len = 0 };
	unsigned char byte = (unsigned char)kind;

	key_add(&key, &byte, 1);
	return key;
}

static struct key key_of_id(enum record_kind kind, const char *id)
{
	struct key key = key_kind(kind);

	key_add_id(&key, id);
	return key;
}

struct key key_message(const char *id)
{
	return key_of_id(RECORD_MESSAGE, id);
}

struct key key_open(const char *id)
{
	return key_of_id(RECORD_OPEN, id);
}

struct key key_chunk(const char *id, uint32_t number)
{
	struct key key = key_of_id(RECORD_CHUNK, id);

	key_add_number(&key, number, 4);
	return key;
}

struct key key_lane(const char *lane)
{
	struct key key = key_kind(RECORD_LANE);

	key_add(&key, lane, strnlen(lane, LANE_NAME_MAX));
	return key;
}

struct key key_clock(void)
{
	return key_kind(RECORD_CLOCK);
}

struct key key_lane_prefix(enum record_kind kind, const char *lane)
{
	struct key key = key_kind(kind);

	key_add(&key, lane, strnlen(lane, LANE_NAME_MAX));
	key_add(&key, "", 1);
	return key;
}

struct key key_job(const char *lane, const char *id, uint32_t part)
{
	struct key key = key_lane_prefix(RECORD_JOB, lane);

	key_add_id(&key, id);
	key_add_number(&key, part, 4);
	return key;
}

struct key key_due(const char *lane, int64_t due, const char *id,
		   uint32_t part)
{
	struct key key = key_lane_prefix(RECORD_DUE, lane);

	key_add_number(&key, due > 0 ? (uint64_t)due : 0, 8);
	key_add_id(&key, id);
	key_add_number(&key, part, 4);
	return key;
}

static uint64_t key_number(const unsigned char *at, size_t width)
{
	uint64_t value = 0;

	for (size_t i = 0; i < width; i++)
		value = value << 8 | at[i];
	return value;
}

int key_parse(struct view key, struct job_key *out)
{
	struct view rest;
	size_t lane, tail = MESSAGE_ID_LEN + 4;

	if (key.len < 1 || (key.at[0] != RECORD_JOB && key.at[0] != RECORD_DUE))
		return -1;
	if (key.at[0] == RECORD_DUE)
		tail += 8;
	rest = view_from(key, 1);
	lane = view_index(rest, 0);
	if (lane > LANE_NAME_MAX || rest.len != lane + 1 + tail)
		return -1;
	memcpy(out->lane, rest.at, lane);
	out->lane[lane] = '\0';
	rest = view_from(rest, lane + 1);
	out->due = 0;
	if (key.at[0] == RECORD_DUE) {
		out->due = (int64_t)key_number(rest.at, 8);
		rest = view_from(rest, 8);
	}
	memcpy(out->id, rest.at, MESSAGE_ID_LEN);
	out->id[MESSAGE_ID_LEN] = '\0';
	out->part = (uint32_t)key_number(rest.at + MESSAGE_ID_LEN, 4);
	return 0;
}

int key_parse_id(struct view key, char id[MESSAGE_ID_LEN + 1])
{
	if (key.len < 1 + MESSAGE_ID_LEN)
		return -1;
	memcpy(id, key.at + 1, MESSAGE_ID_LEN);
	id[MESSAGE_ID_LEN] = '\0';
	return 0;
}
