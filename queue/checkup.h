/*
 * After a stop that was not in order a folder's stores are checked before
 * they are used, by a child process: what it meets may kill it, and nothing
 * else.  A store that is not sound is set aside and what can be saved of it
 * goes into held.  Fresh is small and settled first, so that service begins;
 * held, which may be large, is settled beside it.
 */
#ifndef QUEUE_CHECKUP_H
#define QUEUE_CHECKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/error.h"

struct checkup;
struct note_found;

enum checkup_stage {
	CHECKUP_BEGUN,
	CHECKUP_FRESH, /* fresh can be opened */
	CHECKUP_OVER,  /* held, too */
};

/* Is there anything set aside in the folder whose mail was not saved yet? */
bool checkup_is_owed(const char *folder);
/* By the note that was found there: did the last one not stop in order, or
 * is anything owed? */
bool checkup_is_needed(const char *folder, const struct note_found *found);
/* `map`: for the store that what is saved goes to. NULL with a reason. */
struct checkup *checkup_begin(const char *folder, uint64_t map,
			      struct error *error);
/* Waits for the stage, at most so many ms (-1: without end), and logs what
 * is found. When the child died before, what it was at is set aside here.
 * The stage that is reached. */
enum checkup_stage checkup_wait(struct checkup *checkup,
				enum checkup_stage stage, int milliseconds);
/* From another thread: the wait ends before its time. */
void checkup_stop(struct checkup *checkup);
/* When it is over: false when a store could not be saved, so that what it
 * held is still owed. */
bool checkup_is_saved(const struct checkup *checkup);
/* Ends the child if it is still at it. NULL is fine. */
void checkup_end(struct checkup *checkup);

#endif
