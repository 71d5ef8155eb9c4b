/*
 * Reports: who is told what, and the text that is sent, byte by byte.
 */
#include "queue/dsn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/dsn_address.h"
#include "queue/dsn_words.h"

static struct envelope *envelope(void)
{
	struct envelope *e = envelope_new();
	struct recipient *r;

	free(e->sender);
	e->sender = must_strdup("anna@example.net");
	e->envid = must_strdup("QQ314+2B1");
	e->accepted_wall = 1795561200; /* Tue, 24 Nov 2026 23:00:00 */
	r = envelope_add(e, "bernd@tuv.com", "tuv.com");
	r->orcpt = must_strdup("rfc822;Bernd@tuv.com");
	envelope_add(e, "carla@tuv.com", "tuv.com");
	return e;
}

static struct dsn dsn_of(const struct envelope *e,
			 const struct dsn_recipient *recipients, size_t count)
{
	return (struct dsn){
		.id = "01M87YD6QR00CCAZER93TGJA6S",
		.hostname = "relay.example.org",
		.to = e->sender,
		.now = 1795564800,
		.gives_up = 1795993200,
		.policy = "*.tuv.com: encryption with a verified certificate "
			  "is demanded",
		.envelope = e,
		.recipients = recipients,
		.count = count,
		.original = VIEW("Subject: hello\r\nFrom: anna@example.net\r\n"),
	};
}

static struct dsn_recipient failed(void)
{
	struct dsn_recipient d = { .index = 0, .action = DSN_FAILED };

	result_set(&d.result, OUTCOME_FAILED, BLAME_HOST, "4.4.7",
		   "not delivered within 5 days; the last reason was: the "
		   "certificate of mx5.de.tuv.com bears other.example, wanted "
		   "was mx5.de.tuv.com");
	snprintf(d.result.host, sizeof(d.result.host),
		 "mx5.de.tuv.com[192.0.2.1]:25");
	return d;
}

static const char golden[] =
	"From: Mail Delivery System <MAILER-DAEMON@relay.example.org>\r\n"
	"To: <anna@example.net>\r\n"
	"Subject: Undelivered mail\r\n"
	"Date: Wed, 25 Nov 2026 00:00:00 +0000\r\n"
	"Message-ID: <01M87YD6QR00CCAZER93TGJA6S@relay.example.org>\r\n"
	"Auto-Submitted: auto-replied\r\n"
	"MIME-Version: 1.0\r\n"
	"Content-Type: multipart/report; report-type=delivery-status;\r\n"
	"\tboundary=\"=_01M87YD6QR00CCAZER93TGJA6S\"\r\n"
	"\r\n"
	"This is a report in MIME format.\r\n"
	"\r\n"
	"--=_01M87YD6QR00CCAZER93TGJA6S\r\n"
	"Content-Type: text/plain; charset=us-ascii\r\n"
	"\r\n"
	"This is the mail relay at relay.example.org.\r\n"
	"\r\n"
	"Your message could not be delivered to the recipients named below. It\r\n"
	"will not be tried again.\r\n"
	"\r\n"
	"<bernd@tuv.com>\r\n"
	"    at:     mx5.de.tuv.com[192.0.2.1]:25\r\n"
	"    policy: *.tuv.com: encryption with a verified certificate is\r\n"
	"            demanded\r\n"
	"    reason: not delivered within 5 days; the last reason was: the\r\n"
	"            certificate of mx5.de.tuv.com bears other.example, wanted\r\n"
	"            was mx5.de.tuv.com\r\n"
	"    status: 4.4.7\r\n"
	"    do:     Send again later if it still matters. The other system's\r\n"
	"            postmaster can say why it took so long.\r\n"
	"\r\n"
	"\r\n"
	"--=_01M87YD6QR00CCAZER93TGJA6S\r\n"
	"Content-Type: message/delivery-status\r\n"
	"\r\n"
	"Original-Envelope-Id: QQ314+1\r\n"
	"Reporting-MTA: dns; relay.example.org\r\n"
	"Arrival-Date: Tue, 24 Nov 2026 23:00:00 +0000\r\n"
	"\r\n"
	"Original-Recipient: rfc822;Bernd@tuv.com\r\n"
	"Final-Recipient: rfc822; bernd@tuv.com\r\n"
	"Action: failed\r\n"
	"Status: 4.4.7\r\n"
	"Remote-MTA: dns; mx5.de.tuv.com\r\n"
	"Diagnostic-Code: x-postern; not delivered within 5 days; the last reason\r\n"
	"    was: the certificate of mx5.de.tuv.com bears other.example, wanted was\r\n"
	"    mx5.de.tuv.com\r\n"
	"Last-Attempt-Date: Wed, 25 Nov 2026 00:00:00 +0000\r\n"
	"\r\n"
	"--=_01M87YD6QR00CCAZER93TGJA6S\r\n"
	"Content-Type: text/rfc822-headers\r\n"
	"\r\n"
	"Subject: hello\r\n"
	"From: anna@example.net\r\n"
	"\r\n"
	"--=_01M87YD6QR00CCAZER93TGJA6S--\r\n";

