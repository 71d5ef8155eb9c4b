/*
 * Walks through the jobs of one store in the order of lanes and ids and
 * picks those that a selector means.  Reads only; remembers where it
 * stands as a key, so that it goes on in another transaction.
 */
#ifndef QUEUE_PICK_H
#define QUEUE_PICK_H

#include "queue/message.h"
#include "queue/select.h"
#include "queue/store.h"

struct pick {
	const struct selector *selector;
	/* Whose lanes are looked into; NULL: all. */
	bool (*wants_lane)(void *arg, const char *lane);
	void *arg;
	struct key at;     /* the next one is there or behind it */
	size_t budget;     /* so many jobs are looked at; counts down */
	/* what came of it */
	bool is_over;      /* there is nothing behind `at` */
	uint64_t unsound;  /* jobs passed by that do not check out */
	int code;          /* the store failed */
};

struct picked {
	struct job_key key;
	struct message_record message; /* small_body is empty */
	struct progress progress;
};

void pick_init(struct pick *pick, const struct selector *selector);
/* On behind this job; an empty id: at the lane's first. */
void pick_after(struct pick *pick, const char *lane, const char *id);
/* True with the next one, which is to be cleared; false at the end, when
 * the budget is used up, or when the store failed. */
bool pick_next(struct pick *pick, struct store_txn *txn, struct picked *out);
void picked_clear(struct picked *picked);

/* One job by its key: 0 and *has, or a code. What does not check out is not
 * there. */
int pick_job(struct store_txn *txn, const struct job_key *key,
	     struct picked *out, bool *has);
/* Does the selector mean one of those that are open? */
bool picked_is_meant(const struct picked *picked,
		     const struct selector *selector);

#endif
