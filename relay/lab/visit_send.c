/*
 * How a visit's replies leave: at once, in two packets, byte by byte, or
 * without end.  While that takes time the session is held.  The reply to
 * STARTTLS cannot wait, for the handshake begins behind it: its pieces
 * leave one after the other without a pause.
 */
#include "relay/lab/visit.h"

#include <ev.h>
#include <stdlib.h>

#include "relay/session.h"
#include "tls/conn.h"

#define SPLIT_PAUSE   0.1  /* s between the two packets */
#define ENDLESS_PAUSE 0.01 /* s between pieces of a reply without end */

enum {
	ENDLESS_PIECE = 4096,       /* bytes */
	ENDLESS_PENDING = 64 * 1024, /* that the client has not taken */
};

struct sending {
	struct visit *visit;
	struct conn *conn;    /* NULL: only a pause */
	struct buffer bytes;  /* still to leave */
	ev_timer timer;
};

static void push(struct conn *conn, struct view piece)
{
	conn_write(conn, piece);
	conn_flush(conn);
}

/* --- pieces ---------------------------------------------------------- */

static void go_on(struct sending *s)
{
	struct visit *v = s->visit;

	ev_timer_stop(v->gateway->lab->loop, &s->timer);
	v->manner = MANNER_PLAIN;
	/* The visit may be over then. */
	session_resume(v->session);
}

/* Lines of the reply, for as long as the client takes them. */
static void send_endless(struct sending *s)
{
	struct view line = buffer_view(&s->bytes);

	for (size_t n = 0; n < ENDLESS_PIECE &&
	     conn_pending(s->conn) < ENDLESS_PENDING; n += line.len)
		conn_write(s->conn, line);
}

static size_t next_length(const struct sending *s)
{
	return s->visit->manner == MANNER_DRIBBLE ? 1 :
						    buffer_len(&s->bytes);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct sending *s = timer->data;
	size_t len = next_length(s);

	(void)loop;
	(void)events;
	if (s->visit->manner == MANNER_ENDLESS) {
		send_endless(s);
		return;
	}
	if (s->conn && len > 0) {
		push(s->conn, view_first(buffer_view(&s->bytes), len));
		buffer_consume(&s->bytes, len);
	}
	if (buffer_len(&s->bytes) == 0)
		go_on(s);
}

static struct sending *sending_of(struct visit *v)
{
	if (!v->sending) {
		v->sending = must_alloc(sizeof(*v->sending));
		v->sending->visit = v;
		ev_init(&v->sending->timer, on_timer);
		v->sending->timer.data = v->sending;
	}
	return v->sending;
}

static void every(struct sending *s, double seconds)
{
	ev_timer_set(&s->timer, seconds, seconds);
	ev_timer_start(s->visit->gateway->lab->loop, &s->timer);
}

static double pause_of(const struct visit *v)
{
	switch (v->manner) {
	case MANNER_SPLIT: return SPLIT_PAUSE;
	case MANNER_ENDLESS: return ENDLESS_PAUSE;
	default: return v->pause_ms / 1000.;
	}
}

/* --- the verbs ------------------------------------------------------- */

static void send_unpaused(struct visit *v, struct conn *conn,
			  struct view bytes)
{
	size_t len = v->manner == MANNER_DRIBBLE ? 1 : (bytes.len + 1) / 2;

	for (; bytes.len > 0; bytes = view_from(bytes, len))
		push(conn, view_first(bytes, len));
	v->manner = MANNER_PLAIN;
}

static struct view last_line(struct view bytes)
{
	size_t at = bytes.len > 0 ? bytes.len - 1 : 0;

	while (at > 0 && bytes.at[at - 1] != '\n')
		at--;
	return view_from(bytes, at);
}

/* What leaves now, and what is left for later. */
static size_t first_length(const struct visit *v, struct view bytes)
{
	if (v->manner == MANNER_DRIBBLE)
		return 1;
	return v->manner == MANNER_SPLIT ? (bytes.len + 1) / 2 : bytes.len;
}

bool visit_send(void *visit, struct conn *conn, struct view bytes)
{
	struct visit *v = visit;
	struct sending *s = v->sending;
	size_t first = first_length(v, bytes);

	visit_tell_replies(v, bytes);
	if (s && ev_is_active(&s->timer)) {
		/* The end of a session that is held. */
		buffer_append(&s->bytes, bytes);
		return s->conn != NULL;
	}
	if (v->manner == MANNER_PLAIN)
		return false;
	if (v->step == STEP_STARTTLS && v->manner != MANNER_ENDLESS) {
		send_unpaused(v, conn, bytes);
		return true;
	}
	s = sending_of(v);
	s->conn = conn;
	push(conn, view_first(bytes, first));
	buffer_append(&s->bytes, v->manner == MANNER_ENDLESS ?
					 last_line(bytes) :
					 view_from(bytes, first));
	session_hold(v->session);
	every(s, pause_of(v));
	return true;
}

void visit_pause(struct visit *v, double seconds)
{
	struct sending *s = sending_of(v);

	s->conn = NULL;
	every(s, seconds);
}

void visit_stop_sending(struct visit *v)
{
	if (!v->sending)
		return;
	ev_timer_stop(v->gateway->lab->loop, &v->sending->timer);
	buffer_clear(&v->sending->bytes);
	free(v->sending);
	v->sending = NULL;
}
