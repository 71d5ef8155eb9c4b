/*
 * Dialogs with the server session, written as they read on the wire, and
 * played whole, cut in two at every byte, and byte by byte: each time
 * what the session says and what reaches the store must be the same.
 *
 *   "C: MAIL FROM:<a@b>"   the client's line, CRLF is added
 *   "R: a%0ab"             the client's bytes as they are, %XX decoded
 *   "S: 250 2.1.0 Ok"      the server's line; a final * matches any rest
 *   "T: begin"             begin, trace, abort, tls, close, commit, full
 *   "B: Subject: hi"       a line of the body, seen at the commit
 *   "E: secured"           the carrier: secured, timeout, stop, stored,
 *                          no-room, failed
 */
#ifndef TESTS_UNIT_DIALOG_H
#define TESTS_UNIT_DIALOG_H

#include "conf/conf.h"

struct dialog {
	const char *name;
	enum listen_tls tls;
	const char *client;     /* address; NULL: 127.0.0.1, who may relay */
	const char *postmaster; /* the option; NULL: not set */
	bool has_certificate;
	bool normalises_newlines;
	bool accepts_everything;
	bool waits_for_store;   /* no "stored" by itself after a commit */
	bool is_full;           /* the spool */
	enum inbound_tls inbound; /* of the policy for *.partner.example */
	bool is_partner;        /* what the judge says of the client */
	bool shows_trace;       /* T: trace with the trace lines */
	bool is_uncut;          /* what is pipelined is the very point */
	uint64_t max_message;   /* 0: 100000 */
	uint64_t largest;       /* that the store can hold; 0: any */
	uint32_t max_recipients, max_errors, max_hops, max_line; /* 0: large */
	const char *lines[64];
};

/* Plays one dialog in every cut and fails the test where a transcript is
 * not the expected one. */
void dialog_play(const struct dialog *dialog);
/* In every cut exactly one message comes to a commit, and a line of its
 * body ends in `text`; replies are not compared. */
void dialog_stores_one(const struct dialog *dialog, const char *text);

#endif
