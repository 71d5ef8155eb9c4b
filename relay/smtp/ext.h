/*
 * Service extensions as EHLO names them (RFC 5321 4.1.1.1): which a server
 * offers and how the lines read.  Pure; the server session writes with it,
 * the client session learns with it.
 */
#ifndef RELAY_SMTP_EXT_H
#define RELAY_SMTP_EXT_H

#include "conf/bytes.h"

enum ext {
	EXT_PIPELINING = 1 << 0, /* RFC 2920 */
	EXT_SIZE = 1 << 1,       /* RFC 1870 */
	EXT_8BITMIME = 1 << 2,   /* RFC 6152 */
	EXT_SMTPUTF8 = 1 << 3,   /* RFC 6531 */
	EXT_STATUS = 1 << 4,     /* ENHANCEDSTATUSCODES, RFC 2034 */
	EXT_CHUNKING = 1 << 5,   /* RFC 3030 */
	EXT_DSN = 1 << 6,        /* RFC 3461 */
	EXT_STARTTLS = 1 << 7,   /* RFC 3207 */
	EXT_AUTH_PLAIN = 1 << 8, /* RFC 4954, AUTH with this mechanism */
	EXT_AUTH_LOGIN = 1 << 9,
};

struct ext_offer {
	unsigned set;      /* of enum ext */
	uint64_t max_size; /* of SIZE; 0: no limit was named */
};

/* One line of the reply to EHLO behind its code ("SIZE 1000"); keywords
 * that nobody here knows are passed over.  Zero the offer at EHLO. */
void ext_learn(struct ext_offer *offer, struct view line);

/* The whole reply: "250-" name, one line for each extension. */
void ext_write(struct buffer *out, const char *name,
	       const struct ext_offer *offer);

#endif
