/*
 * The lanes' records (L, in held): how many jobs each lane has there, and
 * its back-off.  On the commit thread, inside its transaction.
 */
#ifndef QUEUE_LEDGER_H
#define QUEUE_LEDGER_H

#include "queue/message.h"
#include "queue/store.h"

/* Adds to the count; the record goes when nothing is left to be said. */
int ledger_add(struct store_txn *txn, const char *lane, int delta);
/* Everything but the count. */
int ledger_write(struct store_txn *txn, const struct lane_record *record);
/* A lane's record; counted anew when it does not check out. Absent lanes
 * come out empty. */
int ledger_read(struct store_txn *txn, const char *lane,
		struct lane_record *out);

#endif
