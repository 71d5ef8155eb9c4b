/*
 * The trace line that is put in front of an accepted message (RFC 5321
 * 4.4, RFC 3848, RFC 6531 3.7.3).  Pure.  This is the one place where
 * header lines are added to mail that passes.
 */
#ifndef RELAY_SMTP_TRACE_H
#define RELAY_SMTP_TRACE_H

#include "conf/net.h"
#include "tls/facts.h"

enum { TRACE_NAME_MAX = 255, TRACE_DATE_LEN = 31 };

struct trace {
	const char *hostname;     /* ours */
	const char *helo;         /* as the client said it, any bytes */
	const struct net_address *client;
	const char *protocol;     /* trace_protocol() */
	const struct tls_facts *facts; /* NULL: no TLS */
	const char *id;
	const char *recipient;    /* the only one, or NULL */
	int64_t now;              /* UTC seconds */
};

/* "SMTP", "ESMTP", "ESMTPS", "UTF8SMTP", "UTF8SMTPS". */
const char *trace_protocol(bool is_esmtp, bool is_utf8, bool is_tls);
void trace_write(struct buffer *out, const struct trace *trace);

/* "Tue, 24 Nov 2026 23:10:35 +0000", RFC 5322 3.3. */
void trace_date(int64_t now, char out[TRACE_DATE_LEN + 1]);

#endif
