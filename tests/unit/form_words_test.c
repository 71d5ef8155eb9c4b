/*
 * The words of a partner's form: which are headings and of what, which are
 * values, and where one name of a certification authority ends.
 */
#include "relay/form_value.h"
#include "relay/form_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void words_are_values_or_they_are_not(void **unused)
{
	static const struct {
		enum form_field field;
		const char *word, *text; /* NULL: no value */
		unsigned port;
	} rows[] = {
		{ FORM_DOMAINS, "*.TUV.com.", "*.tuv.com", 25 },
		{ FORM_DOMAINS, "@tuv.com", "tuv.com", 25 },
		{ FORM_DOMAINS, "*@tuv.com", "tuv.com", 25 },
		{ FORM_DOMAINS, "t\xc3\xbcv.de", "xn--tv-xka.de", 25 },
		{ FORM_DOMAINS, "*", NULL, 0 },
		{ FORM_DOMAINS, "*.com", NULL, 0 },
		{ FORM_DOMAINS, "com", NULL, 0 },
		{ FORM_DOMAINS, ".tuv.com", NULL, 0 },
		{ FORM_DOMAINS, "*.*.tuv.com", NULL, 0 },
		{ FORM_DOMAINS, "a@tuv.com", NULL, 0 },
		{ FORM_DOMAINS, "192.0.2.1", NULL, 0 },
		{ FORM_DOMAINS, "tuv.com:25", NULL, 0 },
		{ FORM_DOMAINS, "http://tuv.com", NULL, 0 },
		{ FORM_DOMAINS, "", NULL, 0 },
		{ FORM_GATEWAYS, "MX5.de.tuv.com", "mx5.de.tuv.com", 25 },
		{ FORM_GATEWAYS, "mx5.de.tuv.com:2525", "mx5.de.tuv.com", 2525 },
		{ FORM_GATEWAYS, "smtps://a.example", "a.example", 465 },
		{ FORM_GATEWAYS, "smtp://a.example:26", "a.example", 26 },
		{ FORM_GATEWAYS, "192.0.2.1", "192.0.2.1", 25 },
		{ FORM_GATEWAYS, "[2001:DB8::1]:26", "2001:db8::1", 26 },
		{ FORM_GATEWAYS, "a.example:0", NULL, 0 },
		{ FORM_GATEWAYS, "a.example:65536", NULL, 0 },
		{ FORM_GATEWAYS, "a.example:", NULL, 0 },
		{ FORM_GATEWAYS, "localhost", NULL, 0 },
		{ FORM_GATEWAYS, "*.a.example", NULL, 0 },
		{ FORM_GATEWAYS, "1.2.3.4.5", NULL, 0 },
		{ FORM_NAMES, "CN=mx5.de.tuv.com", "mx5.de.tuv.com", 25 },
		{ FORM_NAMES, "DNS:mx5.de.tuv.com", "mx5.de.tuv.com", 25 },
		{ FORM_NAMES, "*.de.tuv.com", "*.de.tuv.com", 25 },
		{ FORM_NAMES, "mx*.tuv.com", NULL, 0 },
		{ FORM_ISSUERS, "a.example", NULL, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct form_value value;
		int rc = form_value_read(rows[i].field, view_of(rows[i].word),
					 &value);

		if (!rc != !!rows[i].text)
			fail_msg("%s", rows[i].word);
		if (rc)
			continue;
		assert_string_equal(value.text, rows[i].text);
		assert_int_equal(form_value_port(&value), rows[i].port);
		form_value_clear(&value);
	}
}

static void names_of_authorities_are_told_apart(void **unused)
{
	static const struct {
		const char *text, *names; /* joined by '|' */
		bool is_split;
	} rows[] = {
		{ "A CA 1", "A CA 1", false },
		{ "A; B | C\tD", "A|B|C|D", false },
		{ "A, B", "A|B", true },
		{ "Entrust, Inc., Other, Inc.", "Entrust, Inc.|Other, Inc.",
		  true },
		{ "A, Incorporated", "A|Incorporated", true },
		{ "CN=A, O=B, C=DE", "A", false },
		{ "C = DE, O = B GmbH, CN = A G2", "A G2", false },
		{ "CN=A, with comma, O=B", "A, with comma", false },
		{ "C=DE, O=\"B, Inc.\"", "B, Inc.", false },
		{ "CN=A, O=X; CN=B", "A|B", false },
		{ "OU=A, C=DE", "OU=A, C=DE", false },
		{ "CN=, O=B; C", "C", false },
		{ ", ;; ,", "", true },
		{ "", "", false },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct view rest = view_of(rows[i].text), name;
		struct buffer joined = { 0 };
		bool is_split = false;

		while (form_value_issuer(&rest, &name, &is_split)) {
			if (buffer_len(&joined))
				buffer_append_byte(&joined, '|');
			buffer_append(&joined, name);
		}
		if (!view_equal(buffer_view(&joined), view_of(rows[i].names)) ||
		    is_split != rows[i].is_split)
			fail_msg("%s", rows[i].text);
		buffer_clear(&joined);
	}
}

static void headings_are_known_and_sentences_are_not(void **unused)
{
	static const struct {
		const char *line;
		int field; /* -1: no heading */
		const char *value;
	} rows[] = {
		{ "List of E-Mail-Domains\t*.tuv.com\t", FORM_DOMAINS,
		  "*.tuv.com" },
		{ "- LIST OF EMAIL DOMAINS: a.example", FORM_DOMAINS,
		  "a.example" },
		{ "E\xe2\x80\x91Mail\xe2\x80\x91" "Dom\xc3\xa4nen: x.de",
		  FORM_DOMAINS, "x.de" },
		{ "E-Mail-Doma\xcc\x88nen: x.de", FORM_DOMAINS, "x.de" },
		{ "| Gateways (MX-Records) | a.example |", FORM_GATEWAYS,
		  "a.example" },
		{ "Gateways must support STARTTLS", FORM_GATEWAYS,
		  "must support STARTTLS" },
		{ "Gateway support is required", -1, NULL },
		{ "gateways.example.com", -1, NULL },
		{ "All business partner email gateways must", -1, NULL },
		{ "MX Server\tPref\tCon- nect", FORM_FIELDS, "Con- nect" },
		{ "MX-Server: a.example", FORM_GATEWAYS, "a.example" },
		{ "CN of the TLS certificates", FORM_NAMES, "" },
		{ "CN=D-TRUST SSL Class 3", -1, NULL },
		{ "Name of issuing CA 2: X", FORM_ISSUERS, "X" },
		{ "Name of issuing CA 2 X", FORM_ISSUERS, "2 X" },
		{ "Zertifizierungsstelle\tX", FORM_ISSUERS, "X" },
		{ "Issuer of this form", -1, NULL },
		{ "Name\tErika", FORM_PERSON, "Erika" },
		{ "URL (public key of the CA)\t\t", FORM_URLS, "" },
		{ "URL (never closed", FORM_URLS, "" },
		{ "", -1, NULL },
		{ "\xc3", -1, NULL },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum form_field field = FORM_FIELDS;
		struct view value, remark;
		bool found = form_words_field(view_of(rows[i].line), &field,
					      &value, &remark);

		if (found != (rows[i].field >= 0) ||
		    (found && ((int)field != rows[i].field ||
			       !view_equal(value, view_of(rows[i].value)))))
			fail_msg("%s: field %d, value %.*s", rows[i].line,
				 found ? (int)field : -1,
				 found ? (int)value.len : 0,
				 found ? (const char *)value.at : "");
	}
}

static void sections_are_told_by_their_direction(void **unused)
{
	static const struct {
		const char *line;
		unsigned section;
	} rows[] = {
		{ "1. Business partner contact details", FORM_PARTNER },
		{ "2. TUV Rheinland contact details", FORM_ISSUER },
		{ "3. TLS from business partner to TUV", FORM_TO_ISSUER },
		{ "4. TLS from TUV to business partner", FORM_TO_PARTNER },
		{ "2. TLS from the business partner to us", FORM_TO_ISSUER },
		{ "3. TLS from them to us", FORM_TO_ISSUER },
		{ "TLS vom Gesch\xc3\xa4"
		  "ftspartner zum T\xc3\x9cV", FORM_TO_ISSUER },
		{ "TLS von uns zum Gesch\xc3\xa4"
		  "ftspartner", FORM_TO_PARTNER },
		{ "TLS Information TUV Rheinland", FORM_TO_ISSUER },
		{ "TLS Business Partner Information", FORM_TO_PARTNER },
		{ "TLS is activated on all gateways", 0 },
		{ "3. mx1.example.org", 0 },
		{ "", 0 },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(form_words_section(view_of(rows[i].line)),
				 rows[i].section);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_values_or_they_are_not),
		cmocka_unit_test(names_of_authorities_are_told_apart),
		cmocka_unit_test(headings_are_known_and_sentences_are_not),
		cmocka_unit_test(sections_are_told_by_their_direction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
