/*
 * What is stored of a message and of its jobs: the payloads of M, J and L
 * records.  Pure.  A job is one lane's part of a message; `part` is the
 * index of its first recipient and keeps its jobs apart even when several
 * of them come to lie in one lane.
 */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include "queue/envelope.h"
#include "queue/record.h"
#include "queue/result.h"

/* --- M ------------------------------------------------------------- */

/* One of a message's jobs, and the lane that it lies in. */
struct lane_part {
	char *lane;
	uint32_t part;
};

struct lane_parts {
	struct lane_part *at;
	size_t count;
};

void lane_parts_add(struct lane_parts *parts, const char *lane, uint32_t part);
void lane_parts_clear(struct lane_parts *parts);

/* Where the body is: in the M record itself, or in so many chunks. */
struct body_place {
	uint64_t size;
	uint32_t chunks; /* 0: in the record */
};

/* Appends the whole record, sealed. */
void message_pack(struct buffer *out, const struct lane_parts *parts,
		  const struct envelope *envelope, struct body_place place,
		  struct view small_body);

struct message_record {
	struct lane_parts parts;
	struct envelope *envelope;
	struct body_place place;
	struct view small_body; /* borrowed from the record */
};
int message_unpack(struct view raw, const char *id, struct message_record *out);
void message_record_clear(struct message_record *record);

/* The list of lanes alone, and what follows it (borrowed). The checksum is
 * not asked: bounds are. */
int message_lanes(struct view raw, struct lane_parts *parts,
		  struct view *rest);
/* Is the body in chunks?  As message_lanes(), without the checksum. */
int message_place(struct view raw, struct body_place *place);
/* The same message under another list of lanes: a sealed record. */
void message_relane(struct buffer *out, const char *id,
		    const struct lane_parts *parts, struct view rest);

/* --- J ------------------------------------------------------------- */

enum {
	ATTEMPTS_FIRST = 7, /* the first seven and the last seven are kept */
	ATTEMPTS_KEPT = 14,
	ATTEMPT_TEXT_MAX = 240,
};

struct attempt {
	int64_t at; /* spool clock, ms */
	int reply_code;
	char status[12];
	char host[ATTEMPT_TEXT_MAX];
	char text[ATTEMPT_TEXT_MAX];
	struct proof proof;
};

/* A recipient that is still to be served. */
struct open_recipient {
	uint32_t index;  /* in the envelope */
	char *reason;    /* NULL: what the last attempt says */
};

struct progress {
	uint32_t attempts;
	bool is_noticed;       /* the sender was told of the delay */
	int64_t due;           /* ms, spool clock; what the D key says */
	struct open_recipient *open;
	size_t open_count;
	struct attempt *log;   /* oldest first */
	size_t log_count;
};

void progress_open(struct progress *progress, uint32_t index,
		   const char *reason);
/* Drops the middle when more than ATTEMPTS_KEPT are there. */
void progress_attempt(struct progress *progress, const struct result *result,
		      int64_t now);
/* The last attempt, or NULL. */
const struct attempt *progress_last(const struct progress *progress);
void progress_clear(struct progress *progress);
void progress_pack(struct buffer *out, const struct progress *progress,
		   const char *lane, const char *id, uint32_t part);
int progress_unpack(struct view raw, const char *id, struct progress *out);
/* The lane that a record says it lies in; it was proven before. */
int progress_lane(struct view raw, char lane[LANE_NAME_MAX + 1]);

/* --- L ------------------------------------------------------------- */

/* When a job is due that waits for no time, but to be released. */
#define TIME_NEVER INT64_MAX

/*
 * Why the jobs of a lane wait, and how many for each reason.  A reason
 * keeps its number while any job has it; the number stands in the job's
 * D entry, so that it is always the right count that goes down.
 */
enum {
	LANE_REASONS = 16,
	REASON_UNTRIED = 0, /* with the lane, never tried itself */
	REASON_ON_HOLD = 1,
	REASON_OTHERS = 15, /* all that found no number left */
	LANE_REASON_MAX = 96,
};

struct lane_reason {
	uint64_t count;
	int64_t since;      /* seconds; of the first job that had it */
	char status[12];    /* these two for the others only: between
	                     * ON_HOLD and OTHERS */
	char text[LANE_REASON_MAX];
};

/* What a job waits for, as the last attempt says; count is 0. */
void reason_of(const struct progress *progress, struct lane_reason *out);

struct lane_record {
	char name[LANE_NAME_MAX + 1];
	int64_t due;         /* ms, spool clock; 0: never backed off */
	uint32_t failures;   /* in a row */
	int64_t since;       /* seconds; of the first of them */
	uint64_t jobs;       /* in held; the sum of ... */
	struct lane_reason reasons[LANE_REASONS];
	char notice_id[MESSAGE_ID_LEN + 1]; /* up to here delays are noticed */
	char status[12];     /* the last thing that a host did to us */
	char host[ATTEMPT_TEXT_MAX];
	char text[ATTEMPT_TEXT_MAX];
};

/* The number that the reason has in the lane, or that it gets there. */
unsigned reason_number(const struct lane_record *lane,
		       const struct lane_reason *reason);

void lane_pack(struct buffer *out, const struct lane_record *lane);
int lane_unpack(struct view raw, struct lane_record *out);

#endif
