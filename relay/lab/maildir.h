/*
 * The lab's store for server.h: each message a file in a Maildir, exactly
 * as it was received, with its label (label.h) in front.  File names begin
 * with the time of arrival.
 */
#ifndef RELAY_LAB_MAILDIR_H
#define RELAY_LAB_MAILDIR_H

#include "relay/lab/label.h"
#include "relay/server.h"

struct maildir;

/* One session that brings messages. */
struct maildir_visitor {
	struct maildir *maildir;
	/* Fills in what the session knows: who it is, and the parameters of
	 * the paths. */
	void (*describe)(void *arg, struct label *label);
	/* A message is in the store under this id. */
	void (*stored)(void *arg, const char *id);
	void *arg;
};

/* `store` is a struct maildir_visitor, which outlives its messages. */
extern const struct store_verbs maildir_verbs;

/* Makes folder, tmp, new and cur where they are missing.  `gateway` is who
 * receives; both are copied.  NULL with the reason. */
struct maildir *maildir_new(struct ev_loop *loop, const char *folder,
			    const char *gateway, struct error *error);
void maildir_free(struct maildir *maildir);

#endif
