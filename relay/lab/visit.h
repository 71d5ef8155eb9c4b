/*
 * One client's session with a gateway, as the lab sees it: which faults it
 * meets, and what is written down of it.  The table for relay/mischief.h;
 * its verbs are in visit_tls.c (certificates and TLS), visit_smtp.c
 * (commands and replies; which faults they meet is in visit_faults.c) and
 * visit_send.c (how replies leave).
 */
#ifndef RELAY_LAB_VISIT_H
#define RELAY_LAB_VISIT_H

#include "relay/lab/gateway.h"
#include "relay/lab/maildir.h"
#include "relay/mischief.h"

struct journal_session;
struct transcript;

struct visit_path {
	char *address, *params; /* of MAIL or RCPT, owned */
};

/* The transaction at hand. */
struct visit_mail {
	struct visit_path from; /* address NULL: none */
	struct visit_path *to;
	size_t to_count;
	uint64_t size;          /* octets of its body that came */
};

/* How replies leave. */
enum visit_manner {
	MANNER_PLAIN,
	MANNER_SPLIT,
	MANNER_DRIBBLE, /* with pause_ms between two bytes */
	MANNER_ENDLESS, /* what is to be sent is repeated for ever */
};

struct sending;

struct visit {
	struct gateway_at_work *gateway;
	struct session *session;
	struct net_address client;
	struct visit_mail mail;
	struct visit_path said;  /* by the MAIL or RCPT at hand */
	enum fault_step step;    /* of the command at hand */
	char *helo;              /* NULL: not said */
	bool is_esmtp, is_tls;
	bool hides;              /* for command_shown() */
	/* faults that strike later than they were met */
	bool has_paused;         /* before the greeting */
	bool refuses_all;        /* an error was the greeting */
	bool lacks_8bit;         /* 8BITMIME was not offered */
	bool closes_after_dot;
	unsigned late;           /* code of the answer to a chunk; 0: none */
	enum visit_manner manner; /* of what leaves next */
	uint32_t pause_ms;
	struct sending *sending; /* NULL: nothing ever took time */
	enum fault_kind feigned; /* in the place of a handshake */
	bool has_answered;       /* the hello, in that place */
	/* what is written down */
	struct maildir_visitor visitor;
	struct transcript *transcript;
	struct journal_session *journal;
	char outcome[200];       /* "": nothing special */
};

/* For server_settings; its owner is the struct gateway_at_work. */
extern const struct mischief_verbs visit_verbs;

/* --- what is written down (visit_told.c) ------------------------------ */

void visit_begin_telling(struct visit *v);
void visit_end_telling(struct visit *v);
void visit_tell_command(struct visit *v, struct view line);
/* A body is complete. */
void visit_tell_body(struct visit *v);
/* Bytes that leave. */
void visit_tell_replies(struct visit *v, struct view replies);
void visit_tell_handshake(struct visit *v, const struct tls_facts *facts,
			  const char *trouble);
/* A fault was played. */
void visit_tell_fault(struct visit *v, const struct fault *fault);

/* --- the verbs -------------------------------------------------------- */

/* visit_tls.c */
struct tls_context *visit_context(void *visit, struct tls_context *usual);
enum mischief_turn visit_handshake(void *visit, struct buffer *out);
enum mischief_turn visit_hello(void *visit, struct view hello,
			       struct buffer *out);
/* The reply to a dot, once the protocol has said it; before the transaction
 * is forgotten. */
enum mischief_turn visit_truncate(struct visit *v, struct buffer *out,
				  size_t said);

/* visit_smtp.c */
enum mischief_turn visit_before(void *visit, enum mischief_place place,
				struct view line, struct buffer *out);
enum mischief_turn visit_after(void *visit, struct buffer *out, size_t said);
enum mischief_turn visit_body(void *visit, size_t len);
void visit_forget_mail(struct visit *v);

/* visit_faults.c */
/* The fault of that kind that strikes at the step at hand, by the paths that
 * are known; told. NULL: none. FAULT_REPLY stands for all that answer. */
const struct fault *visit_strike(struct visit *v, enum fault_kind kind);
/* By v->step, v->said and v->mail.  A turn that is not GO
 * was told, and its answer is in `out`. */
enum mischief_turn visit_greets(struct visit *v, struct buffer *out);
enum mischief_turn visit_meets_faults(struct visit *v, struct buffer *out);
enum mischief_turn visit_commands(struct visit *v, struct buffer *out);
/* So many octets more. */
enum mischief_turn visit_takes_body(struct visit *v, size_t len);
enum mischief_turn visit_ends_body(struct visit *v, struct buffer *out);
/* The reply from `said` on may change, and how it leaves. */
enum mischief_turn visit_replies(struct visit *v, struct buffer *out,
				 size_t said);

/* visit_send.c */
bool visit_send(void *visit, struct conn *conn, struct view bytes);
/* The session, which is to be held, goes on after so long. */
void visit_pause(struct visit *v, double seconds);
void visit_stop_sending(struct visit *v);

#endif
