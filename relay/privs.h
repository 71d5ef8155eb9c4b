/*
 * Who the children run as: the configured user, once we are root, or who
 * we are already.
 */
#ifndef RELAY_PRIVS_H
#define RELAY_PRIVS_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/conf.h"

struct privs {
	bool drops; /* we are root and are to become somebody else */
	uid_t uid;  /* who the children run as, and who owns the spool */
	gid_t gid;
};

/* By the snapshot's `user`.  An ordinary user stays what it is; naming
 * another one then is an error. */
int privs_find(const struct conf *conf, struct privs *out, struct error *error);
/* For good, with no supplementary groups and no way back.  Safe between
 * fork and exec.  0 or -1 with errno set. */
int privs_drop(const struct privs *privs);
/* No core dumps and no debugger: memory holds mail and keys. */
void privs_guard_memory(void);

#endif
