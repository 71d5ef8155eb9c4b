/*
 * Folders and locks of the spool: `spool/worker-K/{lock,fresh,held}`.
 * Folders belong to us and are closed to others; a lock lives as long as
 * its descriptor.
 */
#ifndef QUEUE_FOLDER_H
#define QUEUE_FOLDER_H

#include "conf/error.h"

#include <stdbool.h>
#include <sys/types.h>

enum { FOLDER_MAX = 4096, FOLDER_WORKERS_MAX = 1024 };

/* Makes a folder (mode 0700) if there is none, with its parent synced;
 * otherwise it must be a folder of ours that we can write to. */
int folder_make(const char *path, struct error *error);
int folder_sync(const char *path, struct error *error);
/* Under its new name for good: the folder that both names are in (one for
 * both) is synced. */
int folder_rename(const char *from, const char *to, struct error *error);

struct folder {
	int lock;
	unsigned number;
	char path[FOLDER_MAX];
};

/* Takes the lowest worker-K whose lock is free, or makes one. */
int folder_take(const char *spool, struct folder *out, struct error *error);
/* The lowest that is free and holds no stores. */
int folder_take_empty(const char *spool, struct folder *out,
		      struct error *error);
/*
 * Tries worker-K: FOLDER_TAKEN when it is there, free and holds stores,
 * FOLDER_EMPTY when it is there and holds none, FOLDER_HELD when somebody
 * has it, FOLDER_NONE when there is none.  Only a taken one is to be
 * released.
 */
enum folder_state { FOLDER_NONE, FOLDER_HELD, FOLDER_EMPTY, FOLDER_TAKEN };
enum folder_state folder_try(const char *spool, unsigned number,
			     struct folder *out);
#define FOLDER_DAMAGED ".damaged-"
/* A store's folder goes to `PATH.damaged-N`, the first that is free. */
int folder_set_aside(const char *path, char out[FOLDER_MAX],
		     struct error *error);
/* Removes a store's files; its folder stays. */
void folder_clear_store(const char *path);
/* Removes both stores of a taken folder; its lock stays. */
void folder_empty(const struct folder *folder);
void folder_release(struct folder *folder);

/* Has the disk of the folder room for another file like that? */
bool folder_has_room(const char *path, const char *file);
/* Bytes of the store in a folder; -1: there is none. What we may not look
 * into is there: it is not ours to replace. */
off_t folder_data_size(const char *folder);
/* Makes the file if need be and gives it room on the disk for so many bytes,
 * where the file system can. 0 or errno's. */
int folder_reserve(const char *file, off_t len);
/* Why a write to this file was cut short: where it was for want of room, the
 * next one at its end is refused for that reason, or cut short itself; else
 * EIO. */
int folder_why_short(int fd);

#endif
