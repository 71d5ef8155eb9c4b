/*
 * One non-blocking, buffered connection on the event loop, plain or TLS,
 * client or server; few events to one callback.  Two function pointers
 * (receive, send) swap when TLS starts.  Starting TLS while unread
 * plaintext remains is refused, so that nothing said in the clear can be
 * taken for something said inside.  conn_free() inside the callback is
 * safe: it marks, and the loop reaps.
 */
#ifndef TLS_CONN_H
#define TLS_CONN_H

#include "conf/net.h"
#include "tls/context.h"
#include "tls/facts.h"
#include "tls/policy.h"

struct ev_loop;
struct conn;

enum conn_event {
	CONN_OPEN,    /* connected (outbound only) */
	CONN_SECURE,  /* handshake done, facts readable */
	CONN_INPUT,   /* more in conn_input() than at the last event */
	CONN_DRAINED, /* all that was written has left */
	CONN_CLOSED,  /* the peer ended cleanly (in TLS: with close_notify) */
	CONN_TIMEOUT, /* the deadline passed */
	CONN_FAILED,  /* conn_error() says what: connect, reset, handshake,
	               * truncated TLS stream (no close_notify) */
};

typedef void conn_callback(struct conn *conn, enum conn_event event, void *arg);

/* Takes the accepted descriptor; `peer` is whose it is (NULL: the socket is
 * asked). That nothing is held back (TCP_NODELAY) it has from its listener. */
struct conn *conn_accept(struct ev_loop *loop, int fd,
			 const struct net_address *peer, conn_callback *call,
			 void *arg);
/* `source` may be NULL. Errors of connect() come as CONN_FAILED, never
 * before this returns. */
struct conn *conn_connect(struct ev_loop *loop, const struct net_address *to,
			  const struct net_address *source,
			  conn_callback *call, void *arg);
/* Hands events to somebody else from now on (warm connections). */
void conn_adopt(struct conn *conn, conn_callback *call, void *arg);

/*
 * Starts a handshake; what was written before goes out first.  Fails when
 * unread plaintext remains.  As a client `demand` says SNI and least
 * version, and after the handshake the chain is verified against its
 * anchors (facts->chain); the demand is copied.  A server looks at no
 * client certificate before conn_prove().
 */
int conn_start_client(struct conn *conn, struct tls_context *context,
		      const struct demand *demand, struct error *error);
int conn_start_server(struct conn *conn, struct tls_context *context,
		      struct error *error);

/* As a server, once SECURE: what the client proved, its chain verified
 * against the demand's anchors; to be cleared.  The context is that of the
 * handshake. */
void conn_prove(const struct conn *conn, struct tls_context *context,
		const struct demand *demand, struct tls_facts *out);

/* Queues bytes; they leave at the end of the loop's turn, or at once by
 * conn_flush(). */
void conn_write(struct conn *conn, struct view bytes);
void conn_flush(struct conn *conn);
/* Bytes that were written and have not left yet. */
size_t conn_pending(const struct conn *conn);

/* What was read and not consumed; borrowed until consume or next event. */
struct view conn_input(const struct conn *conn);
void conn_consume(struct conn *conn, size_t len);
/* While paused nothing is read from the socket, so that a fast sender
 * waits. Input is bounded by CONN_INPUT_MAX all the same. */
void conn_pause(struct conn *conn);
void conn_resume(struct conn *conn);

/* CONN_TIMEOUT in that many seconds unless set again; 0 clears. */
void conn_deadline(struct conn *conn, double seconds);

const struct tls_facts *conn_facts(const struct conn *conn); /* never NULL */
const char *conn_error(const struct conn *conn);
const struct net_address *conn_peer(const struct conn *conn);

/* Sends what is queued (and close_notify), then closes and frees; no
 * events any more. Waits at most a few seconds for the peer to take it. */
void conn_finish(struct conn *conn);
/* Closes at once and frees; no events any more. */
void conn_free(struct conn *conn);

enum { CONN_INPUT_MAX = 64 * 1024 };

#endif
