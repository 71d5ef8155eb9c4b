/*
 * What the page shows of a message is what is in it, and nothing foreign
 * becomes markup.
 */
#include "relay/lab/html.h"
#include "relay/lab/part.h"
#include "relay/lab/part_decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void must_be(struct buffer *got, const char *wanted)
{
	buffer_append_byte(got, 0);
	assert_string_equal((const char *)buffer_view(got).at, wanted);
	buffer_clear(got);
}

static void nothing_foreign_becomes_markup(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "<script>alert('1')</script>",
		  "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;" },
		{ "\" onload=\"x", "&quot; onload=&quot;x" },
		{ "a&b", "a&amp;b" },
		{ "\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac" },
		/* overlong <, a lone byte, controls, reading direction */
		{ "\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "a\xff", "a\xef\xbf\xbd" },
		{ "a\x1b[1m\x7f", "a\xef\xbf\xbd[1m\xef\xbf\xbd" },
		{ "\xe2\x80\xae" "fdp", "\xef\xbf\xbd" "fdp" },
		{ "a\tb\r\n", "a\tb\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buffer out = { 0 };

		html_text(&out, view_of(rows[i].in));
		must_be(&out, rows[i].out);
	}
}

static void a_template_escapes_what_is_put_in(void **state)
{
	struct buffer out = { 0 };

	(void)state;
	html_add(&out, "<p class=\"%s\">%u of %llu, 100%% %s</p>", "a\"b", 3U,
		 5ULL, "<i>");
	must_be(&out, "<p class=\"a&quot;b\">3 of 5, 100% &lt;i&gt;</p>");
	html_path(&out, VIEW("a/b c?%<\xc3\xa9"));
	must_be(&out, "a%2Fb%20c%3F%25%3C%C3%A9");
}

static void encodings_are_undone(void **state)
{
	static const struct {
		void (*decode)(struct view in, struct buffer *out);
		const char *in, *out;
	} rows[] = {
		{ part_decode_base64, "SGVs\r\nbG8=", "Hello" },
		{ part_decode_base64, "SGVsbG8", "Hello" },
		{ part_decode_base64, "=", "" },
		{ part_decode_quoted, "a=3Db=\r\nc=  \nd", "a=bcd" },
		{ part_decode_quoted, "=ZZ=4", "=ZZ=4" },
		{ part_decode_quoted, "x=", "x=" },
		{ part_decode_words, "=?utf-8?Q?caf=C3=A9_au_lait?= x",
		  "caf\xc3\xa9 au lait x" },
		{ part_decode_words, "=?iso-8859-1?q?=5F=E9?=", "_\xc3\xa9" },
		{ part_decode_words, "=?utf-8?B?SGVs?= =?UTF-8*en?b?bG8=?=",
		  "Hello" },
		{ part_decode_words, "a  =?utf-8?x?y?= =?utf-8?q?", 
		  "a  =?utf-8?x?y?= =?utf-8?q?" },
		{ part_decode_words, "=?", "=?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buffer out = { 0 };

		rows[i].decode(view_of(rows[i].in), &out);
		must_be(&out, rows[i].out);
	}
}

static void windows_quotes_become_utf8(void **state)
{
	struct buffer out = { 0 };

	(void)state;
	part_decode_charset(VIEW("\x93x\x94 \x80 \xe9"), VIEW("Windows-1252"),
			    &out);
	must_be(&out, "\xe2\x80\x9cx\xe2\x80\x9d \xe2\x82\xac \xc3\xa9");
	part_decode_charset(VIEW("\xc3\xa9"), VIEW("utf-8"), &out);
	must_be(&out, "\xc3\xa9");
}

#define MIXED \
	"Subject: =?utf-8?q?a=20b?=\r\n folded\r\n" \
	"Content-Type: multipart/mixed; charset=x;\r\n" \
	" boundary=\"out\"\r\n\r\npreamble\r\n" \
	"--out\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n" \
	"--in\r\nContent-Type: text/plain\r\n\r\nplain\r\n" \
	"--in\r\nContent-Type: text/html\r\n" \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>=41</b>\r\n" \
	"--in--\r\n--out\r\nContent-Type: text/plain\r\n" \
	"Content-Disposition: attachment\r\n\r\nnot shown\r\n--out--\r\n"

static void the_first_text_and_the_first_html_are_found(void **state)
{
	struct part_texts texts;
	struct buffer subject = { 0 };

	(void)state;
	part_texts(VIEW(MIXED), &texts);
	assert_true(texts.has_text && texts.has_html);
	assert_int_equal(texts.others, 1);
	must_be(&texts.text, "plain\r\n");
	must_be(&texts.html, "<b>A</b>\r\n");
	part_field(VIEW(MIXED), "subject", &subject);
	must_be(&subject, "a b folded");
}

static void a_message_without_mime_is_text(void **state)
{
	struct part_texts texts;

	(void)state;
	part_texts(VIEW("Subject: x\r\n\r\nbody\r\n"), &texts);
	assert_true(texts.has_text);
	assert_false(texts.has_html);
	must_be(&texts.text, "body\r\n");
	part_texts_clear(&texts);
}

static void broken_messages_are_bounded(void **state)
{
	static const char *const rows[] = {
		"",
		"\r\n",
		"Content-Type",
		"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n",
		"Content-Type: multipart/mixed; boundary=\"x\r\n\r\n--x",
		"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x--",
	};
	struct buffer deep = { 0 };
	struct part_texts texts;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		part_texts(view_of(rows[i]), &texts);
		part_texts_clear(&texts);
	}
	for (int i = 0; i < 1000; i++)
		buffer_append(&deep, VIEW("Content-Type: multipart/mixed; "
					  "boundary=x\n\n--x\n"));
	part_texts(buffer_view(&deep), &texts);
	assert_false(texts.has_text);
	part_texts_clear(&texts);
	buffer_clear(&deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_foreign_becomes_markup),
		cmocka_unit_test(a_template_escapes_what_is_put_in),
		cmocka_unit_test(encodings_are_undone),
		cmocka_unit_test(windows_quotes_become_utf8),
		cmocka_unit_test(the_first_text_and_the_first_html_are_found),
		cmocka_unit_test(a_message_without_mime_is_text),
		cmocka_unit_test(broken_messages_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
