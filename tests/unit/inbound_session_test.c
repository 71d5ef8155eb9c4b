/*
 * The server session as dialogs: names, order of commands, TLS, limits,
 * ends.  Bodies and their line endings stand in inbound_body_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/dialog.h"

#define EHLO_REPLY \
	"S: 250-mx.example.org", "S: 250-PIPELINING", "S: 250-SIZE 100000", \
	"S: 250-8BITMIME", "S: 250-SMTPUTF8", "S: 250-ENHANCEDSTATUSCODES", \
	"S: 250-CHUNKING"
#define EHLO_PLAIN EHLO_REPLY, "S: 250 DSN"
#define EHLO_TLS EHLO_REPLY, "S: 250-DSN", "S: 250 STARTTLS"

static const struct dialog naming[] = {
	{ .name = "a plain session",
	  .lines = { "S: 220 mx.example.org ESMTP*", "C: EHLO client.example",
		     EHLO_PLAIN, "C: QUIT", "S: 221 2.0.0 Bye", "T: close" } },
	{ .name = "HELO works",
	  .lines = { "S: 220*", "C: HELO client.example",
		     "S: 250 mx.example.org", "C: MAIL FROM:<>",
		     "S: 250 2.1.0 Ok" } },
	{ .name = "STARTTLS is offered with a certificate",
	  .tls = LISTEN_MAY, .has_certificate = true,
	  .lines = { "S: 220*", "C: EHLO c", EHLO_TLS } },
	{ .name = "no certificate, no STARTTLS",
	  .tls = LISTEN_MAY,
	  .lines = { "S: 220*", "C: EHLO c", EHLO_PLAIN, "C: STARTTLS",
		     "S: 502 5.5.1 STARTTLS is not offered" } },
	{ .name = "a listener without TLS offers none",
	  .tls = LISTEN_NONE, .has_certificate = true,
	  .lines = { "S: 220*", "C: EHLO c", EHLO_PLAIN } },
	{ .name = "any printable name is taken, in any case, with blanks",
	  .lines = { "S: 220*", "C: helo  _a:b/c (d) \t", "S: 250*",
		     "C: eHLo [127.0.0.1]", EHLO_PLAIN, "C: HELO",
		     "S: 501 5.5.4 Argument required", "R: HELO a%01b%0d%0a",
		     "S: 501 5.5.4 Malformed host name", "R: EHLO %c3%a4%0d%0a",
		     "S: 501*" } },
	{ .name = "EHLO ends a transaction",
	  .lines = { "S: 220*", "C: EHLO c", EHLO_PLAIN,
		     "C: MAIL FROM:<a@b.example>", "S: 250*", "C: EHLO c",
		     EHLO_PLAIN, "C: RCPT TO:<c@d.example>", "S: 503*",
		     "C: MAIL FROM:<a@b.example>", "S: 250*" } },
};

static const struct dialog order[] = {
	{ .name = "no mail before a name",
	  .lines = { "S: 220*", "C: MAIL FROM:<a@b.example>",
		     "S: 503 5.5.1 Say EHLO first", "C: RCPT TO:<a@b.example>",
		     "S: 503 5.5.1 Say EHLO first", "C: RSET", "S: 250*",
		     "C: MAIL FROM:<a@b.example>",
		     "S: 503 5.5.1 Say EHLO first", "C: DATA",
		     "S: 503 5.5.1 Say EHLO first" } },
	{ .name = "commands out of order",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*",
		     "C: RCPT TO:<a@b.example>",
		     "S: 503 5.5.1 Bad sequence of commands",
		     "C: MAIL FROM:<a@b.example>", "S: 250*",
		     "C: MAIL FROM:<a@b.example>",
		     "S: 503 5.5.1 Bad sequence of commands",
		     "C: RCPT TO:<c@d.example>", "S: 250 2.1.5 Ok", "C: RSET",
		     "S: 250 2.0.0 Ok", "C: RCPT TO:<c@d.example>",
		     "S: 503*" } },
	{ .name = "small commands",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*", "C: NOOP whatever",
		     "S: 250 2.0.0 Ok", "C: VRFY someone", "S: 252 2.5.0*",
		     "C: VRFY", "S: 501 5.5.4*", "C: HELP", "S: 214 2.0.0*",
		     "C: EXPN list", "S: 502 5.5.1*", "C: AUTH PLAIN AGEAYg==",
		     "S: 502 5.5.1*", "C: XYZZY", "S: 500 5.5.2*", "C: ",
		     "S: 500 5.5.2*", "C: RSET now", "S: 501 5.5.4*",
		     "C: QUIT now", "S: 501 5.5.4*", "C: quit  ", "S: 221*",
		     "T: close" } },
	{ .name = "nothing of a refused MAIL sticks to the next",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*",
		     "C: MAIL FROM:<a@b.example> SIZE=999999999",
		     "S: 552 5.3.4*",
		     "C: MAIL FROM:<a@b.example> RET=FULL ENVID=x SMTPUTF8 X=1",
		     "S: 555 5.5.4*", "C: MAIL FROM:<c@d.example>", "S: 250*",
		     "C: RCPT TO:<e@f.example>", "S: 250*", "C: DATA",
		     "S: 354*",
		     "T: begin", "C: x", "C: .", "B: x",
		     "T: commit <c@d.example> <e@f.example>",
		     "S: 250 2.0.0 ID1 stored" } },
	{ .name = "nothing of one transaction sticks to the next",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*",
		     "C: MAIL FROM:<a@b.example> RET=HDRS ENVID=x "
		     "BODY=8BITMIME",
		     "S: 250*", "C: RCPT TO:<e@f.example> NOTIFY=NEVER",
		     "S: 250*", "C: RSET", "S: 250*",
		     "C: MAIL FROM:<c@d.example>", "S: 250*",
		     "C: RCPT TO:<e@f.example>", "S: 250*", "C: DATA",
		     "S: 354*",
		     "T: begin", "C: .",
		     "T: commit <c@d.example> <e@f.example>",
		     "S: 250 2.0.0 ID1 stored" } },
	{ .name = "DATA before a recipient",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*",
		     "C: MAIL FROM:<a@b.example>", "S: 250*", "C: DATA",
		     "S: 503 5.5.1*" } },
};

static const struct dialog pipelines[] = {
	{ .name = "two messages in one flight, replies in order",
	  .lines = { "S: 220*", "C: EHLO c", "C: MAIL FROM:<a@b.example>",
		     "C: RCPT TO:<x@y.example>", "C: RCPT TO:<bad",
		     "C: RCPT TO:<z@y.example>", "C: DATA", EHLO_PLAIN,
		     "S: 250 2.1.0 Ok", "S: 250 2.1.5 Ok", "S: 501 5.1.3*",
		     "S: 250 2.1.5 Ok", "S: 354*", "T: begin", "C: Subject: 1",
		     "C: ", "C: one", "C: .", "C: MAIL FROM:<>",
		     "C: RCPT TO:<x@y.example>", "C: DATA", "C: two", "C: .",
		     "C: QUIT", "B: Subject: 1", "B: ", "B: one",
		     "T: commit <a@b.example> <x@y.example> <z@y.example>",
		     "S: 250 2.0.0 ID1 stored", "S: 250 2.1.0 Ok",
		     "S: 250 2.1.5 Ok", "S: 354*", "T: begin", "B: two",
		     "T: commit <> <x@y.example>", "S: 250 2.0.0 ID2 stored",
		     "S: 221*", "T: close" } },
	{ .name = "a body sent behind a refused DATA is never obeyed",
	  .client = "192.0.2.1",
	  .lines = { "S: 220*", "C: EHLO c", EHLO_PLAIN,
		     "C: MAIL FROM:<a@b.example>", "S: 250*",
		     "C: RCPT TO:<x@y.example>",
		     "S: 550 5.7.1 Relaying denied", "C: DATA",
		     "S: 554 5.5.1 No valid recipients", "T: close",
		     "C: VRFY evil", "C: ." },
	  .is_uncut = true },
	{ .name = "DATA refused with nothing behind it leaves the session",
	  .client = "192.0.2.1",
	  .lines = { "S: 220*", "C: EHLO c", EHLO_PLAIN,
		     "C: MAIL FROM:<a@b.example>", "S: 250*",
		     "C: RCPT TO:<x@y.example>", "S: 550*",
		     "C: DATA", "E: stop", "S: 554 5.5.1 No valid recipients",
		     "C: RSET", "S: 250*", "S: 421 4.3.2*", "T: close" } },
};

static const struct dialog starttls[] = {
	{ .name = "EHLO inside TLS begins anew",
	  .tls = LISTEN_MAY, .has_certificate = true,
	  .lines = { "S: 220*", "C: EHLO c", EHLO_TLS, "C: STARTTLS",
		     "S: 220 2.0.0*", "T: tls", "E: secured",
		     "C: MAIL FROM:<a@b.example>",
		     "S: 503 5.5.1 Say EHLO first", "C: EHLO c", EHLO_PLAIN,
		     "C: STARTTLS", "S: 503 5.5.1 TLS is already active",
		     "C: MAIL FROM:<a@b.example>", "S: 250*" } },
	{ .name = "plaintext behind STARTTLS ends the session",
	  .tls = LISTEN_MAY, .has_certificate = true, .is_uncut = true,
	  .lines = { "S: 220*", "C: EHLO c", EHLO_TLS, "C: STARTTLS",
		     "C: MAIL FROM:<a@b.example>", "S: 554 5.5.1*",
		     "T: close" } },
	{ .name = "one byte behind STARTTLS ends the session",
	  .tls = LISTEN_MAY, .has_certificate = true, .is_uncut = true,
	  .lines = { "S: 220*", "C: EHLO c", EHLO_TLS, "R: STARTTLS%0d%0a%0a",
		     "S: 554 5.5.1*", "T: close" } },
	{ .name = "STARTTLS takes no argument",
	  .tls = LISTEN_MAY, .has_certificate = true,
	  .lines = { "S: 220*", "C: EHLO c", EHLO_TLS, "C: STARTTLS now",
		     "S: 501 5.5.4*", "C: NOOP", "S: 250*" } },
	{ .name = "STARTTLS not inside a transaction, and not unnamed",
	  .tls = LISTEN_MAY, .has_certificate = true,
	  .lines = { "S: 220*", "C: STARTTLS", "S: 503*", "C: HELO c",
		     "S: 250*", "C: MAIL FROM:<>", "S: 250*", "C: STARTTLS",
		     "S: 503*", "C: NOOP", "S: 250*" } },
	{ .name = "a listener that demands TLS",
	  .tls = LISTEN_REQUIRED, .has_certificate = true,
	  .lines = { "S: 220*", "C: EHLO c", EHLO_TLS,
		     "C: MAIL FROM:<a@b.example>",
		     "S: 530 5.7.0 Must issue a STARTTLS command first",
		     "C: RCPT TO:<a@b.example>", "S: 530*", "C: VRFY x",
		     "S: 530*", "C: BDAT 3 LAST", "R: abc", "S: 530*",
		     "C: NOOP", "S: 250*", "C: STARTTLS", "S: 220*", "T: tls",
		     "E: secured", "C: EHLO c", EHLO_PLAIN,
		     "C: MAIL FROM:<a@b.example>", "S: 250*", "C: QUIT",
		     "S: 221*", "T: close" } },
	{ .name = "TLS from the first byte",
	  .tls = LISTEN_IMPLICIT, .has_certificate = true,
	  .lines = { "T: tls", "E: secured", "S: 220 mx.example.org ESMTP*",
		     "C: EHLO c", EHLO_PLAIN, "C: STARTTLS", "S: 503*" } },
	{ .name = "no answer to a client that stalls in the handshake",
	  .tls = LISTEN_IMPLICIT, .has_certificate = true,
	  .lines = { "T: tls", "E: timeout", "T: close" } },
};

static const struct dialog limits[] = {
	{ .name = "a command line of 512 bytes passes, 513 do not",
	  .lines = { "S: 220*",
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define LINE_505 \
	FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "01234"
		     "C: NOOP " LINE_505, "S: 250*", "C: NOOP " LINE_505 "5",
		     "S: 500 5.5.2 Line too long", "C: NOOP", "S: 250*" } },
	{ .name = "a line too long for any command is dropped as it comes",
	  .lines = { "S: 220*", "R: NOOP " LINE_505 LINE_505 LINE_505 "%0d",
		     "R: x%0aNOOP%0dy%0d%0a",
		     "S: 500 5.5.2 Line too long", "C: NOOP", "S: 250*" } },
	{ .name = "extensions lengthen MAIL and RCPT",
	  .lines = { "S: 220*", "C: EHLO c", EHLO_PLAIN,
		     "C: MAIL FROM:<a@b.example> ENVID=" FIFTY FIFTY, "S: 250*",
		     "C: RCPT TO:<c@d.example> ORCPT=rfc822;" FIFTY FIFTY FIFTY
		     FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY TEN TEN TEN TEN "012",
		     "S: 250*",
		     "C: RCPT TO:<c@d.example> ORCPT=rfc822;" FIFTY FIFTY FIFTY
		     FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY TEN TEN TEN TEN "0123",
		     "S: 501 5.5.4*" } },
	{ .name = "more recipients than allowed",
	  .max_recipients = 2,
	  .lines = { "S: 220*", "C: EHLO c", EHLO_PLAIN,
		     "C: MAIL FROM:<a@b.example>", "S: 250*",
		     "C: RCPT TO:<1@d.example>", "S: 250*",
		     "C: RCPT TO:<1@D.example.>", "S: 250*",
		     "C: RCPT TO:<2@d.example>", "S: 250*",
		     "C: RCPT TO:<3@d.example>", "S: 452 4.5.3*", "C: DATA",
		     "S: 354*", "T: begin", "C: .",
		     "T: commit <a@b.example> <1@d.example> <2@d.example>",
		     "S: 250*" } },
	{ .name = "too many errors",
	  .max_errors = 3,
	  .lines = { "S: 220*", "C: FOO", "S: 500*", "C: RSET x", "S: 501*",
		     "C: HELO", "S: 501*",
		     "S: 421 4.7.0 mx.example.org Too many errors*",
		     "T: close", "C: NOOP" },
	  .is_uncut = true },
	{ .name = "a stored message forgives errors",
	  .max_errors = 3,
	  .lines = { "S: 220*", "C: HELO c", "S: 250*", "C: FOO", "S: 500*",
		     "C: FOO", "S: 500*", "C: MAIL FROM:<>", "S: 250*",
		     "C: RCPT TO:<a@b.example>", "S: 250*", "C: DATA",
		     "S: 354*",
		     "T: begin", "C: .", "T: commit <> <a@b.example>",
		     "S: 250*", "C: FOO", "S: 500*", "C: FOO", "S: 500*" } },
	{ .name = "the declared size is too large",
	  .max_message = 1000,
	  .lines = { "S: 220*", "C: HELO c", "S: 250*",
		     "C: MAIL FROM:<a@b.example> SIZE=1001",
		     "S: 552 5.3.4 Message too large",
		     "C: MAIL FROM:<a@b.example> SIZE=99999999999999999999",
		     "S: 552 5.3.4*", "C: MAIL FROM:<a@b.example> SIZE=12x",
		     "S: 501 5.5.4*", "C: MAIL FROM:<a@b.example> SIZE=1000",
		     "S: 250*" } },
	{ .name = "the spool is full",
	  .is_full = true,
	  .lines = { "S: 220*", "C: HELO c", "S: 250*",
		     "C: MAIL FROM:<a@b.example>",
		     "S: 452 4.3.1 Insufficient system storage",
		     "C: RCPT TO:<c@d.example>", "S: 503*" } },
};

static const struct dialog ends[] = {
	{ .name = "too slow",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*", "E: timeout",
		     "S: 421 4.4.2 mx.example.org Timeout, closing connection",
		     "T: close" } },
	{ .name = "too slow in the body: no message",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*", "C: MAIL FROM:<>",
		     "S: 250*", "C: RCPT TO:<a@b.example>", "S: 250*",
		     "C: DATA", "S: 354*", "T: begin", "C: half a",
		     "E: timeout", "S: 421 4.4.2*", "T: close" } },
	{ .name = "the relay stops while nothing is under way",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*", "E: stop",
		     "S: 421 4.3.2 mx.example.org Shutting down*",
		     "T: close" } },
	{ .name = "the relay stops: the transaction may end first",
	  .lines = { "S: 220*", "C: HELO c", "S: 250*", "C: MAIL FROM:<>",
		     "S: 250*", "E: stop", "C: RCPT TO:<a@b.example>",
		     "S: 250*", "C: DATA", "S: 354*", "T: begin", "C: x",
		     "C: .", "B: x", "T: commit <> <a@b.example>",
		     "S: 250 2.0.0 ID1 stored", "S: 421 4.3.2*", "T: close" } },
	{ .name = "the relay stops while the store works",
	  .waits_for_store = true,
	  .lines = { "S: 220*", "C: HELO c", "S: 250*", "C: MAIL FROM:<>",
		     "S: 250*", "C: RCPT TO:<a@b.example>", "S: 250*",
		     "C: DATA", "S: 354*", "T: begin", "C: .",
		     "T: commit <> <a@b.example>", "E: stop", "E: stored",
		     "S: 250 2.0.0 ID1 stored", "S: 421 4.3.2*", "T: close" } },
	{ .name = "another protocol ends the session",
	  .is_uncut = true,
	  .lines = { "S: 220*", "C: GET / HTTP/1.1", "S: 554 5.5.1*",
		     "T: close",
		     "C: MAIL FROM:<a@b.example>" } },
	{ .name = "so does CONNECT", .is_uncut = true,
	  .lines = { "S: 220*", "C: connect a:25 HTTP/1.1", "S: 554*",
		     "T: close" } },
	{ .name = "so does a POST between others", .is_uncut = true,
	  .lines = { "S: 220*", "C: HELO c", "S: 250*", "C: POST / HTTP/1.0",
		     "S: 554*", "T: close", "C: Host: x" } },
	{ .name = "so does the hello of TLS", .is_uncut = true,
	  .lines = { "S: 220*", "R: %16%03%01%02%00%01%0d%0a", "S: 554*",
		     "T: close" } },
};

static void play(void **state, const struct dialog *dialogs, size_t count)
{
	size_t i;

	(void)state;
	for (i = 0; i < count; i++)
		dialog_play(&dialogs[i]);
}

#define GROUP(group) \
	static void test_##group(void **state) \
	{ \
		play(state, group, sizeof(group) / sizeof(group[0])); \
	}

GROUP(naming)
GROUP(order)
GROUP(pipelines)
GROUP(starttls)
GROUP(limits)
GROUP(ends)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_naming),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_pipelines),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
