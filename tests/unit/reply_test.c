/*
 * Replies: what is one, what is too much, and what it means.
 */
#include "relay/smtp/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/smtp/auth.h"
#include "relay/smtp/dotter.h"

/* Reads one whole reply; the last return value. */
static int read_all(struct reply *reply, struct view *input)
{
	struct view line;
	int got;

	memset(reply, 0, sizeof(*reply));
	do
		got = reply_read(reply, input, &line);
	while (got > 0 && !reply->is_whole);
	return got;
}

static void reads_replies_of_every_form(void **state)
{
	static const struct {
		const char *bytes;
		int got, code;
		const char *status, *text;
	} rows[] = {
		{ "250 ok\r\n", 1, 250, "", "250 ok" },
		{ "250\r\n", 1, 250, "", "250" },
		{ "250 \r\n", 1, 250, "", "250 " },
		{ "250 ok\n", 1, 250, "", "250 ok" },
		{ "550 5.1.1 who?\r\n", 1, 550, "5.1.1", "550 5.1.1 who?" },
		{ "550-5.1.1 who?\r\n550-5.1.1 not\r\n550 5.1.1 here\r\n", 1,
		  550, "5.1.1", "550 5.1.1 who? not here" },
		{ "450 4.100.999 x\r\n", 1, 450, "4.100.999",
		  "450 4.100.999 x" },
		/* of another class, or no enhanced code at all */
		{ "450 5.1.1 x\r\n", 1, 450, "", "450 5.1.1 x" },
		{ "450 4.1 x\r\n", 1, 450, "", "450 4.1 x" },
		{ "450 4.1.1234 x\r\n", 1, 450, "", "450 4.1.1234 x" },
		{ "450 4.1.1x\r\n", 1, 450, "", "450 4.1.1x" },
		/* a server that differs with itself */
		{ "250-yes\r\n550 no\r\n", 1, 550, "", "250 yes no" },
		{ "250-a\x1b[31m\r\n250 b\r\n", 1, 250, "",
		  "250 a\\x1b[31m b" },
		{ "", 0, 0, "", "" },
		{ "250 ok", 0, 0, "", "" },
		{ "250-ok\r\n250-", 0, 250, "", "250 ok" },
		{ "150 no\r\n", -1, 0, "", NULL },
		{ "650 no\r\n", -1, 0, "", NULL },
		{ "25 no\r\n", -1, 0, "", NULL },
		{ "2500 no\r\n", -1, 0, "", NULL },
		{ "+OK POP3\r\n", -1, 0, "", NULL },
		{ "\r\n", -1, 0, "", NULL },
	};
	struct reply reply;
	struct view input;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		input = view_of(rows[i].bytes);
		assert_int_equal(read_all(&reply, &input), rows[i].got);
		if (rows[i].got < 0)
			continue;
		assert_int_equal(reply.code, rows[i].code);
		assert_string_equal(reply.status, rows[i].status);
		assert_string_equal(reply.text, rows[i].text);
	}
}

static void bounds_a_hostile_server(void **state)
{
	struct buffer b = { 0 };
	struct reply reply;
	struct view input;
	size_t i;

	(void)state;
	/* an endless line */
	buffer_append(&b, VIEW("250-"));
	for (i = 0; i < REPLY_LINE_MAX; i++)
		buffer_append_byte(&b, 'x');
	input = buffer_view(&b);
	assert_int_equal(read_all(&reply, &input), -1);
	/* endless lines */
	buffer_reset(&b);
	for (i = 0; i <= REPLY_LINES_MAX; i++)
		buffer_append(&b, VIEW("250-x\r\n"));
	input = buffer_view(&b);
	assert_int_equal(read_all(&reply, &input), -1);
	/* lines that are long and many: text is cut, bytes are counted */
	buffer_reset(&b);
	for (i = 0; i < 60; i++)
		buffer_printf(&b, "250-%01500d\r\n", 0);
	input = buffer_view(&b);
	assert_int_equal(read_all(&reply, &input), -1);
	buffer_clear(&b);
}

static void a_long_text_is_cut_and_ends(void **state)
{
	struct buffer b = { 0 };
	struct reply reply;
	struct view input;
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		buffer_printf(&b, "550%c%0100d\r\n", i < 19 ? '-' : ' ', 0);
	input = buffer_view(&b);
	assert_int_equal(read_all(&reply, &input), 1);
	assert_true(strlen(reply.text) < sizeof(reply.text));
	assert_true(strlen(reply.text) > 400);
	buffer_clear(&b);
}

