/*
 * The `lab` sections of a configuration: what is understood, and what is
 * refused, where and why.
 */
#include "tests/unit/conf_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_lab_is_read_with_its_faults(void **state)
{
	struct fixture *f = *state;
	struct conf *conf = fixture_must_read(f, HOST
		"lab tuv { domains = { tuv.com, De.tuv.com }\n"
		" ca = \"D-TRUST SSL Class 3 CA 1 2009\"\n"
		" dns = 127.0.5.53:0 http = 127.0.0.1\n"
		" fault = { \"null-mx to de.tuv.com\" }\n"
		" gateway Mx5.de.tuv.com { listen = 127.0.5.5:2525 }\n"
		" gateway mx6.de.tuv.com { listen = 127.0.5.6:2525\n"
		"  fault = { expired, \"450-rcpt to *@x first 2\" } }\n"
		" gateway mx7.de.tuv.com { listen = 127.0.5.7:2525\n"
		"  preference = 5 names = { mx7.de.tuv.com, mx8.tuv.com } }\n"
		"}\n"
		"lab plain { store = s gateway a { listen = 127.0.0.1:0 } }\n");
	const struct lab *lab = &conf->labs[0];
	char path[300];

	snprintf(path, sizeof(path), "%s/lab-mail", f->folder);
	assert_string_equal(lab->store, path);
	assert_string_equal(lab->domains.at[1], "de.tuv.com");
	assert_string_equal(lab->ca, "D-TRUST SSL Class 3 CA 1 2009");
	assert_int_equal(lab->dns.sa.any.sa_family, AF_INET);
	assert_int_equal(net_port(&lab->http), 8025);
	assert_int_equal(lab->faults[0].kind, FAULT_NULL_MX);
	assert_string_equal(lab->gateways[0].name, "mx5.de.tuv.com");
	assert_int_equal(lab->gateways[0].preference, 10);
	assert_int_equal(lab->gateways[1].preference, 20);
	assert_string_equal(lab->gateways[1].names.at[0], "mx5.de.tuv.com");
	assert_int_equal(lab->gateways[1].fault_count, 2);
	assert_int_equal(lab->gateways[1].faults[1].code, 450);
	assert_int_equal(lab->gateways[1].faults[1].first, 2);
	assert_int_equal(lab->gateways[2].preference, 5);
	assert_string_equal(lab->gateways[2].names.at[1], "mx8.tuv.com");
	assert_int_equal(conf->labs[1].dns.sa.any.sa_family, 0);
	assert_string_equal(conf->labs[1].ca, "Postern Lab CA");
	conf_free(conf);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *says;
	} rows[] = {
		{ HOST "lab l { gateway \"*.g\" { listen = \":0\" } }", 2,
		  "must be a host name" },
		{ HOST "lab l { dns = nowhere\n"
		  "gateway g { listen = \":0\" } }", 2, "must be an address" },
		{ HOST "lab l { dns = 127.0.0.1\n"
		  "gateway g { listen = \":0\" } }", 2, "no domains" },
		{ HOST "lab l { domains = { a..b }\n"
		  "gateway g { listen = \":0\" } }", 2, "empty label" },
		{ HOST "lab l { gateway g { listen = \":0\"\n"
		  "fault = { expired, expird } } }", 3, "nearest is \"expired\"" },
		{ HOST "lab l { fault = expired\n"
		  "gateway g { listen = \":0\" } }", 2, "no fault of the DNS" },
		{ HOST "lab l { gateway g { listen = \":0\" } }\n"
		  "lab m { store = m\ngateway G { listen = \":0\" } }", 4,
		  "postern.conf:2" },
		{ HOST "lab l { gateway g { listen = \":0\" } }\n"
		  "lab m { gateway h { listen = \":0\" } }", 3,
		  "store of lab \"l\"" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		char where[40];

		snprintf(where, sizeof(where), "postern.conf:%u: ",
			 rows[i].line);
		assert_null(fixture_read(f, rows[i].text));
		if (!strstr(f->error.text, where) ||
		    !strstr(f->error.text, rows[i].says))
			fail_msg("%s\ngives: %s", rows[i].text, f->error.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ROW(test) \
	cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
		ROW(a_lab_is_read_with_its_faults),
		ROW(what_is_wrong_is_told_with_its_place),
#undef ROW
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
