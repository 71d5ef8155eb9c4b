/*
 * What the rooms of the queue's loop side share: queue.c (the face),
 * room.c, parts.c and window.c (jobs in memory), intake.c, body.c,
 * finish.c, ending.c, move.c, report.c and recover.c.  Everything here
 * belongs to the loop's thread.  Nobody else includes this.
 */
#ifndef QUEUE_INNER_H
#define QUEUE_INNER_H

#include "queue/clock.h"
#include "queue/commit.h"
#include "queue/edit.h"
#include "queue/folder.h"
#include "queue/holds.h"
#include "queue/ident.h"
#include "queue/lanes.h"
#include "queue/note.h"
#include "queue/queue.h"
#include "queue/reader.h"
#include "queue/search.h"

enum {
	/* Bodies up to this travel with their envelope in one commit. */
	SMALL_BODY_MAX = 32 * 1024,
	/* Bodies kept for delivery right after acceptance, all together. */
	HOT_BODIES_MAX = 16 * 1024 * 1024,
	/* Jobs in memory that wait to be taken: of one lane while all of
	 * them fit, of all lanes together, and what a lane has at least. */
	LANE_JOBS_MAX = 512,
	ALL_JOBS_MAX = 4096,
	LANE_JOBS_LEAST = 2,
	/* Jobs read in one search. */
	SEARCH_JOBS = 32,
	/* An empty lane is remembered for so long (ms): a destination that
	 * gets mail now and then keeps its place. */
	LANE_LINGER = 60 * 1000,
};

struct dsn_recipient;

/* A message of which at least one job is in memory; shared by them. */
struct message {
	unsigned refs;
	struct envelope *envelope;
	struct body_place place;
	struct buffer hot;     /* a small body, when has_hot */
	bool has_hot;
};

/* ENTERING: not durable yet. ENDING: what became of it is being recorded.
 * GONE: left over for a search that may still find it on the disk. */
enum part_state { PART_ENTERING, PART_WAITING, PART_TAKEN, PART_ENDING,
		  PART_GONE };

/* One lane's part of one message: the job as it is inside. */
struct part {
	struct job job;        /* first: what the relay holds */
	struct queue *queue;
	struct part *previous, *next; /* all of the lane in memory */
	struct part *after;    /* the next that waits */
	struct message *message;
	uint32_t number;       /* `part` in its keys */
	struct progress progress;
	enum home home;
	enum part_state state;
	unsigned epoch;        /* of the lane, when it was taken */
	bool is_damaged;       /* its body does not check out */
	const struct conf *checked; /* its lane is right under this one */
};

/* What the last look for folders without an owner found. LEFT: it could not
 * be emptied, and stays. */
enum look { LOOK_NOTHING, LOOK_FREE, LOOK_LEFT };

/* What the disk said when it was asked last. */
struct disk_room {
	uint64_t bytes;
	uint64_t commits;      /* that had been made by then */
	int64_t when;          /* ms, spool clock */
	bool is_known;
};

struct queue {
	struct ev_loop *loop;
	struct queue_settings settings;
	const struct conf *conf;
	struct folder folder;
	struct store *store[HOMES];
	struct commit *commit[HOMES];
	struct reader *reader;
	struct lanes *lanes;
	struct holds holds;
	struct disk_room disk;
	struct spool_clock clock;
	int64_t clock_saved;
	struct ident_source ids;
	uint64_t dice;         /* state of the jitter's generator */
	struct ev_timer *wake; /* for the earliest lane */
	uint64_t disk_size;    /* bytes of the file system; 0: not asked */
	uint64_t on_the_way;   /* bytes taken in that are not committed yet */
	size_t chunks;         /* in flight, of all messages */
	size_t hot_bytes;
	size_t waiting;        /* jobs in memory that nobody took */
	struct queue_counts counts;
	int64_t next_look;     /* for folders without an owner */
	struct adopt *adopt;   /* one that is being emptied */
	uint8_t looks[FOLDER_WORKERS_MAX]; /* enum look, by its number */
	bool is_sweeping;      /* somebody reads jobs beside the searches */
	bool has_left;         /* and meanwhile some left memory */
	struct sweep *sweeps;
	unsigned releases;     /* counts the rules that went */
	bool is_closing;
	bool is_broken;
	struct note *note;     /* to whoever works here next */
	struct opening *opening; /* held is not open yet; else NULL */
	struct opening *opened; /* it is now: to be freed */
	char born[MESSAGE_ID_LEN + 1]; /* while it is not: older mail in
	                        * fresh waits, for held may have it, too */
	bool is_owed;          /* mail that is set aside may own chunks */
};

/* --- queue.c --------------------------------------------------------- */

int64_t queue_now(struct queue *queue);       /* ms, spool clock */
uint32_t queue_random(struct queue *queue);
const struct policy *queue_policy(const struct conf *conf, const char *domain,
				  const char *sender);
/* The lane that a recipient's mail goes to under a snapshot. */
const char *queue_lane_key(const struct conf *conf, const char *domain,
			   const char *sender);
/* Asks the lane to be tried now, all of it. */
void queue_retry_lane(struct queue *queue, struct lane *lane);
/* On its way to that store. Takes the edit. */
void queue_put(struct queue *queue, enum home home, struct edit *edit);
/* The commit thread of a store that is open now. */
void queue_start_commit(struct queue *queue, enum home home);
/* One store of queue->folder. */
int queue_open_store(struct queue *queue, enum home home, uint64_t map,
		     struct error *error);
