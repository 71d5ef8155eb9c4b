/*
 * The lanes' records (L, in held): how many jobs each lane has there and
 * what they wait for, and its back-off.  The jobs are counted by their D
 * entries, which bear the number of the reason.  On the commit thread,
 * inside its transaction.
 */
#ifndef QUEUE_LEDGER_H
#define QUEUE_LEDGER_H

#include "queue/message.h"
#include "queue/store.h"

/* Puts the D entry and counts it; one that is there already is replaced. */
int ledger_enter(struct store_txn *txn, const char *lane, struct key due,
		 const struct lane_reason *reason);
/* Deletes the D entry, if it is there; the lane's record goes when nothing
 * is left to be said. */
int ledger_leave(struct store_txn *txn, const char *lane, struct key due);
/* Everything but the counts. */
int ledger_write(struct store_txn *txn, const struct lane_record *record);
/* A lane's record; counted anew when it is missing or does not check out.
 * A lane that is not there comes out empty. */
int ledger_read(struct store_txn *txn, const char *lane,
		struct lane_record *out);

#endif
