/*
 * What the rooms that know LMDB share.  Nobody else includes this.
 */
#ifndef QUEUE_STORE_INNER_H
#define QUEUE_STORE_INNER_H

#include <lmdb.h>
#include <pthread.h>

#include "queue/store.h"
#include "queue/store_journal.h"

/* What LMDB's file may grow by at the next checkpoint, in pages. */
struct store_debt {
	size_t pages;     /* of the file when the transaction began */
	size_t cost;      /* tree pages that it may have touched */
	size_t batch;     /* the same, of this commit */
	size_t peak;      /* tree pages in use at most */
	size_t overflows; /* pages of large values */
	size_t reserved;  /* pages that the disk has room for */
};

struct store {
	MDB_env *env;
	MDB_dbi dbi;
	size_t page;
	unsigned char *map;
	char *folder;
	/* Of whoever has LMDB's write transaction: */
	struct store_journal *journal;
	struct store_txn *open; /* the host's, over many commits */
	struct store_debt debt;
	/* Of all, under the mutex: */
	pthread_mutex_t mutex;
	pthread_cond_t news;
	store_ask *ask;
	void *arg;
	pthread_t host;
	bool is_hosted;
	uint64_t ahead;   /* the newest transaction that was journalled */
	uint64_t filed;   /* the newest of those that is in LMDB's file */
	unsigned wanting; /* threads that wait for the host to let go */
	unsigned writers; /* those of them that are to begin a transaction */
	uint64_t failures; /* of commits into the file */
	int last;         /* why the last one failed */
	int broken;       /* why nothing is tried any more; 0: it is well */
};

struct store_txn {
	struct store *store;
	MDB_txn *txn;
	bool is_hosts;   /* it stays open over commits, and is journalled */
	bool is_out;     /* between store_begin() and its end */
	bool is_touched; /* something was put or deleted since */
};

/* LMDB's table of free pages is database 0 (as in mdb_stat -f). */
enum { FREE_DBI = 0 };

/* At the begin of a transaction: are there more pages in use than there
 * are? By a count that is wrong we would think the store full for ever. */
int store_check_counts(struct store_txn *txn);
int store_pages_in_use(struct store_txn *txn, uint64_t *pages);
/* One of LMDB's. */
int store_begin_plain(struct store *store, unsigned flags,
		      struct store_txn **out);

/* --- store_ahead.c ---------------------------------------------------- */

/* A reader must see all that was committed. */
int store_catch_up(struct store *store);
void store_note_put(struct store_txn *txn, struct view key,
		    struct view value);
void store_note_delete(struct store_txn *txn, struct view key);
/* What a journal holds, straight into LMDB's transaction; `arg` is ours. */
int store_redo(void *arg, struct view key, const struct view *value);
/* Ends it: into LMDB's file, and with it all that the journal has. */
int store_finish(struct store_txn *txn);

/* --- store_replay.c --------------------------------------------------- */

/* What the journal of the folder has that the file has not goes there. */
int store_replay(struct store *store, struct error *error);

#endif
