/*
 * Salvage by hand: what can be saved of damaged stores goes into a folder of
 * its own in the spool.  A relay that runs adopts it within a minute, one
 * that is started takes or adopts it.  Nothing that is there is touched.
 */
#ifndef QUEUE_RESCUE_H
#define QUEUE_RESCUE_H

#include "queue/folder.h"
#include "queue/salvage.h"

struct rescue {
	const char *spool;
	const char *const *files; /* data.mdb of each */
	size_t file_count;
	bool is_dry;              /* only find out what could be saved */
	salvage_say *say;
	void *arg;
	/* after it */
	struct salvage_counts counts;
	char folder[FOLDER_MAX];  /* where it is; "" when nothing is */
};

/* Is the file one that the relay works with, or will when it is started? It
 * sees to that one itself. */
bool rescue_is_in_use(const char *spool, const char *file);

enum rescue_end {
	RESCUE_DONE,
	RESCUE_NO_ROOM,
	RESCUE_UNREADABLE, /* a file */
	RESCUE_FAILED,     /* the spool */
};
/* All or nothing; as the spool's owner. */
enum rescue_end rescue(struct rescue *rescue, struct error *error);

#endif
