/*
 * Listening sockets: bound once, before privileges are dropped, and shared
 * by all workers (one accept a turn each).
 */
#ifndef RELAY_LISTEN_H
#define RELAY_LISTEN_H

#include "conf/conf.h"

struct listen_socket {
	unsigned listener; /* index in conf->listeners */
	int fd;
};

struct listen_sockets {
	struct listen_socket *at;
	size_t count;
};

/*
 * Binds every address of every listener and logs each with the port that
 * it got.  Where ":25" stands for both families and the machine has no
 * IPv6, that is a warning.  -1 with the reason, and nothing is open.
 */
int listen_open(const struct conf *conf, struct listen_sockets *out,
		struct error *error);
void listen_close(struct listen_sockets *sockets);

/* One address: a non-blocking listening descriptor, or -1. */
int listen_bind(const struct net_address *address, struct error *error);
/* Logs event=listening with the real address; `name` may be NULL. */
void listen_say(int fd, enum listen_tls tls, const char *name);

#endif
