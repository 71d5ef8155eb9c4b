/*
 * Partner forms: each form in tests/forms becomes the policy beside it (or is
 * refused with the reason beside it), whatever it was saved as, and the
 * reader of the configuration takes what comes out for what the form said.
 */
#include "relay/form_policy.h"
#include "tests/unit/conf_fixture.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FORMS "tests/forms/"

/* False when there is no such file. */
static bool load(const char *path, struct buffer *out)
{
	FILE *in = fopen(path, "rb");
	size_t got;

	if (!in)
		return false;
	do {
		got = fread(buffer_reserve(out, 4096), 1, 4096, in);
		buffer_added(out, got);
	} while (got);
	fclose(in);
	return true;
}

static int import(struct view raw, unsigned only, struct buffer *out,
		  struct error *error)
{
	struct form form;
	int rc;

	if (form_parse(raw, &form, error))
		return -1;
	rc = form_policy(&form, only, out, error);
	form_clear(&form);
	return rc;
}

static struct conf *read_back(struct fixture *f, struct view policy)
{
	struct buffer text = { 0 };
	struct conf *conf;

	buffer_append(&text, VIEW(HOST));
	buffer_append(&text, policy);
	buffer_append_byte(&text, '\0');
	conf = fixture_must_read(f, (char *)text.data);
	buffer_clear(&text);
	return conf;
}

/* `NAME.policy` or `NAME.refused`; false when there is neither. */
static bool check_golden(struct fixture *f, const char *name, struct view raw,
			 unsigned only)
{
	struct buffer wanted = { 0 }, out = { 0 };
	struct error error = { "" };
	char path[512];
	bool is_policy;

	snprintf(path, sizeof(path), "%s.policy", name);
	is_policy = load(path, &wanted);
	snprintf(path, sizeof(path), "%s.refused", name);
	if (!is_policy && !load(path, &wanted))
		return false;
	if (import(raw, only, &out, &error)) {
		buffer_reset(&out);
		buffer_printf(&out, "%s\n", error.text);
	} else {
		assert_true(is_policy);
		conf_free(read_back(f, buffer_view(&out)));
	}
	buffer_append_byte(&wanted, '\0');
	buffer_append_byte(&out, '\0');
	if (strcmp((char *)wanted.data, (char *)out.data))
		fail_msg("%s: wanted\n%s\ngot\n%s", name, wanted.data,
			 out.data);
	buffer_clear(&wanted);
	buffer_clear(&out);
	return true;
}

static void forms_become_what_stands_beside_them(void **state)
{
	glob_t forms;

	assert_int_equal(glob(FORMS "*.txt", 0, NULL, &forms), 0);
	for (size_t i = 0; i < forms.gl_pathc; i++) {
		struct buffer raw = { 0 };
		char name[400], chosen[410];

		assert_true(load(forms.gl_pathv[i], &raw));
		snprintf(name, sizeof(name), "%.*s",
			 (int)(strlen(forms.gl_pathv[i]) - 4),
			 forms.gl_pathv[i]);
		if (!check_golden(*state, name, buffer_view(&raw), 0))
			fail_msg("nothing stands beside %s.txt", name);
		for (unsigned only = 3; only <= 4; only++) {
			snprintf(chosen, sizeof(chosen), "%s.%u", name, only);
			check_golden(*state, chosen, buffer_view(&raw), only);
		}
		buffer_clear(&raw);
	}
	globfree(&forms);
}

enum style { AS_CRLF, AS_CR, AS_MARKED, AS_WINDOWS, AS_FIXED, STYLES };

/* The same text as another program would have saved it. */
static void restyle(struct view text, enum style style, struct buffer *out)
{
	if (style == AS_MARKED)
		buffer_append(out, VIEW("\xef\xbb\xbf"));
	while (text.len) {
		uint32_t point;
		size_t len = bytes_utf8(text, &point);

		if (point == '\n' && style == AS_CRLF)
			buffer_append(out, VIEW("\r\n"));
		else if (point == '\n' && style == AS_CR)
			buffer_append_byte(out, '\r');
		else if (point == ' ' && style == AS_FIXED)
			buffer_append(out, VIEW("\xc2\xa0"));
		else if (point < 0x100 && style == AS_WINDOWS)
			buffer_append_byte(out, (unsigned char)point);
		else
			buffer_append(out, view_first(text, len));
		text = view_from(text, len);
	}
}

