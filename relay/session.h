/*
 * Carries one inbound session: moves bytes between its connection and the
 * pure protocol (smtp/inbound.h), messages into the store, and time into
 * deadlines.  Frees itself at its end, which it tells its owner.
 */
#ifndef RELAY_SESSION_H
#define RELAY_SESSION_H

#include "relay/mischief.h"
#include "relay/server.h"

struct session;

/* Copied by each session; what is pointed to outlives it. */
struct session_settings {
	struct ev_loop *loop;
	const struct conf *conf;
	const struct listener *listener;
	struct tls_context *tls;      /* NULL: no TLS here */
	const struct store_verbs *verbs;
	void *store;
	bool accepts_everything;
	const struct mischief_verbs *mischief; /* a lab's; NULL in a relay */
	void *mischief_owner;
	struct buffer *out;           /* shared: empty between two turns */
	void (*ended)(void *owner);   /* the session is gone */
};

/* Takes the descriptor of that client and greets. */
struct session *session_new(const struct session_settings *settings, int fd,
			    const struct net_address *client, void *owner);
/* No new transaction; ends at once when none is open. May end within the
 * call. */
void session_stop(struct session *s);
/* Ends now, dropping what is under way. */
void session_free(struct session *s);
/* A lab stops a session where it is, and lets it go on. It may end within
 * session_resume(). */
void session_hold(struct session *s);
void session_resume(struct session *s);
const struct conf *session_conf(const struct session *s);

#endif
