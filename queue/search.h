/*
 * Looks through one lane on the disk for jobs to be given, told of or
 * given up.  Runs on the reader's thread and touches only its own struct
 * and the stores; the loop enters what was found.
 */
#ifndef QUEUE_SEARCH_H
#define QUEUE_SEARCH_H

#include "queue/lanes.h"
#include "queue/note.h"
#include "queue/reader.h"
#include "queue/store.h"

/* What a job that was found is wanted for. */
enum found_why { FOUND_DUE, FOUND_EXPIRED, FOUND_DELAYED };

struct found {
	enum found_why why;
	enum home home;
	struct job_key key;    /* due: held only */
	struct message_record message; /* small_body is empty */
	struct progress progress;
	struct buffer body;    /* a small body that was read along */
	bool has_body;
};

/* A job whose records do not check out, or a due time without its job. */
struct bad_found {
	enum home home;
	struct job_key key;
	bool has_job;
};

/* A job in memory: not to be found again. */
struct search_skip {
	char id[MESSAGE_ID_LEN];
	uint32_t part;
};

struct search {
	struct request request;
	void *queue;           /* the loop's own */
	struct lane *lane;
	/* what is asked */
	struct store *store[HOMES];
	struct note *note;     /* what is being read; or NULL */
	char name[LANE_NAME_MAX + 1];
	size_t want;           /* jobs that are due, from each home */
	size_t want_old;       /* and of those to be given up or told of, each */
	int64_t now;           /* ms */
	int64_t forced;        /* held jobs last tried until then are due too,
	                        * 0: none */
	int64_t forced_from;   /* none of them is due before this; moved on */
	int64_t expire_before; /* ms: accepted before it is given up */
	int64_t delay_before;  /* ms: accepted before it is told of; 0: never */
	char notice_id[MESSAGE_ID_LEN + 1]; /* up to here it was */
	char born[MESSAGE_ID_LEN + 1]; /* what is older in fresh waits; "" */
	char expire_id[MESSAGE_ID_LEN + 1]; /* in held what is before is on
	                        * hold; moved on */
	size_t body_room;      /* bytes of small bodies that may be read along */
	struct search_skip *skip;
	size_t skip_count;
	/* what came of it */
	struct found *found;
	size_t found_count;
	char notice_to[MESSAGE_ID_LEN + 1]; /* the next notice_id */
	bool has_more_old;     /* given up or told of as many as wanted */
	bool has_more_forced;  /* as many as wanted of what is due or forced */
	int64_t next_due;      /* of what was not taken; TIME_NEVER */
	struct bad_found *bad;
	size_t bad_count;
	int code;              /* the store failed */
};

/* Sorts the skip list, then looks. */
void search_run(struct request *request);
void search_free(struct search *search);

#endif