static void how_a_form_was_saved_changes_nothing(void **state)
{
	static const char *const names[] = {
		FORMS "tuv-rheinland-change-request", FORMS "both-sections",
		FORMS "german", FORMS "umlaut-domain",
	};

	for (size_t i = 0; i < COUNT(names) * STYLES; i++) {
		const char *name = names[i / STYLES];
		struct buffer raw = { 0 }, styled = { 0 };
		char path[400];

		snprintf(path, sizeof(path), "%s.txt", name);
		assert_true(load(path, &raw));
		restyle(buffer_view(&raw), i % STYLES, &styled);
		if (i % STYLES == AS_WINDOWS)
			snprintf(path, sizeof(path), "%s.windows", name);
		else
			snprintf(path, sizeof(path), "%s", name);
		assert_true(check_golden(*state, path, buffer_view(&styled),
					 0));
		buffer_clear(&raw);
		buffer_clear(&styled);
	}
}

static void the_configuration_says_what_the_form_said(void **state)
{
	static const char *const hosts[] = { "mx5.de.tuv.com", "mx6.de.tuv.com",
					     "mx1.amer.tuv.com",
					     "mx1.asia.tuv.com" };
	struct buffer raw = { 0 }, out = { 0 };
	const struct policy *policy;
	struct error error;
	struct conf *conf;

	assert_true(load(FORMS "tuv-rheinland-change-request.txt", &raw));
	assert_int_equal(import(buffer_view(&raw), 0, &out, &error), 0);
	conf = read_back(*state, buffer_view(&out));
	assert_int_equal(conf->policy_count, 1);
	policy = &conf->policies[0];
	assert_string_equal(policy->title, "*.tuv.com");
	assert_int_equal(policy->tls, TLS_VERIFY);
	assert_int_equal(policy->gateway_count, COUNT(hosts));
	for (size_t i = 0; i < COUNT(hosts); i++) {
		assert_string_equal(policy->gateways[i].host, hosts[i]);
		assert_int_equal(policy->gateways[i].port, 25);
	}
	assert_int_equal(policy->names.count, 1);
	assert_string_equal(policy->names.at[0], "mx5.de.tuv.com");
	assert_int_equal(policy->issuer.count, 1);
	assert_string_equal(policy->issuer.at[0],
			    "D-TRUST SSL Class 3 CA 1 2009");
	conf_free(conf);
	buffer_clear(&raw);
	buffer_clear(&out);
}

