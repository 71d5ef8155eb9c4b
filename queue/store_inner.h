/*
 * What the rooms that know LMDB share.  Nobody else includes this.
 */
#ifndef QUEUE_STORE_INNER_H
#define QUEUE_STORE_INNER_H

#include <lmdb.h>

#include "queue/store.h"

struct store {
	MDB_env *env;
	MDB_dbi dbi;
	size_t page;
	unsigned char *map;
};

struct store_txn {
	struct store *store;
	MDB_txn *txn;
};

/* LMDB's table of free pages is database 0 (as in mdb_stat -f). */
enum { FREE_DBI = 0 };

/* At the begin of a transaction: are there more pages in use than there
 * are? By a count that is wrong we would think the store full for ever. */
int store_check_counts(struct store_txn *txn);

#endif