static char *compose(const struct dsn *dsn)
{
	struct buffer out = { NULL, 0, 0, 0 };
	char *text;

	dsn_compose(&out, dsn);
	text = view_string(buffer_view(&out));
	buffer_clear(&out);
	return text;
}

static void a_failure_says_who_where_and_why(void **state)
{
	struct envelope *e = envelope();
	struct dsn_recipient d = failed();
	struct dsn dsn = dsn_of(e, &d, 1);
	char *text = compose(&dsn);

	(void)state;
	assert_string_equal(text, golden);
	free(text);
	envelope_free(e);
}

static void one_report_carries_all_fates(void **state)
{
	struct envelope *e = envelope();
	struct dsn_recipient d[2] = { failed(), { .index = 1,
						  .action = DSN_DELAYED } };
	struct dsn dsn = dsn_of(e, d, 2);
	char *text;

	(void)state;
	result_set(&d[1].result, OUTCOME_DEFERRED, BLAME_RECIPIENT, "4.2.2",
		   "452 4.2.2 full");
	d[1].result.reply_code = 452;
	text = compose(&dsn);
	assert_non_null(strstr(text, "Action: failed\r\n"));
	assert_non_null(strstr(text, "Action: delayed\r\n"));
	assert_non_null(strstr(text, "\r\nSubject: Undelivered mail\r\n"));
	assert_non_null(strstr(text, "Diagnostic-Code: smtp; 452 4.2.2 full"));
	assert_non_null(strstr(text, "Will-Retry-Until: Sun, 29 Nov 2026 "
			       "23:00:00 +0000\r\n"));
	free(text);
	envelope_free(e);
}

static void no_remote_text_starts_a_line(void **state)
{
	struct envelope *e = envelope();
	struct dsn_recipient d = failed();
	struct dsn dsn = dsn_of(e, &d, 1);
	char *text;

	(void)state;
	strcpy(d.result.text, "550 no\r\nBcc: x@y\r\n\r\n--=_01");
	text = compose(&dsn);
	assert_null(strstr(text, "\nBcc:"));
	assert_null(strstr(text, "\n--=_01\r"));
	free(text);
	result_set(&d.result, OUTCOME_FAILED, BLAME_MESSAGE, "5.0.0", "%s",
		   "550 no\r\nBcc: x@y\x01\xff");
	assert_string_equal(d.result.text, "550 no  Bcc: x@y\\x01\\xff");
	envelope_free(e);
}

static void a_host_without_a_name_is_told_as_a_literal(void **state)
{
	static const struct {
		const char *host, *field;
	} rows[] = {
		{ "127.0.0.1[127.0.0.1]:25",
		  "Remote-MTA: dns; [127.0.0.1]\r\n" },
		{ "::1[::1]:25", "Remote-MTA: dns; [IPv6:::1]\r\n" },
		{ "127.0.0.example[127.0.0.1]:25",
		  "Remote-MTA: dns; 127.0.0.example\r\n" },
		{ "1[127.0.0.1]:25", "Remote-MTA: dns; 1\r\n" },
	};
	struct envelope *e = envelope();
	struct dsn_recipient d = failed();
	struct dsn dsn = dsn_of(e, &d, 1);
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		strcpy(d.result.host, rows[i].host);
		text = compose(&dsn);
		assert_non_null(strstr(text, rows[i].field));
		free(text);
	}
	envelope_free(e);
}

