/*
 * What the gateways of partners presented: one entry for each gateway of a
 * policy that judges certificates.  Pure: entries, their text, and how new
 * sightings change them.  The clock is an argument; all times are seconds,
 * UTC.
 */
#ifndef RELAY_CERTBOOK_H
#define RELAY_CERTBOOK_H

#include "conf/bytes.h"

enum {
	CERTBOOK_MAX = 4096,       /* entries; who was not seen for longest
	                            * gives way */
	CERTBOOK_NAMES_MAX = 512,
	CERTBOOK_FLIPS_TOLD = 2,   /* then it is known to have two */
};

struct certbook_entry {
	char policy[256];          /* its title; with the host the key */
	char host[256];            /* "mx5.de.tuv.com[192.0.2.1]:25" */
	/* the certificate; "" and 0 while none was presented */
	char sha256[72], previous[72]; /* "sha256:..."; of the one before */
	char pin[72];
	char issuer[80];
	char names[CERTBOOK_NAMES_MAX]; /* with blanks between; cut at one */
	int64_t not_before, not_after;
	int64_t first_seen, last_seen;
	char verdict[28];          /* of the last judgement: "deliver", or its
	                            * reason code */
	uint64_t changes;          /* of certificate, so far */
	unsigned flips;            /* of these the last ones, that only went
	                            * back to the one before, within a day */
	unsigned warned;           /* of its end: 30, 7, 1 days; 0: not yet */
	/* a dry run: messages that were delivered and would not have been,
	 * and why the last one */
	uint64_t would_failed;
	char would[28];
};

struct certbook {
	struct certbook_entry *entries;
	size_t count;
};

enum { CERTBOOK_TEXT_MAX = 560 };

/* What differs, in words: "certificate changed: another key; ends
 * 2027-03-01, before 2026-03-01". */
void certbook_change_text(const struct certbook_entry *old,
			  const struct certbook_entry *now,
			  char out[CERTBOOK_TEXT_MAX]);

enum certbook_news {
	CERTBOOK_CHANGED, /* `old` and `now`: another certificate */
	CERTBOOK_ENDS,    /* `now` ends in now->warned days or less */
};
typedef void certbook_say(void *arg, enum certbook_news news,
			  const struct certbook_entry *old,
			  const struct certbook_entry *now);

void certbook_clear(struct certbook *book);
/* The entry with that key, or NULL. */
struct certbook_entry *certbook_find(const struct certbook *book,
				     const char *policy, const char *host);
/* The same, made when there is none. May move all entries. */
struct certbook_entry *certbook_get(struct certbook *book, const char *policy,
				    const char *host);

/* Adds what the text holds; the number of lines that mean nothing. */
size_t certbook_read(struct certbook *book, struct view text);
void certbook_write(const struct certbook *book, struct buffer *out);

/* Whole days until the certificate ends; negative when it has. */
int64_t certbook_days_left(const struct certbook_entry *entry, int64_t now);
/* Enters sightings (their counts are what came since the last time), tells
 * of changes and of certificates that end soon, each once.  Machines behind
 * one address may present two certificates by turns, as during a renewal:
 * that is told CERTBOOK_FLIPS_TOLD times. */
void certbook_merge(struct certbook *book, const struct certbook *sightings,
		    int64_t now, certbook_say *say, void *arg);

#endif
