/*
 * The configuration: defaults, every kind of value, includes, bundles,
 * warnings, and the examples of the manual.
 */
#include "tests/unit/conf_fixture.h"

#include "conf/addr.h"
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

static void an_empty_file_gives_safe_defaults(void **state)
{
	struct conf *conf = fixture_must_read(*state, HOST);
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
	struct conf *conf = fixture_must_read(f, HOST
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
	char path[300];

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
	struct conf *conf = fixture_must_read(f, HOST
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

	fixture_write(f, "sub/roots.pem", "other roots");
	fixture_write(f, "sub/partner.conf",
		   "policy a.example {\n tls = verify trust = roots.pem\n"
		   " include(names.conf)\n}\n");
	fixture_write(f, "sub/names.conf", "names = { b.example }");
	conf = fixture_must_read(f, HOST "include(\"sub/partner.conf\")\n"
			 "workers = 2\n");
	assert_true(view_equal(conf->policies[0].trust.bytes,
			       VIEW("other roots")));
	assert_string_equal(strrchr(conf->policies[0].where, '/'),
			    "/partner.conf:1");
	assert_string_equal(conf->policies[0].names.at[0], "b.example");
	assert_int_equal(conf->workers, 2);
	conf_free(conf);
	/* Errors inside and behind an included file name their own places. */
	fixture_write(f, "sub/names.conf", "\n\nnames = { \"*.example\" }\n");
	assert_null(fixture_read_again(f));
	assert_non_null(strstr(f->error.text, "/sub/names.conf:3: "));
	fixture_write(f, "sub/names.conf", "\nnmes = x\n");
	assert_null(fixture_read_again(f));
	assert_non_null(strstr(f->error.text, "/sub/names.conf:2: unknown"));
	fixture_write(f, "sub/names.conf", "}\n");
	assert_null(fixture_read_again(f));
	assert_non_null(strstr(f->error.text, "/sub/names.conf:1: "));
	fixture_write(f, "sub/names.conf", "include(partner.conf)\n");
	assert_null(fixture_read_again(f));
	assert_non_null(strstr(f->error.text, "/sub/names.conf:1: this file "
			       "includes itself"));
	fixture_write(f, "sub/names.conf", "names = b.example\n");
	assert_null(fixture_read(f, HOST "include(sub/partner.conf)\nworkers = 0"));
	assert_non_null(strstr(f->error.text, "/postern.conf:3: "));
	/* The same file twice: the repeated title names both places. */
	assert_null(fixture_read(f, HOST "include(sub/partner.conf)\n"
			      "include(sub/partner.conf)"));
	assert_non_null(strstr(f->error.text, "partner.conf:1; give it once"));
	fixture_write(f, "sub/unread.conf", "");
	assert_non_null(conf = fixture_read(f, HOST "include(sub/unread.conf)"));
	conf_free(conf);
}

static void a_bundle_gives_the_same_snapshot(void **state)
{
	struct fixture *f = *state;
	struct conf *first, *second;
	struct conf_files *bundle;
	int fd;

	fixture_write(f, "sub/more.conf", "policy a.example { tls = verify\n"
		   "trust = ../roots.pem }");
	first = fixture_must_read(f, HOST "include(sub/more.conf)\n"
			  "certificate c { chain = relay.pem key = relay.key }");
	fd = files_seal(f->files, first->path, &f->error);
	assert_true(fd >= 0);
	/* Nothing comes from the disk any more. */
	fixture_write(f, "postern.conf", "broken");
	fixture_write(f, "sub/more.conf", "broken");
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
	fixture_write(f, "relay.key", "another key");
	second = fixture_must_read(f, HOST "certificate c { chain = relay.pem\n"
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
	char text[12][512];
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
	char path[300];

	umask(022);
	fixture_write(f, "exposed", "pass\n");
	snprintf(path, sizeof(path), "%s/exposed", f->folder);
	chmod(path, 0644);
	conf = fixture_must_read(f, "hostname = relay\n"
		"relay-from = { 128.0.0.0/1, 2000::/3, fc00::/7, 10.0.0.0/8 }\n"
		"relay-domains = { \"*\", a.example,\n"
		"b.example } mx-port = 2525 spool-size = 32M\n"
		"policy b.example { gateways = 10.0.0.1 }\n"
		"policy c.example { tls = verify trust = roots.pem names = mx\n"
		"user = u password-file = exposed }\n");
	conf_warnings(conf, hear, &heard);
	assert_true(was_heard(&heard, "OPEN RELAY: relay-from holds 128.0.0.0/1"));
	assert_true(was_heard(&heard, "OPEN RELAY: relay-from holds 2000::/3"));
	assert_false(was_heard(&heard, "fc00::"));
	assert_false(was_heard(&heard, "10.0.0.0"));
	assert_true(was_heard(&heard, "OPEN RELAY: relay-domains"));
	assert_true(was_heard(&heard, "relay-domains holds \"a.example\""));
	assert_false(was_heard(&heard, "relay-domains holds \"b.example\""));
	assert_true(was_heard(&heard, "mx-port is 2525"));
	assert_true(was_heard(&heard, "a message may be larger"));
	assert_true(was_heard(&heard, "password-file of policy \"c.example\""));
	assert_true(was_heard(&heard, "names = { mx }"));
	assert_true(was_heard(&heard, "hostname \"relay\""));
	conf_free(conf);
	chmod(path, 0600);
	heard.count = 0;
	conf = fixture_must_read(f, HOST "policy c.example { tls = verify\n"
		"trust = roots.pem user = u password-file = exposed }\n");
	conf_warnings(conf, hear, &heard);
	assert_int_equal(heard.count, 0);
	conf_free(conf);
}

/* The text of an example; unit tests run in the top folder. */
static char *example(const char *name)
{
	struct conf_files *files = files_disk();
	struct error error;
	struct view bytes;
	char path[300], *text;

	snprintf(path, sizeof(path), "docs/examples/%s", name);
	if (files_get(files, path, &bytes, &error))
		fail_msg("%s", error.text);
	text = view_string(bytes);
	files_free(files);
	return text;
}

static void the_examples_are_accepted(void **state)
{
	struct fixture *f = *state;
	char *smarthost = example("smarthost.conf");
	char *partner = example("partner-tuv.conf");
	const struct policy *tuv;
	struct conf *conf;

	fixture_write(f, "partner-tuv.conf", partner);
	fixture_write(f, "smarthost.conf", smarthost);
	conf = fixture_must_read(f, "include(smarthost.conf)\n"
				 "include(partner-tuv.conf)\n");
	tuv = rules_policy(conf, (struct rules_question){
			.recipient_domain = "de.tuv.com" }).policy;
	assert_int_equal(tuv->tls, TLS_VERIFY);
	assert_int_equal(tuv->gateway_count, 4);
	assert_string_equal(tuv->gateways[3].host, "mx1.asia.tuv.com");
	assert_string_equal(tuv->names.at[0], "mx5.de.tuv.com");
	assert_string_equal(tuv->issuer.at[0],
			    "D-TRUST SSL Class 3 CA 1 2009");
	assert_int_equal(conf->relay_from_count, 3);
	conf_free(conf);
	free(smarthost);
	free(partner);
}

static void a_relative_path_is_understood(void **state)
{
	struct fixture *f = *state;
	char *here = getcwd(NULL, 0), path[300];
	struct conf *conf;
	int fd;

	fixture_write(f, "postern.conf", HOST "root-anchor = roots.pem");
	snprintf(path, sizeof(path), "%s/postern.conf", f->folder);
	f->files = files_disk();
	assert_int_equal(chdir(f->folder), 0);
	conf = conf_read("./postern.conf", f->files, &f->error);
	fd = files_seal(f->files, "./postern.conf", &f->error);
	assert_int_equal(chdir(here), 0);
	free(here);
	assert_non_null(conf);
	assert_string_equal(conf->path, path);
	assert_true(view_equal(conf->root_anchor.bytes, VIEW("roots")));
	assert_true(fd >= 0);
	close(fd);
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
#define ROW(test) \
	cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
		ROW(an_empty_file_gives_safe_defaults),
		ROW(every_kind_of_value_is_read),
		ROW(a_partners_form_becomes_one_policy),
		ROW(files_are_included_from_beside),
		ROW(a_bundle_gives_the_same_snapshot),
		ROW(verify_without_roots_is_refused),
		ROW(what_is_risky_is_warned_of),
		ROW(the_examples_are_accepted),
		ROW(a_relative_path_is_understood),
		ROW(a_missing_configuration_is_told),
#undef ROW
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
