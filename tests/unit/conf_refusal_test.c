/*
 * What the reader refuses: each closing as a row, with the line that is to
 * blame and what must be said of it.
 */
#include "tests/unit/conf_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The line that is to blame and what must be said of it. */
struct refusal {
	const char *text;
	unsigned line;
	const char *part;
};

static void assert_refused(struct fixture *f, const struct refusal *row)
{
	struct conf *conf = fixture_read(f, row->text);
	char where[320];

	if (conf)
		fail_msg("accepted:\n%s", row->text);
	snprintf(where, sizeof(where), "%s/postern.conf:%u: ", f->folder,
		 row->line);
	if (strncmp(f->error.text, where, strlen(where)) ||
	    !strstr(f->error.text, row->part))
		fail_msg("wanted %s...%s\ngot    %s", where, row->part,
			 f->error.text);
}

static void what_libconfuse_lets_pass_is_refused(void **state)
{
	static const struct refusal rows[] = {
		/* An unquoted star vanishes. */
		{ HOST "policy *.tuv.com { }", 2, "quotes" },
		{ HOST "\npolicy * { }", 3, "quotes" },
		{ HOST "relay-domains = { example.org,\n *.example.com }", 3,
		  "\"*.example.org\"" },
		/* Environment variables are expanded, in quotes too. */
		{ "hostname = ${HOME}", 1, "${...}" },
		{ HOST "spool = \"/var/${X:-y}\"", 2, "${...}" },
		{ HOST "relay-domains = { a.b,\n\"${Z}\" }", 3, "${...}" },
		{ HOST "spool = '${X}'", 2, "${...}" },
		/* The last one wins. */
		{ HOST "workers = 1\nworkers = 2", 3, "postern.conf:2" },
		{ HOST "relay-from = {}\nrelay-from = { 10.0.0.1 }", 3,
		  "postern.conf:2" },
		{ HOST "relay-from = { 10.0.0.1 }\nrelay-from = {}", 3,
		  "postern.conf:2" },
		{ HOST "relay-from = 10.0.0.1\nrelay-from += 10.0.0.2", 3,
		  "+=" },
		{ HOST "policy \"a.example\" { }\npolicy \"a.example\" { }", 3,
		  "postern.conf:2" },
		{ HOST "policy a.example {\ntls = may\n\ntls = encrypt }", 5,
		  "postern.conf:3" },
		{ HOST "certificate c { chain = relay.pem key = relay.key }\n"
		  "certificate c { }", 3, "postern.conf:2" },
		/* Bytes of no known kind vanish. */
		{ HOST "user = a+b", 2, "quotes" },
		{ HOST "user = a\x01", 2, "control" },
		{ HOST "user = \"a\x7f\"", 2, "control" },
		{ HOST "user = a\rworkers = 2", 2, "control" },
		{ HOST "user = \xff", 2, "UTF-8" },
		/* A comment swallows what follows. */
		{ HOST "policy \"*\" {\n gateways = { smtps://a.b, c.d } }", 3,
		  "comment" },
		{ HOST "user = a#b", 2, "comment" },
		{ HOST "/* never\nclosed", 2, "closed" },
		{ HOST "user = \"never closed\nworkers = 2", 2, "closed" },
		{ HOST "user = 'never closed", 2, "closed" },
		{ HOST "user = \"a\\x00b\"", 2, "backslash" },
		{ HOST "user = a\"b\"", 2, "quote" },
		/* A path of options would reach into another section. */
		{ HOST "policy a.example { }\n\"policy=a.example|tls\" = none",
		  3, "option" },
		{ HOST "policy a.example { }\npolicy|tls = none", 3, "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_refused(*state, &rows[i]);
}

static void wrong_syntax_names_its_line(void **state)
{
	static const struct refusal rows[] = {
		{ HOST "wrkers = 2", 2,
		  "unknown option \"wrkers\"; did you mean \"workers\"?" },
		{ HOST "polcy \"a.b\" { }", 2, "did you mean \"policy\"?" },
		{ HOST "xyzzyxyzzy = 2", 2, "unknown option \"xyzzyxyzzy\"; " },
		{ HOST "policy \"a.b\" {\n  gateway = a.c }", 3,
		  "in policy \"a.b\"; did you mean \"gateways\"?" },
		{ HOST "/* one\ntwo */ wrkers = 2", 3, "unknown option" },
		{ HOST "// x\n# y\nwrkers = 2", 4, "unknown option" },
		{ HOST "workers 2", 2, "missing equal sign" },
		{ HOST "policy { }", 2, "missing title" },
		{ HOST "policy \"a.b\" {\n\n", 2, "not closed" },
		{ HOST "workers =\n\n", 4, "premature end" },
		{ HOST "lab a { gateway b {\n{{{{{{{", 3, "too deeply" },
		{ HOST "}", 2, "closing brace" },
		{ HOST "relay-from = { 10.0.0.1 10.0.0.2 }", 2, "unexpected" },
		{ HOST "workers = { 1, 2 }", 2, "takes one value" },
		{ HOST "workers = { }", 2, "takes one value" },
		{ HOST "workers = \"\"", 2, "takes one value" },
		{ HOST "include()", 2, "include(\"FILE\")" },
		{ HOST "include(a, b)", 2, "include(\"FILE\")" },
		{ HOST "include(a", 2, "include(\"FILE\")" },
		{ HOST "include(absent.conf)", 2, "absent.conf: cannot open" },
		{ HOST "\ninclude(postern.conf)", 3, "includes itself" },
		{ HOST "include(\"./sub/../postern.conf\")", 2, "" },
	};

	for (size_t i = 0; i + 1 < COUNT(rows); i++)
		assert_refused(*state, &rows[i]);
	/* Seen through a longer path: stopped by depth at the latest. */
	assert_null(fixture_read(*state, rows[COUNT(rows) - 1].text));
}

static void wrong_values_say_what_would_be_right(void **state)
{
	static const struct refusal rows[] = {
		{ HOST "workers = 0", 2, "a number from 1 to 256" },
		{ HOST "workers = 257", 2, "a number from 1 to 256" },
		{ HOST "workers = two", 2, "workers = \"two\": must be" },
		{ HOST "workers = -1", 2, "from 1 to 256" },
		{ HOST "retry-first = 1y", 2, "30s, 10m, 4h or 5d, from 1s" },
		{ HOST "retry-first = 0", 2, "from 1s to 1w" },
		{ HOST "lifetime = 99999999999999999999w", 2, "from 1s" },
		{ HOST "lifetime = 30500568904944w", 2, "from 1s" },
		{ HOST "lifetime = d", 2, "from 1s" },
		{ HOST "retry-first = 2h", 2, "retry-max (3600s)" },
		{ HOST "retry-max = 30s", 2, "retry-first (60s)" },
		{ HOST "spool-size = 1T", 2, "from 4M to 1024G" },
		{ HOST "spool-size = 18014398509481984K", 2, "from 4M" },
		{ HOST "spool-size = 1 M", 2, "" },
		{ HOST "message-size = 1K", 2, "from 64K to 2G" },
		{ HOST "mx-port = 65536", 2, "from 1 to 65535" },
		{ HOST "address-literals = maybe", 2, "must be yes or no" },
		{ HOST "dnssec = on", 2, "must be auto, required or off" },
		{ HOST "log-level = chatty", 2,
		  "debug, info, notice, warning or error" },
		{ "hostname = 192.0.2.1", 1, "must be a host name" },
		{ "hostname = a..b", 1, "empty label" },
		{ HOST "postmaster = admin", 2, "admin@example.org" },
		{ HOST "resolver = { localhost }", 2, "192.0.2.1:53" },
		{ HOST "resolver = { 127.0.0.1:0 }", 2, "192.0.2.1:53" },
		{ HOST "own-addresses = { 192.0.2.1:25 }", 2, "without a port" },
		{ HOST "relay-from = { 10.0.0.1,\n\n10.1.1.1/8 }", 4,
		  "write 10.0.0.0/8" },
		{ HOST "relay-domains = { .example.org }", 2,
		  "write \"*.example.org\", in quotes" },
		{ HOST "relay-domains = { \"a.*.b\" }", 2, "stand alone" },
		{ HOST "root-anchor = absent", 2, "absent: cannot open it" },
		{ HOST "root-anchor = sub", 2, "no regular file" },
		{ HOST "root-anchor = empty", 2, "it is empty" },
		/* certificates and listeners */
		{ HOST "certificate c { chain = relay.pem }", 2, "no key" },
		{ HOST "certificate c { key = relay.key }", 2, "no chain" },
		{ HOST "certificate c { }", 2, "chain and key" },
		{ HOST "certificate c {\n chain = absent }", 3, "cannot open" },
		{ HOST "listen \":25\" {\n certificate = c }", 3,
		  "there is no certificate \"c\"" },
		{ HOST "listen \":25\" { tls = verify }", 2,
		  "none, may, required or implicit" },
		{ HOST "listen \":25\" { bare-newline = keep }", 2,
		  "refuse or normalise" },
		{ HOST "listen \"25\" { }", 2, "ADDRESS:PORT" },
		{ HOST "listen \"192.0.2.1\" { }", 2, "ADDRESS:PORT" },
		{ HOST "listen \"localhost:25\" { }", 2, "ADDRESS:PORT" },
		{ HOST "listen \":25\" { }\nlisten \"0.0.0.0:25\" { }", 3,
		  "postern.conf:2" },
		{ HOST "listen \"127.0.0.1:25\" { }\nlisten \":25\" { }", 3,
		  "postern.conf:2" },
		{ HOST "listen \"[::1]:25\" { }\nlisten \"[0::1]:25\" { }", 3,
		  "listen \"[::1]:25\"" },
		/* zones and labs */
		{ HOST "zone a.b { }", 2, "no servers" },
		{ HOST "zone \"*.b\" { servers = 127.0.0.1 }", 2, "domain" },
		{ HOST "zone a.b { servers = 127.0.0.1 }\n"
		  "zone A.b { servers = 127.0.0.1 }", 3, "before" },
		{ HOST "lab l { store = s }", 2, "gateway" },
		{ HOST "lab l { store = s\n gateway g { } }", 3, "no listen" },
		{ HOST "lab l { store = s\n gateway g { listen = \":0\"\n"
		  "chain = relay.pem } }", 3, "no key" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_refused(*state, &rows[i]);
}

static void what_is_asked_but_not_checked_is_refused(void **state)
{
	static const struct refusal rows[] = {
		/* What only verify checks. */
		{ HOST "policy a.b {\n names = { c.d } }", 3, "tls = verify" },
		{ HOST "policy a.b { tls = encrypt\n issuer = x }", 3,
		  "tls = encrypt does not check; write tls = verify" },
		{ HOST "policy a.b {\n trust = roots.pem }", 3, "verify" },
		{ HOST "policy a.b {\n pins = { \"" PIN "\" } }", 3, "verify" },
		{ HOST "policy a.b {\n mx = { c.d } }", 3, "verify" },
		{ HOST "policy a.b { tls = encrypt\n user = u "
		  "password-file = secret }", 3, "credentials" },
		{ HOST "policy a.b { tls = verify trust = roots.pem\n"
		  "user = u }", 3, "password-file is missing" },
		{ HOST "policy a.b { tls = verify trust = roots.pem\n"
		  "password-file = secret }", 3, "user is missing" },
		{ HOST "policy a.b { tls = verify trust = roots.pem user = u\n"
		  "password-file = nothing }", 3, "first line" },
		{ HOST "policy a.b { tls = dane }", 2,
		  "none, may, encrypt or verify" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_refused(*state, &rows[i]);
}

static void patterns_equal_or_malformed_are_refused(void **state)
{
	static const struct refusal rows[] = {
		/* Equal patterns. */
		{ HOST "policy A.example. { }\npolicy a.example { }", 3,
		  "postern.conf:2" },
		{ HOST "policy a.example { }\npolicy b.example {\n"
		  "domains = { c.example,\n A.Example } }", 5,
		  "policy \"a.example\" already" },
		{ HOST "policy a.example { domains = { b.example,\n"
		  "B.example } }", 3, "postern.conf:2" },
		{ HOST "policy \"b\xc3\xbc" "cher.example\" { }\n"
		  "policy xn--bcher-kva.example { }", 3, "postern.conf:2" },
		{ HOST "policy \"*\" { }\npolicy a.b { domains = { \"*\" } }",
		  3, "postern.conf:2" },
		/* Patterns. */
		{ HOST "policy .tuv.com { }", 2, "\"*.tuv.com\", in quotes" },
		{ HOST "policy a.b { domains = {\n\".c.d\" } }", 3,
		  "\"*.c.d\"" },
		{ HOST "policy \"*tuv.com\" { }", 2, "before the first dot" },
		{ HOST "policy \"\" { }", 2, "must be a domain" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_refused(*state, &rows[i]);
}

static void gateways_and_names_must_hold_together(void **state)
{
	static const struct refusal rows[] = {
		/* Gateways. */
		{ HOST "policy a.b { gateways = { } }", 2, "MX" },
		{ HOST "policy a.b { gateways = { c.d:0 } }", 2, "HOST:PORT" },
		{ HOST "policy a.b { gateways = { c.d:x } }", 2, "HOST:PORT" },
		{ HOST "policy a.b { gateways = { \"*.d\" } }", 2, "valid" },
		{ HOST "policy a.b { gateways = { \"http://c.d\" } }", 2, "" },
		{ HOST "policy a.b { tls = none\n"
		  "gateways = { \"smtps://c.d\" } }", 3, "first byte" },
		{ HOST "policy a.b { tls = none\n gateways = { c.d:465 } }", 3,
		  "first byte" },
		{ HOST "policy a.b { tls = verify trust = roots.pem\n"
		  "gateways = { 192.0.2.1 } }", 3, "needs names" },
		{ HOST "policy a.b { family = ipv6 gateways = 192.0.2.1 }", 2,
		  "excludes" },
		{ HOST "policy a.b { family = ipv6 source = 192.0.2.1 }", 2,
		  "family" },
		{ HOST "policy a.b { source = 192.0.2.1:25 }", 2, "port" },
		/* Names, pins, mx. */
		{ HOST "policy a.b { tls = verify names = { \"*.c.d\" } }", 2,
		  "without a *" },
		{ HOST "policy a.b { tls = verify names = { 192.0.2.1 } }", 2,
		  "host name" },
		{ HOST "policy a.b { tls = verify names = { mx, c.d } }", 2,
		  "alone" },
		{ HOST "policy a.b { tls = verify gateways = c.d\n"
		  "names = mx }", 3, "with gateways" },
		{ HOST "policy a.b { tls = verify gateways = c.d\n"
		  "mx = { e.f } }", 3, "with gateways" },
		{ HOST "policy a.b { tls = verify mx = { \"*\" } }", 2, "mx" },
		{ HOST "policy a.b { tls = verify pins = { abcd } }", 2,
		  "sha256:" },
		{ HOST "policy a.b { tls = verify pins = { " PIN "0 } }", 2,
		  "64 hex digits" },
		{ HOST "policy a.b { tls = verify issuer = \"\" }", 2, "empty" },
		{ HOST "policy a.b { min-tls = 1.1 }", 2, "1.2 or 1.3" },
		{ HOST "policy a.b { tls = verify\n trust = absent }", 3,
		  "cannot open" },
		{ HOST "policy a.b { tls = verify\n trust = empty }", 3,
		  "empty" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_refused(*state, &rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ROW(test) \
	cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
		ROW(what_libconfuse_lets_pass_is_refused),
		ROW(wrong_syntax_names_its_line),
		ROW(wrong_values_say_what_would_be_right),
		ROW(what_is_asked_but_not_checked_is_refused),
		ROW(patterns_equal_or_malformed_are_refused),
		ROW(gateways_and_names_must_hold_together),
#undef ROW
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
