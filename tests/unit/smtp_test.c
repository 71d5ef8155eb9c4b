/*
 * The small pure rooms below the sessions: lines, extensions, header scan,
 * trace line, and who may relay.  What the session tests reach is not
 * asked again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "relay/admit.h"
#include "relay/smtp/command.h"
#include "relay/smtp/data.h"
#include "relay/smtp/ext.h"
#include "relay/smtp/header.h"
#include "relay/smtp/line.h"
#include "relay/smtp/trace.h"

static void lines_are_cut_at_crlf_alone(void **state)
{
	const struct {
		struct view input;
		enum line_verdict verdict;
		size_t used, len;
	} rows[] = {
		{ VIEW(""), LINE_MORE, 0, 0 },
		{ VIEW("\r"), LINE_MORE, 0, 0 },
		{ VIEW("\r\n"), LINE_GOT, 2, 0 },
		{ VIEW("ab\r\ncd"), LINE_GOT, 4, 2 },
		{ VIEW("abcdefgh\r\n"), LINE_GOT, 10, 8 },
		{ VIEW("abcdefghi\r\n"), LINE_LONG, 11, 0 },
		{ VIEW("abcdefghij\r\n"), LINE_LONG, 12, 0 },
		{ VIEW("abcdefghij"), LINE_MORE, 10, 0 },
		{ VIEW("abcdefghij\r"), LINE_MORE, 10, 0 },
		{ VIEW("ab\n"), LINE_BARE, 0, 0 },
		{ VIEW("ab\rc"), LINE_BARE, 0, 0 },
		{ VIEW("ab\r\r\n"), LINE_BARE, 0, 0 },
		{ VIEW("\n"), LINE_BARE, 0, 0 },
		{ VIEW("a\0b\r\n"), LINE_GOT, 5, 3 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct line_reader reader = { .max = 10 };
		struct view text;
		size_t used;

		assert_int_equal(line_next(&reader, rows[i].input, &text,
					   &used), rows[i].verdict);
		assert_int_equal(used, rows[i].used);
		assert_int_equal(text.len, rows[i].len);
	}
}

static void credentials_are_never_shown(void **state)
{
	const struct {
		const char *line, *shown;
	} rows[] = {
		{ "AUTH", "AUTH (withheld)" },
		{ " auth PLAIN AGEAYg==", "AUTH (withheld)" },
		{ "YWJj", "(withheld)" },
		{ "", "(withheld)" },
		{ "expn x", "expn x" },
		{ "YWJj", "YWJj" },
		{ "AUTH\tLOGIN YQ==", "AUTH (withheld)" },
		{ "Yg==", "(withheld)" },
		{ "MAIL FROM:<auth@b.example>", "MAIL FROM:<auth@b.example>" },
		{ "AUTHORS", "AUTHORS" },
	};
	bool hides = false;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct view line = view_of(rows[i].line);
		struct command command;

		command_parse(line, &command);
		assert_true(view_equal(
			command_shown(line, command.verb, &hides),
			view_of(rows[i].shown)));
	}
}

static void endless_line_is_bounded(void **state)
{
	struct line_reader reader = { .max = 512 };
	unsigned char flood[1000];
	enum line_verdict verdict = LINE_MORE;
	struct view text;
	size_t used, total = 0;

	(void)state;
	memset(flood, 'x', sizeof(flood));
	while (verdict == LINE_MORE && total < 1000000) {
		verdict = line_next(&reader, view_make(flood, sizeof(flood)),
				    &text, &used);
		total += used;
	}
	assert_int_equal(verdict, LINE_ENDLESS);
	assert_true(total <= LINE_SKIP_MAX + sizeof(flood));
}

static void extensions_are_learnt(void **state)
{
	struct ext_offer offer = { 0 };

	(void)state;
	ext_learn(&offer, VIEW("pipelining"));
	ext_learn(&offer, VIEW("SIZE 35882577 "));
	ext_learn(&offer, VIEW("AUTH CRAM-MD5 login"));
	ext_learn(&offer, VIEW("AUTH=PLAIN"));
	ext_learn(&offer, VIEW("STARTTLSX"));
	ext_learn(&offer, VIEW("X-DSN"));
	ext_learn(&offer, VIEW(""));
	assert_int_equal(offer.set, EXT_PIPELINING | EXT_SIZE |
					    EXT_AUTH_LOGIN | EXT_AUTH_PLAIN);
	assert_int_equal(offer.max_size, 35882577);
	ext_learn(&offer, VIEW("SIZE x"));
	assert_int_equal(offer.max_size, 0);
}

static void extensions_are_offered(void **state)
{
	struct ext_offer none = { 0 }, two = { EXT_SIZE | EXT_DSN, 0 };
	struct buffer out = { 0 };

	(void)state;
	ext_write(&out, "mx", &none);
	ext_write(&out, "mx", &two);
	assert_true(view_equal(buffer_view(&out),
			       VIEW("250 mx\r\n250-mx\r\n250-SIZE\r\n"
				    "250 DSN\r\n")));
	buffer_clear(&out);
}

static void header_is_scanned_in_any_cut(void **state)
{
	const struct {
		struct view text;
		uint32_t hops;
		bool has_8bit, is_over;
	} rows[] = {
		{ VIEW("Received: a\r\nreceived:\r\n b\r\n\r\nReceived: c"), 2,
		  false, true },
		{ VIEW("RECEIVED \t: a\r\nReceivedX: b\r\nReceive: c\r\n"), 1,
		  false, false },
		{ VIEW("Received x: a\r\nReceived: b\r\n"), 0, false, true },
		{ VIEW("\r\nReceived: b\r\n\xc3"), 0, false, true },
		{ VIEW("A: b\r\n\xc3: x\r\n"), 0, false, true },
		{ VIEW("A: b\r\n\t\xc3\xa4\r\n"), 0, true, false },
		{ VIEW("Received"), 0, false, false },
	};
	size_t i, cut;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (cut = 0; cut <= rows[i].text.len; cut++) {
			struct header header = { 0 };

			header_scan(&header, view_first(rows[i].text, cut));
			header_scan(&header, view_from(rows[i].text, cut));
			assert_int_equal(header.hops, rows[i].hops);
			assert_int_equal(header.has_8bit, rows[i].has_8bit);
			assert_int_equal(header.is_over, rows[i].is_over);
		}
	}
}

static void longest_line_is_known(void **state)
{
	struct data data;
	struct view in = VIEW("..345\r\n12345678\r\n12\r\n.\r\n"), piece;
	enum data_outcome outcome = DATA_MORE;
	size_t used;

	(void)state;
	data_init(&data, 1000, false);
	while (outcome != DATA_END) {
		outcome = data_next(&data, in, &piece, &used);
		assert_int_not_equal(outcome, DATA_MORE);
		in = view_from(in, used);
	}
	assert_int_equal(data.longest, 10);
	assert_int_equal(data.fault, DATA_FINE);
	assert_false(data.is_8bit);
}

static void dates_are_right(void **state)
{
	static const struct {
		int64_t at;
		const char *text;
	} rows[] = {
		{ 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ -1, "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ 1709210096, "Thu, 29 Feb 2024 12:34:56 +0000" },
		{ 4107542399, "Sun, 28 Feb 2100 23:59:59 +0000" },
		{ 4107542400, "Mon, 01 Mar 2100 00:00:00 +0000" },
		{ 1798761599, "Thu, 31 Dec 2026 23:59:59 +0000" },
	};
	char text[TRACE_DATE_LEN + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		trace_date(rows[i].at, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void trace_holds_nothing_that_breaks_out(void **state)
{
	struct tls_facts facts = { .is_tls = true,
				   .version = "TLSv1.3",
				   .cipher = "TLS_AES_128_GCM_SHA256" };
	struct net_address client;
	struct trace trace = {
		.hostname = "mx.example.org",
		.helo = "a) evil\r\nX: y (\xc3\xa4",
		.client = &client,
		.protocol = trace_protocol(true, false, true),
		.facts = &facts,
		.id = "01X",
		.recipient = "x@y\r\nB: c",
		.now = 0,
	};
	struct buffer out = { 0 };

	(void)state;
	net_parse(VIEW("2001:db8::1"), &client);
	trace_write(&out, &trace);
	assert_true(view_equal(
		buffer_view(&out),
		VIEW("Received: from a??evil??X:?y???? ([IPv6:2001:db8::1])\r\n"
		     "\t(using TLSv1.3 with cipher TLS_AES_128_GCM_SHA256)\r\n"
		     "\tby mx.example.org (Postern) with ESMTPS id 01X;\r\n"
		     "\tThu, 01 Jan 1970 00:00:00 +0000\r\n")));
	buffer_reset(&out);
	trace.helo = "";
	trace.facts = NULL;
	trace.recipient = "x@y.example";
	trace.protocol = trace_protocol(false, false, false);
	trace_write(&out, &trace);
	assert_true(view_equal(
		buffer_view(&out),
		VIEW("Received: from unknown ([IPv6:2001:db8::1])\r\n"
		     "\tby mx.example.org (Postern) with SMTP id 01X\r\n"
		     "\tfor <x@y.example>;\r\n"
		     "\tThu, 01 Jan 1970 00:00:00 +0000\r\n")));
	buffer_clear(&out);
}

static void postmaster_always_has_a_destination(void **state)
{
	char host[] = "relay.example.org", flat[] = "relay.local";
	char star[] = "*", wide[] = "*.inside.example", plain[] = "b.example";
	char *domains[] = { star, wide, plain };
	struct conf conf = { .hostname = host };
	struct address to;

	(void)state;
	admit_postmaster(&conf, &to);
	assert_string_equal(to.text, "postmaster@example.org");
	assert_string_equal(to.domain, "example.org");
	assert_int_equal(to.local_len, 10);
	conf.hostname = flat;
	admit_postmaster(&conf, &to);
	assert_string_equal(to.text, "postmaster@relay.local");
	conf.relay_domains = (struct strings){ .at = domains, .count = 1 };
	admit_postmaster(&conf, &to);
	assert_string_equal(to.text, "postmaster@relay.local");
	conf.relay_domains.count = 3;
	admit_postmaster(&conf, &to);
	assert_string_equal(to.text, "postmaster@inside.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_cut_at_crlf_alone),
		cmocka_unit_test(credentials_are_never_shown),
		cmocka_unit_test(endless_line_is_bounded),
		cmocka_unit_test(extensions_are_learnt),
		cmocka_unit_test(extensions_are_offered),
		cmocka_unit_test(header_is_scanned_in_any_cut),
		cmocka_unit_test(longest_line_is_known),
		cmocka_unit_test(dates_are_right),
		cmocka_unit_test(trace_holds_nothing_that_breaks_out),
		cmocka_unit_test(postmaster_always_has_a_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
