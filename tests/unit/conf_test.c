/*
 * The configuration: every closing of the reader as a row, defaults, every
 * kind of value, includes, bundles, warnings.
 */
#include "conf/conf.h"

#include "conf/addr.h"
#include "conf/files.h"
#include "conf/rules.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define HOST "hostname = relay.example.org\n"
#define PIN "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

/* A folder with what the rows name. */
struct fixture {
	char folder[64];
	struct conf_files *files;
	struct error error;
};

static void write_file(const struct fixture *f, const char *name,
		       const char *text)
{
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	fclose(out);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char sub[128];

	strcpy(f->folder, "/tmp/conf_test.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(sub, sizeof(sub), "%s/sub", f->folder);
	mkdir(sub, 0755);
	write_file(f, "roots.pem", "roots");
	write_file(f, "relay.pem", "chain");
	write_file(f, "relay.key", "key");
	write_file(f, "secret", "tops3cret \nsecond line\n");
	write_file(f, "secret.crlf", "tops3cret\r\n");
	write_file(f, "empty", "");
	write_file(f, "nothing", "\nsecond\n");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	files_free(f->files);
	snprintf(command, sizeof(command), "rm -rf %s", f->folder);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static struct conf *read_again(struct fixture *f)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/postern.conf", f->folder);
	files_free(f->files);
	f->files = files_disk();
	return conf_read(path, f->files, &f->error);
}

static struct conf *read_text(struct fixture *f, const char *text)
{
	write_file(f, "postern.conf", text);
	return read_again(f);
}

static struct conf *must_read(struct fixture *f, const char *text)
{
	struct conf *conf = read_text(f, text);

	if (!conf)
		fail_msg("%s", f->error.text);
	return conf;
}

/* The line that is to blame and what must be said of it. */
struct refusal {
	const char *text;
	unsigned line;
	const char *part;
};

static void assert_refused(struct fixture *f, const struct refusal *row)
{
	struct conf *conf = read_text(f, row->text);
	char where[160];

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
	assert_null(read_text(*state, rows[COUNT(rows) - 1].text));
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
		{ HOST "spool-size = 1T", 2, "from 16M to 1024G" },
		{ HOST "spool-size = 18014398509481984K", 2, "from 16M" },
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

static void policies_that_do_not_hold_together_are_refused(void **state)
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

static void an_empty_file_gives_safe_defaults(void **state)
{
	struct conf *conf = must_read(*state, HOST);
	struct net_address outside, loopback, literal;

	net_parse(VIEW("192.0.2.1"), &outside);
	net_parse(VIEW("::1"), &loopback);
	net_parse(VIEW("::ffff:169.254.1.1"), &literal);
	assert_string_equal(conf->hostname, "relay.example.org");
	assert_string_equal(conf->spool, "/var/spool/postern");
	assert_true(conf->spool_size == 1024 * 1024 * 1024);
	assert_null(conf->user);
	assert_null(conf->postmaster);
	assert_int_equal(conf->workers, 1);
	assert_true(conf->resolver_is_default && conf->resolver_count);
	assert_int_equal(conf->dnssec, DNSSEC_AUTO);
	assert_int_equal(conf->mx_port, 25);
	assert_false(conf->address_literals);
	assert_true(net_blocks_have(conf->relay_from, conf->relay_from_count,
				    &loopback));
	assert_false(net_blocks_have(conf->relay_from, conf->relay_from_count,
				     &outside));
	assert_int_equal(conf->relay_domains.count, 0);
	assert_true(net_blocks_have(conf->mx_ignore, conf->mx_ignore_count,
				    &literal));
	assert_false(net_blocks_have(conf->mx_ignore, conf->mx_ignore_count,
				     &outside));
	assert_int_equal(conf->listener_count, 1);
	assert_string_equal(conf->listeners[0].title, ":25");
	assert_int_equal(conf->listeners[0].tls, LISTEN_MAY);
	assert_int_equal(conf->retry_first, 60);
	assert_int_equal(conf->retry_max, 3600);
	assert_int_equal(conf->lifetime, 5 * 24 * 3600);
	assert_int_equal(conf->delay_notice, 4 * 3600);
	assert_true(conf->max_message == 35 * 1024 * 1024);
	assert_int_equal(conf->max_line, 1000);
	assert_int_equal(conf->timeout_dot, 600);
	assert_int_equal(conf->log_level, LOG_INFO);
	assert_int_equal(conf->fallback.tls, TLS_MAY);
	assert_null(conf->system_trust.path);
	conf_free(conf);
}

static void every_kind_of_value_is_read(void **state)
{
	struct fixture *f = *state;
	struct conf *conf = must_read(f, HOST
		"spool = spool/./here\nspool-size = 64m\nuser = postern\r\n"
		"postmaster = \"admin+x@Example.org\" # ours\n"
		"resolver = { 127.0.0.1, \"[::1]:5353\" } dnssec = required\n"
		"mx-ignore = {} own-addresses = { 192.0.2.1, ::1 }\n"
		"mx-port = 2525 address-literals = yes relay-from = {}\n"
		"relay-domains = { Example.org, \"*.b\xc3\xbc" "cher.example\" }\n"
		"retry-first = 90 delay-notice = 0 connection-idle = 2m\n"
		"certificate one { chain = relay.pem key = relay.key }\n"
		"certificate two { chain = relay.pem key = relay.key }\n"
		"listen \":0\" { tls = required certificate = two\n"
		" bare-newline = normalise }\n"
		"listen \"[::1]:587\" { tls = implicit }\n"
		"zone TUV.com { servers = 127.0.5.53:5300 anchor = roots.pem }\n"
		"lab office { store = kept\n"
		" gateway mx5.de.tuv.com { listen = 127.0.0.1:0\n"
		"  chain = relay.pem key = relay.key tls = required }\n"
		" gateway mx6.de.tuv.com { listen = 127.0.0.1:0 } }\n"
		"log-format = json log-level = debug\n");
	char path[128];

	snprintf(path, sizeof(path), "%s/spool/here", f->folder);
	assert_string_equal(conf->spool, path);
	assert_true(conf->spool_size == 64 * 1024 * 1024);
	assert_string_equal(conf->user, "postern");
	assert_string_equal(conf->postmaster->domain, "example.org");
	assert_int_equal(conf->resolver_count, 2);
	assert_int_equal(net_port(&conf->resolvers[0]), 53);
	assert_int_equal(net_port(&conf->resolvers[1]), 5353);
	assert_false(conf->resolver_is_default);
	assert_int_equal(conf->mx_ignore_count, 0);
	assert_int_equal(conf->own_address_count, 2);
	assert_int_equal(conf->relay_from_count, 0);
	assert_true(rules_match(&conf->relay_domains, "example.org"));
	assert_true(rules_match(&conf->relay_domains,
				"x.xn--bcher-kva.example"));
	assert_false(rules_match(&conf->relay_domains, "x.example.org"));
	assert_int_equal(conf->retry_first, 90);
	assert_int_equal(conf->delay_notice, 0);
	assert_int_equal(conf->connection_idle, 120);
	assert_int_equal(conf->listener_count, 2);
	assert_int_equal(conf->listeners[0].address_count, 2);
	assert_ptr_equal(conf->listeners[0].certificate,
			 &conf->certificates[1]);
	assert_true(conf->listeners[0].normalises_newlines);
	assert_int_equal(conf->listeners[1].tls, LISTEN_IMPLICIT);
	assert_null(conf->listeners[1].certificate);
	assert_string_equal(conf->zones[0].name, "tuv.com");
	assert_int_equal(net_port(conf->zones[0].servers), 5300);
	assert_int_equal(conf->labs[0].gateway_count, 2);
	assert_string_equal(conf->labs[0].gateways[0].name, "mx5.de.tuv.com");
	assert_ptr_equal(conf->labs[0].gateways[0].listener.certificate,
			 &conf->labs[0].gateways[0].certificate);
	assert_int_equal(conf->labs[0].gateways[0].listener.tls,
			 LISTEN_REQUIRED);
	assert_null(conf->labs[0].gateways[1].listener.certificate);
	assert_int_equal(conf->log_format, LOG_JSON);
	conf_free(conf);
}

static void a_partners_form_becomes_one_policy(void **state)
{
	struct fixture *f = *state;
	struct conf *conf = must_read(f, HOST
		"policy \"*.tuv.com\" {\n"
		" domains = tuv.example tls = verify\n"
		" gateways = { mx5.de.tuv.com:25, MX6.de.tuv.com,\n"
		"  \"smtps://a.b\", \"[::1]:465\" }\n"
		" names = { mx5.de.tuv.com. }\n"
		" issuer = \"D-TRUST SSL Class 3 CA 1 2009\"\n"
		" trust = roots.pem pins = { " PIN " }\n"
		" min-tls = 1.3 sni = x.example family = any lifetime = 2d\n"
		" user = relay1 password-file = secret }\n"
		"policy m365.example { tls = verify trust = roots.pem\n"
		" mx = { \"*.mail.protection.example.com\" } }\n"
		"policy crlf.example { tls = verify pins = " PIN "\n"
		" gateways = 192.0.2.1 user = u password-file = secret.crlf }\n");
	const struct policy *p = &conf->policies[0];

	assert_string_equal(p->title, "*.tuv.com");
	assert_string_equal(strrchr(p->where, '/'), "/postern.conf:2");
	assert_int_equal(p->patterns.count, 2);
	assert_int_equal(p->gateway_count, 4);
	assert_string_equal(p->gateways[1].host, "mx6.de.tuv.com");
	assert_int_equal(p->gateways[1].port, 25);
	assert_false(p->gateways[1].is_tls_first);
	assert_true(p->gateways[2].is_tls_first);
	assert_int_equal(p->gateways[2].port, 465);
	assert_true(p->gateways[3].is_tls_first && p->gateways[3].is_address);
	assert_string_equal(p->gateways[3].host, "::1");
	assert_int_equal(net_port(&p->gateways[3].address), 465);
	assert_string_equal(p->names.at[0], "mx5.de.tuv.com");
	assert_string_equal(p->issuer.at[0], "D-TRUST SSL Class 3 CA 1 2009");
	assert_true(view_equal(p->trust.bytes, VIEW("roots")));
	assert_int_equal(p->pins[0][0], 0x00);
	assert_int_equal(p->pins[0][31], 0x1f);
	assert_int_equal(p->min_tls, TLS_1_3);
	assert_true(p->has_lifetime && !p->has_delay_notice);
	assert_string_equal(p->user, "relay1");
	assert_string_equal(p->password, "tops3cret ");
	assert_string_equal(conf->policies[1].mx.at[0],
			    "*.mail.protection.example.com");
	assert_string_equal(conf->policies[2].password, "tops3cret");
	/* Each has its own trust, or pins alone. */
	assert_null(conf->system_trust.path);
	assert_int_equal(conf->policies[2].index, 2);
	conf_free(conf);
}

static void files_are_included_from_beside(void **state)
{
	struct fixture *f = *state;
	struct conf *conf;

	write_file(f, "sub/roots.pem", "other roots");
	write_file(f, "sub/partner.conf",
		   "policy a.example {\n tls = verify trust = roots.pem\n"
		   " include(names.conf)\n}\n");
	write_file(f, "sub/names.conf", "names = { b.example }");
	conf = must_read(f, HOST "include(\"sub/partner.conf\")\n"
			 "workers = 2\n");
	assert_true(view_equal(conf->policies[0].trust.bytes,
			       VIEW("other roots")));
	assert_string_equal(strrchr(conf->policies[0].where, '/'),
			    "/partner.conf:1");
	assert_string_equal(conf->policies[0].names.at[0], "b.example");
	assert_int_equal(conf->workers, 2);
	conf_free(conf);
	/* Errors inside and behind an included file name their own places. */
	write_file(f, "sub/names.conf", "\n\nnames = { \"*.example\" }\n");
	assert_null(read_again(f));
	assert_non_null(strstr(f->error.text, "/sub/names.conf:3: "));
	write_file(f, "sub/names.conf", "\nnmes = x\n");
	assert_null(read_again(f));
	assert_non_null(strstr(f->error.text, "/sub/names.conf:2: unknown"));
	write_file(f, "sub/names.conf", "}\n");
	assert_null(read_again(f));
	assert_non_null(strstr(f->error.text, "/sub/names.conf:1: "));
	write_file(f, "sub/names.conf", "include(partner.conf)\n");
	assert_null(read_again(f));
	assert_non_null(strstr(f->error.text, "/sub/names.conf:1: this file "
			       "includes itself"));
	write_file(f, "sub/names.conf", "names = b.example\n");
	assert_null(read_text(f, HOST "include(sub/partner.conf)\nworkers = 0"));
	assert_non_null(strstr(f->error.text, "/postern.conf:3: "));
	/* The same file twice: the repeated title names both places. */
	assert_null(read_text(f, HOST "include(sub/partner.conf)\n"
			      "include(sub/partner.conf)"));
	assert_non_null(strstr(f->error.text, "partner.conf:1; give it once"));
	write_file(f, "sub/unread.conf", "");
	assert_non_null(conf = read_text(f, HOST "include(sub/unread.conf)"));
	conf_free(conf);
}

static void a_bundle_gives_the_same_snapshot(void **state)
{
	struct fixture *f = *state;
	struct conf *first, *second;
	struct conf_files *bundle;
	int fd;

	write_file(f, "sub/more.conf", "policy a.example { tls = verify\n"
		   "trust = ../roots.pem }");
	first = must_read(f, HOST "include(sub/more.conf)\n"
			  "certificate c { chain = relay.pem key = relay.key }");
	fd = files_seal(f->files, first->path, &f->error);
	assert_true(fd >= 0);
	/* Nothing comes from the disk any more. */
	write_file(f, "postern.conf", "broken");
	write_file(f, "sub/more.conf", "broken");
	bundle = files_bundle(fd, &f->error);
	assert_non_null(bundle);
	assert_string_equal(files_conf_path(bundle), first->path);
	second = conf_read(files_conf_path(bundle), bundle, &f->error);
	if (!second)
		fail_msg("%s", f->error.text);
	assert_true(first->generation == second->generation);
	assert_string_equal(first->policies[0].where,
			    second->policies[0].where);
	assert_true(view_equal(first->certificates[0].key.bytes,
			       second->certificates[0].key.bytes));
	assert_int_equal(first->certificates[0].key.is_exposed,
			 second->certificates[0].key.is_exposed);
	assert_int_equal(first->resolver_count, second->resolver_count);
	/* The snapshot owns what it holds. */
	files_free(bundle);
	close(fd);
	assert_true(view_equal(second->certificates[0].key.bytes,
			       VIEW("key")));
	conf_free(second);
	write_file(f, "relay.key", "another key");
	second = must_read(f, HOST "certificate c { chain = relay.pem\n"
			   "key = relay.key }");
	assert_true(first->generation != second->generation);
	conf_free(second);
	conf_free(first);
}

/* A bundle as files_seal() makes it, of files that need not exist. */
static struct conf_files *make_bundle(const char *const (*files)[2],
				      size_t count, size_t cut)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	struct buffer all = { 0 };
	struct conf_files *bundle;
	struct error error;

	buffer_append(&all, VIEW("PSTNCNF1"));
	for (size_t i = 0; i < count; i++) {
		uint64_t entry[3] = { strlen(files[i][0]), strlen(files[i][1]),
				      0600 };

		buffer_append(&all, view_make(entry, sizeof(entry)));
		buffer_append(&all, view_of(files[i][0]));
		buffer_append(&all, view_of(files[i][1]));
	}
	assert_int_equal(write(fd, all.data, buffer_len(&all) - cut),
			 buffer_len(&all) - cut);
	buffer_clear(&all);
	assert_null(files_bundle(fd, &error)); /* not sealed yet */
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	bundle = files_bundle(fd, &error);
	close(fd);
	return bundle;
}

static void verify_without_roots_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "/etc/p.conf", HOST "policy a.b { tls = verify }" },
		{ "/etc/p.conf", HOST "policy a.b { tls = verify names = c.d "
				 "pins = " PIN " }" },
	};
	static const char *const fine[][2] = {
		{ "/etc/p.conf", HOST "policy a.b { tls = verify pins = " PIN
				 " }" },
		{ "/etc/p.conf", HOST "policy a.b { tls = verify }" },
		{ "/etc/ssl/cert.pem", "roots" },
		{ "/etc/resolv.conf", "# x\nnameserver 192.0.2.53\n"
				      "nameserver\tfe80::1%eth0\n"
				      "options x\nnameservers 192.0.2.9\n"
				      "  nameserver 2001:db8::53 \n" },
	};
	struct conf_files *bundle;
	struct conf *conf;
	struct error error;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bundle = make_bundle(&rows[i], 1, 0);
		assert_null(conf_read("/etc/p.conf", bundle, &error));
		assert_memory_equal(error.text, "/etc/p.conf:2: policy", 21);
		assert_non_null(strstr(error.text, "root certificates"));
		files_free(bundle);
	}
	bundle = make_bundle(fine, 1, 0);
	conf = conf_read("/etc/p.conf", bundle, &error);
	assert_non_null(conf);
	/* No resolv.conf: what runs on this machine. */
	assert_int_equal(conf->resolver_count, 1);
	conf_free(conf);
	files_free(bundle);
	bundle = make_bundle(fine + 1, 3, 0);
	conf = conf_read("/etc/p.conf", bundle, &error);
	assert_non_null(conf);
	assert_string_equal(conf->system_trust.path, "/etc/ssl/cert.pem");
	assert_int_equal(conf->resolver_count, 2);
	assert_int_equal(conf->resolvers[1].sa.any.sa_family, AF_INET6);
	assert_true(conf->resolver_is_default);
	conf_free(conf);
	files_free(bundle);
	/* Cut anywhere it is refused, never read past its end. */
	for (size_t cut = 1; cut < 60; cut++)
		assert_null(make_bundle(rows, 1, cut));
}