/* Both stores of queue->folder. */
int queue_open_stores(struct queue *queue, uint64_t map, struct error *error);
uint64_t queue_map_size(const struct queue *queue);
/* Sets the timer to the earliest lane. */
void queue_set_timer(struct queue *queue);
/* The policy that a lane's name stands for. */
const struct policy *queue_lane_policy(const struct conf *conf,
				       const char *lane);
uint32_t policy_lifetime(const struct conf *conf, const struct policy *policy);
/* How long mail may wait, in seconds: its lifetime, or less by the policy's
 * on-failure when what it waits for is the TLS that is demanded. */
uint32_t policy_patience(const struct conf *conf, const struct policy *policy,
			 bool is_unmet);
uint32_t policy_delay_notice(const struct conf *conf,
			     const struct policy *policy);

/* --- room.c ---------------------------------------------------------- */

/* Zero while held is not open. */
void queue_numbers(const struct queue *queue, enum home home,
		   struct commit_numbers *out);
/* Bytes: our part of spool-size, and what of it the disk can hold. */
uint64_t room_share(const struct queue *queue);
uint64_t room_limit(struct queue *queue);
/* Are there so many bytes in the store's file or on its disk? */
bool queue_fits(struct queue *queue, enum home home, uint64_t size);
/* As much as the reserve is free besides it: for what could be left out. */
bool room_to_spare(struct queue *queue);
/* Warns of a disk that cannot hold what spool-size promises. */
void room_say(struct queue *queue);

/* --- parts.c --------------------------------------------------------- */

struct message *message_new(struct envelope *envelope, struct body_place place);
void message_drop(struct queue *queue, struct message *message);
void message_set_hot(struct queue *queue, struct message *message,
		     struct buffer *body);

/* A job, entered in its lane's list. Takes the progress; holds the
 * message. */
struct part *part_new(struct queue *queue, struct lane *lane,
		      struct message *message, uint32_t number,
		      enum home home, enum part_state state);
/* Out of memory; what is stored of it stays. Frees it, now or when the
 * lane's search is over. */
void part_leave(struct part *part);
/* The public face of it: who is still open. */
void part_show(struct part *part);

/* An ENTERING job has become durable: it waits, in memory if there is
 * place. */
void part_stored(struct part *part);
/* Behind, or before, all others that wait in its lane. */
void part_wait_last(struct part *part);
void part_wait_first(struct part *part);
/* One that waits, taken out of the line: it is ENDING. */
void part_wait_no_more(struct part *part);
/* The first that waits, taken out of the line; NULL: none. */
struct part *lane_pop(struct queue *queue, struct lane *lane);
/* Frees what part_leave() left for the lane's search. */
void lane_sweep(struct lane *lane);
/* Leaves memory untried, to be found again. */
void part_cool(struct part *part);
/* All jobs that wait leave memory; they stay on the disk. */
void lane_cool(struct queue *queue, struct lane *lane);

/* --- window.c -------------------------------------------------------- */

/* It does not check out: into quarantine. */
void part_put_aside(struct part *part);
/* Its back-off, into its record: one put, however many jobs it has. */
void lane_write(struct queue *queue, const struct lane *lane);
/* Looks what the lane needs: a search, a wake-up, ready, gone. */
void lane_consider(struct queue *queue, struct lane *lane);

/* The lane of that name, made if need be. */
struct lane *queue_lane(struct queue *queue, const char *name);
/* The rules have changed: which lanes are on hold as a whole? */
void queue_judge_lanes(struct queue *queue);

/* --- move.c ---------------------------------------------------------- */

/* A job whose lane is wrong under the present snapshot gets a new place:
 * true when it is on its way there and must not be given. */
bool part_moves(struct part *part);

/* --- ending.c -------------------------------------------------------- */

/* A job that is ending: what is still to be told and recorded of it. Its
 * progress says already how it is to be. */
struct ending {
	struct part *part;
	struct dsn_recipient *reports;
	size_t report_count;
	bool has_lane_news;   /* the lane's record is to be written */
	bool is_notice;       /* nothing ends: a delay is told of */
	int64_t old_due;      /* of its D key */
	int64_t retried;      /* of its lane, when it began to end */
	/* whoever waits for its end; NULL: nobody */
	void (*told)(void *arg, bool is_recorded);
	void *arg;
};

struct ending *ending_new(struct part *part);
/* Reports first, if there is anything to be reported; then records; then
 * the job leaves memory. Takes the ending. */
void ending_go(struct ending *ending);

/* --- finish.c -------------------------------------------------------- */

/* The job ends with one result per open recipient; in state PART_ENDING. */
void part_finish(struct part *part, const struct result *results);
/* Given up for its age: every open recipient fails with the last reason. */
void part_expire(struct part *part);
/* Those of its open recipients are given up, with a report where one is
 * wanted, or without a word. `told` comes when that is recorded. */
void part_end(struct part *part, const bool *ends, bool is_reported,
	      void (*told)(void *arg, bool is_recorded), void *arg);
/* The sender is told of the delay, nothing else changes. */
void part_notice(struct part *part);

/* --- report.c -------------------------------------------------------- */

/* Composes one report on the message for all of these recipients (taken)
 * and stores it; then calls, once: false when the store is broken. */
void report_send(struct part *part, struct dsn_recipient *recipients,
		 size_t count, void (*done)(void *arg, bool is_stored),
		 void *arg);
/* Is there anybody to be told when the message fails? */
bool report_has_reader(const struct part *part);

#endif
