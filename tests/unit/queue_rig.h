/*
 * A queue in a folder of its own, on a real loop: for the tests of queue/.
 */
#ifndef TESTS_UNIT_QUEUE_RIG_H
#define TESTS_UNIT_QUEUE_RIG_H

#include "queue/queue.h"

enum { RIG_LANES = 64 };

struct rig {
	struct ev_loop *loop;
	struct queue *queue;
	struct conf conf;
	char spool[64];
	char own[64];          /* for a test that lends another's spool */
	struct error error;
	/* of the next opening */
	int patience;          /* 0: until all is open */
	int dead_pid, dead_signal;
	/* what was heard */
	unsigned stored, no_room, failed, ready, gone, broken, rooms;
	struct lane *lane;     /* the last that was ready */
	struct lane *lanes[RIG_LANES]; /* all that were, and are not gone */
	size_t lane_count;
	char last_id[MESSAGE_ID_LEN + 1];
};

/* Makes the folder; nothing is open yet. */
void rig_init(struct rig *rig);
/* A loop of its own after fork(). */
void rig_reopen_loop(struct rig *rig);
/* Opens the queue; asserts that it works. */
void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
/* Closes what is open and removes the folder. */
void rig_clear(struct rig *rig);
/* Runs the loop until *what reaches `least`, at most `seconds`. */
bool rig_wait(struct rig *rig, const unsigned *what, unsigned least,
	      double seconds);
/* Runs the loop for so long. */
void rig_run(struct rig *rig, double seconds);
/* Runs until nothing is on its way to the disk. */
void rig_settle(struct rig *rig);
/* Begins a message; it ends in rig->stored, no_room or failed. */
struct intake *rig_begin(struct rig *rig);
/* `to`: addresses with blanks between them. */
struct envelope *rig_envelope(const char *from, const char *to);
/* Accepts a whole message and waits until it is stored. */
void rig_accept(struct rig *rig, const char *from, const char *to,
		struct view body);
/* Many small ones at once, without waiting for each. */
void rig_accept_many(struct rig *rig, unsigned count, const char *to);
/* Waits until some lane gives a job; asserts that one comes. */
struct job *rig_take(struct rig *rig);
/* All of it, asserts no error; to be cleared. */
struct buffer rig_body(struct rig *rig, const struct job *job);
void rig_finish(struct rig *rig, struct job *job, enum outcome outcome,
		enum blame blame, const char *status, const char *text);
struct queue_counts rig_counts(struct rig *rig);

#endif
