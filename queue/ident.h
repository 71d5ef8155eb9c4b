/*
 * Message ids: 26 characters that sort by time and are unique over workers
 * and re-created spools.  Crockford's base 32 of 50 bits of milliseconds
 * (the spool's clock), 10 bits of worker and 70 bits that begin at random
 * and count up.  Pure.
 */
#ifndef QUEUE_IDENT_H
#define QUEUE_IDENT_H

#include "queue/envelope.h"

struct ident_source {
	unsigned worker;
	uint8_t high;  /* random, 6 bits are used */
	uint64_t low;  /* random at first, then counted up */
};

void ident_make(struct ident_source *source, int64_t milliseconds,
		char id[MESSAGE_ID_LEN + 1]);
/* Milliseconds of the spool's clock, or -1 when it is no id. */
int64_t ident_time(const char *id);

#endif
