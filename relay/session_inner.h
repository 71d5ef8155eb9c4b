/*
 * What the carrier of an inbound session knows, for the files of its room:
 * session.c carries, session_log.c tells, session_mischief.c asks a lab.
 */
#ifndef RELAY_SESSION_INNER_H
#define RELAY_SESSION_INNER_H

#include "relay/pace.h"
#include "relay/session.h"
#include "relay/smtp/inbound.h"
#include "tls/conn.h"

enum rest {
	REST_NONE,
	REST_COMMAND,
	REST_BODY,
	REST_HANDSHAKE,
	REST_STORE, /* commit, or room in the store */
	REST_HELD,  /* by a lab */
};

/* What the log says of a message once it is durable. */
struct receipt {
	char id[MESSAGE_ID_LEN + 1];
	char *from, *to;
	const char *protocol;
	uint64_t size;
};

struct session {
	struct session_settings set;
	void *owner;
	struct conn *conn;
	struct inbound *smtp;
	void *message;            /* open in the store, NULL: none */
	uint64_t size;            /* of what was appended */
	struct receipt *receipt;  /* while it commits */
	struct identity *identity; /* the last that was judged, or NULL */
	struct pace pace;
	unsigned progress;        /* at the last rest */
	enum rest rest;           /* which deadline is set */
	bool is_carrying;
	bool is_committing;
	bool is_behind;           /* the store has no room just now */
	bool awaits_tls;
	bool is_at_end;           /* the client sends no more */
	bool is_gone;             /* the connection failed */
	bool is_closing;
	bool has_news;            /* of the message, not yet told */
	enum intake_event news;
	/* Of a lab's session only. */
	void *visit;
	bool owes_greeting;
	bool owes_commit;
	bool is_held;
	bool is_feigning;         /* held in the place of a handshake */
	bool is_cut;              /* the end has no close_notify */
};

/* What a lab wants done at this place; GO where there is none. A hold, a
 * close and a cut are noted in the session. */
enum mischief_turn mischief_ask(struct session *s, enum mischief_place place,
				struct view line);
/* Before a command: true when the lab has dealt with it. */
bool mischief_waylays(struct session *s);
/* Bytes were taken from the input, of a body or not. */
void mischief_hears(struct session *s, struct view bytes, bool is_body);
/* The protocol's answer begins at `said`. */
void mischief_reviews(struct session *s, size_t said);
/* True when there will be no handshake. */
bool mischief_feigns(struct session *s);
/* What came in the place of a handshake. */
void mischief_plays(struct session *s);
/* True when the bytes need not be sent. */
bool mischief_sends(struct session *s, struct view bytes);
void mischief_told(struct session *s, const char *trouble);

void session_log_accepted(const struct session *s);
/* A command that the protocol refused: its answer begins at `said` in the
 * output. Nothing where nothing was refused. */
void session_log_refused(const struct session *s, size_t said);
void session_log_trouble(const struct session *s, const char *what,
			 const char *reason);

#endif
