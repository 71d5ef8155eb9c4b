/*
 * What became of one recipient in one attempt.  Always this struct, from
 * the wire to the log line, the store and the report.
 */
#ifndef QUEUE_RESULT_H
#define QUEUE_RESULT_H

#include <stdbool.h>

#include "queue/proof.h"

enum outcome { OUTCOME_DELIVERED, OUTCOME_DEFERRED, OUTCOME_FAILED };

/* Who is blamed decides who backs off: a host its lane, a message or a
 * recipient only itself. */
enum blame { BLAME_NONE, BLAME_HOST, BLAME_MESSAGE, BLAME_RECIPIENT };

enum { RESULT_TEXT_MAX = 500, RESULT_HOST_MAX = 256 };

struct result {
	enum outcome outcome;
	enum blame blame;
	int reply_code;           /* 0: no reply was involved */
	char status[12];          /* "2.0.0", "4.7.5", ... RFC 3463 */
	char text[RESULT_TEXT_MAX]; /* the reply, or our reason; one line,
	                             * escaped */
	char host[RESULT_HOST_MAX]; /* "mx5.de.tuv.com[192.0.2.1]:25", "" */
	struct proof proof;       /* of the host's TLS */
	bool is_unmet;            /* what the policy demands of TLS was not met:
	                           * with a better host it would have gone */
	bool hop_has_dsn;         /* the next hop offered DSN (RFC 3461) */
};

/* Sets these four and leaves the rest (zero it first): the text as one
 * line, escaped and bounded. */
void result_set(struct result *result, enum outcome outcome, enum blame blame,
		const char *status, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* As result_set(), where everything in it is our own words or was escaped
 * before: nothing is escaped twice. */
void result_retell(struct result *result, enum outcome outcome,
		   enum blame blame, const char *status, const char *format,
		   ...) __attribute__((format(printf, 5, 6)));

#endif
