/*
 * What can be saved of a damaged store: its records bear their kind, id,
 * number, length and checksum, so that they are found in the bytes of the
 * pages where no tree leads to them any more.  They go into a sound store
 * of the held sort, under the keys that they had, due when they were.
 */
#ifndef QUEUE_SALVAGE_H
#define QUEUE_SALVAGE_H

#include "queue/store.h"

struct envelope;

/* One for each message that is saved, for each record that is lost and each
 * message that it is lost with, and for what is worth knowing. */
enum salvage_fate { SALVAGE_SAVED, SALVAGE_LOST, SALVAGE_NOTED };
struct salvage_news {
	enum salvage_fate fate;
	const char *text;
	const struct envelope *envelope; /* of a message, else NULL */
};
typedef void salvage_say(void *arg, const struct salvage_news *news);

struct salvage_settings {
	const char *const *files; /* data.mdb; only read. A message and its
	                      * body may lie in different ones */
	size_t file_count;
	struct store *into; /* may hold mail already; what both have, and
	                      * differs, is taken by which is further on */
	/* What was put aside is tried again; else it stays aside. */
	bool takes_aside;
	salvage_say *say;
	void *arg;
};

struct salvage_counts {
	uint64_t messages, jobs; /* that are in the new store now, whole */
	uint64_t lost; /* records that do not check out, jobs that have no
	                      * message, messages that lack pieces of their
	                      * bodies: those are put aside when read */
	bool is_whole; /* the trees led to everything that there is */
};

/* 0, or -1: a file cannot be read, or the new store not written. */
int salvage(const struct salvage_settings *settings,
	    struct salvage_counts *counts, struct error *error);

#endif
