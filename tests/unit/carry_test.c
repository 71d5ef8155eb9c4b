/*
 * What a hop can carry of a message, and how it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/smtp/carry.h"
#include "tests/unit/script.h"

static void what_a_hop_lacks_leaves_the_choice(void **state)
{
	struct script d = {
		.envelope = { .is_8bit = true },
		.body = "x\r\n",
		.lines = { GREETING, PLAIN_EHLO },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	assert_int_equal(seen->states[0], RECIPIENT_LACKING);
	assert_string_equal(seen->results[0].status, "5.6.3");
	assert_int_equal(seen->results[0].outcome, OUTCOME_FAILED);

	d.envelope = (struct envelope){ .needs_utf8 = true,
					.has_utf8_header = true };
	seen = script_run(&d);
	assert_int_equal(seen->states[0], RECIPIENT_LACKING);
	assert_string_equal(seen->results[0].status, "5.6.7");

	/* too large is too large */
	d.envelope = (struct envelope){ .size = 1001 };
	d.lines[1] = (struct script_line)RICH_EHLO;
	seen = script_run(&d);
	script_check(seen, 0, OUTCOME_FAILED, BLAME_MESSAGE, "5.3.4");
}

static void domains_become_a_labels_where_utf8_is_missing(void **state)
{
	static const char *const mixed[] = { "a@b\xc3\xbc" "cher.example",
					     "\xc3\xbc@example.org" };
	struct script d = {
		.envelope = { .needs_utf8 = true },
		.recipients = mixed,
		.recipient_count = 2,
		.body = "x\r\n",
		.lines = { GREETING, PLAIN_EHLO, OK("MAIL FROM:<me@"),
			   OK("RCPT TO:<a@xn--bcher-kva.example>"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	script_check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	assert_int_equal(seen->states[1], RECIPIENT_LACKING);
	assert_string_equal(seen->results[1].status, "5.6.7");

	d.lines[1] = (struct script_line)RICH_EHLO;
	d.lines[2].expect = "MAIL FROM:<me@example.net> SIZE=0 SMTPUTF8";
	d.lines[3].expect = "RCPT TO:<a@b\xc3\xbc" "cher.example>";
	d.lines[4] = (struct script_line)OK("RCPT TO:<\xc3\xbc@example.org>");
	d.lines[5] = (struct script_line){ "DATA", "354 go\r\n" };
	d.lines[6] = (struct script_line)OK(".");
	seen = script_run(&d);
	script_check(seen, 1, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

/* RFC 6533 3: in ASCII where the hop knows no other. */
static void an_orcpt_is_told_as_the_hop_can_take_it(void **state)
{
	static const struct {
		const char *orcpt, *ascii, *utf8;
	} rows[] = {
		{ "rfc822;x+2By@a", " ORCPT=rfc822;x+2By@a",
		  " ORCPT=rfc822;x+2By@a" },
		{ "utf-8;j\\x{FC}r@a", " ORCPT=utf-8;j\\x{FC}r@a",
		  " ORCPT=utf-8;j\\x{FC}r@a" },
		{ "utf-8;j\xc3\xbcr@a", " ORCPT=utf-8;j\\x{FC}r@a",
		  " ORCPT=utf-8;j\xc3\xbcr@a" },
		{ "utf-8;x\r\nQUIT", "", "" },
	};
	struct offer offer = { .dsn = true };
	struct recipient r = { .address = (char *)"b@a" };
	struct buffer out = { NULL, 0, 0, 0 };
	char line[96];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		r.orcpt = (char *)rows[i / 2].orcpt;
		offer.smtputf8 = i % 2;
		buffer_reset(&out);
		carry_rcpt(&out, &r, &offer);
		snprintf(line, sizeof(line), "RCPT TO:<b@a>%s\r\n",
			 i % 2 ? rows[i / 2].utf8 : rows[i / 2].ascii);
		assert_true(view_equal(buffer_view(&out), view_of(line)));
	}
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_hop_lacks_leaves_the_choice),
		cmocka_unit_test(domains_become_a_labels_where_utf8_is_missing),
		cmocka_unit_test(an_orcpt_is_told_as_the_hop_can_take_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
