/*
 * Mail addresses and domains (RFC 5321 4.1.2, RFC 6531).  Pure: bytes in,
 * a parsed form out.  Domains are compared in one canonical form only:
 * A-labels, lower case, no trailing dot.
 */
#ifndef CONF_ADDR_H
#define CONF_ADDR_H

#include "conf/bytes.h"
#include "conf/error.h"

enum {
	/* RFC 5321 4.5.3.1.1 asks for 64 at least and for no limit where
	 * that can be had; VERP and SRS need more. */
	ADDR_LOCAL_MAX = 250,
	ADDR_DOMAIN_MAX = 255, /* RFC 5321 4.5.3.1.2 */
	ADDR_PATH_MAX = 256,   /* RFC 5321 4.5.3.1.3, with the brackets */
};

/* A mailbox as written, plus the canonical domain. */
struct address {
	char text[ADDR_PATH_MAX * 2];     /* local@domain as it is to be sent;
	                                   * "" is the null path */
	size_t local_len;                 /* bytes before the '@' */
	char domain[ADDR_DOMAIN_MAX + 1]; /* canonical; "" for the null path
	                                   * and for a bare postmaster;
	                                   * "[1.2.3.4]" for a literal */
	bool is_literal;                  /* domain is an address literal */
	bool needs_utf8;                  /* local part is not ASCII */
	bool has_u_label;                 /* domain as written is not ASCII */
};

/*
 * A path in MAIL or RCPT, without what follows it.  Accepts `<a@b>`,
 * `<>`, a source route (dropped), missing brackets, a quoted local part
 * and, where utf8 is allowed, RFC 6531 names.  `<postmaster>` and its
 * variants in case come out with an empty domain.  *used is the number of
 * bytes read.  0, or -1 with the reason.
 */
int address_parse_path(struct view text, bool utf8, struct address *out,
		       size_t *used, struct error *error);
/* A whole mailbox without brackets, as in a configuration file. */
int address_parse(struct view text, struct address *out, struct error *error);
/* The address with its domain as A-labels, for a next hop that lacks
 * SMTPUTF8 (RFC 6531 3.2); only where the local part is ASCII. */
void address_ascii(const struct address *a, char *out, size_t room);

/* A domain or host name in canonical form; -1 when it is none (empty
 * label, over 63/255 bytes, bad character, bad IDNA). Underscores pass. */
int domain_canonical(struct view text, char out[ADDR_DOMAIN_MAX + 1],
		     struct error *error);

/* xtext of RFC 3461 4: decode returns -1 when malformed or not printable. */
int xtext_decode(struct view text, char *out, size_t room);
void xtext_encode(struct buffer *out, struct view text);

#endif
