/*
 * A message's envelope, as accepted, and its coding for the store.  Pure.
 * Everything that came from the wire is length-prefixed when stored; an
 * envelope never changes after acceptance.
 */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/bytes.h"
#include "conf/error.h"

enum { MESSAGE_ID_LEN = 26 };

/* RFC 3461 4.1; zero: nothing was said. */
enum {
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8,
};

enum dsn_return { RETURN_UNSAID, RETURN_FULL, RETURN_HEADERS };

struct recipient {
	char *address;     /* local@domain, as it is to be sent */
	char *domain;      /* canonical, points into nothing else */
	char *orcpt;       /* "rfc822;..." decoded form kept as xtext; or NULL */
	unsigned notify;
};

struct envelope {
	char id[MESSAGE_ID_LEN + 1];
	char *sender;      /* "" is the null path */
	char *envid;       /* xtext, or NULL */
	enum dsn_return ret;
	bool is_8bit;      /* 8-bit bytes came, whatever BODY= said */
	bool needs_utf8;   /* SMTPUTF8 was said and something needs it */
	bool has_utf8_header; /* a header field holds non-ASCII bytes */
	bool is_report;    /* a DSN of our own */
	uint64_t size;     /* bytes as stored: our trace lines included */
	uint32_t longest_line;
	int64_t accepted;  /* spool clock, seconds */
	int64_t accepted_wall; /* UTC seconds, for people */
	char *client;      /* "192.0.2.1 helo=... tls=..." for reports */
	struct recipient *recipients; /* at acceptance: all of them */
	size_t recipient_count;
};

struct envelope *envelope_new(void);
void envelope_free(struct envelope *envelope);
struct recipient *envelope_add(struct envelope *envelope, const char *address,
			       const char *domain);

/* Appends the envelope without its id (the record round it bears that). */
void envelope_pack(const struct envelope *envelope, struct buffer *out);
struct unpack;
/* A new envelope, or NULL when the bytes make none. */
struct envelope *envelope_unpack(struct unpack *in, const char *id);

#endif
