/*
 * Group commit: changes from the loop go to a thread that applies all that
 * wait in one transaction, makes it durable and reports back on the loop.
 * One commit is in flight at a time.  What somebody waits for starts one
 * at once; the rest rides along, at most COMMIT_PATIENCE ms or
 * COMMIT_CROWD changes later.  What is durable in a journal alone goes into
 * the store's file when nothing waits and it is COMMIT_AHEAD ms old, and
 * whenever somebody wants to read it.
 */
#ifndef QUEUE_COMMIT_H
#define QUEUE_COMMIT_H

#include "queue/store.h"

struct ev_loop;
struct commit;

enum { COMMIT_PATIENCE = 20, COMMIT_CROWD = 64, COMMIT_AHEAD = 100 };

enum change_end {
	CHANGE_STORED,  /* durable */
	CHANGE_NO_ROOM, /* nothing of it was kept; others go on */
	CHANGE_FAILED,  /* nothing of it was kept; the store is broken */
};

/* One change.  Embedded as the first member of what the maker knows; the
 * maker's `done` frees it. */
struct change {
	struct change *next;
	/* On the commit thread, perhaps more than once (a transaction that
	 * fails is begun anew without those that gave up). 0 or a code. */
	int (*apply)(struct change *change, struct store_txn *txn);
	/* On the loop. */
	void (*done)(struct change *change, enum change_end end);
	size_t bytes;    /* about so many are written */
	bool is_urgent;  /* somebody waits */
	bool is_kept;    /* when there is no room it waits until there is:
	                  * removals and results must get through */
	bool may_lapse;  /* kept, but it does not wait: what it stands for
	                  * comes again */
	enum change_end end;
};

struct commit_numbers {
	uint64_t commits, changes;
	uint64_t live;   /* bytes of pages in use */
	uint64_t idle;   /* bytes of pages in the file that are free */
};

typedef void commit_broken(void *arg, const char *why);

struct commit *commit_new(struct ev_loop *loop, struct store *store,
			  bool is_journalled, commit_broken *broken,
			  void *arg);
/* From the loop's thread only; takes the change. */
void commit_put(struct commit *commit, struct change *change);
void commit_numbers(struct commit *commit, struct commit_numbers *out);
/* Nothing waits and nothing is in flight. */
bool commit_is_idle(const struct commit *commit);
/* Blocks until all that waits is committed, and reports it. */
void commit_drain(struct commit *commit);
/* Drains, then ends the thread. */
void commit_free(struct commit *commit);

#endif
