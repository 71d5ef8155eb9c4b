/*
 * Commands about the spool act as the spool's owner, whoever calls them:
 * what root makes there the relay could not use.
 */
#ifndef RELAY_OWNER_H
#define RELAY_OWNER_H

#include "conf/error.h"

/* Root becomes the owner of the spool, for good; an ordinary user must be
 * it. -1 with the reason. */
int owner_become(const char *spool, struct error *error);
/* The same until owner_leave(): for commands that read or write files
 * elsewhere as who they are. */
int owner_enter(const char *spool, struct error *error);
void owner_leave(void);

#endif
