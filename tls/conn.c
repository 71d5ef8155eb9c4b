/*
 * The connection: two io watchers, one timer, and one watcher that is only
 * ever fed, at the lowest priority, so that it runs once all that the
 * loop's turn brought has been heard: there what was written leaves in one
 * send.  Nothing is told before the call that caused it has returned, and
 * nothing is freed while one of its callbacks runs.
 */
#include "tls/conn.h"

#include "tls/wire.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>

/* After our last byte the peer may go on for so long and so much. */
static const double linger_seconds = 3;
enum { LINGER_BYTES = 1024 * 1024, SWALLOW_SIZE = 16 * 1024 };

_Static_assert((int)CONN_INPUT_MAX == (int)WIRE_INPUT_MAX,
	       "the wire keeps what the connection promises");

struct conn {
	struct ev_loop *loop;
	struct ev_io readable, writable;
	struct ev_timer timer;
	struct ev_prepare turn; /* never started, only fed */
	conn_callback *call;
	void *arg;
	struct wire wire;
	struct net_address peer;
	size_t swallowed;
	unsigned depth;         /* watcher callbacks that we are inside of */
	bool is_connecting;
	bool is_paused;
	bool is_unheard;        /* something came and was not wanted */
	bool has_drained;       /* to be told */
	bool is_secure_told;
	bool is_end_told;
	bool is_finishing;
	bool is_shut;           /* our last byte has left */
	bool is_dead;
};

static void soon(struct conn *conn)
{
	ev_feed_event(conn->loop, &conn->turn, EV_CUSTOM);
}

static bool has_end(const struct conn *conn)
{
	return conn->wire.end != WIRE_OPEN;
}

static void push(struct conn *conn)
{
	if (conn->is_connecting || !wire_pending(&conn->wire))
		return;
	wire_send(&conn->wire);
	if (!conn->wire.is_write_broken && !wire_pending(&conn->wire))
		conn->has_drained = true;
}

/* --- watching -------------------------------------------------------- */

static void watch(struct ev_loop *loop, struct ev_io *io, bool on)
{
	if (on)
		ev_io_start(loop, io);
	else
		ev_io_stop(loop, io);
}

/* A peer that makes us answer and takes no answers is not read. */
static bool wants_input(const struct conn *conn)
{
	return !conn->is_connecting && !conn->is_paused && !has_end(conn) &&
	       !conn->is_finishing && wire_room(&conn->wire) > 0 &&
	       buffer_len(&conn->wire.records) < SECURE_WIRE_MAX / 2;
}

/* An end is told once what came before it was; a failure even while the
 * owner does not want to read. */
static bool has_end_to_tell(const struct conn *conn)
{
	return has_end(conn) && !conn->is_end_told && !conn->is_finishing &&
	       (!conn->is_paused || conn->wire.end == WIRE_FAILED);
}

static void rewatch(struct conn *conn)
{
	bool input = wants_input(conn);

	if ((input && wire_has_backlog(&conn->wire)) ||
	    has_end_to_tell(conn)) {
		soon(conn);
		input = false;
	}
	/* A short pause costs no system call: what was watched stays so until
	 * something comes that is not wanted. */
	if ((conn->is_paused || conn->is_finishing) && !conn->is_unheard &&
	    !has_end(conn))
		input = ev_is_active(&conn->readable);
	watch(conn->loop, &conn->readable, input || conn->is_shut);
	watch(conn->loop, &conn->writable,
	      conn->is_connecting || conn->wire.is_blocked);
}

static void destroy(struct conn *conn)
{
	ev_io_stop(conn->loop, &conn->readable);
	ev_io_stop(conn->loop, &conn->writable);
	ev_timer_stop(conn->loop, &conn->timer);
	ev_clear_pending(conn->loop, &conn->turn);
	wire_clear(&conn->wire);
	free(conn);
}

static void enter(struct conn *conn)
{
	conn->depth++;
}

static void leave(struct conn *conn)
{
	if (--conn->depth > 0)
		return;
	if (conn->is_dead) {
		destroy(conn);
		return;
	}
	wire_slim(&conn->wire);
	rewatch(conn);
}

static void tell(struct conn *conn, enum conn_event event)
{
	if (!conn->is_dead && !conn->is_finishing)
		conn->call(conn, event, conn->arg);
}

static void take_input(struct conn *conn)
{
	bool grew = wire_receive(&conn->wire);

	if (conn->wire.has_shaken && !conn->is_secure_told) {
		conn->is_secure_told = true;
		tell(conn, CONN_SECURE);
	}
	if (grew)
		tell(conn, CONN_INPUT);
	if (wire_pending(&conn->wire))
		soon(conn);
}

