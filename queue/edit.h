/*
 * One change of a store as a short list of steps, composed on the loop and
 * carried out inside the commit thread's transaction: all of it or none.
 * The steps know how records hang together: which job is a message's last,
 * who owns a large body, how many jobs a lane holds.
 */
#ifndef QUEUE_EDIT_H
#define QUEUE_EDIT_H

#include "queue/commit.h"
#include "queue/message.h"

struct edit;

typedef void edit_done(void *arg, enum change_end end);

/* `other` is the fresh store where the edit goes to held and has an
 * edit_move() or edit_settle() in it, else NULL. `done` may be NULL. */
struct edit *edit_new(struct store *other, edit_done *done, void *arg);
/* The change to be given to commit_put(). */
struct change *edit_change(struct edit *edit);
/* In a transaction of its own, here and now, durable: for rooms that run
 * before the commit thread or beside it. Does not free. */
int edit_carry_out(struct edit *edit, struct store *store);
/* Undoes edit_new() when it was never put. */
void edit_free(struct edit *edit);

/* Takes the value's memory. */
void edit_put(struct edit *edit, struct key key, struct buffer *value);
/* What is not there needs no deleting. */
void edit_delete(struct edit *edit, struct key key);
/* The job is in held and due when its progress says: its D entry, counted
 * in the lane with what it waits for. */
void edit_due(struct edit *edit, const char *lane, const char *id,
	      uint32_t part, const struct progress *progress);
/* That entry goes, if it is there, and is counted no more. */
void edit_undue(struct edit *edit, const char *lane, const char *id,
		uint32_t part, int64_t due);
/* The lane's back-off and last result; its counts stay as stored. */
void edit_lane(struct edit *edit, const struct lane_record *lane);
/* Deletes the job, and with the last one of its message the message; in
 * held with its chunks, unless fresh still needs them. */
void edit_job_gone(struct edit *edit, const char *lane, const char *id,
		   uint32_t part);
/* Held has the message from now on, with this job in its list: copied from
 * fresh when it was not there. */
void edit_move(struct edit *edit, const char *lane, const char *id,
	       uint32_t part);
/* Fresh let go of the message: its chunks belong to held's, or go. */
void edit_settle(struct edit *edit, const char *id);
/* The job's records do not check out: what is there of them goes aside
 * under Q, and its message too unless another job can still use it. */
void edit_quarantine(struct edit *edit, const char *lane, const char *id,
		     uint32_t part);

#endif
