/*
 * What a policy may say of both directions and of what happens when it is
 * not kept; and what it may not, with the line that is to blame.
 */
#include "tests/unit/conf_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void an_agreement_may_bind_both_ways(void **state)
{
	struct conf *conf = fixture_must_read(*state, HOST
		"certificate \"relay\" { chain = relay.pem key = relay.key }\n"
		"policy a.example { tls = verify trust = roots.pem\n"
		" on-failure = \"bounce-after 4h\" certificate = relay\n"
		" inbound = verify inbound-names = { OUT.a.example. } }\n"
		"policy b.example { tls = may would = verify\n"
		" names = mx.b.example issuer = CA trust = roots.pem\n"
		" pins = " PIN " on-failure = \"bounce-after  60\"\n"
		" inbound = verify }\n"
		"policy c.example { tls = encrypt on-failure = defer\n"
		" inbound = required }\n"
		"policy d.example { }\n");
	const struct policy *p = conf->policies;

	assert_int_equal(p[0].bounce_after, 4 * 3600);
	assert_ptr_equal(p[0].certificate, &conf->certificates[0]);
	assert_int_equal(p[0].inbound, INBOUND_TLS_VERIFY);
	assert_string_equal(p[0].inbound_names.at[0], "out.a.example");
	assert_int_equal(p[0].would, TLS_NONE);
	assert_int_equal(p[1].tls, TLS_MAY);
	assert_int_equal(p[1].would, TLS_VERIFY);
	assert_int_equal(p[1].bounce_after, 60);
	assert_int_equal(p[1].inbound_names.count, 0);
	assert_int_equal(p[2].bounce_after, 0);
	assert_int_equal(p[2].inbound, INBOUND_TLS_REQUIRED);
	assert_int_equal(p[3].inbound, INBOUND_TLS_NONE);
	assert_null(p[3].certificate);
	/* Each has its own trust, or asks for no certificate. */
	assert_null(conf->system_trust.path);
	conf_free(conf);
}

struct heard {
	char text[2048];
};

static void hear(void *arg, const char *text)
{
	struct heard *heard = arg;
	size_t len = strlen(heard->text);

	snprintf(heard->text + len, sizeof(heard->text) - len, "%s\n", text);
}

static void mail_that_could_never_come_is_warned_of(void **state)
{
	struct heard heard = { "" };
	struct conf *conf = fixture_must_read(*state, HOST
		"listen \":25\" { tls = none }\n"
		"policy a.example { inbound = required }\n"
		"policy \"*\" { inbound = required }\n");

	conf_warnings(conf, hear, &heard);
	assert_non_null(strstr(heard.text, "\"a.example\" takes mail over TLS "
					   "only, but no listener offers TLS"));
	assert_non_null(strstr(heard.text, "mail of all senders"));
	conf_free(conf);
}

static void what_does_not_hold_together_is_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *part;
	} rows[] = {
		/* A dry run beside what is not dry, or cannot be run. */
		{ HOST "policy a.b { tls = verify trust = roots.pem\n"
		  "would = verify }", 3, "beside tls = may or encrypt" },
		{ HOST "policy a.b { tls = none\n would = verify }", 3,
		  "tls = none" },
		{ HOST "policy a.b { would = encrypt }", 2, "verify" },
		{ HOST "policy a.b { would = verify trust = roots.pem\n"
		  "user = u password-file = secret }", 3, "credentials" },
		{ HOST "policy a.b { would = verify trust = roots.pem\n"
		  "gateways = { 192.0.2.1 } }", 3, "an address" },
		/* Demands that nobody makes, or nobody can meet. */
		{ HOST "policy a.b {\n on-failure = \"bounce-after 4h\" }", 3,
		  "tls = may goes on without" },
		{ HOST "policy a.b { tls = encrypt\n"
		  "on-failure = \"bounce-after 5d\" }", 3, "lifetime" },
		{ HOST "policy a.b { tls = encrypt lifetime = 1h\n"
		  "on-failure = \"bounce-after 1h\" }", 3, "lifetime" },
		{ HOST "policy a.b { tls = encrypt\n on-failure = bounce }", 3,
		  "bounce-after 4h" },
		{ HOST "policy a.b { tls = encrypt\n"
		  "on-failure = bounce-after }", 3, "bounce-after 4h" },
		{ HOST "policy a.b { tls = encrypt\n"
		  "on-failure = \"bounce-after 4x\" }", 3, "as in 30s" },
		{ HOST "policy a.b { tls = encrypt\n"
		  "on-failure = \"bounce-after 0\" }", 3, "from 1s" },
		{ HOST "policy a.b {\n certificate = x }", 3,
		  "no certificate of that title" },
		{ HOST "certificate c { chain = relay.pem key = relay.key }\n"
		  "policy a.b { tls = none\n certificate = c }", 4,
		  "shown in TLS" },
		{ HOST "policy a.b {\n inbound-names = c.d }", 3,
		  "inbound = verify" },
		{ HOST "policy a.b { inbound = required\n"
		  "inbound-names = c.d }", 3, "inbound = verify" },
		{ HOST "policy a.b {\n inbound = verify }", 3,
		  "inbound-names or names" },
		{ HOST "policy a.b { tls = verify trust = roots.pem\n"
		  "names = { mx }\n inbound = verify }", 4,
		  "inbound-names or names" },
		{ HOST "policy a.b { inbound = verify\n inbound-names = mx }",
		  3, "no MX" },
		{ HOST "policy a.b { inbound = verify\n"
		  "inbound-names = \"*.c.d\" }", 3, "without a *" },
		{ HOST "policy a.b { inbound = yes }", 2,
		  "none, required or verify" },
	};
	struct fixture *f = *state;
	char where[320];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct conf *conf = fixture_read(f, rows[i].text);

		if (conf)
			fail_msg("accepted:\n%s", rows[i].text);
		snprintf(where, sizeof(where), "%s/postern.conf:%u: ",
			 f->folder, rows[i].line);
		if (strncmp(f->error.text, where, strlen(where)) ||
		    !strstr(f->error.text, rows[i].part))
			fail_msg("wanted %s...%s\ngot    %s", where,
				 rows[i].part, f->error.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ROW(test) \
	cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
		ROW(an_agreement_may_bind_both_ways),
		ROW(mail_that_could_never_come_is_warned_of),
		ROW(what_does_not_hold_together_is_refused),
#undef ROW
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
