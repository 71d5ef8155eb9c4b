/*
 * Addresses, domains and xtext: what is read and how it comes out, what is
 * refused, and that no form of an address changes which domain counts.
 */
#include "conf/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10
#define L63 A60 "aaa"

static void paths_are_read(void **unused)
{
	static const struct {
		const char *path, *text, *domain;
		size_t left; /* bytes that follow the path */
	} rows[] = {
		{ "<a@b.example>",	       "a@b.example",   "b.example", 0 },
		{ "<a@B.Example> SIZE=1",      "a@B.Example",   "b.example", 7 },
		{ "<>",			       "",	        "",	     0 },
		{ "<> BODY=7BIT",	       "",	        "",	     10 },
		{ "a@b.example SIZE=1",	       "a@b.example",   "b.example", 7 },
		{ "<a@b.example.>",	       "a@b.example",   "b.example", 0 },
		{ "<@x.example:a@b.example>",  "a@b.example",   "b.example", 0 },
		{ "<@x.example,@[IPv6:::1]:a@b>", "a@b",        "b",	     0 },
		{ "<postmaster>",	       "postmaster",    "",	     0 },
		{ "<PostMaster>",	       "PostMaster",    "",	     0 },
		{ "<Postmaster@b.example>",    "Postmaster@b.example",
		  "b.example",						     0 },
		{ "<\"a b\"@c.example>",       "\"a b\"@c.example",
		  "c.example",						     0 },
		{ "<\"a>@\\\"x\"@c.example>",  "\"a>@\\\"x\"@c.example",
		  "c.example",						     0 },
		{ "<\"\"@c.example>",	       "\"\"@c.example", "c.example", 0 },
		{ "<a+b=c/d@_x.example>",      "a+b=c/d@_x.example",
		  "_x.example",						     0 },
		{ "<a@[192.0.2.1]>",	       "a@[192.0.2.1]",
		  "[192.0.2.1]",					     0 },
		{ "<a@[ipv6:2001:DB8::1]>",    "a@[ipv6:2001:DB8::1]",
		  "[IPv6:2001:db8::1]",					     0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct view text = view_of(rows[i].path);
		struct error error = { "" };
		struct address a;
		size_t used;

		if (address_parse_path(text, false, &a, &used, &error))
			fail_msg("%s: %s", rows[i].path, error.text);
		assert_string_equal(a.text, rows[i].text);
		assert_string_equal(a.domain, rows[i].domain);
		assert_int_equal(text.len - used, rows[i].left);
		assert_false(a.needs_utf8 || a.has_u_label);
		assert_int_equal(a.is_literal, a.domain[0] == '[');
	}
	(void)unused;
}

/* Open relays were made of these: the parsed domain is what counts. */
static void only_the_parsed_domain_counts(void **unused)
{
	static const struct {
		const char *path, *domain;
	} rows[] = {
		{ "<victim%other.example@here.example>",   "here.example"  },
		{ "<other.example!victim@here.example>",   "here.example"  },
		{ "<\"victim@other.example\"@here.example>", "here.example" },
		{ "<@here.example:victim@other.example>",  "other.example" },
		{ "<victim@other.example.>",		   "other.example" },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error error;
		struct address a;
		size_t used;

		assert_int_equal(address_parse_path(view_of(rows[i].path),
						    false, &a, &used, &error),
				 0);
		assert_string_equal(a.domain, rows[i].domain);
	}
}

static void broken_paths_are_refused(void **unused)
{
	static const char *const rows[] = {
		"",			"<",
		"<a@b",			"<a>",
		"<a@>",			"<@b>",
		"<@x.example:>",	"<@x.example a@b>",
		"<@x.example,a@b>",	"<@x_?:a@b>",
		"<a@b@c>",		"<a@@b>",
		"<a b@c>",		"< a@b>",
		"<a@b >",		"<a@b>x",
		"<a@b>SIZE=1",		"<<a@b>>",
		"<.a@b>",		"<a.@b>",
		"<a..b@c>",		"<\"a@b>",
		"<\"a\"x@b>",		"<\"a\\",
		"<a@b..c>",		"<a@.b>",
		"<a@b-.c>",		"<a@-b.c>",
		"<a@b c>",		"<a@b,c>",
		"<a@[1.2.3]>",		"<a@[1.2.3.4>",
		"<a@[::1]>",		"<a@[IPv6:1.2.3.4]>",
		"<a@[IPv6:[::1]]>",	"<a@[tag:x]>",
		"<a@[]>",		"<a@[1.2.3.4]x>",
		"<a\x01@b>",		"<\"a\x7f\"@b>",
		"<\"a\r\n\"@b>",	"<a@b\x80>",
		"<\xc3\xbc@b>",		"<a@\xc3\xbc.example>",
		"\"postmaster\"",	"<a:b@c>",
		"<" A60 A60 A60 A60 A10 "a@b>",	"<a@" A60 "aaaa.b>",
		"<a@" L63 "." L63 "." L63 "." L63 ">",
		"<a@.>",		"@",
	};
	struct error error;
	struct address a;
	size_t used;

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (!address_parse_path(view_of(rows[i]), false, &a, &used,
					&error))
			fail_msg("accepted: %s", rows[i]);
	/* A C string would end here and accept. */
	assert_int_equal(address_parse_path(view_make("<a@b\0junk>", 10), true,
					    &a, &used, &error), -1);
	assert_int_equal(address_parse_path(view_make("<a\0@b>", 6), true, &a,
					    &used, &error), -1);
	assert_int_equal(address_parse_path(view_make("<a@\xc3\xbc\0>", 7),
					    true, &a, &used, &error), -1);
	assert_int_equal(address_parse_path(view_make("<a@b>\0", 6), true, &a,
					    &used, &error), -1);
}

static void longest_forms_fit(void **unused)
{
	const char *local = "<" A60 A60 A60 A60 "aaaaaa@b.ex>";
	const char *domain = "<a@" L63 "." L63 "." L63 "." A60 ">";
	struct error error;
	struct address a;
	size_t used;

	(void)unused;
	assert_int_equal(address_parse_path(view_of(local), false, &a, &used,
					    &error), 0);
	assert_int_equal(a.local_len, 246);
	assert_int_equal(address_parse_path(view_of(domain), false, &a, &used,
					    &error), 0);
	assert_int_equal(strlen(a.domain), 3 * 64 + 60);
}

static void utf8_names_pass_only_where_allowed(void **unused)
{
	static const struct {
		const char *path, *domain;
		bool needs_utf8, has_u_label;
	} good[] = {
		{ "<j\xc3\xbcrgen@b.example>",	 "b.example",	       true,  false },
		{ "<a@b\xc3\xbc" "cher.example>", "xn--bcher-kva.example",
		  false, true							   },
		{ "<a@B\xc3\x9c" "CHER.example.>", "xn--bcher-kva.example",
		  false, true							   },
		/* Non-transitional: the sharp s stays one. */
		{ "<a@fa\xc3\x9f.example>",	 "xn--fa-hia.example", false, true },
		{ "<\"\xe2\x82\xac \"@b.example>", "b.example",	       true,  false },
	};
	static const char *const bad[] = {
		"<\xc0\xaf@b>",		    /* overlong */
		"<\xed\xa0\x80@b>",	    /* surrogate */
		"<\xf4\x90\x80\x80@b>",	    /* above U+10FFFF */
		"<\xc3@b>",		    /* cut */
		"<\xc2\x85@b>",		    /* C1 control */
		"<a@\xc0\xaf.example>",	    "<a@\xe2\x80\xae.example>",
		"<a@\xef\xbc\xa0z.c>",    /* full-width @ */
		"<a@-\xc3\xbc.example>",
	};
	struct error error = { "" };
	struct address a;
	size_t used;

	(void)unused;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct view path = view_of(good[i].path);

		assert_int_equal(address_parse_path(path, false, &a, &used,
						    &error), -1);
		if (address_parse_path(path, true, &a, &used, &error))
			fail_msg("%zu: %s", i, error.text);
		assert_string_equal(a.domain, good[i].domain);
		assert_int_equal(a.needs_utf8, good[i].needs_utf8);
		assert_int_equal(a.has_u_label, good[i].has_u_label);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		if (!address_parse_path(view_of(bad[i]), true, &a, &used,
					&error))
			fail_msg("accepted row %zu", i);
}

static void domains_have_one_canonical_form(void **unused)
{
	static const char *const same[] = {
		"xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE.",
		"b\xc3\xbc" "cher.example", "B\xc3\x9c" "CHER.Example",
		"bu\xcc\x88" "cher.example", /* not normalised */
		"b\xc3\xbc" "cher\xe3\x80\x82" "example", /* ideographic dot */
	};
	char out[ADDR_DOMAIN_MAX + 1];
	struct error error = { "" };

	(void)unused;
	for (size_t i = 0; i < COUNT(same); i++) {
		if (domain_canonical(view_of(same[i]), out, &error))
			fail_msg("%zu: %s", i, error.text);
		assert_string_equal(out, same[0]);
	}
	assert_int_equal(domain_canonical(VIEW("*.example"), out, &error), -1);
	assert_int_equal(domain_canonical(VIEW(".example"), out, &error), -1);
	assert_int_equal(domain_canonical(VIEW("."), out, &error), -1);
	assert_int_equal(domain_canonical(VIEW("example.."), out, &error), -1);
}

static void an_ascii_form_is_made_for_old_next_hops(void **unused)
{
	char out[ADDR_PATH_MAX];
	struct error error;
	struct address a;

	(void)unused;
	address_parse(VIEW("Info@b\xc3\xbc" "cher.example"), &a, &error);
	address_ascii(&a, out, sizeof(out));
	assert_string_equal(out, "Info@xn--bcher-kva.example");
	assert_int_equal(address_parse(VIEW("postmaster"), &a, &error), -1);
	assert_int_equal(address_parse(VIEW(""), &a, &error), -1);
	assert_int_equal(address_parse(VIEW("<a@b>"), &a, &error), -1);
	assert_int_equal(address_parse(VIEW("a@b "), &a, &error), -1);
}

static void xtext_goes_both_ways(void **unused)
{
	static const char *const bad[] = { "a b",  "a=b",  "+",    "+4",
					   "+4G",  "+0A",  "+7F",  "+00",
					   "\xc3", "+C3" };
	struct buffer b = { 0 };
	char out[16];

	(void)unused;
	xtext_encode(&b, VIEW("a+b=c d"));
	assert_int_equal(buffer_len(&b), 13);
	assert_memory_equal(b.data, "a+2Bb+3Dc+20d", 13);
	assert_int_equal(xtext_decode(buffer_view(&b), out, sizeof(out)), 0);
	assert_string_equal(out, "a+b=c d");
	assert_int_equal(xtext_decode(buffer_view(&b), out, 8), 0);
	assert_int_equal(xtext_decode(buffer_view(&b), out, 7), -1);
	assert_int_equal(xtext_decode(VIEW(""), out, 0), -1);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(xtext_decode(view_of(bad[i]), out,
					      sizeof(out)), -1);
	buffer_clear(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_read),
		cmocka_unit_test(only_the_parsed_domain_counts),
		cmocka_unit_test(broken_paths_are_refused),
		cmocka_unit_test(longest_forms_fit),
		cmocka_unit_test(utf8_names_pass_only_where_allowed),
		cmocka_unit_test(domains_have_one_canonical_form),
		cmocka_unit_test(an_ascii_form_is_made_for_old_next_hops),
		cmocka_unit_test(xtext_goes_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
