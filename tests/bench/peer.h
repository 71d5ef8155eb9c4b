/*
 * One non-blocking connection of the load generator, plain or TLS, client
 * or server: bare wolfSSL on the socket, nothing of what is measured.  No
 * certificate is looked at.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <ev.h>
#include <netinet/in.h>

#include "conf/bytes.h"

struct peer;

enum peer_event {
	PEER_OPEN,    /* connected */
	PEER_SECURE,  /* handshake done */
	PEER_INPUT,   /* more in peer->in */
	PEER_ENDED,   /* by the other side, or broken */
};

typedef void peer_callback(struct peer *peer, enum peer_event event);

struct peer {
	struct buffer in, out;
	void *arg;
	/* the rest is peer.c's */
	struct ev_loop *loop;
	ev_io io;
	peer_callback *call;
	void *ssl;
	size_t retry;      /* length of the write that is to be repeated */
	bool is_connecting, is_shaking, is_server, is_closed, is_inside;
};

/* Contexts of the library; NULL after saying why. */
void *peer_client_context(void);
void *peer_server_context(const char *chain, const char *key);

/* NULL: no socket. */
struct peer *peer_connect(struct ev_loop *loop, const struct sockaddr_in *to,
			  peer_callback *call, void *arg);
struct peer *peer_accept(struct ev_loop *loop, int fd, peer_callback *call,
			 void *arg);
/* Begins a handshake; `session` (may be NULL) is resumed. */
void peer_secure(struct peer *peer, void *context, void *session);
/* The TLS session to resume later, to be freed; NULL: none. */
void *peer_session(struct peer *peer);
bool peer_is_resumed(struct peer *peer);
void peer_session_free(void *session);
/* What lies in peer->out leaves after the callback; outside of one it is
 * to be pushed. */
void peer_push(struct peer *peer);
/* Closes and frees, at once or after the callback. */
void peer_close(struct peer *peer);

/* A listening socket, or -1 after saying why; prints `listening PORT`. */
int peer_listen(const struct sockaddr_in *address);

#endif
