/*
 * The spool as the relay sees it: the face of queue/.  All functions are
 * called on the loop's thread and all callbacks come there; behind them a
 * commit thread groups changes into durable transactions and a reader
 * thread reads cold pages.  Nothing here waits for the disk.
 *
 *   accept    intake -> append ... -> commit -> INTAKE_STORED (durable)
 *   deliver   ready(lane) -> take -> body -> finish(results)
 *
 * What is not finished when the process dies is tried again; what was
 * reported stored is never lost.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "conf/conf.h"
#include "queue/envelope.h"
#include "queue/result.h"

struct ev_loop;
struct folder;
struct queue;
struct lane;

/* --- opening ------------------------------------------------------- */

struct queue_events {
	/* The lane has at least one job that queue_take() will give. Said
	 * once each time a lane goes from nothing to something to give, never
	 * before queue_open() has returned. What is given back by
	 * queue_return() is not said: whoever gave it back knows. */
	void (*ready)(void *arg, struct lane *lane);
	/* The lane holds nothing any more and is about to be freed. */
	void (*gone)(void *arg, struct lane *lane);
	/* The store failed in a way that needs a restart (crash-only). */
	void (*broken)(void *arg, const char *why);
	void *arg;
};

struct queue_settings {
	const char *spool;    /* the folder that holds worker-K */
	unsigned worker;      /* which of `workers` we are, for shares, ids */
	unsigned workers;
	const struct conf *conf;
	struct queue_events events;
	/* A folder that is locked already, to be worked on while nobody
	 * delivers from it: nothing becomes ready, nothing expires, no other
	 * folder is adopted. Its lock is taken over. Else NULL. */
	bool is_workshop;
	const struct folder *folder;
	/* After a stop that was not in order held has so many ms before
	 * service begins without it; 0: the usual. */
	int patience;
	/* The worker that we replace, if a signal ended it. */
	int dead_pid, dead_signal;
};

/*
 * Takes the lowest spool/worker-K whose lock is free, or makes one, opens
 * both environments (fresh, held) and enters the lanes found there.  After
 * a stop that was not in order both are checked first; what is damaged is
 * set aside and salvaged.  When that takes long, held opens later: mail is
 * taken and delivered meanwhile, what waited in the folder waits on.
 * Refuses with a reason: no folder, wrong owner, unwritable.
 */
struct queue *queue_open(struct ev_loop *loop,
			 const struct queue_settings *settings,
			 struct error *error);
/* A new snapshot; the old one must live until queue_close() or until no
 * job taken under it is left, whichever is first. */
void queue_configure(struct queue *queue, const struct conf *conf);
/* Commits what waits, then closes. Jobs still taken are given back; bodies
 * must be closed and intakes be ended or aborted before. */
void queue_close(struct queue *queue);
const char *queue_folder(const struct queue *queue);

/* --- accepting ----------------------------------------------------- */

struct intake;

enum intake_event {
	INTAKE_ROOM,   /* append again: intake_is_full() is false again */
	INTAKE_STORED, /* durable: now, and only now, 250 */
	INTAKE_NO_ROOM, /* 452 4.3.1: the spool is full; nothing was kept */
	INTAKE_FAILED, /* 451 4.3.0: nothing was kept */
};

typedef void intake_callback(void *arg, enum intake_event event);

/* True when a message of that size (0: unknown) may be begun. */
bool queue_has_room(struct queue *queue, uint64_t size);
/* What is larger cannot be taken even when nothing else is stored. */
uint64_t queue_largest(struct queue *queue);

struct intake *intake_new(struct queue *queue, intake_callback *call,
			  void *arg);
const char *intake_id(const struct intake *intake);
/* Copies; chunks leave for the commit thread as they fill. */
void intake_append(struct intake *intake, struct view bytes);
/* True while too much waits for the disk: stop reading the client. */
bool intake_is_full(const struct intake *intake);
/* The message is whole. Takes the envelope (id, size, times are set here).
 * Ends with exactly one of STORED, NO_ROOM, FAILED, after which the intake
 * is gone. */
void intake_commit(struct intake *intake, struct envelope *envelope);
/* Forgets it, at any moment before its end; no callback follows. After
 * intake_commit() the message may still become stored: the client was
 * not told, so it may send again. */
void intake_abort(struct intake *intake);

/* --- delivering ---------------------------------------------------- */

/* One lane's part of one message, on its way. */
struct job {
	struct envelope *envelope; /* shared, immutable; its `recipients` are
	                            * those of this lane that are still open */
	struct lane *lane;
	unsigned attempts;         /* made before this one */
	const struct conf *conf;   /* the snapshot that it was taken under */
};

const char *lane_name(const struct lane *lane);
/* The last that was heard is that its host fails, perhaps before a restart. */
bool lane_is_failing(const struct lane *lane);
/* Room for the relay's own pointer. */
void lane_set_user(struct lane *lane, void *user);
void *lane_user(const struct lane *lane);

/* The next due job of a lane, or NULL. All its recipients share one route
 * (the same policy with gateways, or the same domain): jobs whose lane
 * changed with the configuration are moved, not given. */
struct job *queue_take(struct queue *queue, struct lane *lane);

typedef void body_callback(void *arg, struct view bytes, bool is_last,
			   const char *error /* NULL: fine */);

/*
 * The body from the start: each body_next(), the first one included, asks
 * for one piece (at most 64 KiB); the callback brings it on the loop,
 * possibly before body_next() returns; the view is borrowed until the next
 * call or body_close(). One read at a time. After an error the body is at
 * its end; a job whose stored body does not check out is put aside when it
 * is finished or returned, whatever its results say.
 */
struct body;
struct body *body_open(struct queue *queue, const struct job *job,
		       body_callback *call, void *arg);
void body_next(struct body *body);
/* Safe at any moment; a pending callback does not come any more. */
void body_close(struct body *body);

/*
 * One result per recipient of job->envelope, in its order. Takes the job.
 * Recorded with the next commit: gone, retried later, or a report that is
 * in the spool before the recipient is marked done. A DEFERRED result with
 * BLAME_HOST backs the lane off: its other due jobs inherit the reason and
 * wait; DELIVERED resets the lane's back-off.
 *
 * The log lines delivered, deferred (with next=) and bounced are written
 * here, once for each recipient, from what the result says (status, text,
 * host, proof): dispatch logs attempt and judged only.
 */
void queue_finish(struct queue *queue, struct job *job,
		  const struct result *results);
/* Gives it back untried (shutdown, no connection free): it is the next
 * that queue_take() gives. */
void queue_return(struct queue *queue, struct job *job);

struct queue_counts {
	/* jobs: one lane's part of a message each; a message to one
	 * destination is one */
	uint64_t messages_fresh, jobs_held, lanes, taken;
	uint64_t bytes_live, bytes_limit;
	uint64_t accepted, delivered, deferred, failed; /* since open */
	uint64_t commits, operations;
};
void queue_counts(struct queue *queue, struct queue_counts *out);

/* A lane whose host fails, or that is on hold. */
struct queue_trouble {
	char lane[301];
	uint64_t jobs;
	uint32_t failures;   /* in a row */
	int64_t since;       /* seconds ago */
	int64_t next;        /* seconds from now; -1: on hold */
	char host[RESULT_HOST_MAX], text[RESULT_TEXT_MAX];
};
/* Those with the most mail first, as many as there is room; *all says how
 * many there are. */
size_t queue_troubles(struct queue *queue, struct queue_trouble *out,
		      size_t room, size_t *all);

/* Asks every lane that waits to be tried now. */
void queue_retry_all(struct queue *queue);

#endif
