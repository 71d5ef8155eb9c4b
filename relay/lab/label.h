/*
 * The label on a message that the lab stored: a block of `X-Lab-` lines at
 * the very front of the file, which says how the message came.  Pure.
 *
 * Behind it stands the message as it came, our trace line first.  Only the
 * unbroken block in front counts: lines of that name that a client sent
 * stand below the trace line, and the label says how many there are.
 * Values are escaped and bounded.
 */
#ifndef RELAY_LAB_LABEL_H
#define RELAY_LAB_LABEL_H

#include "conf/bytes.h"
#include "tls/facts.h"

enum { LABEL_VALUE_MAX = 900 }; /* within the 998 of RFC 5322 2.1.1 */

/* A path of the envelope and what MAIL or RCPT said behind it. */
struct label_path {
	const char *address;
	const char *params; /* "SIZE=100 BODY=8BITMIME"; NULL: nothing */
};

/* All borrowed. */
struct label {
	const char *gateway;
	const char *session;  /* the name of its transcript */
	const char *client;   /* address and port */
	const char *helo;
	const char *protocol; /* "ESMTPS" */
	int64_t received;     /* UTC seconds */
	const struct tls_facts *facts; /* NULL: in the clear */
	struct label_path from;
	struct label_path *to;
	size_t to_count;
	unsigned foreign;     /* X-Lab- fields of the message itself */
};

void label_write(struct buffer *out, const struct label *label);

/* The next line of a label, without the "X-Lab-" of its name; *rest goes
 * behind it.  False at the label's end. */
bool label_next(struct view *rest, struct view *name, struct view *value);
/* The first value of that name; empty when there is none. */
struct view label_find(struct view label, const char *name);
/* Without brackets and parameters, of "<a@b.example> SIZE=100". */
struct view label_address(struct view value);

/* What an argument of MAIL or RCPT says behind its path. */
struct view label_params(struct view argument);
/* How many fields of a message's header (as far as it is given) are called
 * as ours. */
unsigned label_foreign(struct view message);

#endif
