/*
 * Who may send to whom, and what MAIL and RCPT may say, as dialogs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/dialog.h"

#define HELO "S: 220*", "C: HELO c", "S: 250*"
#define BEGIN HELO, "C: MAIL FROM:<a@b.example>", "S: 250*"
#define BODY "C: DATA", "S: 354*", "T: begin", "C: ."
#define STORED "S: 250 2.0.0 ID1 stored"
#define DENIED "S: 550 5.7.1 Relaying denied"

#define IN_TLS \
	"S: 220*", "C: EHLO c", "S: *", "S: *", "S: *", "S: *", "S: *", \
	"S: *", "S: *", "S: *", "S: *", "C: STARTTLS", "S: 220*", "T: tls", \
	"E: secured", "C: HELO c", "S: 250*"
#define IN_THE_CLEAR \
	"S: 530 5.7.0 Mail from this domain is taken over TLS only, must " \
	"issue a STARTTLS command first"

static const struct dialog partners[] = {
	{ .name = "a partner's mail comes over TLS only",
	  .client = "192.0.2.1", .inbound = INBOUND_TLS_REQUIRED,
	  .lines = { HELO, "C: MAIL FROM:<a@mail.PARTNER.example>",
		     IN_THE_CLEAR, "C: MAIL FROM:<a@partner.example.>",
		     IN_THE_CLEAR, "C: RCPT TO:<x@relay.example>", "S: 503*",
		     "C: MAIL FROM:<a@notpartner.example>", "S: 250*" } },
	{ .name = "over TLS it is welcome",
	  .client = "192.0.2.1", .inbound = INBOUND_TLS_REQUIRED,
	  .tls = LISTEN_MAY, .has_certificate = true, .is_partner = true,
	  .lines = { IN_TLS, "C: MAIL FROM:<a@partner.example>", "S: 250*" } },
	{ .name = "the null sender is nobody's, and nor is the postmaster",
	  .client = "192.0.2.1", .inbound = INBOUND_TLS_VERIFY,
	  .lines = { HELO, "C: MAIL FROM:<>", "S: 250*", "C: RSET", "S: 250*",
		     "C: MAIL FROM:<postmaster>", "S: 250*" } },
	{ .name = "our own networks are exempt",
	  .inbound = INBOUND_TLS_VERIFY,
	  .lines = { HELO, "C: MAIL FROM:<a@partner.example>", "S: 250*" } },
	{ .name = "where nothing was agreed mail may come in the clear",
	  .client = "192.0.2.1",
	  .lines = { HELO, "C: MAIL FROM:<a@partner.example>", "S: 250*" } },
	{ .name = "a client that is not the partner is refused",
	  .client = "192.0.2.1", .inbound = INBOUND_TLS_VERIFY,
	  .tls = LISTEN_MAY, .has_certificate = true,
	  .lines = { IN_TLS, "C: MAIL FROM:<a@partner.example>",
		     "S: 550 5.7.1 not the partner?",
		     "C: MAIL FROM:<a@other.example>", "S: 250*" } },
	{ .name = "the partner is not",
	  .client = "192.0.2.1", .inbound = INBOUND_TLS_VERIFY,
	  .tls = LISTEN_MAY, .has_certificate = true, .is_partner = true,
	  .lines = { IN_TLS, "C: MAIL FROM:<a@partner.example>", "S: 250*" } },
	{ .name = "a certificate that nobody showed proves nothing",
	  .client = "192.0.2.1", .inbound = INBOUND_TLS_VERIFY,
	  .is_partner = true,
	  .lines = { HELO, "C: MAIL FROM:<a@partner.example>",
		     IN_THE_CLEAR } },
};

static const struct dialog relaying[] = {
	{ .name = "a client of relay-from sends anywhere",
	  .client = "127.3.2.1",
	  .lines = { BEGIN, "C: RCPT TO:<x@anywhere.example>", "S: 250*" } },
	{ .name = "so does it by its mapped address",
	  .client = "::ffff:127.3.2.1",
	  .lines = { BEGIN, "C: RCPT TO:<x@anywhere.example>", "S: 250*" } },
	{ .name = "anybody sends to relay-domains and nowhere else",
	  .client = "192.0.2.1",
	  .lines = { BEGIN, "C: RCPT TO:<x@anywhere.example>", DENIED,
		     "C: RCPT TO:<x@relay.example>", "S: 250*",
		     "C: RCPT TO:<x@SUB.Relay.example.>", "S: 250*",
		     "C: RCPT TO:<x@notrelay.example>", DENIED,
		     "C: RCPT TO:<x@relay.example.evil.example>", DENIED } },
	{ .name = "no trick with the address opens the relay",
	  .client = "192.0.2.1", .max_errors = 100,
	  .lines = { BEGIN, "C: RCPT TO:<x%evil.example@other.example>", DENIED,
		     "C: RCPT TO:<evil.example!x@other.example>", DENIED,
		     "C: RCPT TO:<\"x@relay.example\"@evil.example>", DENIED,
		     "C: RCPT TO:<@relay.example:x@evil.example>", DENIED,
		     "C: RCPT TO:<@relay.example,@relay.example:x@evil."
		     "example>",
		     DENIED, "C: RCPT TO:<x@evil.example.>", DENIED,
		     "C: RCPT TO:<x@relay.example@evil.example>", "S: 501*",
		     "C: RCPT TO:<x@[127.0.0.1]>", "S: 550 5.1.2*",
		     "C: RCPT TO:<\"\"@relay.example>", "S: *" } },
	{ .name = "a percent sign is a letter to a domain that is ours",
	  .client = "192.0.2.1",
	  .lines = { BEGIN, "C: RCPT TO:<x%y.example@relay.example>", "S: 250*",
		     BODY,
		     "T: commit <a@b.example> <x%y.example@relay.example>",
		     STORED } },
	{ .name = "the null sender opens nothing",
	  .client = "192.0.2.1",
	  .lines = { HELO, "C: MAIL FROM:<>", "S: 250*",
		     "C: RCPT TO:<x@anywhere.example>", DENIED } },
	{ .name = "address literals are refused from everybody",
	  .lines = { BEGIN, "C: RCPT TO:<x@[192.0.2.9]>",
		     "S: 550 5.1.2 Address literals are not accepted here",
		     "C: RCPT TO:<x@[IPv6:2001:db8::1]>", "S: 550 5.1.2*" } },
	{ .name = "but a sender may have one",
	  .lines = { HELO, "C: MAIL FROM:<a@[192.0.2.9]>", "S: 250*" } },
	{ .name = "the lab takes every recipient",
	  .client = "192.0.2.1", .accepts_everything = true,
	  .lines = { BEGIN, "C: RCPT TO:<x@anywhere.example>", "S: 250*",
		     "C: RCPT TO:<postmaster>", "S: 250*", BODY,
		     "T: commit <a@b.example> <x@anywhere.example> "
		     "<postmaster@mx.example.org>",
		     STORED } },
};

static const struct dialog postmaster[] = {
	{ .name = "the postmaster is let in and goes where the option says",
	  .client = "192.0.2.1", .postmaster = "admin@home.example",
	  .lines = { BEGIN, "C: RCPT TO:<PostMaster>", "S: 250 2.1.5 Ok", BODY,
		     "T: commit <a@b.example> <admin@home.example>", STORED } },
	{ .name = "under our own host name too",
	  .client = "192.0.2.1", .postmaster = "admin@home.example",
	  .lines = { BEGIN, "C: RCPT TO:<postmaster@MX.example.org>", "S: 250*",
		     "C: RCPT TO:<other@mx.example.org>", DENIED,
		     "C: RCPT TO:<postmasters@mx.example.org>", DENIED,
		     "C: RCPT TO:<postmaster@other.example>", DENIED, BODY,
		     "T: commit <a@b.example> <admin@home.example>", STORED } },
	{ .name = "without the option: the first domain relayed inward",
	  .client = "192.0.2.1",
	  .lines = { BEGIN, "C: RCPT TO:postmaster", "S: 250*", BODY,
		     "T: commit <a@b.example> <postmaster@relay.example>",
		     STORED } },
	{ .name = "a postmaster without domain who sends is ours",
	  .lines = { HELO, "C: MAIL FROM:<postmaster>", "S: 250*",
		     "C: RCPT TO:<x@y.example>", "S: 250*", BODY,
		     "T: commit <postmaster@mx.example.org> <x@y.example>",
		     STORED } },
};

static const struct dialog syntax[] = {
	{ .name = "lenient where it is harmless",
	  .lines = { HELO, "C: mail from: <a@b.example> ", "S: 250*",
		     "C: rcpt to:x@y.example", "S: 250*",
		     "C: Rcpt To:\t<z@y.example>\t", "S: 250*", BODY,
		     "T: commit <a@b.example> <x@y.example> <z@y.example>",
		     STORED } },
	{ .name = "malformed senders",
	  .lines = { HELO, "C: MAIL", "S: 501 5.1.7*", "C: MAIL <a@b.example>",
		     "S: 501 5.1.7*", "C: MAIL FROM:", "S: 501*",
		     "C: MAIL FROM:<a", "S: 501*", "C: MAIL FROM:<a@>",
		     "S: 501*", "C: MAIL FROM:<a@b..c>", "S: 501*",
		     "C: MAIL FROM:<a b@c.example>", "S: 501*",
		     "C: MAIL FROM:<a@b.example>x", "S: 501*",
		     "C: MAIL FROM:<a@b.example> ok", "S: 555*",
		     "R: MAIL FROM:<a%01@b.example>%0d%0a", "S: 501*" } },
	{ .name = "malformed recipients",
	  .lines = { BEGIN, "C: RCPT", "S: 501 5.1.3*", "C: RCPT TO:<>",
		     "S: 501 5.1.3*", "C: RCPT TO:<x>", "S: 501*",
		     "C: RCPT TO:<x@-y.example>", "S: 501*",
		     "C: RCPT TO:<x@y.example> SIZE=1", "S: 555 5.5.4*" } },
	{ .name = "doubles collapse, local parts differ by case",
	  .lines = { BEGIN, "C: RCPT TO:<x@y.example>", "S: 250*",
		     "C: RCPT TO:<x@Y.EXAMPLE>", "S: 250*",
		     "C: RCPT TO:<X@y.example>", "S: 250*",
		     "C: RCPT TO:<x@y.example>", "S: 250*", BODY,
		     "T: commit <a@b.example> <x@y.example> <X@y.example>",
		     STORED } },
	{ .name = "AUTH= was not offered",
	  .lines = { HELO, "C: MAIL FROM:<a@b.example> AUTH=<>",
		     "S: 555 5.5.4*" } },
};

static const struct dialog dsn[] = {
	{ .name = "what RFC 3461 says goes into the envelope",
	  .lines = { HELO,
		     "C: MAIL FROM:<a@b.example> ret=hdrs envid=QQ+2B314",
		     "S: 250*",
		     "C: RCPT TO:<x@y.example> NOTIFY=success,DELAY "
		     "ORCPT=rfc822;x+3Dy@y.example",
		     "S: 250*", "C: RCPT TO:<z@y.example> NOTIFY=NEVER",
		     "S: 250*", BODY,
		     "T: commit <a@b.example> <x@y.example> notify=10 "
		     "orcpt=rfc822;x+3Dy@y.example <z@y.example> notify=1 "
		     "envid=QQ+2B314 ret=2",
		     STORED } },
	{ .name = "malformed parameters of MAIL",
	  .lines = { HELO, "C: MAIL FROM:<a@b.example> RET=SOME",
		     "S: 501 5.5.4*", "C: MAIL FROM:<a@b.example> RET",
		     "S: 501*", "C: MAIL FROM:<a@b.example> ENVID=a+2",
		     "S: 501*", "C: MAIL FROM:<a@b.example> ENVID=",
		     "S: 501*", "C: MAIL FROM:<a@b.example> ENVID=+0D+0Ax",
		     "S: 501*", "C: MAIL FROM:<a@b.example> RET=FULL RET=FULL",
		     "S: 501 5.5.4 Parameter given twice",
		     "C: MAIL FROM:<a@b.example> BODY=9BIT", "S: 501*",
		     "C: MAIL FROM:<a@b.example> SMTPUTF8=yes", "S: 501*",
		     "C: MAIL FROM:<a@b.example> BODY=7BIT  SIZE=5 ",
		     "S: 250*" } },
	{ .name = "malformed parameters of RCPT",
	  .lines = { BEGIN, "C: RCPT TO:<x@y.example> NOTIFY=NEVER,DELAY",
		     "S: 501 5.5.4*", "C: RCPT TO:<x@y.example> NOTIFY=DELAY,",
		     "S: 501*", "C: RCPT TO:<x@y.example> NOTIFY=",
		     "S: 501*", "C: RCPT TO:<x@y.example> ORCPT=x@y.example",
		     "S: 501*", "C: RCPT TO:<x@y.example> ORCPT=rfc822;",
		     "S: 501*", "C: RCPT TO:<x@y.example> ORCPT=;x",
		     "S: 501*", "C: RCPT TO:<x@y.example> ORCPT=rf c;x",
		     "S: 501*", "R: RCPT TO:<x@y.example> ORCPT=utf-8;%c3%a4",
		     "R: %0d%0a", "S: 501*" } },
};

static const struct dialog utf8[] = {
	{ .name = "an original recipient that calls itself UTF-8 is",
	  .lines = { HELO, "C: MAIL FROM:<a@b.example> SMTPUTF8", "S: 250*",
		     "R: RCPT TO:<x@y.example> ORCPT=utf-8;%c3%a4%0d%0a",
		     "S: 250*", "R: RCPT TO:<x@y.example> ORCPT=utf-8;%c3%0d%0a",
		     "S: 501*", "R: RCPT TO:<x@y.example> ORCPT=utf-8;%c2%85",
		     "R: %0d%0a", "S: 501*" } },
	{ .name = "an address beyond ASCII needs SMTPUTF8",
	  .lines = { HELO, "R: MAIL FROM:<%c3%a4@b.example>%0d%0a",
		     "S: 553 5.6.7*", "R: MAIL FROM:<a@%c3%a4.example>%0d%0a",
		     "S: 553 5.6.7*", "C: MAIL FROM:<a@b.example>", "S: 250*",
		     "R: RCPT TO:<%c3%a4@b.example>%0d%0a", "S: 553 5.6.7*" } },
	{ .name = "with SMTPUTF8 it is taken, and marked",
	  .shows_trace = true,
	  .lines = { "S: 220*", "C: EHLO c", "S: 250-*", "S: 250-*", "S: 250-*",
		     "S: 250-*", "S: 250-*", "S: 250-*", "S: 250-*",
		     "S: 250 DSN",
		     "C: MAIL FROM:<a@b.example> SMTPUTF8", "S: 250*",
		     "R: RCPT TO:<%c3%a4@b.example>%0d%0a", "S: 250*",
		     "C: DATA", "S: 354*", "T: begin",
		     "T: trace Received: from c*",
		     "T: trace \\x09by mx.example.org (Postern) with "
		     "UTF8SMTP id ID1;",
		     "T: trace *", "C: .", "T: commit <a@b.example> <*",
		     STORED } },
	{ .name = "said and not needed: not marked",
	  .lines = { HELO, "C: MAIL FROM:<a@b.example> SMTPUTF8", "S: 250*",
		     "C: RCPT TO:<x@b.example>", "S: 250*", BODY,
		     "T: commit <a@b.example> <x@b.example>", STORED } },
	{ .name = "a header beyond ASCII needs it as well",
	  .lines = { HELO, "C: MAIL FROM:<a@b.example> SMTPUTF8", "S: 250*",
		     "C: RCPT TO:<x@b.example>", "S: 250*", "C: DATA",
		     "S: 354*", "T: begin", "R: Subject: %c3%a4%0d%0a",
		     "C: .", "B: Subject: *",
		     "T: commit <a@b.example> <x@b.example> 8bit utf8 "
		     "utf8-header",
		     STORED } },
	{ .name = "BODY=8BITMIME makes nothing 8-bit, bytes do",
	  .lines = { HELO, "C: MAIL FROM:<a@b.example> BODY=8bitmime",
		     "S: 250*", "C: RCPT TO:<x@b.example>", "S: 250*", BODY,
		     "T: commit <a@b.example> <x@b.example>", STORED } },
	{ .name = "malformed UTF-8 is no address",
	  .lines = { HELO, "R: MAIL FROM:<%c3@b.example> SMTPUTF8%0d%0a",
		     "S: 501*" } },
};

static void play(const struct dialog *dialogs, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		dialog_play(&dialogs[i]);
}

#define GROUP(group) \
	static void test_##group(void **state) \
	{ \
		(void)state; \
		play(group, sizeof(group) / sizeof(group[0])); \
	}

GROUP(partners)
GROUP(relaying)
GROUP(postmaster)
GROUP(syntax)
GROUP(dsn)
GROUP(utf8)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_partners),
		cmocka_unit_test(test_relaying),
		cmocka_unit_test(test_postmaster),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_dsn),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
