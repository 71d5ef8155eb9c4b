/*
 * The command's side of a folder's control socket: a door to whoever has
 * the folder.  When nobody has it, a workshop is opened there: a child that
 * locks the folder and does what a worker would do, through the same commit
 * door, and delivers nothing.  Blocking.
 */
#ifndef RELAY_DOOR_H
#define RELAY_DOOR_H

#include <sys/types.h>

#include "conf/conf.h"
#include "queue/folder.h"

struct door {
	int fd;
	unsigned folder;
	char name[40];    /* whose it is: "worker-0" */
	pid_t workshop;   /* 0: a worker answers */
	struct buffer in;
};

/* So many worker folders are there. */
unsigned door_folders(const char *spool);
/* As the spool's owner. 0, or -1 with the reason. */
int door_open(struct door *door, const struct conf *conf, unsigned folder,
	      struct error *error);
/* A worker's only, at once. */
int door_try(struct door *door, const char *spool, unsigned folder);
/* Of whoever listens in that folder; `name` is for errors. */
int door_knock(struct door *door, const char *folder, const char *name);
/* Some folder for mail that comes from elsewhere: any that is there, else a
 * new one. */
int door_open_new(struct door *door, const struct conf *conf,
		  struct error *error);
int door_say(struct door *door, struct view text, struct error *error);
/* The next line, without its end; borrowed until the next call. */
int door_hear(struct door *door, struct view *line, struct error *error);
void door_close(struct door *door);

#endif
