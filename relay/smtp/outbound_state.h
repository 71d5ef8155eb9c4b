/*
 * Shared by the rooms of the outbound session and by nobody else: the
 * session's state and its table.  outbound.c drives, opening.c leads from
 * the greeting to IDLE, sending.c from MAIL to the last reply,
 * outcome.c turns replies and losses into results.
 */
#ifndef RELAY_SMTP_OUTBOUND_STATE_H
#define RELAY_SMTP_OUTBOUND_STATE_H

#include "relay/smtp/dotter.h"
#include "relay/smtp/outbound.h"
#include "relay/smtp/reply.h"

enum state {
	BANNER, EHLO, HELO, STARTTLS, SHAKE,
	PLAIN, LOGIN, LOGIN_USER, LOGIN_PASSWORD,
	IDLE, RSET, MAIL, RCPT, CLEAR, DATA, BODY, DOT, CHUNK,
};

struct cursor {
	enum state state;
	size_t index; /* of the recipient or the chunk */
};

/* One MAIL and what belongs to it; temporary by nature. */
struct transaction {
	size_t batch[OUTBOUND_RECIPIENTS_MAX]; /* indices of recipients */
	bool is_accepted[OUTBOUND_RECIPIENTS_MAX];
	size_t count, accepted;
	size_t chunks;     /* asked so far */
	bool uses_chunks;  /* BDAT (RFC 3030) in place of DATA */
	bool is_dead;      /* nobody will get it: ask no more */
	bool is_sent;      /* its end was asked: it may be taken */
	struct dotter dotter;
};

struct outbound {
	struct outbound_settings set;
	struct cursor asked, answered;
	uint64_t turn;
	struct reply reply;
	size_t unread;     /* bytes behind the reply that is being judged */
	struct offer offer;
	struct buffer out;
	bool is_secret;
	bool is_secure, is_judged, may_send, auth_failed;
	struct judgement judgement;
	struct judgement would; /* of the dry run; nothing is decided by it */
	struct outbound_excuse excuse; /* for the session in plaintext */
	struct proof proof;
	struct delivery *delivery;
	struct transaction transaction;
	uint64_t messages; /* deliveries that came to their end */
	bool has_answer;   /* the server answered within this delivery */
	bool is_dirty;     /* RSET is due before the next MAIL */
	enum outbound_end end;
	struct result trouble;
};

struct row {
	const char *name; /* what is waited for */
	/* Writes the command; NULL: not a step that can just be asked. */
	void (*compose)(struct outbound *s);
	size_t wait;      /* at most: offset of a timeout in struct conf */
	char goes_on;     /* class of reply, 2 or 3 */
	enum state next;
	enum blame blame; /* who is at fault for 4xx and 5xx */
	bool pipelines;   /* may be asked while others are in flight */
	/* What a reply means beyond going to the next step. */
	void (*good)(struct outbound *s);
	void (*refused)(struct outbound *s);
};

extern const struct row outbound_rows[];

bool outbound_is_in_flight(const struct outbound *s);
/* The one way to another part of the table; nothing is in flight then. */
void outbound_go(struct outbound *s, enum state state);
void outbound_finish(struct outbound *s, enum outbound_end end);

/* Host and proof stand in every result, whoever is at fault. */
void outcome_sign(const struct outbound *s, struct result *result);
/* The reply becomes the result of those that the transaction's RCPT
 * accepted, or of one recipient, or of all that are open. */
void outcome_accepted(struct outbound *s, enum blame blame);
void outcome_recipient(struct outbound *s, size_t recipient,
		       enum blame blame);
void outcome_open(struct outbound *s, enum blame blame);
/* The same result for all that are still open. */
void outcome_settle(struct outbound *s, const struct result *result,
		    enum recipient_state state);
/* Ends the session: `trouble` is set, by a reply, by broken protocol. */
void outcome_host_failed(struct outbound *s);
void outcome_host_refused(struct outbound *s);
void outcome_host_broken(struct outbound *s, const char *what);
/* The connection is gone. */
void outcome_lost(struct outbound *s, enum outbound_loss loss,
		  const char *detail, struct view unread);

/* The table's actions, named after its rows. */
#define ACTION(name) void name(struct outbound *s)
ACTION(opening_compose_nothing);
ACTION(opening_compose_ehlo);
ACTION(opening_compose_helo);
ACTION(opening_compose_starttls);
ACTION(opening_compose_plain);
ACTION(opening_compose_login);
ACTION(opening_compose_user);
ACTION(opening_compose_password);
ACTION(opening_ehlo_good);
ACTION(opening_ehlo_refused);
ACTION(opening_helo_good);
ACTION(opening_starttls_good);
ACTION(opening_starttls_refused);
ACTION(opening_auth_good);
ACTION(opening_auth_refused);
ACTION(sending_compose_rset);
ACTION(sending_compose_mail);
ACTION(sending_compose_rcpt);
ACTION(sending_compose_data);
ACTION(sending_compose_dot);
ACTION(sending_rset_good);
ACTION(sending_mail_good);
ACTION(sending_mail_refused);
ACTION(sending_rcpt_good);
ACTION(sending_rcpt_refused);
ACTION(sending_clear_answered);
ACTION(sending_data_good);
ACTION(sending_data_refused);
ACTION(sending_dot_answered);
ACTION(sending_chunk_answered);
#undef ACTION

/* The handshake is done: judges; true when the session goes on. */
bool opening_secured(struct outbound *s, const struct tls_facts *facts);
/* A reply to credentials that repeats them loses its text: it must not reach
 * a log or a report. */
void opening_hush(struct outbound *s);
void opening_tls_failed(struct outbound *s, enum tls_trouble trouble,
			const char *detail);

void sending_start(struct outbound *s);
/* To the step behind this one. */
void sending_advance(const struct outbound *s, struct cursor *cursor);
/* A piece of the body, as DATA or as a chunk. */
void sending_body(struct outbound *s, struct view bytes, bool is_last);

#endif
