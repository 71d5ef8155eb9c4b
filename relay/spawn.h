/*
 * Starts a child: this same program, exec'd anew under the name of a role,
 * with the descriptors that it needs in fixed places and no others.
 */
#ifndef RELAY_SPAWN_H
#define RELAY_SPAWN_H

#include <sys/types.h>

#include "relay/privs.h"

/* Where a child finds what it was given. */
enum { SPAWN_CHANNEL = 3, SPAWN_BUNDLE = 4 };

struct spawn {
	const char *role;	   /* "worker": seen as `postern: worker` */
	const char *argument;	   /* NULL: none */
	int channel;		   /* lent */
	int bundle;		   /* lent; -1: none */
	const struct privs *privs; /* NULL: stays who we are */
};

/* The process id, or -1 with the reason.  A child that cannot be exec'd
 * exits with EX_OSERR after saying so on standard error. */
pid_t spawn_child(const struct spawn *spawn, struct error *error);
/* The role that argv[0] names, or NULL for a program started by people. */
const char *spawn_role(const char *name);

#endif
