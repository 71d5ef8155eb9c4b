/*
 * Bytes between a socket and two buffers.  See peer.h.
 */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include "tests/bench/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024, RECORD_SIZE = 16 * 1024 };

/* --- contexts -------------------------------------------------------- */

void *peer_client_context(void)
{
	int groups[] = { WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1 };
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLS_client_method());

	if (!ctx) {
		fprintf(stderr, "load: wolfSSL makes no context\n");
		return NULL;
	}
	wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
	/* what clients offer first nowadays; the library's own is P-256 */
	wolfSSL_CTX_set_groups(ctx, groups, 2);
	return ctx;
}

void *peer_server_context(const char *chain, const char *key)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfTLS_server_method());

	if (!ctx || !chain || !key ||
	    wolfSSL_CTX_use_certificate_chain_file(ctx, chain) !=
		    WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_use_PrivateKey_file(ctx, key, WOLFSSL_FILETYPE_PEM) !=
		    WOLFSSL_SUCCESS) {
		fprintf(stderr, "load: no certificate or key to be used\n");
		return NULL;
	}
	return ctx;
}

/* --- moving bytes ---------------------------------------------------- */

static void destroy(struct peer *peer)
{
	ev_io_stop(peer->loop, &peer->io);
	if (peer->ssl)
		wolfSSL_free(peer->ssl);
	close(peer->io.fd);
	buffer_clear(&peer->in);
	buffer_clear(&peer->out);
	free(peer);
}

static void watch(struct peer *peer, int events)
{
	if (peer->io.events == events)
		return;
	ev_io_stop(peer->loop, &peer->io);
	ev_io_set(&peer->io, peer->io.fd, events);
	ev_io_start(peer->loop, &peer->io);
}

/* What a call to the library came to: > 0 bytes, 0 later, -1 never. */
static int outcome(struct peer *peer, int n)
{
	int code;

	if (n > 0)
		return n;
	code = wolfSSL_get_error(peer->ssl, n);
	return code == WOLFSSL_ERROR_WANT_READ ||
			       code == WOLFSSL_ERROR_WANT_WRITE
		       ? 0
		       : -1;
}