/* Swallows what a peer still says after our last byte: closing with unread
 * bytes would make the kernel reset the connection, and the reset may
 * overtake our last reply. */
static void swallow(struct conn *conn)
{
	char waste[SWALLOW_SIZE];
	ssize_t n = recv(conn->wire.fd, waste, sizeof(waste), 0);

	if (n > 0)
		conn->swallowed += (size_t)n;
	if (n == 0 || conn->swallowed > LINGER_BYTES ||
	    (n < 0 && errno != EAGAIN && errno != EINTR))
		conn->is_dead = true;
}

static void wind_up(struct conn *conn)
{
	if (conn->is_shut)
		return;
	if (!wire_pending(&conn->wire)) {
		wire_finish(&conn->wire);
		wire_send(&conn->wire);
	}
	if (conn->wire.is_write_broken) {
		conn->is_dead = true;
		return;
	}
	if (wire_pending(&conn->wire))
		return;
	conn->is_shut = true;
	if (has_end(conn) || shutdown(conn->wire.fd, SHUT_WR) < 0)
		conn->is_dead = true;
}

static void on_turn(struct ev_loop *loop, struct ev_prepare *w, int events)
{
	struct conn *conn = w->data;

	(void)loop;
	(void)events;
	enter(conn);
	if (wants_input(conn) && wire_has_backlog(&conn->wire))
		take_input(conn);
	if (!conn->is_dead)
		push(conn);
	if (conn->wire.is_write_broken && conn->is_paused)
		wire_fail(&conn->wire, "connection lost");
	if (conn->has_drained) {
		conn->has_drained = false;
		tell(conn, CONN_DRAINED);
	}
	if (has_end_to_tell(conn)) {
		conn->is_end_told = true;
		tell(conn, conn->wire.end == WIRE_CLOSED ? CONN_CLOSED
							 : CONN_FAILED);
	}
	if (conn->is_finishing && !conn->is_dead)
		wind_up(conn);
	leave(conn);
}

static void on_readable(struct ev_loop *loop, struct ev_io *w, int events)
{
	struct conn *conn = w->data;

	(void)loop;
	(void)events;
	enter(conn);
	if (conn->is_shut)
		swallow(conn);
	else if (wants_input(conn))
		take_input(conn);
	else
		conn->is_unheard = true;
	leave(conn);
}

static void finish_connecting(struct conn *conn)
{
	int problem = 0;
	socklen_t len = sizeof(problem);

	conn->is_connecting = false;
	if (getsockopt(conn->wire.fd, SOL_SOCKET, SO_ERROR, &problem, &len) < 0)
		problem = errno;
	if (problem) {
		wire_fail(&conn->wire, "cannot connect: %s",
			  strerror(problem));
		return;
	}
	tell(conn, CONN_OPEN);
}

static void on_writable(struct ev_loop *loop, struct ev_io *w, int events)
{
	struct conn *conn = w->data;

	(void)loop;
	(void)events;
	enter(conn);
	conn->wire.is_blocked = false;
	if (conn->is_connecting)
		finish_connecting(conn);
	soon(conn);
	leave(conn);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct conn *conn = w->data;

	(void)events;
	enter(conn);
	ev_timer_stop(loop, w);
	if (conn->is_finishing)
		conn->is_dead = true;
	else
		tell(conn, CONN_TIMEOUT);
	leave(conn);
}

/* --- the face -------------------------------------------------------- */

static struct conn *conn_new(struct ev_loop *loop, int fd, conn_callback *call,
			     void *arg)
{
	struct conn *conn = must_alloc(sizeof(*conn));

	conn->loop = loop;
	wire_init(&conn->wire, fd);
	conn->call = call;
	conn->arg = arg;
	ev_io_init(&conn->readable, on_readable, fd, EV_READ);
	ev_io_init(&conn->writable, on_writable, fd, EV_WRITE);
	ev_init(&conn->timer, on_timer);
	ev_prepare_init(&conn->turn, on_turn);
	ev_set_priority(&conn->turn, EV_MINPRI);
	conn->readable.data = conn->writable.data = conn;
	conn->timer.data = conn->turn.data = conn;
	return conn;
}

struct conn *conn_accept(struct ev_loop *loop, int fd,
			 const struct net_address *peer, conn_callback *call,
			 void *arg)
{
	struct conn *conn = conn_new(loop, fd, call, arg);
	socklen_t len = sizeof(conn->peer);

	if (peer)
		conn->peer = *peer;
	else
		(void)getpeername(fd, &conn->peer.sa.any, &len);
	rewatch(conn);
	return conn;
}

