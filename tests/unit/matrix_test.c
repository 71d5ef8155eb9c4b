/*
 * The matrix as text, JSON and CSV; the remedies; the words of a command.
 */
#include "relay/matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/advice.h"
#include "relay/assure.h"
#include "relay/json.h"
#include "relay/score.h"
#include "relay/words.h"

static const struct conf conf = {
	.system_trust = { .path = (char *)"/roots",
			  .bytes = { (const unsigned char *)"x", 1 } },
};

static const char *text_of(struct buffer *out)
{
	buffer_append_byte(out, '\0');
	return (const char *)buffer_view(out).at;
}

/* The four gateways of the form, with its times. */
static void fill_form(struct matrix *matrix, struct matrix_row rows[4])
{
	static const struct {
		const char *host, *address;
		unsigned preference;
		unsigned ms[MATRIX_STAGES];
	} gateways[] = {
		{ "mx5.de.tuv.com", "195.20.220.192", 10,
		  { 119, 293, 290, 119, 423, 296, 119, 119 } },
		{ "mx6.de.tuv.com", "195.20.220.193", 20,
		  { 155, 183, 122, 121, 430, 125, 120, 129 } },
		{ "mx1.amer.tuv.com", "152.186.32.214", 30,
		  { 46, 128, 48, 46, 268, 54, 47, 48 } },
		{ "mx1.asia.tuv.com", "134.159.147.105", 40,
		  { 247, 587, 417, 247, 671, 419, 257, 248 } },
	};
	static struct policy policy = { .title = (char *)"form",
					.tls = TLS_VERIFY, .names_mx = true };
	size_t i, k;

	*matrix = (struct matrix){
		.conf = &conf, .policy = &policy, .domain = "de.tuv.com",
		.recipient = "postmaster@de.tuv.com", .sender = "a@b.test",
		.rows = rows, .count = 4, .now = 1000000000,
	};
	memset(rows, 0, 4 * sizeof(*rows));
	for (i = 0; i < 4; i++) {
		snprintf(rows[i].host, sizeof(rows[i].host), "%s",
			 gateways[i].host);
		assert_int_equal(net_parse(view_of(gateways[i].address),
					   &rows[i].address), 0);
		rows[i].port = 25;
		rows[i].preference = gateways[i].preference;
		rows[i].rank = (unsigned)i + 1;
		rows[i].source = HOST_MX;
		for (k = 0; k < MATRIX_STAGES; k++)
			rows[i].cells[k] = (struct matrix_cell){
				MATRIX_OK, gateways[i].ms[k] };
	}
}

static void the_table_is_that_of_the_form(void **state)
{
	static const char expected[] =
"Confidence Factor for \"postmaster@de.tuv.com\": 100\n"
"MX Server              Pref  Connect   Allowed   Can Use   TLS Adv   Cert OK   TLS Neg   Sndr OK   Rcvr OK\n"
"mx5.de.tuv.com           10  OK        OK        OK        OK        OK        OK        OK        OK\n"
"[195.20.220.192]             (119ms)   (293ms)   (290ms)   (119ms)   (423ms)   (296ms)   (119ms)   (119ms)\n"
"mx6.de.tuv.com           20  OK        OK        OK        OK        OK        OK        OK        OK\n"
"[195.20.220.193]             (155ms)   (183ms)   (122ms)   (121ms)   (430ms)   (125ms)   (120ms)   (129ms)\n"
"mx1.amer.tuv.com         30  OK        OK        OK        OK        OK        OK        OK        OK\n"
"[152.186.32.214]             (46ms)    (128ms)   (48ms)    (46ms)    (268ms)   (54ms)    (47ms)    (48ms)\n"
"mx1.asia.tuv.com         40  OK        OK        OK        OK        OK        OK        OK        OK\n"
"[134.159.147.105]            (247ms)   (587ms)   (417ms)   (247ms)   (671ms)   (419ms)   (257ms)   (248ms)\n"
"Average                      100%      100%      100%      100%      100%      100%      100%      100%\n";
	struct matrix_row rows[4];
	struct matrix matrix;
	struct buffer out = { 0 };

	(void)state;
	fill_form(&matrix, rows);
	matrix_text(&matrix, false, &out);
	assert_string_equal(text_of(&out), expected);
	buffer_clear(&out);
}

