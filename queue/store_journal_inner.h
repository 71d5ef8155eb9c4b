/*
 * What the rooms of the journal share.  Nobody else includes this.
 *
 *   page 0    magic, the number by chance, CRC32C of both
 *   page 1..  units, from a page's begin on for each batch:
 *             magic, CRC32C of the rest of this head, generation, number by
 *             chance, sequence, length of the body, CRC32C of the body, 0;
 *             then the body: length of the key, of the value (all ones: a
 *             delete), key, value, and so on; zeros up to eight bytes
 */
#ifndef QUEUE_STORE_JOURNAL_INNER_H
#define QUEUE_STORE_JOURNAL_INNER_H

#include "queue/store_journal.h"

enum {
	PAGE = STORE_JOURNAL_PAGE,
	UNIT_MAGIC = 0x554A5350, /* PSJU */
	UNIT_HEAD = 40,
	CHECKED = 8, /* of the head, from here on */
	ALIGN = 8,
};

#define DELETED UINT32_MAX

struct store_journal {
	int fd;
	size_t size;      /* of the file */
	uint64_t salt, generation;
	size_t end;       /* where the next batch goes */
	uint32_t written; /* units of this generation */
	bool is_spoiled;  /* a write failed in it */
	struct buffer batch;
	size_t unit;      /* the one that is open begins there in the batch */
	uint32_t units;   /* in the batch */
	bool is_open, is_over;
};

#endif
