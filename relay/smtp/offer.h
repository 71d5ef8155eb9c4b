/*
 * What a server offered in its reply to EHLO.  Pure.  RFC 5321 4.1.1.1;
 * what was learned before STARTTLS is forgotten by zeroing it (RFC 3207
 * 4.2).
 */
#ifndef RELAY_SMTP_OFFER_H
#define RELAY_SMTP_OFFER_H

#include "conf/bytes.h"

struct offer {
	bool is_extended;    /* EHLO was taken; false: HELO */
	bool starttls, pipelining, eightbitmime, smtputf8, chunking, dsn;
	bool has_size;       /* SIZE (RFC 1870), with or without a limit */
	uint64_t size;       /* 0: no limit was named */
	unsigned auth;       /* mask of auth.h */
};

/* One line of the reply, behind its code; the greeting line as well, which
 * names nothing that we know. */
void offer_line(struct offer *offer, struct view line);

#endif
