/*
 * Carries inbound sessions: accepts on the listeners, moves bytes between
 * connections and the pure session (smtp/inbound.h), and messages into a
 * store.  The relay's store is the queue; the lab's is a folder.
 */
#ifndef RELAY_SERVER_H
#define RELAY_SERVER_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "tls/context.h"
#include "tls/facts.h"

struct ev_loop;
struct mischief_verbs;
struct server;

/* Where accepted messages go; the shape of queue.h's intake. */
struct store_verbs {
	bool (*has_room)(void *store, uint64_t size);
	void *(*begin)(void *store, intake_callback *call, void *arg);
	const char *(*id)(void *message);
	void (*append)(void *message, struct view bytes);
	bool (*is_full)(void *message);
	/* facts of the session for a store that records them; the envelope
	 * is taken */
	void (*commit)(void *message, struct envelope *envelope,
		       const struct tls_facts *facts);
	void (*abort)(void *message);
	/* No larger one will ever be stored; NULL: no such bound. */
	uint64_t (*largest)(void *store);
};

struct server_settings {
	const struct conf *conf;
	const struct store_verbs *verbs;
	void *store;
	bool accepts_everything; /* the lab: every recipient is ours */
	const struct mischief_verbs *mischief; /* the lab's; NULL in a relay */
	void *mischief_owner;    /* for its enter() */
};

struct server *server_new(struct ev_loop *loop,
			  const struct server_settings *settings,
			  struct error *error);
/* A bound, listening, non-blocking descriptor (taken) that plays this
 * listener; `tls` is held (NULL: no STARTTLS). */
void server_listen(struct server *server, int fd,
		   const struct listener *listener, struct tls_context *tls);
/* New sessions use the new snapshot; running ones finish on theirs, so it
 * must outlive them: server_uses() says. */
void server_configure(struct server *server, const struct conf *conf);
bool server_uses(const struct server *server, const struct conf *conf);
/* Stops accepting; idle sessions get 421, those with a transaction may
 * finish it. */
void server_stop(struct server *server);
size_t server_sessions(const struct server *server);
/* Closes whatever is left. */
void server_free(struct server *server);

#endif
