/*
 * Reports on delivery (RFC 3464, 3461, 6522; RFC 6533 where addresses or
 * headers are not ASCII).  Pure: composes the whole report, lines ending
 * in CRLF.  One report carries all recipients of one message whose fate
 * was decided together.
 */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H

#include "queue/envelope.h"
#include "queue/result.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_RELAYED };

struct dsn_recipient {
	uint32_t index;        /* in the message's envelope */
	enum dsn_action action;
	struct result result;  /* why; host, reply and proof with it */
};

/* Does RFC 3461 want this told, of this recipient?  The null sender is not
 * asked about here. */
bool dsn_is_wanted(const struct recipient *recipient, enum dsn_action action);

/* What of the original goes along: at most so much of its headers, and the
 * whole of it only up to so much (RET=FULL, failures only). */
enum { DSN_HEADERS_MAX = 32 * 1024, DSN_FULL_MAX = 64 * 1024 };
/* So many recipients are told of in words; all of them in the fields. */
enum { DSN_STORIES_MAX = 50 };
bool dsn_wants_body(const struct envelope *envelope,
		    const struct dsn_recipient *recipients, size_t count);
/* The header fields at the front of a body, whole lines only, bounded. */
struct view dsn_headers(struct view body);

struct dsn {
	const char *id;           /* of the report itself */
	const char *hostname;
	const char *to;           /* whom it goes to */
	int64_t now;              /* UTC seconds */
	int64_t gives_up;         /* UTC seconds; for what is delayed */
	const char *policy;       /* under which it was, in words */
	bool is_double;           /* about a report of our own */
	const struct envelope *envelope;
	const struct dsn_recipient *recipients;
	size_t count;
	struct view original;     /* headers, or all of it when is_full */
	bool is_full;
};

void dsn_compose(struct buffer *out, const struct dsn *dsn);

#endif