struct heard {
	char text[8][512];
	size_t count;
};

static void hear(void *arg, const char *text)
{
	struct heard *heard = arg;

	assert_true(heard->count < COUNT(heard->text));
	snprintf(heard->text[heard->count++], sizeof(heard->text[0]), "%s",
		 text);
}

static bool was_heard(const struct heard *heard, const char *part)
{
	for (size_t i = 0; i < heard->count; i++)
		if (strstr(heard->text[i], part))
			return true;
	return false;
}

static void what_is_risky_is_warned_of(void **state)
{
	struct fixture *f = *state;
	struct heard heard = { .count = 0 };
	struct conf *conf;
	char path[128];

	umask(022);
	write_file(f, "exposed", "pass\n");
	snprintf(path, sizeof(path), "%s/exposed", f->folder);
	chmod(path, 0644);
	conf = must_read(f, "hostname = relay\n"
		"relay-from = 0.0.0.0/0 relay-domains = { \"*\", a.example,\n"
		"b.example } mx-port = 2525\n"
		"policy b.example { gateways = 10.0.0.1 }\n"
		"policy c.example { tls = verify trust = roots.pem names = mx\n"
		"user = u password-file = exposed }\n");
	conf_warnings(conf, hear, &heard);
	assert_true(was_heard(&heard, "OPEN RELAY: relay-from"));
	assert_true(was_heard(&heard, "OPEN RELAY: relay-domains"));
	assert_true(was_heard(&heard, "relay-domains holds \"a.example\""));
	assert_false(was_heard(&heard, "relay-domains holds \"b.example\""));
	assert_true(was_heard(&heard, "mx-port is 2525"));
	assert_true(was_heard(&heard, "password-file of policy \"c.example\""));
	assert_true(was_heard(&heard, "names = { mx }"));
	assert_true(was_heard(&heard, "hostname \"relay\""));
	conf_free(conf);
	chmod(path, 0600);
	heard.count = 0;
	conf = must_read(f, HOST "policy c.example { tls = verify\n"
		"trust = roots.pem user = u password-file = exposed }\n");
	conf_warnings(conf, hear, &heard);
	assert_int_equal(heard.count, 0);
	conf_free(conf);
}

static void a_missing_configuration_is_told(void **state)
{
	struct fixture *f = *state;

	f->files = files_disk();
	assert_null(conf_read("/absent/postern.conf", f->files, &f->error));
	assert_string_equal(f->error.text, "/absent/postern.conf: cannot open "
			    "it: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		ROW(what_libconfuse_lets_pass_is_refused),
		ROW(wrong_syntax_names_its_line),
		ROW(wrong_values_say_what_would_be_right),
		ROW(policies_that_do_not_hold_together_are_refused),
		ROW(an_empty_file_gives_safe_defaults),
		ROW(every_kind_of_value_is_read),
		ROW(a_partners_form_becomes_one_policy),
		ROW(files_are_included_from_beside),
		ROW(a_bundle_gives_the_same_snapshot),
		ROW(verify_without_roots_is_refused),
		ROW(what_is_risky_is_warned_of),
		ROW(a_missing_configuration_is_told),
#undef ROW
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
