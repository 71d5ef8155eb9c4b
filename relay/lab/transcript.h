/*
 * What was said in each session, as a text file of its own beside the
 * Maildir: `sessions/ID.txt` in the store's folder.
 *
 *     0.000 S: 220 mx5.de.tuv.com ESMTP Postern
 *     0.001 C: EHLO client.example
 *     0.004 -- TLSv1.3 TLS_AES_128_GCM_SHA256, ...
 *
 * Seconds since the session began; S: what we said, C: what was heard, --
 * what happened.  Foreign bytes are escaped; bodies stand there as their
 * size, and secrets not at all (command_shown()).  A file ends at TRANSCRIPT_MAX bytes, and of the files the last
 * TRANSCRIPTS_KEPT stay.  A disk that fails costs transcripts, not mail.
 */
#ifndef RELAY_LAB_TRANSCRIPT_H
#define RELAY_LAB_TRANSCRIPT_H

#include "conf/bytes.h"
#include "conf/error.h"

struct transcripts;
struct transcript;

enum {
	TRANSCRIPTS_KEPT = 1000,
	TRANSCRIPT_MAX = 64 * 1024,
	TRANSCRIPT_LINE_MAX = 2048,
};

#define TRANSCRIPTS_FOLDER "sessions"

/* Makes the folder where it is missing.  `kept` is TRANSCRIPTS_KEPT but for
 * tests.  NULL with the reason. */
struct transcripts *transcripts_open(const char *store, unsigned kept,
				     struct error *error);
/* After every transcript. */
void transcripts_close(struct transcripts *transcripts);

/* A file of its own; never NULL.  Times are steady seconds. */
struct transcript *transcript_new(struct transcripts *transcripts,
				  double now);
void transcript_free(struct transcript *t);
/* Letters, digits and hyphens, sorted as the sessions began. */
const char *transcript_id(const struct transcript *t);

/* A line without its end. */
void transcript_heard(struct transcript *t, struct view line, double now);
/* Whole lines with their ends. */
void transcript_said(struct transcript *t, struct view lines, double now);
void transcript_note(struct transcript *t, double now, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
