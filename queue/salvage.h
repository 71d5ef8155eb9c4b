/*
 * What can be saved of a damaged store: its records bear their kind, id,
 * number, length and checksum, so that they are found in the bytes of the
 * pages where no tree leads to them any more.  They go into a sound store
 * of the held sort, under the keys that they had, due when they were.
 */
#ifndef QUEUE_SALVAGE_H
#define QUEUE_SALVAGE_H

#include "queue/store.h"

/* One line for each message or record, as it is found out. */
enum salvage_fate { SALVAGE_SAVED, SALVAGE_LOST, SALVAGE_NOTED };
typedef void salvage_say(void *arg, enum salvage_fate fate, const char *text);

struct salvage_settings {
	const char *file;   /* a data.mdb; only read */
	struct store *into; /* may hold mail already; what both have, and
	                      * differs, is taken by which is further on */
	/* What was put aside is tried again; else it stays aside. */
	bool takes_aside;
	salvage_say *say;
	void *arg;
};

struct salvage_counts {
	uint64_t messages, jobs, chunks; /* that are in the new store now */
	uint64_t lost; /* records that do not check out, or jobs that
	                      * have no message */
	bool is_whole; /* the tree led to everything that there is */
};

/* 0, or -1: the file cannot be read, or the new store not written. */
int salvage(const struct salvage_settings *settings,
	    struct salvage_counts *counts, struct error *error);

#endif
