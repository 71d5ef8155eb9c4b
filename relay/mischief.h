/*
 * What a lab does to inbound sessions and a relay never does: a table of
 * verbs that the carrier (session.c) asks at the few places where a session
 * can go wrong.  The relay's server has no table, so that none of this can
 * happen there.  Every verb may be NULL.
 *
 * `visit` is what enter() made for one session; all else is borrowed for the
 * call.  Replies and raw bytes are appended to `out`.
 */
#ifndef RELAY_MISCHIEF_H
#define RELAY_MISCHIEF_H

#include "conf/net.h"
#include "tls/context.h"
#include "tls/facts.h"

struct conn;
struct session;

enum mischief_turn {
	MISCHIEF_GO,       /* as a relay would */
	MISCHIEF_ANSWERED, /* `out` holds the answer; the protocol never sees
			    * what was asked */
	MISCHIEF_HELD,     /* nothing, until session_resume(): then the same
			    * is asked again */
	MISCHIEF_CLOSE,    /* what was said goes out, then the end */
	MISCHIEF_CUT,      /* likewise, and without close_notify */
};

enum mischief_place {
	MISCHIEF_GREETING, /* before it; the line is empty */
	MISCHIEF_COMMAND,  /* a line has come, without its CRLF */
	MISCHIEF_DOT,      /* a body is complete and not yet committed; the
			    * line is empty.  ANSWERED drops the message */
};

struct mischief_verbs {
	/* A client was let in, and has gone. */
	void *(*enter)(void *owner, struct session *session,
		       const struct net_address *client);
	void (*leave)(void *visit);
	/* The certificate of this session; NULL: no TLS is offered. */
	struct tls_context *(*context)(void *visit, struct tls_context *usual);
	/* Where its messages go. */
	void *(*store)(void *visit, void *usual);

	/* Before the protocol does something. */
	enum mischief_turn (*before)(void *visit, enum mischief_place place,
				     struct view line, struct buffer *out);
	/* The protocol has answered: what stands in `out` from `said` on, which
	 * may be changed.  GO, CLOSE or CUT. */
	enum mischief_turn (*after)(void *visit, struct buffer *out,
				    size_t said);
	/* So many bytes of a body have come. GO, CLOSE or CUT. */
	enum mischief_turn (*body)(void *visit, size_t len);

	/* STARTTLS was asked for, or TLS comes first; the 220 is in `out` and
	 * has not left.  GO; HELD: there will be no TLS, and what the client
	 * sends is shown to hello(). */
	enum mischief_turn (*handshake)(void *visit, struct buffer *out);
	/* All that came in the place of a handshake. HELD, CLOSE or CUT. */
	enum mischief_turn (*hello)(void *visit, struct view hello,
				    struct buffer *out);
	/* The handshake is over; `trouble` says why it failed, or is NULL. */
	void (*secured)(void *visit, const struct tls_facts *facts,
			const char *trouble);

	/* Plaintext came (commands and bodies), for who writes it down. */
	void (*heard)(void *visit, struct view bytes);
	/* Bytes are to leave; true when the verb has seen to it.  Where that
	 * takes time it calls session_hold() before and session_resume()
	 * after. */
	bool (*send)(void *visit, struct conn *conn, struct view bytes);
};

#endif