static void what_is_behind_a_failure_is_a_dash_without_a_time(void **state)
{
	static const char expected[] =
"Confidence Factor for \"postmaster@de.tuv.com\": 15\n"
"MX Server              Pref  Connect   Allowed   Can Use   TLS Adv   Cert OK   TLS Neg   Sndr OK   Rcvr OK\n"
"mx5.de.tuv.com:2525      10  OK        OK        OK        FAIL      -         -         -         -\n"
"[no address]                 (119ms)   (293ms)   (290ms)   (119ms)\n"
"Average                      100%      100%      100%      0%        0%        0%        0%        0%\n";
	struct matrix_row rows[4];
	struct matrix matrix;
	struct buffer out = { 0 };
	size_t i;

	(void)state;
	fill_form(&matrix, rows);
	matrix.count = 1;
	rows[0].port = 2525;
	memset(&rows[0].address, 0, sizeof(rows[0].address));
	rows[0].cells[MATRIX_TLS_ADV].state = MATRIX_FAIL;
	for (i = MATRIX_CERT; i < MATRIX_STAGES; i++)
		rows[0].cells[i] = (struct matrix_cell){ MATRIX_UNREACHED, 0 };
	matrix_text(&matrix, false, &out);
	assert_string_equal(text_of(&out), expected);
	buffer_clear(&out);
	matrix_text(&matrix, true, &out);
	assert_non_null(strstr(text_of(&out), "\033[31mFAIL\033[0m      -"));
	buffer_clear(&out);
}

static void an_assured_matrix_has_its_own_column(void **state)
{
	static const char expected[] =
"Assured TLS Factor for \"postmaster@de.tuv.com\": unknown, all gateways put it off\n"
"MX Server              Pref  Connect   Allowed   Can Use   Refuses\n"
"mx5.de.tuv.com           10  OK        OK        OK        TEMP\n"
"[195.20.220.192]             (119ms)   (293ms)   (290ms)   (119ms)\n"
"Average                      100%      100%      100%      -\n";
	struct matrix_row rows[4];
	struct matrix matrix;
	struct buffer out = { 0 };

	(void)state;
	fill_form(&matrix, rows);
	matrix.count = 1;
	matrix.is_assured = true;
	rows[0].cells[MATRIX_SENDER].state = MATRIX_TEMP;
	matrix_text(&matrix, false, &out);
	assert_string_equal(text_of(&out), expected);
	buffer_clear(&out);
	matrix_csv(&matrix, &out);
	assert_string_equal(text_of(&out),
			    "Addr,CF,Ans,Con,HELO,TLS,Cert,Sec,From,To\r\n"
			    "\"postmaster@de.tuv.com\",,100,100,100,,,,,\r\n");
	buffer_clear(&out);
}

static void a_spreadsheet_takes_no_address_for_a_formula(void **state)
{
	static const struct {
		const char *recipient, *expected;
	} addresses[] = {
		{ "a@b.test", "\"a@b.test\",100" },
		{ "=1+1@b.test", "\"'=1+1@b.test\",100" },
		{ "\"a,b\"@b.test", "\"\"\"a,b\"\"@b.test\",100" },
	};
	struct matrix_row rows[4];
	struct matrix matrix;
	struct buffer out = { 0 };
	size_t i;

	(void)state;
	fill_form(&matrix, rows);
	for (i = 0; i < 3; i++) {
		matrix.recipient = addresses[i].recipient;
		matrix_csv(&matrix, &out);
		assert_non_null(strstr(text_of(&out), addresses[i].expected));
		buffer_clear(&out);
	}
}

static void certificates_that_end_soon_are_noticed(void **state)
{
	enum { DAY = 86400 };
	struct facts_certificate verified[2] = { { .not_after = 0 } };
	struct matrix_row rows[4];
	struct matrix matrix;

	(void)state;
	fill_form(&matrix, rows);
	rows[0].facts.presented = 1;
	rows[0].facts.leaf.not_after = matrix.now + 10 * DAY + 5;
	assert_int_equal(matrix_days_left(&matrix, &rows[0].facts.leaf), 10);
	assert_false(matrix_is_ending(&matrix, &rows[0]));
	matrix.warn_days = 10;
	assert_false(matrix_is_ending(&matrix, &rows[0]));
	matrix.warn_days = 11;
	assert_true(matrix_is_ending(&matrix, &rows[0]));
	rows[0].facts.leaf.not_after = matrix.now - 1;
	assert_int_equal(matrix_days_left(&matrix, &rows[0].facts.leaf), -1);
	/* the anchor's dates are nobody's business, an intermediate's are */
	rows[0].facts.leaf.not_after = matrix.now + 100 * DAY;
	rows[0].facts.verified = verified;
	rows[0].facts.verified_count = 1;
	assert_false(matrix_is_ending(&matrix, &rows[0]));
	rows[0].facts.verified_count = 2;
	assert_true(matrix_is_ending(&matrix, &rows[0]));
}

