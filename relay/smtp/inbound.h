/*
 * The server's side of one SMTP session (RFC 5321).  Pure: bytes or an
 * event go in, replies are appended to `out`, and the return value says
 * what the session wants next.  It never sees a connection, a clock or the
 * store; the carrier (relay/server.c, or a test) does what is wanted and
 * reports back.
 *
 *   inbound_open                          -> AGAIN, or TLS
 *   inbound_step(input)                   -> what the bytes lead to
 *   BEGIN  open a message,  inbound_begun -> BODY (the trace lines)
 *   BODY   append inbound_body(), step again
 *   COMMIT commit inbound_envelope(), wait, inbound_settled -> AGAIN
 */
#ifndef RELAY_SMTP_INBOUND_H
#define RELAY_SMTP_INBOUND_H

#include "conf/conf.h"
#include "queue/envelope.h"
#include "tls/facts.h"
#include "tls/policy.h"

struct inbound;

enum inbound_want {
	INBOUND_AGAIN,  /* step again at once, with what is left of the input */
	INBOUND_INPUT,  /* step again when more bytes have come */
	INBOUND_TLS,    /* handshake, then inbound_secured(); what was said
	                 * goes out before */
	INBOUND_BEGIN,  /* inbound_begun() */
	INBOUND_BODY,   /* append inbound_body() before the input is consumed,
	                 * then step again */
	INBOUND_COMMIT, /* take inbound_envelope(); then inbound_settled() */
	INBOUND_ABORT,  /* drop the open message, then step again */
	INBOUND_CLOSE,  /* what was said goes out, then the end; an open
	                 * message is dropped */
};

struct inbound_settings {
	const struct conf *conf;         /* outlives the session */
	const struct listener *listener; /* likewise */
	struct net_address client;
	bool offers_tls;                 /* a certificate is at hand */
	bool accepts_everything;         /* the lab: every recipient is ours */
	/* May a message of that size (0: unknown) be begun? */
	bool (*has_room)(void *store, uint64_t size);
	/* What is larger will never fit (NULL: all may), whatever message-size
	 * says: it is refused for good, 552. */
	uint64_t (*largest)(void *store);
	void *store;
	/* Is this client, over its TLS, the partner that the policy speaks of?
	 * Asked at MAIL where the sender's policy has `inbound`. */
	void (*judge)(void *judge_arg, const struct policy *policy,
		      struct judgement *out);
	void *judge_arg;
	struct buffer *out;              /* replies; the carrier's */
};

struct inbound *inbound_new(const struct inbound_settings *settings);
void inbound_free(struct inbound *s);

/* The connection stands: greets, or wants TLS where it comes first. */
enum inbound_want inbound_open(struct inbound *s);
/* Does at most one command, or takes one piece of a body. */
enum inbound_want inbound_step(struct inbound *s, struct view input,
			       size_t *used);
/* The handshake is done; the facts live as long as the session. */
enum inbound_want inbound_secured(struct inbound *s,
				  const struct tls_facts *facts);
/* The store holds a message open under this id; `now` is UTC seconds. */
enum inbound_want inbound_begun(struct inbound *s, const char *id,
				int64_t now);

enum inbound_fate {
	INBOUND_STORED,  /* durable: 250, here and nowhere else */
	INBOUND_NO_ROOM, /* 452 */
	INBOUND_FAILED,  /* 451 */
};
/* What became of the message: after COMMIT, or before it when the store
 * gave up while the body was still coming. */
enum inbound_want inbound_settled(struct inbound *s, enum inbound_fate fate);

/* The client took too long. */
enum inbound_want inbound_timeout(struct inbound *s);
/* The relay stops: at once between transactions, else after this one. */
enum inbound_want inbound_stop(struct inbound *s);

/* With BODY: borrowed until the next call. */
struct view inbound_body(const struct inbound *s);
/* With COMMIT: the caller takes it; id, size and times are the store's. */
struct envelope *inbound_envelope(struct inbound *s);

/* Whether octets of a body are awaited (other deadlines than commands). */
bool inbound_in_body(const struct inbound *s);
/* Whether a handshake is. */
bool inbound_in_handshake(const struct inbound *s);
/* Counts what was carried through; a carrier sees by it whether a command
 * was completed. */
unsigned inbound_progress(const struct inbound *s);

/* Of the last call: the command that was refused by a 5xx or by policy, as
 * it may be shown (borrowed from the input); its answer is the last line in
 * `out`.  False when nothing was refused. */
bool inbound_refused(const struct inbound *s, struct view *command);

/* For the log, while a transaction is open. */
struct inbound_story {
	const char *protocol;
	const char *sender;
	const char *recipient;   /* the only one, else NULL */
	size_t recipient_count;
};
struct inbound_story inbound_story(const struct inbound *s);
/* As the client said it; "" before it did. */
const char *inbound_helo(const struct inbound *s);

#endif
