/*
 * The lab's faults as text: what is read, what is refused and how, and that
 * whatever is read is written the same way.
 */
#include "conf/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void what_is_read_is_written_the_same(void **unused)
{
	static const struct {
		const char *text, *written; /* NULL: the same */
	} rows[] = {
		{ "expired", NULL },
		{ "421-greeting first 3", NULL },
		{ "450-rcpt to *@x.example", NULL },
		{ "554-dot from <> to a@b.example every 2 first 4", NULL },
		{ "greylist 30", NULL },
		{ "greylist 300", "greylist" },
		{ "size-limit 10000", "size-limit" },
		{ "  stall-data\t", "stall-data" },
		{ "close-quit", NULL },
		{ "reply-split at ehlo", NULL },
		{ "dribble 5 at mail from *@y.example", NULL },
		{ "expired first 2  every 3", "expired every 3 first 2" },
		{ "null-mx to de.tuv.com", NULL },
		{ "huge-certificate-chain 9", NULL },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = { 0 };
		struct error error;
		struct fault fault, copy;
		const char *want = rows[i].written ? rows[i].written :
						     rows[i].text;

		if (fault_parse(view_of(rows[i].text), &fault, &error))
			fail_msg("%s: %s", rows[i].text, error.text);
		fault_copy(&copy, &fault);
		assert_true(fault_is_same(&copy, &fault));
		fault_clear(&fault);
		fault_print(&copy, &out);
		buffer_append_byte(&out, '\0');
		assert_string_equal((const char *)out.data, want);
		fault_clear(&copy);
		buffer_clear(&out);
	}
}

static void every_name_of_the_table_is_read(void **unused)
{
	(void)unused;
	for (enum fault_kind kind = 0; kind < FAULT_COUNT; kind++) {
		const struct fault_about *about = fault_about(kind);
		struct buffer name = { 0 };
		struct error error;
		struct fault fault;

		assert_non_null(about->name);
		assert_true(strlen(about->meaning) > 10);
		if (strstr(about->name, "STEP"))
			continue;
		assert_int_equal(fault_parse(view_of(about->name), &fault,
					     &error), 0);
		assert_int_equal(fault.kind, kind);
		assert_int_equal(fault.number, about->number);
		fault_name(&fault, &name);
		assert_true(view_equal(buffer_view(&name),
				       view_of(about->name)));
		buffer_clear(&name);
		fault_clear(&fault);
	}
}

static void a_reply_knows_its_code_and_step(void **unused)
{
	static const struct {
		const char *text;
		enum fault_kind kind;
		unsigned code;
		enum fault_step step;
	} rows[] = {
		{ "450-rcpt",	    FAULT_REPLY,	450, STEP_RCPT	   },
		{ "554-greeting",   FAULT_REPLY,	554, STEP_GREETING },
		{ "421-greeting",   FAULT_421_GREETING, 421, STEP_GREETING },
		{ "starttls-454",   FAULT_STARTTLS_454, 454, STEP_STARTTLS },
		{ "454-starttls",   FAULT_REPLY,	454, STEP_STARTTLS },
		{ "stall-greeting", FAULT_STALL,	0,   STEP_GREETING },
		{ "close-dot",	    FAULT_CLOSE,	0,   STEP_DOT	   },
		{ "helo-only",	    FAULT_HELO_ONLY,	0,   STEP_ANY	   },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error error;
		struct fault fault;

		assert_int_equal(fault_parse(view_of(rows[i].text), &fault,
					     &error), 0);
		assert_int_equal(fault.kind, rows[i].kind);
		assert_int_equal(fault.code, rows[i].code);
		assert_int_equal(fault.step, rows[i].step);
		fault_clear(&fault);
	}
}

static void what_is_wrong_is_said_with_what_would_be_right(void **unused)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", "no fault is named" },
		{ "expird", "no fault \"expird\"; the nearest is \"expired\"" },
		{ "self_signed", "\"self-signed\"" },
		{ "no-startls", "\"no-starttls\"" },
		{ "450-rctp", "no step \"rctp\"; the nearest is \"rcpt\"" },
		{ "stall-headers", "no step \"headers\"" },
		{ "close-in-handshak", "no step" },
		{ "250-rcpt", "must be a 4xx or a 5xx" },
		{ "699-rcpt", "must be a 4xx or a 5xx" },
		{ "450-", "no step \"\"" },
		{ "expired 5", "expired takes no number" },
		{ "450-rcpt 5", "takes no number" },
		{ "greylist 0", "greylist takes seconds from 1 to 86400" },
		{ "greylist 99999999999999999999", "from 1 to 86400" },
		{ "greylist 30s", "from 1 to 86400" },
		{ "expired sometimes", "at, from, to, every and first" },
		{ "expired first", "first wants a word" },
		{ "expired first 0", "a number from 1" },
		{ "expired every x", "a number from 1" },
		{ "expired to a@b", "strikes before MAIL" },
		{ "expired at mail", "own place" },
		{ "450-rcpt at mail", "own place" },
		{ "reply-split at lunch", "no step \"lunch\"" },
		{ "450-ehlo from a@b", "at ehlo nobody has said from whom" },
		{ "450-mail to a@b", "at mail nobody has said to whom" },
		{ "450-rcpt to a to b", "to stands twice" },
		{ "servfail from a@b", "only to" },
		{ "450-rcpt to a\tb", "no control bytes" },
		{ "exp\x01\nired", "\"exp\\x01\\x0aired\"" },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error error = { "" };
		struct fault fault;

		assert_int_equal(fault_parse(view_of(rows[i].text), &fault,
					     &error), -1);
		if (!strstr(error.text, rows[i].says))
			fail_msg("%s: %s", rows[i].text, error.text);
	}
}

static void a_long_word_is_refused_like_any_other(void **unused)
{
	char text[5000];
	struct error error;
	struct fault fault;

	(void)unused;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(fault_parse(view_of(text), &fault, &error), -1);
	memcpy(text, "450-rcpt to ", 12);
	assert_int_equal(fault_parse(view_of(text), &fault, &error), -1);
	assert_non_null(strstr(error.text, "longer than"));
}

static void patterns_match_with_stars_and_without_case(void **unused)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{ NULL,		 "a@b",		true  },
		{ "a@b",	 "A@B",		true  },
		{ "a@b",	 "a@bc",	false },
		{ "*@x.example", "u@x.example", true  },
		{ "*@x.example", "u@y.example", false },
		{ "*",		 "",		true  },
		{ "<>",		 "",		true  },
		{ "<>",		 "a@b",		false },
		{ "a*b*c",	 "aXbXbXc",	true  },
		{ "a*b*c",	 "aXbXbX",	false },
		{ "",		 "a",		false },
		{ "u*@*.de",	 "u1@x.de",	true  },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(fault_matches(rows[i].pattern, rows[i].text),
				 rows[i].matches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_written_the_same),
		cmocka_unit_test(every_name_of_the_table_is_read),
		cmocka_unit_test(a_reply_knows_its_code_and_step),
		cmocka_unit_test(
			what_is_wrong_is_said_with_what_would_be_right),
		cmocka_unit_test(a_long_word_is_refused_like_any_other),
		cmocka_unit_test(patterns_match_with_stars_and_without_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
