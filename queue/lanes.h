/*
 * The lanes in memory: one for each destination that has mail, found by
 * name and woken by time.  Pure: no I/O, no clock; what a lane holds on the
 * disk is only counted here.  Times are milliseconds of the spool's clock.
 */
#ifndef QUEUE_LANES_H
#define QUEUE_LANES_H

#include "queue/message.h"

struct lanes;
struct part;
struct search;

/* Where a job is stored. */
enum home { HOME_FRESH, HOME_HELD, HOMES };

struct lane {
	char *name;
	void *user;            /* the relay's own */
	struct lane *chain;    /* in the table */
	size_t heap;           /* place in the heap, 0: not in it */
	int64_t wake;          /* TIME_NEVER: nothing to wait for */

	uint64_t stored[HOMES];   /* jobs on the disk */
	uint64_t memory[HOMES];   /* those of them that are in `parts` */
	uint64_t entering;     /* jobs on their way to the disk */
	uint64_t asides;       /* of them: jobs that are being put aside */
	struct part *parts;    /* all jobs in memory */
	struct part *first, *last; /* those that wait to be taken */
	size_t waiting, taken;
	int64_t next_due;      /* of held jobs that are not in memory */
	char expire_id[MESSAGE_ID_LEN + 1]; /* what is older is on hold and does
	                        * not expire; "" until a search found out */
	int64_t search_after;  /* a search that found nothing is not repeated
	                        * before */
	struct search *search;     /* one that is under way */
	bool has_old;          /* the last one left jobs that are to be given
	                        * up or told of */
	bool is_ready;         /* ready was said */

	bool is_on_hold;       /* all of it, by a rule */

	/* back-off: 0 failures means that all is well */
	int64_t due;           /* nothing is given before */
	uint32_t failures;
	int64_t since;         /* seconds */
	bool is_unmet;         /* the last failure: TLS was not as demanded.
	                        * Not stored: a demand that was changed since
	                        * is tried first */
	char level[8];         /* then, as a proof has them: the demand */
	char reason_code[28];  /* and what it came to */
	unsigned epoch;        /* counts back-offs; see lane_fail() */
	int64_t retried;       /* when all were last asked to be tried now;
	                        * what is tried since is recorded as later */
	int64_t forced;        /* jobs last tried until then are due now ... */
	int64_t forced_from;   /* ... none of them due before this */
	char notice_id[MESSAGE_ID_LEN + 1];
	char status[12];
	char host[ATTEMPT_TEXT_MAX];
	char text[ATTEMPT_TEXT_MAX];
};

struct lanes *lanes_new(void);
/* Frees the lanes too. */
void lanes_free(struct lanes *lanes);
size_t lanes_count(const struct lanes *lanes);
struct lane *lanes_find(struct lanes *lanes, const char *name);
/* Finds or makes. */
struct lane *lanes_get(struct lanes *lanes, const char *name);
void lanes_drop(struct lanes *lanes, struct lane *lane);
/* When the lane is to be looked at again. */
void lanes_wake_at(struct lanes *lanes, struct lane *lane, int64_t at);
/* The earliest of all, TIME_NEVER when there is none. */
int64_t lanes_next(const struct lanes *lanes);
/* A lane whose time has come (its wake is then cleared), or NULL. */
struct lane *lanes_due(struct lanes *lanes, int64_t now);
/* Calls for every lane; the lane given may be dropped by the callee. */
void lanes_each(struct lanes *lanes, void (*call)(void *arg, struct lane *lane),
		void *arg);

/* Or on hold. */
bool lane_is_backing_off(const struct lane *lane, int64_t now);
/* Jobs on the disk that are not in memory. */
uint64_t lane_cold(const struct lane *lane, enum home home);
bool lane_is_empty(const struct lane *lane);

/*
 * A host failed while a job taken at `epoch` was on its way: backs off,
 * unless that news is older than the last back-off (twenty connections
 * that break together are one failure).  True when something changed.
 */
bool lane_fail(struct lane *lane, unsigned epoch, const struct result *result,
	       int64_t now, int64_t delay);
/* Delivered: true when the lane was backing off. */
bool lane_succeed(struct lane *lane);

/* What was tried last when all were asked to be tried, or before, is due. */
void lane_force(struct lane *lane);

void lane_to_record(const struct lane *lane, struct lane_record *out);
void lane_from_record(struct lane *lane, const struct lane_record *record);

#endif
