/*
 * Changes in one transaction, and what becomes of each when there is no room
 * for all.  On the commit thread.
 */
#ifndef QUEUE_TRANSACT_H
#define QUEUE_TRANSACT_H

#include "queue/commit.h"

/* Commits a list of changes; each one's end says what became of it. A kept
 * one that ends with NO_ROOM has to wait. The numbers are of what was
 * committed. 0, or why the store is broken. */
int transact(struct store *store, struct change *first,
	     struct store_numbers *numbers);
/* Nothing was tried. */
void transact_fail(struct change *first);

#endif