struct conn *conn_connect(struct ev_loop *loop, const struct net_address *to,
			  const struct net_address *source,
			  conn_callback *call, void *arg)
{
	struct error error;
	int fd = wire_connect(to, source, &error);
	struct conn *conn = conn_new(loop, fd, call, arg);

	conn->peer = *to;
	conn->is_connecting = fd >= 0;
	if (fd < 0)
		wire_fail(&conn->wire, "%s", error.text);
	rewatch(conn);
	return conn;
}

void conn_adopt(struct conn *conn, conn_callback *call, void *arg)
{
	conn->call = call;
	conn->arg = arg;
}

/* What may begin in this call and must be told after it. */
static bool may_start_tls(const struct conn *conn, struct error *error)
{
	if (conn->is_connecting || conn->is_finishing || has_end(conn) ||
	    conn->wire.is_write_broken) {
		error_set(error, "the connection is not open");
		return false;
	}
	if (conn->wire.secure) {
		error_set(error, "TLS is already spoken here");
		return false;
	}
	if (buffer_len(&conn->wire.input) > 0) {
		error_set(error, "%zu bytes of plaintext came before TLS",
			  buffer_len(&conn->wire.input));
		return false;
	}
	return true;
}

static int start(struct conn *conn, struct secure *secure)
{
	if (!secure)
		return -1;
	wire_start(&conn->wire, secure);
	soon(conn);
	return 0;
}

int conn_start_client(struct conn *conn, struct tls_context *context,
		      const struct demand *demand, struct error *error)
{
	if (!may_start_tls(conn, error))
		return -1;
	return start(conn, secure_client(context, demand, &conn->wire.raw,
					 &conn->wire.records, error));
}

int conn_start_server(struct conn *conn, struct tls_context *context,
		      struct error *error)
{
	if (!may_start_tls(conn, error))
		return -1;
	return start(conn, secure_server(context, &conn->wire.raw,
					 &conn->wire.records, error));
}

void conn_write(struct conn *conn, struct view bytes)
{
	if (conn->is_finishing || conn->is_dead || bytes.len == 0 ||
	    conn->wire.is_write_broken)
		return;
	buffer_append(&conn->wire.output, bytes);
	if (!conn->wire.is_blocked)
		soon(conn);
}

void conn_flush(struct conn *conn)
{
	if (conn->is_dead)
		return;
	push(conn);
	/* what became of it is told at the end of the turn */
	soon(conn);
}

size_t conn_pending(const struct conn *conn)
{
	return wire_pending(&conn->wire);
}

struct view conn_input(const struct conn *conn)
{
	return buffer_view(&conn->wire.input);
}

void conn_consume(struct conn *conn, size_t len)
{
	buffer_consume(&conn->wire.input, len);
	if (!conn->depth)
		rewatch(conn);
}

void conn_pause(struct conn *conn)
{
	conn->is_paused = true;
	if (!conn->depth)
		rewatch(conn);
}

void conn_resume(struct conn *conn)
{
	conn->is_paused = false;
	conn->is_unheard = false;
	if (!conn->depth)
		rewatch(conn);
}

void conn_deadline(struct conn *conn, double seconds)
{
	if (conn->is_finishing)
		return;
	ev_timer_stop(conn->loop, &conn->timer);
	if (seconds <= 0)
		return;
	ev_timer_set(&conn->timer, seconds, 0.);
	ev_timer_start(conn->loop, &conn->timer);
}

const struct tls_facts *conn_facts(const struct conn *conn)
{
	static const struct tls_facts nothing;

	return conn->wire.has_shaken ? secure_facts(conn->wire.secure)
				     : &nothing;
}

void conn_prove(const struct conn *conn, struct tls_context *context,
		const struct demand *demand, struct tls_facts *out)
{
	*out = (struct tls_facts){ 0 };
	if (conn->wire.has_shaken)
		secure_prove(conn->wire.secure, context, demand, out);
}

const char *conn_error(const struct conn *conn)
{
	return conn->wire.error ? conn->wire.error : "";
}

const struct net_address *conn_peer(const struct conn *conn)
{
	return &conn->peer;
}

void conn_free(struct conn *conn)
{
	if (!conn)
		return;
	conn->is_dead = true;
	if (!conn->depth)
		destroy(conn);
}

void conn_finish(struct conn *conn)
{
	if (conn->is_connecting || conn->wire.fd < 0) {
		conn_free(conn);
		return;
	}
	/* half a handshake has no way to carry what was written */
	if (conn->wire.secure && !conn->wire.has_shaken)
		buffer_clear(&conn->wire.output);
	conn_deadline(conn, linger_seconds);
	conn->is_finishing = true;
	if (!conn->depth)
		rewatch(conn);
	soon(conn);
}