static void outcomes_follow_class_and_blame(void **state)
{
	static const struct {
		const char *reply;
		enum blame blame;
		enum outcome outcome;
		enum blame final;
		const char *status;
	} rows[] = {
		{ "250 2.1.5 ok\n", BLAME_MESSAGE, OUTCOME_DELIVERED,
		  BLAME_NONE, "2.1.5" },
		{ "250 ok\n", BLAME_HOST, OUTCOME_DELIVERED, BLAME_NONE,
		  "2.0.0" },
		{ "450 4.2.1 x\n", BLAME_RECIPIENT, OUTCOME_DEFERRED,
		  BLAME_RECIPIENT, "4.2.1" },
		{ "550 5.2.1 x\n", BLAME_RECIPIENT, OUTCOME_FAILED,
		  BLAME_RECIPIENT, "5.2.1" },
		{ "550 x\n", BLAME_MESSAGE, OUTCOME_FAILED, BLAME_MESSAGE,
		  "5.0.0" },
		{ "550 5.7.1 x\n", BLAME_HOST, OUTCOME_DEFERRED, BLAME_HOST,
		  "4.7.1" },
		{ "421 4.3.2 x\n", BLAME_RECIPIENT, OUTCOME_DEFERRED,
		  BLAME_HOST, "4.3.2" },
		{ "354 x\n", BLAME_MESSAGE, OUTCOME_DEFERRED, BLAME_HOST,
		  "4.0.0" },
	};
	struct result result;
	struct reply reply;
	struct view input;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		input = view_of(rows[i].reply);
		assert_int_equal(read_all(&reply, &input), 1);
		memset(&result, 0, sizeof(result));
		result_from_reply(&reply, rows[i].blame, &result);
		assert_int_equal(result.outcome, rows[i].outcome);
		assert_int_equal(result.blame, rows[i].final);
		assert_string_equal(result.status, rows[i].status);
		assert_int_equal(result.reply_code, reply.code);
	}
}

/* The message in pieces of every length leaves in one form. */
static void dots_are_stuffed_and_lines_end_in_crlf(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", ".\r\n" },
		{ "a\r\n", "a\r\n.\r\n" },
		{ "a", "a\r\n.\r\n" },
		{ "a\r", "a\r\n.\r\n" },
		{ ".", "..\r\n.\r\n" },
		{ ".\r\n", "..\r\n.\r\n" },
		{ "..\r\n", "...\r\n.\r\n" },
		{ "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n" },
		{ "\r\n\r\n", "\r\n\r\n.\r\n" },
		/* what the store never holds cannot end a message either */
		{ "a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n" },
		{ "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n" },
		{ "a\r\r\n.\r\n", "a\r\n\r\n..\r\n.\r\n" },
		{ "a\n\r.\r\n", "a\r\n\r\n..\r\n.\r\n" },
	};
	struct dotter dotter;
	struct buffer out = { 0 };
	struct view rest, part;
	size_t i, piece;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (piece = 1; piece <= strlen(rows[i].in) + 1; piece++) {
			memset(&dotter, 0, sizeof(dotter));
			buffer_reset(&out);
			rest = view_of(rows[i].in);
			while (rest.len > 0) {
				part = view_first(rest, piece);
				dotter_write(&dotter, &out, part);
				rest = view_from(rest, piece);
			}
			dotter_end(&dotter, &out);
			assert_true(view_equal(buffer_view(&out),
					       view_of(rows[i].out)));
		}
	buffer_clear(&out);
}

static void long_lines_pass_unchanged(void **state)
{
	struct buffer in = { 0 }, out = { 0 };
	struct dotter dotter = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < 5000; i++)
		buffer_append_byte(&in, (unsigned char)(i % 200 == 0 ? '.'
								     : 'x'));
	dotter_write(&dotter, &out, VIEW("y"));
	dotter_write(&dotter, &out, buffer_view(&in));
	dotter_end(&dotter, &out);
	assert_int_equal(buffer_len(&out), 1 + 5000 + 5);
	assert_memory_equal(buffer_view(&out).at + 1, buffer_view(&in).at,
			    5000);
	buffer_clear(&in);
	buffer_clear(&out);
}

static void base64_has_its_padding(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },	{ "f", "Zg==" },     { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "\xff\xfe\xfd", "//79" },
	};
	struct buffer out = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buffer_reset(&out);
		auth_base64(&out, view_of(rows[i][0]));
		assert_true(view_equal(buffer_view(&out),
				       view_of(rows[i][1])));
	}
	buffer_reset(&out);
	auth_plain(&out, "user", "pass");
	assert_true(view_equal(buffer_view(&out), VIEW("AHVzZXIAcGFzcw==")));
	buffer_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_replies_of_every_form),
		cmocka_unit_test(bounds_a_hostile_server),
		cmocka_unit_test(a_long_text_is_cut_and_ends),
		cmocka_unit_test(outcomes_follow_class_and_blame),
		cmocka_unit_test(dots_are_stuffed_and_lines_end_in_crlf),
		cmocka_unit_test(long_lines_pass_unchanged),
		cmocka_unit_test(base64_has_its_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
