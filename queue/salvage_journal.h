/*
 * What the journal beside a damaged store says: records that came after the
 * store's last transaction, and keys that went.  Only read.
 */
#ifndef QUEUE_SALVAGE_JOURNAL_H
#define QUEUE_SALVAGE_JOURNAL_H

#include "conf/bytes.h"

struct salvage_journal {
	struct store_journal *journal; /* NULL: it has nothing to say */
	uint64_t generation;
	struct salvage_gone *gone;
	size_t count;
	uint32_t missing; /* changes that do not check out */
	size_t unread;    /* pages that the disk does not give */
};

/* The one beside `file` (a data.mdb), whose newest transaction that can be
 * read is `txn`: what belongs to it or to one before it is void.  0, or -1:
 * there is one and it cannot be read. */
int salvage_journal_open(struct salvage_journal *sj, const char *file,
			 uint64_t txn);
void salvage_journal_close(struct salvage_journal *sj);
/* Was it deleted, and not put again? */
bool salvage_journal_is_gone(const struct salvage_journal *sj,
			     struct view key);
/* Each put of what is not gone, in order. */
void salvage_journal_each(struct salvage_journal *sj,
			  void (*visit)(void *arg, struct view key,
					struct view value),
			  void *arg);

#endif
