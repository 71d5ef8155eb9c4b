/*
 * Makes a store of salvaged records one that can be worked with: every job
 * has its message, its place in the message's list and its due time, and a
 * message that lost its jobs gets new ones.
 */
#ifndef QUEUE_MEND_H
#define QUEUE_MEND_H

#include "queue/salvage.h"

struct mend;

/* Both are borrowed. */
struct mend *mend_new(const struct salvage_settings *settings,
		      struct salvage_counts *counts);
void mend_free(struct mend *mend);
/* A record of that message was found: it is among those to be mended. */
void mend_note(struct mend *mend, const char *id);
/* A job of that message was there and does not check out. */
void mend_note_lost(struct mend *mend, const char *id);
/* 0 or the store's code. */
int mend_all(struct mend *mend);

#endif
