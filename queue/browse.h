/*
 * A spool looked into from outside, by somebody who only reads: all of its
 * worker folders at once, whether the relay runs or not.  Transactions are
 * short, so that nobody who works there is hindered, and end before a
 * function here returns.  Only the spool's owner can do it.  Times are
 * UTC seconds.
 */
#ifndef QUEUE_BROWSE_H
#define QUEUE_BROWSE_H

#include "queue/holds.h"
#include "queue/pick.h"

struct browse;

struct browse *browse_open(const char *spool, struct error *error);
void browse_close(struct browse *browse);
size_t browse_folders(const struct browse *browse);

/* Never, for next and due. */
#define BROWSE_NEVER INT64_MAX

/* One lane, all folders together. */
struct browse_lane {
	struct lane_record record; /* of the folder that fares worst; `jobs`
	                            * and reasons are sums, `due` is UTC */
	uint64_t fresh;       /* jobs never deferred */
	bool is_fresh_least;  /* there are more: counting stopped */
	int64_t oldest;       /* accepted */
	int64_t next;         /* when one of them is tried */
};

/* The next lanes behind `after` ("": the first), in the order of their
 * names; at most `room`. -1 with the reason. */
int browse_lanes(struct browse *browse, const char *after,
		 struct browse_lane *out, size_t room, size_t *count,
		 struct error *error);

struct browse_job {
	const struct picked *picked;
	unsigned folder;      /* worker-K */
	bool is_fresh;
	int64_t accepted, due; /* due: 0 now; BROWSE_NEVER: on hold */
	/* adds this to a time of the spool's clock */
	int64_t to_wall;
};

typedef void browse_each(void *arg, const struct browse_job *job);

/* Where a list of jobs goes on. */
struct browse_place {
	char lane[LANE_NAME_MAX + 1];
	char id[MESSAGE_ID_LEN + 1];
};

struct browse_order {
	const struct selector *selector;
	bool (*wants_lane)(void *arg, const char *lane); /* NULL: all */
	void *arg;
	size_t room;          /* so many at most */
	/* What they take is due never, whatever its record says yet; NULL:
	 * that is not asked. */
	const struct holds *holds;
};

/*
 * Jobs in the order of lanes and ids, from behind *place, which is moved.
 * 1: there may be more, 0: that was all, -1: the reason.  An id selects
 * directly, whatever `wants_lane` says.
 */
int browse_jobs(struct browse *browse, const struct browse_order *order,
		struct browse_place *place, browse_each *call, void *arg,
		struct error *error);

/* The body of a message, piece by piece; the callback returns false to
 * stop. 1: there is no such message. */
typedef bool browse_piece(void *arg, struct view bytes);
int browse_body(struct browse *browse, const char *id, browse_piece *call,
		void *arg, struct error *error);

/* The rules that hold mail, of all folders. */
int browse_holds(struct browse *browse, struct holds *out,
		 struct error *error);

/* How many records were put aside because they do not check out. */
int browse_aside(struct browse *browse, uint64_t *count, struct error *error);

#endif