static const struct {
	enum matrix_stage stage;
	enum matrix_state state;
	enum judgement_fault fault;
	enum chain_verdict chain;
	const char *advice; /* a part of it */
} advices[] = {
	{ MATRIX_CONNECT, MATRIX_FAIL, FAULT_NONE, CHAIN_NOT_ASKED,
	  "reachable at port 25" },
	{ MATRIX_ALLOWED, MATRIX_FAIL, FAULT_NONE, CHAIN_NOT_ASKED, "220" },
	{ MATRIX_CAN_USE, MATRIX_FAIL, FAULT_NONE, CHAIN_NOT_ASKED, "EHLO" },
	{ MATRIX_TLS_ADV, MATRIX_FAIL, FAULT_NOT_OFFERED, CHAIN_NOT_ASKED,
	  "must offer STARTTLS" },
	{ MATRIX_TLS_NEG, MATRIX_FAIL, FAULT_HANDSHAKE, CHAIN_NOT_ASKED,
	  "handshake of TLS 1.2 or 1.3" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_NAME, CHAIN_HOLDS,
	  "must bear mx5.de.tuv.com" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_CHAIN, CHAIN_EXPIRED, "renewed" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_CHAIN, CHAIN_NOT_YET_VALID,
	  "not valid yet" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_CHAIN, CHAIN_SELF_SIGNED,
	  "root certificate" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_CHAIN, CHAIN_UNKNOWN_CA,
	  "intermediate" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_CHAIN, CHAIN_WEAK_KEY, "RSA 2048" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_CHAIN, CHAIN_WEAK_SIGNATURE,
	  "SHA-256" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_CHAIN, CHAIN_WRONG_PURPOSE,
	  "serverAuth" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_CHAIN, CHAIN_BAD_SIGNATURE,
	  "another certificate" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_ISSUER, CHAIN_HOLDS,
	  "issued under" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_PIN, CHAIN_HOLDS, "sha256:" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_HOST, CHAIN_HOLDS, "mx = " },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_NO_CERTIFICATE,
	  CHAIN_NO_CERTIFICATE, "must present a certificate" },
	{ MATRIX_CERT, MATRIX_FAIL, FAULT_CIPHER, CHAIN_HOLDS, "AES-GCM" },
	{ MATRIX_SENDER, MATRIX_FAIL, FAULT_NONE, CHAIN_HOLDS, "a@b.test" },
	{ MATRIX_RECIPIENT, MATRIX_FAIL, FAULT_NONE, CHAIN_HOLDS,
	  "postmaster@de.tuv.com" },
	{ MATRIX_RECIPIENT, MATRIX_TEMP, FAULT_NONE, CHAIN_HOLDS,
	  "ask again" },
};

static void every_fault_has_its_remedy(void **state)
{
	struct matrix_row rows[4];
	struct matrix matrix;
	char advice[ADVICE_MAX];
	size_t i;

	(void)state;
	fill_form(&matrix, rows);
	advice_text(&matrix, &rows[0], advice);
	assert_string_equal(advice, "");
	for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		fill_form(&matrix, rows);
		rows[0].cells[advices[i].stage].state = advices[i].state;
		rows[0].is_judged = true;
		rows[0].judgement.fault = advices[i].fault;
		rows[0].facts.chain = advices[i].chain;
		advice_text(&matrix, &rows[0], advice);
		if (strstr(advice, advices[i].advice) == NULL)
			fail_msg("%s is not in %s", advices[i].advice, advice);
	}
	/* a dry run's fault counts where the policy itself finds none */
	fill_form(&matrix, rows);
	rows[0].cells[MATRIX_CERT].state = MATRIX_FAIL;
	rows[0].is_judged = rows[0].has_would = true;
	rows[0].would.fault = FAULT_NAME;
	advice_text(&matrix, &rows[0], advice);
	assert_non_null(strstr(advice, "must bear mx5.de.tuv.com"));
}

