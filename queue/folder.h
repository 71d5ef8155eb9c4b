/*
 * Folders and locks of the spool: `spool/worker-K/{lock,fresh,held}`.
 * Folders belong to us and are closed to others; a lock lives as long as
 * its descriptor.
 */
#ifndef QUEUE_FOLDER_H
#define QUEUE_FOLDER_H

#include "conf/error.h"

enum { FOLDER_MAX = 4096, FOLDER_WORKERS_MAX = 1024 };

/* Makes a folder (mode 0700) if there is none, with its parent synced;
 * otherwise it must be a folder of ours that we can write to. */
int folder_make(const char *path, struct error *error);
int folder_sync(const char *path, struct error *error);

struct folder {
	int lock;
	unsigned number;
	char path[FOLDER_MAX];
};

/* Takes the lowest worker-K from `from` on whose lock is free, or makes
 * one. */
int folder_take(const char *spool, unsigned from, struct folder *out,
		struct error *error);
/* As folder_take(), but only a folder that is there and free: 1 taken,
 * 0 there is none. */
int folder_take_left(const char *spool, struct folder *out);
void folder_release(struct folder *folder);

#endif