static void names_beyond_ascii_make_it_global(void **state)
{
	struct envelope *e = envelope();
	struct dsn_recipient d = { .index = 2, .action = DSN_FAILED };
	struct dsn dsn = dsn_of(e, &d, 1);
	char *text;

	(void)state;
	envelope_add(e, "j\xc3\xbcrgen@tuv.com", "tuv.com");
	e->needs_utf8 = true;
	result_set(&d.result, OUTCOME_FAILED, BLAME_MESSAGE, "5.6.7", "no");
	text = compose(&dsn);
	assert_non_null(strstr(text, "message/global-delivery-status\r\n"));
	assert_non_null(strstr(text, "Final-Recipient: utf-8; "
			       "j\xc3\xbcrgen@tuv.com\r\n"));
	assert_non_null(strstr(text, "message/global-headers\r\n"));
	free(text);
	envelope_free(e);
}

static void eight_bits_in_any_part_are_announced_by_the_whole(void **state)
{
	static const char field[] = "MIME-Version: 1.0\r\n"
				    "Content-Transfer-Encoding: 8bit\r\n"
				    "Content-Type: multipart/report";
	struct envelope *e = envelope();
	struct dsn_recipient d = failed();
	struct dsn dsn = dsn_of(e, &d, 1);
	char *text;

	(void)state;
	text = compose(&dsn);
	assert_null(strstr(text, "8bit"));
	free(text);
	dsn.original = VIEW("Subject: h\xe9llo\r\n");
	text = compose(&dsn);
	assert_non_null(strstr(text, field));
	free(text);
	envelope_free(e);
}

/* Where the report itself cannot be UTF-8, the address can still be told
 * (RFC 6533 3). */
