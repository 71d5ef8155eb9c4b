/*
 * Names in certificates: what counts as one, and what matches what.
 */
#include "tests/unit/certs.h"
#include "tls/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void only_host_names_are_names(void **state)
{
	const struct {
		struct view presented;
		const char *canonical; /* NULL: none */
	} rows[] = {
		{ VIEW("MX5.Example.Test"), "mx5.example.test" },
		{ VIEW("mx5.example.test."), "mx5.example.test" },
		{ VIEW("*.Example.test"), "*.example.test" },
		{ VIEW("b\xc3\xbc" "cher.test"), "xn--bcher-kva.test" },
		{ VIEW("xn--bcher-kva.test"), "xn--bcher-kva.test" },
		{ VIEW("_25._tcp.a.test"), "_25._tcp.a.test" },
		{ VIEW("localhost"), "localhost" },
		{ VIEW(""), NULL },
		{ VIEW("."), NULL },
		{ VIEW("*"), NULL },
		{ VIEW("*."), NULL },
		{ VIEW("*.*.a.test"), NULL },
		{ VIEW("a.*.test"), NULL },
		{ VIEW("f*.a.test"), NULL },
		{ VIEW("a..test"), NULL },
		{ VIEW(".a.test"), NULL },
		{ VIEW("mx5.example.test\0.evil"), NULL },
		{ VIEW("mx5.example.test\0"), NULL },
		{ VIEW("mx5.example.test\n"), NULL },
		{ VIEW(" mx5.example.test"), NULL },
		{ VIEW("mx5 .example.test"), NULL },
		{ VIEW("192.0.2.1"), NULL },
		{ VIEW("::1"), NULL },
		{ VIEW("a/b.test"), NULL },
		{ VIEW("a@b.test"), NULL },
		{ VIEW("\xff\xfe.test"), NULL },
		{ VIEW("John Smith"), NULL },
	};
	char out[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int result = names_canonical(rows[i].presented, out);

		if ((result == 0) != (rows[i].canonical != NULL) ||
		    (result == 0 && strcmp(out, rows[i].canonical) != 0))
			fail_msg("row %zu: \"%.*s\" gave %d %s", i,
				 (int)rows[i].presented.len,
				 (const char *)rows[i].presented.at, result,
				 result == 0 ? out : "");
	}
}

static void a_star_is_one_whole_left_most_label(void **state)
{
	static const struct {
		const char *presented, *reference;
		bool matches;
	} rows[] = {
		{ "mx5.example.test", "mx5.example.test", true },
		{ "mx5.example.test", "mx6.example.test", false },
		{ "example.test", "mx5.example.test", false },
		{ "mx5.example.test", "example.test", false },
		{ "*.example.test", "mx5.example.test", true },
		{ "*.example.test", "a.mx5.example.test", false },
		{ "*.example.test", "example.test", false },
		{ "*.example.test", ".example.test", false },
		{ "*.example.test", "mx5.notexample.test", false },
		{ "*.test", "example.test", false },
		{ "*.mx5.example.test", "a.mx5.example.test", true },
		{ "", "", false },
		{ "*.", "a.", false },
		{ "mx5.example.test", "", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (names_match(rows[i].presented, rows[i].reference) !=
		    rows[i].matches)
			fail_msg("%s against %s", rows[i].presented,
				 rows[i].reference);
}

static struct tls_facts names_of(const char *file)
{
	struct tls_facts facts = { 0 };
	struct cert cert;

	assert_int_equal(cert_parse(certs_get(file), &cert), 0);
	names_fill(&cert, &facts);
	return facts;
}

static void certificates_say_their_names(void **state)
{
	static const struct {
		const char *file, *name, *cn;
		size_t count, refused;
		bool from_cn;
	} rows[] = {
		{ "good.der", "mx5.example.test", "mx5.example.test", 1, 0,
		  false },
		{ "wild.der", "*.example.test", "x", 1, 0, false },
		{ "cnonly.der", "mx5.example.test", "mx5.example.test", 1, 0,
		  true },
		{ "cnnot.der", "mx6.example.test", "mx5.example.test", 1, 0,
		  false },
		/* an address and a mailbox are no host names: the CN counts */
		{ "iponly.der", "mx5.example.test", "mx5.example.test", 1, 0,
		  true },
		{ "twocn.der", "second.example.test", "second.example.test",
		  1, 0, true },
		{ "nul.der", NULL, "x", 0, 1, false },
		{ "idn.der", "xn--bcher-kva.example.test", "x", 1, 0, false },
		{ "many.der", "host-000.example.test", "x", 201, 0, false },
		{ "root.der", NULL, "", 0, 1, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_facts facts = names_of(rows[i].file);

		assert_int_equal(facts.name_count, rows[i].count);
		assert_int_equal(facts.names_refused, rows[i].refused);
		assert_true(facts.names_from_cn == rows[i].from_cn);
		assert_string_equal(facts.cn, rows[i].cn);
		if (rows[i].name)
			assert_string_equal(facts.names[0], rows[i].name);
		facts_clear(&facts);
	}
}

static void the_last_of_many_names_counts_too(void **state)
{
	struct tls_facts facts = names_of("many.der");

	(void)state;
	assert_string_equal(facts.names[200], "mx5.example.test");
	facts_clear(&facts);
}

static int set_up(void **state)
{
	(void)state;
	return certs_make(false);
}

static int tear_down(void **state)
{
	(void)state;
	certs_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_host_names_are_names),
		cmocka_unit_test(a_star_is_one_whole_left_most_label),
		cmocka_unit_test(certificates_say_their_names),
		cmocka_unit_test(the_last_of_many_names_counts_too),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
