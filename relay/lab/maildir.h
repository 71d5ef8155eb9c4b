/*
 * The lab's store for server.h: each message a file in a maildir, exactly
 * as it was received, with what is known about its session in front.
 */
#ifndef RELAY_LAB_MAILDIR_H
#define RELAY_LAB_MAILDIR_H

#include "relay/server.h"

struct maildir;

/* `store` is the struct maildir. */
extern const struct store_verbs maildir_verbs;

/* Makes folder, tmp, new and cur where they are missing.  `gateway` is who
 * receives; both are copied.  NULL with the reason. */
struct maildir *maildir_new(struct ev_loop *loop, const char *folder,
			    const char *gateway, struct error *error);
void maildir_free(struct maildir *maildir);

#endif
