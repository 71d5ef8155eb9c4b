/*
 * What happens at the lab's gateways, in memory: the sessions as they go,
 * and counters for each gateway.  Pure; times are given, UTC milliseconds.
 * Sessions that are open stay; of those that are over the last ones stay,
 * the oldest are forgotten.  Texts are escaped and bounded here, so that
 * what reads the journal may show them as they are (as text, not as HTML).
 */
#ifndef RELAY_LAB_JOURNAL_H
#define RELAY_LAB_JOURNAL_H

#include "conf/net.h"
#include "queue/envelope.h"
#include "tls/facts.h"

struct journal;

enum {
	JOURNAL_KEPT = 500,     /* sessions that are over */
	JOURNAL_ID_MAX = 32,
	JOURNAL_TEXT_MAX = 256,
	JOURNAL_FAULTS_MAX = 16, /* of a session that are named */
	JOURNAL_MESSAGES_MAX = 16,
};

/* Totals since the start. */
struct journal_gateway {
	struct journal_gateway *next; /* in the order of adding */
	char *name;
	unsigned open;          /* sessions at this moment */
	uint64_t connections;
	uint64_t handshakes;    /* that went well */
	uint64_t messages;      /* stored */
	uint64_t refusals;      /* replies of 4xx and 5xx */
	uint64_t faults;        /* that were played */
};

enum journal_state {
	JOURNAL_GREETING,
	JOURNAL_COMMANDS,
	JOURNAL_HANDSHAKE,
	JOURNAL_BODY,
	JOURNAL_OVER,
};

struct journal_session {
	struct journal *journal;
	struct journal_session *older, *newer;
	struct journal_gateway *gateway;
	char id[JOURNAL_ID_MAX];       /* its transcript bears it */
	char client[NET_TEXT_MAX];     /* with its port */
	int64_t began, ended;          /* ended 0: it is open */
	enum journal_state state;
	char helo[JOURNAL_TEXT_MAX];   /* "": not said */
	char command[JOURNAL_TEXT_MAX]; /* the last one */
	char reply[JOURNAL_TEXT_MAX];   /* its last line */
	char outcome[JOURNAL_TEXT_MAX]; /* how it ended */
	bool is_tls;
	char version[16], cipher[64];
	char sni[JOURNAL_TEXT_MAX];
	char peer[JOURNAL_TEXT_MAX];   /* the client's certificate: its
	                                * subject; "": none was shown */
	char fingerprint[65];          /* and its SHA-256 */
	unsigned commands, refusals;
	unsigned message_count;        /* all of them */
	char messages[JOURNAL_MESSAGES_MAX][MESSAGE_ID_LEN + 1]; /* the last */
	unsigned fault_count;          /* all that were played */
	char faults[JOURNAL_FAULTS_MAX][40]; /* different ones, in order */
	unsigned fault_names;
};

/* `kept`: how many sessions that are over stay; JOURNAL_KEPT is usual. */
struct journal *journal_new(unsigned kept);
void journal_free(struct journal *journal);
/* Grows with whatever changes: who saw it may skip what did not. */
uint64_t journal_changes(const struct journal *journal);

/* The gateway of that name, added when there is none. */
struct journal_gateway *journal_gateway(struct journal *journal,
					const char *name);
/* The first; NULL: none. */
const struct journal_gateway *journal_gateways(const struct journal *journal);

/* From the newest, by `older`. */
const struct journal_session *journal_newest(const struct journal *journal);
/* By its id; NULL: never was, or is forgotten. */
const struct journal_session *journal_find(const struct journal *journal,
					   const char *id);
const char *journal_state_word(enum journal_state state);

/* --- what happens ----------------------------------------------------- */

/* Stays valid up to journal_close(). */
struct journal_session *journal_open(struct journal *journal,
				     struct journal_gateway *gateway,
				     const char *id, int64_t now);
void journal_state(struct journal_session *s, enum journal_state state);
/* A command without its CRLF, as it may be shown (no secrets). */
void journal_heard(struct journal_session *s, struct view line);
void journal_named(struct journal_session *s, const char *helo);
/* One or more replies; all are counted, the last line is kept. */
void journal_said(struct journal_session *s, struct view replies);
void journal_secured(struct journal_session *s, const struct tls_facts *facts);
void journal_stored(struct journal_session *s, const char *id);
void journal_played(struct journal_session *s, const char *fault);
/* May forget the session. */
void journal_close(struct journal_session *s, const char *outcome,
		   int64_t now);

#endif
