/*
 * The frame round every stored value, and the keys that values stand
 * under.  Pure.  A frame is 44 bytes:
 *
 *   0 magic "PSTN"  4 version  5 kind  6 id (26)  32 number  36 length
 *   40 CRC32C of the bytes before it and of what follows
 *
 * so that a record can be judged by itself, and found again by scanning
 * raw pages when the tree above it is lost.
 */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include "conf/bytes.h"
#include "queue/envelope.h"

enum {
	RECORD_FRAME = 44,
	RECORD_VERSION = 1,
	/* A chunk's value fills 16 pages of 4096 bytes less LMDB's header. */
	RECORD_CHUNK_MAX = 65520 - RECORD_FRAME,
	LANE_NAME_MAX = 300,
	/* LMDB takes keys of up to 511 bytes. */
	KEY_MAX = 1 + LANE_NAME_MAX + 1 + 8 + MESSAGE_ID_LEN + 4,
};

/* The first byte of a key and the kind in the frame. */
enum record_kind {
	RECORD_MESSAGE = 'M', /* id: lanes, envelope, small body */
	RECORD_JOB = 'J',     /* lane id part: recipients and attempts */
	RECORD_DUE = 'D',     /* lane due id part: empty */
	RECORD_LANE = 'L',    /* lane: back-off, counts */
	RECORD_CHUNK = 'C',   /* id number: a piece of a large body */
	RECORD_OPEN = 'O',    /* id: its chunks have no message in held */
	RECORD_HOLD = 'H',    /* a rule that holds mail back */
	RECORD_QUARANTINE = 'Q', /* the key of what did not check out */
	RECORD_CLOCK = 'Z',   /* the spool's clock */
};

/* Leaves room for a frame at the end of an empty buffer; the payload is
 * appended behind it; record_seal() fills the frame in. */
void record_begin(struct buffer *out);
void record_seal(struct buffer *out, enum record_kind kind, const char *id,
		 uint32_t number);
/* 0 and the payload, or -1 when anything at all does not check out. `id`
 * may be NULL: any. */
int record_open(struct view raw, enum record_kind kind, const char *id,
		uint32_t *number, struct view *payload);

/* For what is found without a tree, and proven by nothing yet: does a frame
 * of that kind begin here?  How long is the record, frame included, that
 * begins here (0: none does)?  Which number has it, and whose is it (what no
 * id can have is '?')? */
bool record_is_framed(struct view raw, enum record_kind kind);
size_t record_length(struct view raw);
uint32_t record_number(struct view raw);
void record_id(struct view raw, char id[MESSAGE_ID_LEN + 1]);

struct key {
	size_t len;
	unsigned char at[KEY_MAX + 1];
};

struct view key_view(const struct key *key);
struct key key_message(const char *id);
struct key key_open(const char *id);
struct key key_chunk(const char *id, uint32_t number);
struct key key_lane(const char *lane);
struct key key_clock(void);
struct key key_job(const char *lane, const char *id, uint32_t part);
struct key key_due(const char *lane, int64_t due, const char *id,
		   uint32_t part);
/* What all jobs, or all due entries, of a lane begin with. */
struct key key_lane_prefix(enum record_kind kind, const char *lane);
/* What all keys of a kind begin with. */
struct key key_kind(enum record_kind kind);

/* What a J or D key says; -1 when it is none. */
struct job_key {
	char lane[LANE_NAME_MAX + 1];
	int64_t due; /* D only */
	char id[MESSAGE_ID_LEN + 1];
	uint32_t part;
};
int key_parse(struct view key, struct job_key *out);
/* The id in an M, O or C key; -1 when it is none. */
int key_parse_id(struct view key, char id[MESSAGE_ID_LEN + 1]);

#endif
