/*
 * One LMDB environment, seen as sorted keys and values.  The only room
 * that knows LMDB.  Always fully synchronous: a commit that returned 0 is
 * on the disk, in LMDB's file or in a journal beside it.  A write transaction
 * begins and ends in one thread; read transactions are short and may run
 * beside it.  Values point into the map and die with their transaction.
 *
 * Codes: 0, or one that store_is_absent/full() and store_say() explain.
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include "conf/bytes.h"
#include "conf/error.h"

struct store;
struct store_txn;
struct store_cursor;

/*
 * Opens the environment in a folder, or makes both: beside it first, as
 * `folder.new`, so that a power cut leaves a whole one or none.  `map` is
 * address space, not disk.  Before anything of the tree is read, the
 * file's size is held against the newest meta page; what a journal in the
 * folder has and the file has not goes into it before anything is read.
 */
struct store *store_open(const char *folder, uint64_t map,
			 struct error *error);
/* Opens what is there to be read only, beside the process that has it or
 * without one; only its owner may, for its lock file is written to. */
struct store *store_open_reader(const char *folder, struct error *error);
/* Is there a journal that has what the reader's file has not?  Beside a
 * process that works with it that takes a moment to change; else it waits
 * for the next store_open(). */
bool store_is_behind(struct store *store);
void store_close(struct store *store);
const char *store_folder(const struct store *store);
/* Forgets readers that died: what they read would stay for ever. */
void store_check_readers(struct store *store);

bool store_is_absent(int code);
/* The map or the disk is full: what is there stays good. */
bool store_is_full(int code);
const char *store_say(int code);

int store_begin(struct store *store, struct store_txn **txn);
int store_read(struct store *store, struct store_txn **txn);
/* Both end the transaction, whatever they return. */
int store_commit(struct store_txn *txn);
void store_abort(struct store_txn *txn);

/*
 * A journalled store has a host: one thread whose commits are durable in a
 * journal beside LMDB's file (see store_journal.h) and stay in one open
 * transaction, until a checkpoint brings all of it into the file at once.
 * Whoever else begins or reads has the host asked for a checkpoint and waits
 * for it, so that everybody sees everything that was committed.  A commit is
 * only journalled while the disk has room for the next checkpoint.
 */

/* Called by any thread, under a lock: the host is to call
 * store_checkpoint() soon. */
typedef void store_ask(void *arg);
/* Opens or makes the journal; before any other thread uses the store. 0, or
 * why it works without one. */
int store_use_journal(struct store *store);
/* The calling thread is the host from now on, where there is a journal. */
void store_host(struct store *store, store_ask *ask, void *arg);
/* It is no more; what the journal has is in the file, or the code says why
 * not: then it is there at the next start. */
int store_leave(struct store *store);
/* By the host, outside of a transaction. */
int store_checkpoint(struct store *store);
/* Does the journal have what the file has not? */
bool store_is_ahead(struct store *store);
/* In a transaction: a change ends here.  What is damaged in a journal is
 * lost by whole changes. */
void store_mark(struct store_txn *txn);

int store_get(struct store_txn *txn, struct view key, struct view *value);
int store_put(struct store_txn *txn, struct view key, struct view value);
int store_delete(struct store_txn *txn, struct view key);

/* Walks keys in order; to be closed before its transaction ends. */
int store_walk(struct store_txn *txn, struct store_cursor **cursor);
/* The first key at or after `from`; absent at the end. */
int store_seek(struct store_cursor *cursor, struct view from, struct view *key,
	       struct view *value);
int store_next(struct store_cursor *cursor, struct view *key,
	       struct view *value);
/* Deletes where the cursor stands; store_next() goes on behind it. */
int store_delete_here(struct store_cursor *cursor);
void store_walk_end(struct store_cursor *cursor);

/* Gives the map's pages of a value back to the kernel, so that reading
 * large bodies does not make the process resident. */
void store_forget(struct store_txn *txn, struct view value);

struct store_numbers {
	uint64_t live;   /* bytes of pages in use, ours and LMDB's own */
	uint64_t file;   /* bytes of the file, or that it has room for */
};
int store_numbers(struct store_txn *txn, struct store_numbers *out);

#endif