static void an_address_of_type_utf8_has_two_forms(void **state)
{
	static const struct {
		const char *address, *ascii, *utf8;
	} rows[] = {
		{ "a@b", "a@b", "a@b" },
		{ "j\xc3\xbcrgen@b", "j\\x{FC}rgen@b", "j\xc3\xbcrgen@b" },
		{ "j\\x{fc}rgen@b", "j\\x{FC}rgen@b", "j\xc3\xbcrgen@b" },
		{ "\\x{2B}\\x{3D}@b", "\\x{2B}\\x{3D}@b", "+=@b" },
		{ "\\x{1F600}", "\\x{1F600}", "\xf0\x9f\x98\x80" },
		{ "\\x{0A}a\\x{7F}\\x{85}\\x{2028}", "?a???", "?a???" },
		{ "\\x{D800}\\x{110000}", "??", "??" },
		{ "\\x{1}\\x{}\\x{12", "\\x{1}\\x{}\\x{12",
		  "\\x{1}\\x{}\\x{12" },
		{ "a\xff" "b", "a?b", "a?b" },
		{ "a\r\nb", "a??b", "a??b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buffer out = { NULL, 0, 0, 0 };

		dsn_address(&out, rows[i].address, false);
		assert_true(view_equal(buffer_view(&out),
				       view_of(rows[i].ascii)));
		buffer_reset(&out);
		dsn_address(&out, rows[i].address, true);
		assert_true(view_equal(buffer_view(&out),
				       view_of(rows[i].utf8)));
		buffer_clear(&out);
	}
}

static void an_original_recipient_beyond_ascii_is_told(void **state)
{
	struct envelope *e = envelope();
	struct dsn_recipient d = { .index = 2, .action = DSN_FAILED };
	struct dsn dsn = dsn_of(e, &d, 1);
	char *text;

	(void)state;
	envelope_add(e, "juergen@tuv.com", "tuv.com")->orcpt =
		must_strdup("utf-8;j\\x{FC}rgen@tuv.com");
	result_set(&d.result, OUTCOME_FAILED, BLAME_MESSAGE, "5.6.7", "no");
	text = compose(&dsn);
	assert_non_null(strstr(text, "\r\nOriginal-Recipient: utf-8; "
			       "j\\x{FC}rgen@tuv.com\r\n"));
	free(text);
	e->needs_utf8 = true;
	text = compose(&dsn);
	assert_non_null(strstr(text, "\r\nOriginal-Recipient: utf-8; "
			       "j\xc3\xbcrgen@tuv.com\r\n"));
	free(text);
	envelope_free(e);
}

static void the_sender_is_told_what_to_do(void **state)
{
	static const struct {
		const char *status, *part;
		bool is_unmet;
	} rows[] = {
		{ "5.1.1", "Check the address", false },
		{ "5.1.2", "behind the @", false },
		{ "5.1.10", "takes no mail", false },
		{ "4.2.2", "mailbox is full", false },
		{ "5.2.3", "too large", false },
		{ "5.3.4", "too large", false },
		{ "4.4.7", "Send again later", false },
		{ "4.4.7", "encryption", true },
		{ "5.7.10", "on purpose", false },
		{ "5.7.5", "encryption", true },
		{ "5.0.0", "postmaster of this relay", false },
		{ "", "postmaster of this relay", false },
		{ "nonsense", "postmaster of this relay", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct result result = { .is_unmet = rows[i].is_unmet };

		snprintf(result.status, sizeof(result.status), "%s",
			 rows[i].status);
		assert_non_null(strstr(dsn_advice(&result), rows[i].part));
	}
}

static void many_recipients_do_not_make_it_endless(void **state)
{
	enum { COUNT = 1000 };
	struct envelope *e = envelope();
	struct dsn_recipient *d = calloc(COUNT, sizeof(*d));
	struct dsn dsn = dsn_of(e, d, COUNT);
	char *text;

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		envelope_add(e, "x@tuv.com", "tuv.com");
		d[i] = failed();
		d[i].index = i;
	}
	text = compose(&dsn);
	assert_non_null(strstr(text, "And 950 more: they are named in the next"));
	assert_true(strlen(text) < COUNT * 1000);
	free(text);
	free(d);
	envelope_free(e);
}

static void notify_decides_what_is_told(void **state)
{
	static const struct {
		unsigned notify;
		bool failed, delayed, relayed;
	} rows[] = {
		{ 0, true, true, false },
		{ NOTIFY_NEVER, false, false, false },
		{ NOTIFY_SUCCESS, false, false, true },
		{ NOTIFY_FAILURE, true, false, false },
		{ NOTIFY_DELAY, false, true, false },
		{ NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, true, true,
		  true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct recipient r = { .notify = rows[i].notify };

		assert_int_equal(dsn_is_wanted(&r, DSN_FAILED), rows[i].failed);
		assert_int_equal(dsn_is_wanted(&r, DSN_DELAYED),
				 rows[i].delayed);
		assert_int_equal(dsn_is_wanted(&r, DSN_RELAYED),
				 rows[i].relayed);
	}
}

static void the_whole_message_returns_only_where_asked_and_small(void **state)
{
	struct envelope *e = envelope();
	struct dsn_recipient d = failed();

	(void)state;
	e->size = 1000;
	assert_false(dsn_wants_body(e, &d, 1));
	e->ret = RETURN_FULL;
	assert_true(dsn_wants_body(e, &d, 1));
	e->size = DSN_FULL_MAX + 1;
	assert_false(dsn_wants_body(e, &d, 1));
	e->size = 1000;
	d.action = DSN_RELAYED;
	assert_false(dsn_wants_body(e, &d, 1));
	envelope_free(e);
}

static void headers_end_at_the_empty_line(void **state)
{
	static const struct {
		const char *body, *headers;
	} rows[] = {
		{ "A: b\r\nC: d\r\n\r\ntext\r\n", "A: b\r\nC: d\r\n" },
		{ "A: b\r\n", "A: b\r\n" },
		{ "A: b\r\ncut", "A: b\r\n" },
		{ "\r\ntext", "" },
		{ "", "" },
		{ "no line", "" },
	};
	unsigned char *large = malloc(2 * DSN_HEADERS_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_true(view_equal(dsn_headers(view_of(rows[i].body)),
				       view_of(rows[i].headers)));
	memset(large, 'x', 2 * DSN_HEADERS_MAX);
	memcpy(large, "A: b\r\n", 6);
	assert_int_equal(dsn_headers(view_make(large, 2 * DSN_HEADERS_MAX)).len,
			 6);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_says_who_where_and_why),
		cmocka_unit_test(one_report_carries_all_fates),
		cmocka_unit_test(no_remote_text_starts_a_line),
		cmocka_unit_test(a_host_without_a_name_is_told_as_a_literal),
		cmocka_unit_test(names_beyond_ascii_make_it_global),
		cmocka_unit_test(
			eight_bits_in_any_part_are_announced_by_the_whole),
		cmocka_unit_test(an_address_of_type_utf8_has_two_forms),
		cmocka_unit_test(an_original_recipient_beyond_ascii_is_told),
		cmocka_unit_test(the_sender_is_told_what_to_do),
		cmocka_unit_test(many_recipients_do_not_make_it_endless),
		cmocka_unit_test(notify_decides_what_is_told),
		cmocka_unit_test(
			the_whole_message_returns_only_where_asked_and_small),
		cmocka_unit_test(headers_end_at_the_empty_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