static void names_of_authorities_pass_unchanged_or_not_at_all(void **state)
{
	static const struct {
		const char *name;
		bool passes;
	} rows[] = {
		{ "D-TRUST SSL Class 3 CA 1 2009", true },
		{ "a \"b", true },
		{ "a\\", true },
		{ "\\\"\\", true },
		{ "x\" } policy \"*\" { tls = none", true },
		{ "/* a */ // b # c", true },
		{ "$HOME {x} $ {y}", true },
		{ "Certigna Racine \xc3\xa9", true },
		{ "{ a = b }", true },
		{ "${HOME}", false },
		{ "a${", false },
		{ "bell\a", false },
		{ "del\x7f", false },
		{ "c1\xc2\x9b", false },
		{ "turn\xe2\x80\xae", false },
		{ "mark\xef\xbb\xbfhere", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer raw = { 0 }, out = { 0 };
		struct error error;
		struct conf *conf;
		int rc;

		buffer_printf(&raw, "Domains: example.org\n"
			      "Name of issuing CA: %s\n", rows[i].name);
		rc = import(buffer_view(&raw), 0, &out, &error);
		if (!rc != rows[i].passes)
			fail_msg("%s", rows[i].name);
		if (!rc) {
			conf = read_back(*state, buffer_view(&out));
			assert_int_equal(conf->policy_count, 1);
			assert_int_equal(conf->policies[0].issuer.count, 1);
			assert_string_equal(conf->policies[0].issuer.at[0],
					    rows[i].name);
			conf_free(conf);
		}
		assert_true(!rc || !buffer_len(&out));
		buffer_clear(&raw);
		buffer_clear(&out);
	}
}

static void too_much_is_refused_and_nothing_is_cut(void **state)
{
	struct buffer raw = { 0 }, out = { 0 };
	struct error error;
	struct conf *conf;

	buffer_append(&raw, VIEW("Domains: example.org\nGateways:\n"));
	for (unsigned i = 0; i < FORM_VALUES_MAX; i++)
		buffer_printf(&raw, "mx%u.example.org\n", i);
	assert_int_equal(import(buffer_view(&raw), 0, &out, &error), 0);
	conf = read_back(*state, buffer_view(&out));
	assert_int_equal(conf->policies[0].gateway_count, FORM_VALUES_MAX);
	conf_free(conf);
	buffer_reset(&out);
	buffer_append(&raw, VIEW("one.more.example.org\n"));
	assert_int_equal(import(buffer_view(&raw), 0, &out, &error), -1);
	assert_non_null(strstr(error.text, "more than 1000 values"));

	buffer_reset(&raw);
	buffer_append(&raw, VIEW("Domains: example.org\n"));
	while (buffer_len(&raw) <= FORM_SIZE_MAX)
		buffer_append(&raw, VIEW("prose, and more of it\n"));
	assert_int_equal(import(buffer_view(&raw), 0, &out, &error), -1);
	assert_non_null(strstr(error.text, "larger than"));
	assert_int_equal(import(view_first(buffer_view(&raw), FORM_SIZE_MAX), 0,
				&out, &error), 0);
	buffer_clear(&raw);
	buffer_clear(&out);
}

static void what_is_no_text_is_refused_with_advice(void **unused)
{
	static const struct {
		struct view raw;
		const char *advice;
	} rows[] = {
		{ { (const unsigned char *)"\xff\xfeG\0a\0", 6 }, "UTF-16" },
		{ { (const unsigned char *)"\xfe\xff\0G\0a", 6 }, "UTF-16" },
		{ { (const unsigned char *)"%PDF-1.7\n\xe2", 10 }, "pdftotext" },
		{ { (const unsigned char *)"PK\x03\x04\0\0", 6 }, "document" },
		{ { (const unsigned char *)"Domains: a.example\0", 19 },
		  "NUL" },
		{ { (const unsigned char *)"", 0 }, "filled form" },
		{ { NULL, 0 }, "filled form" },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = { 0 };
		struct error error = { "" };

		assert_int_equal(import(rows[i].raw, 0, &out, &error), -1);
		assert_non_null(strstr(error.text, rows[i].advice));
		assert_int_equal(buffer_len(&out), 0);
	}
}

static void a_section_that_is_not_filled_cannot_be_chosen(void **unused)
{
	struct buffer raw = { 0 }, out = { 0 };
	struct error error;

	(void)unused;
	assert_true(load(FORMS "tuv-rheinland-change-request.txt", &raw));
	assert_int_equal(import(buffer_view(&raw), 4, &out, &error), -1);
	assert_non_null(strstr(error.text, "section 4 of the form is not"));
	assert_int_equal(buffer_len(&out), 0);
	buffer_clear(&raw);
	buffer_clear(&out);
}

#define WITH_FOLDER(test) \
	cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(forms_become_what_stands_beside_them),
		WITH_FOLDER(how_a_form_was_saved_changes_nothing),
		WITH_FOLDER(the_configuration_says_what_the_form_said),
		WITH_FOLDER(names_of_authorities_pass_unchanged_or_not_at_all),
		WITH_FOLDER(too_much_is_refused_and_nothing_is_cut),
		cmocka_unit_test(what_is_no_text_is_refused_with_advice),
		cmocka_unit_test(a_section_that_is_not_filled_cannot_be_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
