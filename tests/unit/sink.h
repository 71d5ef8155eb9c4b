/*
 * A next hop for tests: a small SMTP server on loopback that does what it
 * is told, right or wrong, and counts what it saw.
 */
#ifndef TESTS_UNIT_SINK_H
#define TESTS_UNIT_SINK_H

#include "conf/net.h"
#include "tls/conn.h"

struct sink {
	/* what it does; may be changed at any time */
	const char *greeting;  /* NULL: none, ever */
	const char *ehlo;      /* lines behind the first, "250 DSN\r\n" */
	const char *starttls, *mail, *rcpt, *data, *dot;
	struct tls_context *tls;
	bool breaks_tls;       /* answers a handshake with rubbish */
	bool closes_at_dot;    /* in place of a reply */
	bool closes_after;     /* its reply to the dot */
	bool holds;            /* answers dots only at sink_release() */
	unsigned places;       /* 421 to whoever comes beyond; 0: no such */
	/* what it saw */
	unsigned connections, now, peak, messages, mails;
	bool has_clear_mail;   /* a MAIL came without TLS */
	struct buffer body;    /* of the last message, dots unstuffed not */
	uint16_t port;
	/* its own */
	struct ev_loop *loop;
	void *listening;
	struct guest *guests;
};

/* Listens on 127.0.0.1 at a port of the kernel's choice. */
void sink_open(struct sink *sink, struct ev_loop *loop);
void sink_release(struct sink *sink);
/* At last, to those who wait for a greeting, and from now on. */
void sink_greet(struct sink *sink, const char *greeting);
void sink_close(struct sink *sink);

#endif
