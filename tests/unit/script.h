/*
 * Servers that speak by a script, for the tests of the client session.
 * Each script is played whole, byte by byte and split at every byte; the
 * outcome must be the same.
 */
#ifndef TESTS_UNIT_SCRIPT_H
#define TESTS_UNIT_SCRIPT_H

#include "relay/smtp/outbound.h"

/* What the server expects next (a prefix of a line, "." for the end of the
 * message, "<tls>" for a handshake) and what it then says; "!close",
 * "!fail", "!timeout" end the connection; a reply may end in such a word. */
struct script_line {
	const char *expect, *reply;
};

enum { SCRIPT_LINES_MAX = 260, SCRIPT_RECIPIENTS_MAX = 250 };

struct script {
	enum tls_level level, would;
	bool is_tls_first, is_plaintext, stops, stops_after_rcpt;
	const struct outbound_excuse *excuse;
	const char *user;
	const char *const *recipients; /* NULL: one */
	size_t recipient_count;
	struct envelope envelope;
	const char *body;
	size_t piece;       /* the body comes in pieces of so many bytes */
	unsigned messages;  /* how often the message is sent; 0: once */
	struct script_line lines[SCRIPT_LINES_MAX];
};

/* What came of it. */
struct seen {
	char sent[16384];   /* commands, one a line; {body} */
	char body[8192];    /* the last message as the server took it */
	enum outbound_end end;
	struct result trouble;
	struct result results[SCRIPT_RECIPIENTS_MAX];
	enum recipient_state states[SCRIPT_RECIPIENTS_MAX];
	bool auth_failed;
	char stages[256];   /* what was traced: "stage:code ..." */
	size_t server_bytes;
};

extern const char *const script_recipient;
/* Short and distinct timeouts, a host name, roots. */
extern const struct conf script_conf;

/* Plays it once. split: how many bytes the client is given first; 0: byte
 * by byte; SIZE_MAX: whole. */
void script_play(const struct script *script, size_t split,
		 struct seen *seen);
/* Plays it in every way; what is returned is overwritten by the next. */
struct seen *script_run(const struct script *script);
/* The recipient is done, with this result. */
void script_check(const struct seen *seen, size_t recipient,
		  enum outcome outcome, enum blame blame, const char *status);

#define GREETING { "", "220 mx.example.org ready\r\n" }
#define PLAIN_EHLO { "EHLO relay.example.net", "250 mx.example.org\r\n" }
#define RICH_EHLO \
	{ "EHLO", "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 1000\r\n" \
		  "250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n" }
#define CHUNK_EHLO \
	{ "EHLO", "250-mx.example.org\r\n250-PIPELINING\r\n" \
		  "250 CHUNKING\r\n" }
#define TLS_EHLO { "EHLO", "250-mx.example.org\r\n250 STARTTLS\r\n" }
#define OK(command) { command, "250 2.0.0 ok\r\n" }

#endif
