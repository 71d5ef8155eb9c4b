/*
 * A file beside a store's own: what was committed and is not in LMDB's file
 * yet.  It has a fixed size, is made whole once and written through O_DSYNC,
 * so that a commit is one write and one wait.  It is a sequence of units,
 * each the puts and deletes of one change under checksums; those that a
 * commit brings are one write, which begins on a page of its own: what was
 * acknowledged is never written again.
 *
 * A generation is the number of the one LMDB transaction that the units
 * belong to; once that is in LMDB's file they are void.  Units bear a number
 * by chance that only the file's first page has, too, so that no mail can
 * forge one.  Codes are errno's.
 */
#ifndef QUEUE_STORE_JOURNAL_H
#define QUEUE_STORE_JOURNAL_H

#include "conf/bytes.h"

#define STORE_JOURNAL "/journal"
#define STORE_JOURNAL_DRAFT STORE_JOURNAL ".new"
/* One that did not check out as a whole. */
#define STORE_JOURNAL_DAMAGED STORE_JOURNAL ".damaged"

enum {
	STORE_JOURNAL_MOST = 1024 * 1024,
	STORE_JOURNAL_LEAST = 64 * 1024,
	STORE_JOURNAL_PAGE = 4096,
};

struct store_journal;

/* Opens the one in the folder, to be written or only read; ENOENT when there
 * is none, EBADMSG when it does not check out as a whole. */
int store_journal_open(const char *folder, bool writes,
		       struct store_journal **out);
/* Makes it, durable, under its name only when it is whole. `size` is brought
 * into the bounds above. */
int store_journal_make(const char *folder, uint64_t size);
void store_journal_close(struct store_journal *journal);

/* --- writing ---------------------------------------------------------- */

/* What is written from now on belongs to this transaction. For the one
 * that it is at already it goes on behind what it has. */
void store_journal_start(struct store_journal *journal, uint64_t generation);
/* Collect a batch. */
void store_journal_put(struct store_journal *journal, struct view key,
		       struct view value);
void store_journal_delete(struct store_journal *journal, struct view key);
/* What was collected since the last one is a unit. */
void store_journal_mark(struct store_journal *journal);
void store_journal_drop(struct store_journal *journal);
bool store_journal_has_batch(const struct store_journal *journal);
/* False when the batch has no room any more in this generation, or a write
 * failed in it: something of that may lie there. */
bool store_journal_fits(const struct store_journal *journal);
/* Durable when 0. The batch is gone, whatever comes of it. */
int store_journal_write(struct store_journal *journal);
/* Has the generation anything? */
bool store_journal_has(const struct store_journal *journal,
		       uint64_t generation);

/* --- reading ---------------------------------------------------------- */

struct store_journal_sight {
	/* For each of what was put or (value NULL) deleted, in order; what
	 * is not 0 ends the walk. */
	int (*visit)(void *arg, struct view key, const struct view *value);
	void *arg;
	/* after it: */
	uint32_t units;   /* whole ones */
	uint32_t missing; /* not whole, with whole ones behind them */
	size_t unread;    /* pages that the disk does not give */
	size_t first;     /* in the file: where the first of those should be */
	size_t bytes;     /* from there to the next whole one */
	bool is_cut;      /* the last one is not whole: never finished */
};

/* Goes through the whole units of a generation. 0 or what a visit
 * returned. */
int store_journal_walk(struct store_journal *journal, uint64_t generation,
		       struct store_journal_sight *sight);
/* The last generation that there are units of; 0: none. */
void store_journal_newest(struct store_journal *journal, uint64_t *generation);
/* Is that all that was written here since the generation's start? */
bool store_journal_is_as_written(const struct store_journal *journal,
				 const struct store_journal_sight *sight);

#endif
