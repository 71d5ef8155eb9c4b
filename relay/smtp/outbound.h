/*
 * The client's side of SMTP as a pure table: bytes of the server or events
 * come in, bytes wait in outbound_out(), and each call says what the
 * session wants next.  It sees no connection, no clock, no disk.  The
 * carrier does what is wanted and reports back; relay/client.h is the one
 * for delivery, the probe is another.
 *
 * Nothing of a message leaves before tls_judge() said JUDGE_DELIVER to
 * what the wire proved (or to plaintext), whatever the carrier does.
 */
#ifndef RELAY_SMTP_OUTBOUND_H
#define RELAY_SMTP_OUTBOUND_H

#include "queue/envelope.h"
#include "queue/result.h"
#include "relay/smtp/offer.h"
#include "relay/smtp/reply.h"
#include "tls/policy.h"

struct outbound;

/* Bytes of the server may be given to outbound_input() at any moment
 * except while TLS is wanted; what it does not use it wants again later. */
enum outbound_want {
	OUTBOUND_INPUT, /* bytes, for outbound_wait() seconds at most */
	OUTBOUND_TLS,   /* a handshake; then outbound_secured() or _lost() */
	OUTBOUND_BODY,  /* the message's next piece: outbound_body() */
	OUTBOUND_IDLE,  /* free for a message: outbound_deliver() */
	OUTBOUND_CLOSE, /* over; what waits in `out` may still be sent */
};

/* Why it is over. */
enum outbound_end {
	OUTBOUND_RUNS,
	OUTBOUND_DONE,      /* nobody's fault, as when a kept connection died
	                     * before it took anything: what is still open
	                     * goes to the same host by a new one */
	OUTBOUND_HOST,      /* the host is at fault: the next one */
	OUTBOUND_UNMET,     /* its TLS does not meet the demand: the next */
	OUTBOUND_PLAINTEXT, /* the judge allows plaintext: the same host, a
	                     * new connection, is_plaintext */
};

/* Why TLS was not to be had, where the judge allows plaintext. */
struct outbound_excuse {
	enum tls_trouble trouble;
	char detail[256];
};

/* What a session got past, for those who measure. */
enum outbound_stage {
	OUTBOUND_CONNECTED,
	OUTBOUND_GREETED,
	OUTBOUND_HELLO,     /* EHLO or HELO, each time */
	OUTBOUND_STARTTLS,
	OUTBOUND_SHAKEN,    /* not judged yet */
	OUTBOUND_AUTH,      /* each step */
	OUTBOUND_MAIL,
	OUTBOUND_RCPT,
	OUTBOUND_OTHER,
};

struct outbound_event {
	enum outbound_stage stage;
	const struct reply *reply;     /* good or bad; NULL where none came */
	const struct tls_facts *facts; /* SHAKEN */
};

/* Borrowed for the call, in which nothing may be asked of the session. */
typedef void outbound_trace(void *arg, const struct outbound_event *event);

/* All borrowed until outbound_free(). */
struct outbound_settings {
	const struct conf *conf;      /* hostname and timeouts */
	const struct demand *demand;
	const struct demand *would;   /* a dry run's, told and without any
	                               * bearing; NULL: none */
	const char *host;             /* for results: "name[addr]:port" */
	bool is_tls_first;
	bool is_plaintext;            /* after OUTBOUND_PLAINTEXT */
	const struct outbound_excuse *excuse; /* of the session before, told
	                               * beside this one's plaintext; may be
	                               * NULL */
	bool stops_after_shake;       /* a probe: QUIT once judged */
	bool stops_after_rcpt;        /* a probe: step by step up to RCPT,
	                               * whose reply is the result; then RSET.
	                               * DATA and BDAT are never sent */
	outbound_trace *trace;        /* may be NULL */
	void *trace_arg;
};

enum recipient_state {
	RECIPIENT_OPEN,
	RECIPIENT_LACKING, /* its result holds if no other host can do more */
	RECIPIENT_DONE,    /* its result is final for this attempt */
};

/* A message on its way; borrowed until IDLE or CLOSE. */
struct delivery {
	const struct envelope *envelope;
	struct result *results;       /* one per recipient */
	enum recipient_state *states; /* one per recipient */
};

enum { OUTBOUND_RECIPIENTS_MAX = 100 }; /* RFC 5321 4.5.3.1.8 */

struct outbound *outbound_new(const struct outbound_settings *settings);
void outbound_free(struct outbound *session);

/* The connection stands. */
enum outbound_want outbound_start(struct outbound *session);
enum outbound_want outbound_input(struct outbound *session, struct view bytes,
				  size_t *used);
/* The handshake is done; the facts are judged at once. */
enum outbound_want outbound_secured(struct outbound *session,
				    const struct tls_facts *facts);

enum outbound_loss { LOST_CLOSED, LOST_FAILED, LOST_TIMEOUT };
/* The connection or its handshake is no more; `unread` is what it left, in
 * which an early refusal of a message may stand. */
enum outbound_want outbound_lost(struct outbound *session,
				 enum outbound_loss loss, const char *detail,
				 struct view unread);

/* When IDLE. Recipients that are DONE are left alone. */
enum outbound_want outbound_deliver(struct outbound *session,
				    struct delivery *delivery);
/* When BODY is wanted: the message from its start, piece by piece; a
 * transaction that follows in the same delivery begins anew. */
enum outbound_want outbound_body(struct outbound *session, struct view bytes,
				 bool is_last);
/* The body cannot be read: the message stays here, the session ends. */
enum outbound_want outbound_body_failed(struct outbound *session,
					const char *why);
/* When IDLE: says goodbye. */
enum outbound_want outbound_quit(struct outbound *session);

/* Bytes to send; the carrier consumes them. */
struct buffer *outbound_out(struct outbound *session);
/* They hold a secret: wipe them once they are handed on. */
bool outbound_is_secret(const struct outbound *session);
/* How long the present step may last, in seconds; a changed turn means
 * that a new step began and the time starts anew. */
uint32_t outbound_wait(const struct outbound *session);
uint64_t outbound_turn(const struct outbound *session);

enum outbound_end outbound_end(const struct outbound *session);
/* HOST, UNMET, PLAINTEXT: what was wrong, as a deferral. */
const struct result *outbound_trouble(const struct outbound *session);
/* PLAINTEXT: for the session that follows; else without meaning. */
const struct outbound_excuse *outbound_excuse(const struct outbound *session);
/* The last judgement; NULL: none yet. */
const struct judgement *outbound_judgement(const struct outbound *session);
/* What the dry run says; NULL: there is none, or nothing was judged. */
const struct judgement *outbound_would(const struct outbound *session);
/* The words for it, as results carry them. */
const struct proof *outbound_proof(const struct outbound *session);
const struct offer *outbound_offer(const struct outbound *session);
/* The credentials were refused or could not be used: worth an alarm. */
bool outbound_auth_failed(const struct outbound *session);
/* The end of a message was sent and is not answered yet: breaking off now
 * may deliver it twice. */
bool outbound_is_committed(const struct outbound *session);
/* The step that is waited for, for people: "the reply to MAIL". */
const char *outbound_step(const struct outbound *session);

#endif