static void only_want_of_tls_is_a_refusal_of_plain_text(void **state)
{
	static const struct {
		const char *reply;
		enum matrix_state expected;
	} rows[] = {
		{ "530 5.7.0 Must issue a STARTTLS command first\r\n",
		  MATRIX_OK },
		{ "530 no\r\n", MATRIX_OK },
		{ "550 5.7.10 no\r\n", MATRIX_OK },
		{ "554 5.7.1 Session encryption is required\r\n", MATRIX_OK },
		{ "451 4.7.0 use tls\r\n", MATRIX_OK },
		{ "250 2.1.0 ok\r\n", MATRIX_FAIL },
		{ "550 5.1.1 unknown\r\n", MATRIX_FAIL },
		{ "554 5.7.1 blocked\r\n", MATRIX_FAIL },
		{ "450 4.2.0 greylisted\r\n", MATRIX_TEMP },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct view input = view_of(rows[i].reply), line;
		struct reply reply = { 0 };

		assert_int_equal(reply_read(&reply, &input, &line), 1);
		if (assure_state(&reply) != rows[i].expected)
			fail_msg("%s", rows[i].reply);
	}
}

static void json_is_safe_whatever_the_text(void **state)
{
	struct buffer out = { 0 };
	struct json json = { .out = &out };

	(void)state;
	json_open_object(&json, NULL);
	json_text(&json, "a\"b", "\\ \x01 \xff \xc3\xa9 \xe2\x80\xae "
				 "\xf0\x9f\x93\xa7");
	json_open_list(&json, "empty");
	json_close_list(&json);
	json_open_list(&json, "list");
	json_number(&json, NULL, -5);
	json_bool(&json, NULL, true);
	json_text_or_null(&json, NULL, "");
	json_close_list(&json);
	json_close_object(&json);
	assert_string_equal(
		text_of(&out),
		"{\n  \"a\\\"b\": \"\\\\ \\u0001 \\ufffd \xc3\xa9 \\u202e "
		"\xf0\x9f\x93\xa7\",\n  \"empty\": [],\n  \"list\": [\n"
		"    -5,\n    true,\n    null\n  ]\n}\n");
	buffer_clear(&out);
}

static void words_are_read_or_refused_with_a_reason(void **state)
{
	static const struct {
		const char *words[4];
		const char *error; /* NULL: none */
	} rows[] = {
		{ { "t", "--flag", "--text", "x" }, NULL },
		{ { "--text=x", "--number=7", "t" }, NULL },
		{ { "--", "-t" }, NULL },
		{ { "--flag", "--flag", "t" }, "twice" },
		{ { "t", "u" }, "one at a time" },
		{ { "--other" }, "no option --other" },
		{ { "--tex" }, "no option --tex" },
		{ { "t", "--text" }, "needs a value" },
		{ { "--flag=1" }, "takes no value" },
		{ { "--number", "11" }, "0 to 10" },
		{ { "--number", "x" }, "0 to 10" },
	};
	size_t i;
	int argc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool flag = false;
		const char *text = NULL, *target = NULL;
		unsigned number = 0;
		const struct words_option options[] = {
			{ .name = "--flag", .flag = &flag },
			{ .name = "--text", .text = &text },
			{ .name = "--number", .number = &number, .max = 10 },
		};
		struct error error = { .text = "" };
		int status;

		for (argc = 0; argc < 4 && rows[i].words[argc]; argc++)
			;
		status = words_parse(argc, (char **)(uintptr_t)rows[i].words,
				     options, 3, &target, &error);
		assert_int_equal(status, rows[i].error != NULL ? -1 : 0);
		if (rows[i].error != NULL)
			assert_non_null(strstr(error.text, rows[i].error));
		else
			assert_non_null(target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_that_of_the_form),
		cmocka_unit_test(
			what_is_behind_a_failure_is_a_dash_without_a_time),
		cmocka_unit_test(an_assured_matrix_has_its_own_column),
		cmocka_unit_test(a_spreadsheet_takes_no_address_for_a_formula),
		cmocka_unit_test(certificates_that_end_soon_are_noticed),
		cmocka_unit_test(every_fault_has_its_remedy),
		cmocka_unit_test(only_want_of_tls_is_a_refusal_of_plain_text),
		cmocka_unit_test(json_is_safe_whatever_the_text),
		cmocka_unit_test(words_are_read_or_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
