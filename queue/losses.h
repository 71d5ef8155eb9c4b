/*
 * Records that do not check out, met while a damaged store is gone through.
 * Whether one is lost is known when all was looked at: the same record may
 * have been found whole on another page.
 */
#ifndef QUEUE_LOSSES_H
#define QUEUE_LOSSES_H

#include "queue/record.h"
#include "queue/store.h"

struct loss {
	char kind, id[MESSAGE_ID_LEN + 1];
	uint32_t number;
};

struct losses {
	struct loss *at;
	size_t count, room;
};

/* A frame of that kind, whatever is wrong with it. */
void losses_add(struct losses *losses, enum record_kind kind,
		struct view raw);
/* Calls for each of which the store has no whole one, once. 0 or the
 * store's code. */
int losses_tell(struct losses *losses, struct store *store,
		void (*tell)(void *arg, const struct loss *loss), void *arg);
void losses_clear(struct losses *losses);

#endif
