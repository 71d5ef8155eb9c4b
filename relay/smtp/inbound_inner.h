/*
 * Inside the server session, for its own three files alone: the states,
 * what is remembered, and the actions that the table in inbound.c names.
 * An action that goes well returns true, and the table says what follows;
 * one that refuses says so to the client, returns false and may set the
 * state itself.
 */
#ifndef RELAY_SMTP_INBOUND_INNER_H
#define RELAY_SMTP_INBOUND_INNER_H

#include "relay/smtp/answer.h"
#include "relay/smtp/inbound.h"
#include "relay/smtp/line.h"
#include "relay/smtp/transaction.h"

enum state {
	NEW,    /* not greeted */
	START,  /* greeted, or fresh from a handshake: who is there? */
	READY,  /* between transactions */
	MAIL,   /* a sender, no recipient yet */
	RCPT,   /* recipients */
	CHUNKS, /* between two BDAT */
	DATA,   /* in the body, up to the dot */
	CHUNK,  /* in the body, a counted piece */
	SKIP,   /* in a refused BDAT's octets */
	SHAKE,  /* the handshake is under way */
	COMMIT, /* the store is making it durable */
	CLOSED,
	KEEP,   /* in the table: no change */
};

struct inbound {
	struct inbound_settings set;
	const struct tls_facts *facts; /* NULL: in the clear */
	char *helo;                    /* NULL: not said */
	struct transaction *t;         /* NULL: none */
	struct view body;
	struct view command;           /* of this step, as it may be shown */
	struct line_reader line;
	const struct answer *late;     /* for SKIP */
	uint64_t skip;
	unsigned progress, errors, idle_commands;
	unsigned char state;
	unsigned char back;            /* from SKIP */
	bool is_esmtp, is_trusted, is_stopping;
	bool is_refused;               /* in this step */
	bool drops_message;            /* the carrier is to be told */
	bool bytes_behind;             /* input behind this command */
	bool hides;                    /* for command_shown() */
	char id[MESSAGE_ID_LEN + 1];   /* of the message in COMMIT */
};

extern const struct answer inbound_disorder, inbound_unnamed,
	inbound_tls_first, inbound_too_long;

/* Bytes of the largest message that is taken; 0: any. */
uint64_t inbound_max_size(const struct inbound *s);
/* One reply; what the text holds beyond ASCII becomes '?'. */
void inbound_say(struct inbound *s, int code, const char *status,
		 const char *text);
/* A reply that refuses, counted where it is the client's fault.  False, so
 * that actions can end with it. */
bool inbound_refuse(struct inbound *s, const struct answer *answer);
/* 421. */
void inbound_say_closing(struct inbound *s, const char *status,
			 const char *why);
/* Forgets the transaction; a message that the store holds open for it is
 * to be dropped by the carrier. */
void inbound_end_transaction(struct inbound *s);

typedef bool inbound_action(struct inbound *s, struct view argument);

/* inbound_hello.c */
inbound_action inbound_do_open, inbound_do_helo, inbound_do_ehlo,
	inbound_do_starttls, inbound_do_secured, inbound_do_rset,
	inbound_do_noop, inbound_do_vrfy, inbound_do_help, inbound_do_quit,
	inbound_do_absent, inbound_do_unknown, inbound_do_foreign,
	inbound_do_timeout, inbound_do_stop;
/* inbound_mail.c */
inbound_action inbound_do_mail, inbound_do_rcpt, inbound_do_data,
	inbound_do_bdat, inbound_do_end, inbound_do_stored, inbound_do_no_room,
	inbound_do_failed;

#endif