static int write_some(struct peer *peer, struct view bytes)
{
	ssize_t n;

	if (peer->ssl) {
		/* the library wants a write repeated as it was */
		size_t len = peer->retry ? peer->retry : bytes.len;
		int put;

		if (len > RECORD_SIZE)
			len = RECORD_SIZE;
		put = outcome(peer, wolfSSL_write(peer->ssl, bytes.at,
						  (int)len));
		peer->retry = put == 0 ? len : 0;
		return put;
	}
	n = send(peer->io.fd, bytes.at, bytes.len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	return (int)n;
}

/* False when the connection is broken. */
static bool flush(struct peer *peer)
{
	int n = 1;

	if (peer->is_connecting || peer->is_shaking)
		return true;
	while (n > 0 && buffer_len(&peer->out)) {
		n = write_some(peer, buffer_view(&peer->out));
		if (n > 0)
			buffer_consume(&peer->out, (size_t)n);
	}
	watch(peer, buffer_len(&peer->out) ? EV_READ | EV_WRITE : EV_READ);
	if (!buffer_len(&peer->out))
		buffer_clear(&peer->out);
	return n >= 0;
}

/* 1 something came, 0 nothing, -1 the end. */
static int read_some(struct peer *peer)
{
	unsigned char *at = buffer_reserve(&peer->in, READ_SIZE);
	ssize_t n;

	if (peer->ssl) {
		n = outcome(peer, wolfSSL_read(peer->ssl, at, READ_SIZE));
	} else {
		n = recv(peer->io.fd, at, READ_SIZE, 0);
		if (n == 0)
			return -1;
		if (n < 0)
			n = errno == EAGAIN || errno == EINTR ? 0 : -1;
	}
	if (n > 0)
		buffer_added(&peer->in, (size_t)n);
	return n > 0 ? 1 : (int)n;
}

static void tell(struct peer *peer, enum peer_event event)
{
	if (!peer->is_closed)
		peer->call(peer, event);
}

static void shake(struct peer *peer)
{
	int n = peer->is_server ? wolfSSL_accept(peer->ssl)
				: wolfSSL_connect(peer->ssl);

	if (n == WOLFSSL_SUCCESS) {
		peer->is_shaking = false;
		tell(peer, PEER_SECURE);
	} else if (outcome(peer, n) < 0) {
		tell(peer, PEER_ENDED);
	}
}

static void finish_connecting(struct peer *peer)
{
	int problem = 0;
	socklen_t len = sizeof(problem);

	getsockopt(peer->io.fd, SOL_SOCKET, SO_ERROR, &problem, &len);
	peer->is_connecting = false;
	watch(peer, EV_READ);
	tell(peer, problem ? PEER_ENDED : PEER_OPEN);
}

static void take_input(struct peer *peer)
{
	int n;

	do {
		n = read_some(peer);
		if (n > 0)
			tell(peer, PEER_INPUT);
		/* a socket says again what is left; the library does not */
	} while (n > 0 && peer->ssl && !peer->is_closed &&
		 !peer->is_shaking && wolfSSL_pending(peer->ssl) > 0);
	if (!buffer_len(&peer->in))
		buffer_clear(&peer->in);
	if (n < 0)
		tell(peer, PEER_ENDED);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct peer *peer = io->data;

	(void)loop;
	peer->is_inside = true;
	if (peer->is_connecting)
		finish_connecting(peer);
	else if (peer->is_shaking)
		shake(peer);
	else if (events & EV_READ)
		take_input(peer);
	if (!peer->is_closed && !flush(peer))
		tell(peer, PEER_ENDED);
	peer->is_inside = false;
	if (peer->is_closed)
		destroy(peer);
}

/* --- the face -------------------------------------------------------- */

static struct peer *make(struct ev_loop *loop, int fd, peer_callback *call,
			 void *arg)
{
	struct peer *peer = must_alloc(sizeof(*peer));
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	peer->loop = loop;
	peer->call = call;
	peer->arg = arg;
	ev_io_init(&peer->io, on_io, fd, EV_READ);
	peer->io.data = peer;
	return peer;
}

struct peer *peer_connect(struct ev_loop *loop, const struct sockaddr_in *to,
			  peer_callback *call, void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct peer *peer;

	if (fd < 0)
		return NULL;
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 &&
	    errno != EINPROGRESS) {
		close(fd);
		return NULL;
	}
	peer = make(loop, fd, call, arg);
	peer->is_connecting = true;
	watch(peer, EV_WRITE);
	return peer;
}

struct peer *peer_accept(struct ev_loop *loop, int fd, peer_callback *call,
			 void *arg)
{
	struct peer *peer = make(loop, fd, call, arg);

	peer->is_server = true;
	ev_io_start(loop, &peer->io);
	return peer;
}

void peer_secure(struct peer *peer, void *context, void *session)
{
	(void)flush(peer);
	peer->ssl = wolfSSL_new(context);
	if (!peer->ssl)
		abort();
	wolfSSL_set_fd(peer->ssl, peer->io.fd);
	if (session)
		wolfSSL_set_session(peer->ssl, session);
	peer->is_shaking = true;
	/* a server waits for the client's hello */
	if (!peer->is_server)
		shake(peer);
}

void *peer_session(struct peer *peer)
{
	return peer->ssl ? wolfSSL_get1_session(peer->ssl) : NULL;
}

bool peer_is_resumed(struct peer *peer)
{
	return wolfSSL_session_reused(peer->ssl) != 0;
}

void peer_session_free(void *session)
{
	if (session)
		wolfSSL_SESSION_free(session);
}

void peer_push(struct peer *peer)
{
	(void)flush(peer);
}

void peer_close(struct peer *peer)
{
	if (!peer)
		return;
	if (peer->ssl && !peer->is_shaking && !peer->is_closed)
		(void)wolfSSL_shutdown(peer->ssl);
	peer->is_closed = true;
	if (!peer->is_inside)
		destroy(peer);
}

int peer_listen(const struct sockaddr_in *address)
{
	struct sockaddr_in bound;
	socklen_t len = sizeof(bound);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    listen(fd, SOMAXCONN) ||
	    getsockname(fd, (struct sockaddr *)&bound, &len)) {
		perror("load: cannot listen");
		close(fd);
		return -1;
	}
	printf("listening %u\n", (unsigned)ntohs(bound.sin_port));
	return fd;
}
