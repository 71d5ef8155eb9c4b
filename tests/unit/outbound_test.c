/*
 * The client session up to its first message: TLS, its judgement,
 * credentials.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/script.h"

static void forgets_the_clear_after_starttls(void **state)
{
	const struct script d = {
		.level = TLS_VERIFY,
		.body = "x\r\n",
		.lines = { GREETING,
			   { "EHLO", "250-mx\r\n250-PIPELINING\r\n"
				     "250-SIZE 1\r\n250 STARTTLS\r\n" },
			   { "STARTTLS", "220 go\r\n" },
			   { "<tls>", "good" },
			   PLAIN_EHLO, OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	script_check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	assert_non_null(strstr(seen->sent, "MAIL FROM:<me@example.net>\n"));
	assert_string_equal(seen->results[0].proof.version, "TLSv1.3");
	assert_string_equal(seen->results[0].proof.verdict, "deliver");
	assert_true(seen->results[0].proof.is_verified);
}

static void speaks_tls_first_where_told(void **state)
{
	const struct script d = {
		.level = TLS_VERIFY,
		.is_tls_first = true,
		.body = "x\r\n",
		.lines = { { "<tls>", "good" }, GREETING, PLAIN_EHLO,
			   OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};

	(void)state;
	script_check(script_run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

/* For each level: what the server does with TLS, and whether mail goes. */
enum { GOES, UNMET, PLAINTEXT };
static const struct {
	enum tls_level level;
	bool is_offered, is_plaintext;
	const char *starttls, *shake;
	int outcome;
} tls_rows[] = {
	{ TLS_NONE, true, false, NULL, NULL, GOES },
	{ TLS_MAY, false, false, NULL, NULL, GOES },
	{ TLS_ENCRYPT, false, false, NULL, NULL, UNMET },
	{ TLS_VERIFY, false, false, NULL, NULL, UNMET },
	{ TLS_MAY, true, false, "454 no\r\n", NULL, PLAINTEXT },
	{ TLS_ENCRYPT, true, false, "454 no\r\n", NULL, UNMET },
	{ TLS_VERIFY, true, false, "554 no\r\n", NULL, UNMET },
	{ TLS_MAY, true, false, "220 go\r\n", "!fail", PLAINTEXT },
	{ TLS_ENCRYPT, true, false, "220 go\r\n", "!fail", UNMET },
	{ TLS_VERIFY, true, false, "220 go\r\n", "!fail", UNMET },
	{ TLS_MAY, true, false, "220 go\r\n", "bad", GOES },
	{ TLS_MAY, true, false, "220 go\r\n", "good", GOES },
	{ TLS_ENCRYPT, true, false, "220 go\r\n", "good", GOES },
	{ TLS_ENCRYPT, true, false, "220 go\r\n", "bad", GOES },
	{ TLS_VERIFY, true, false, "220 go\r\n", "bad", UNMET },
	{ TLS_VERIFY, true, false, "220 go\r\n", "good", GOES },
	/* a reply behind the reply: response injection */
	{ TLS_VERIFY, true, false, "220 go\r\n250 x\r\n", NULL, UNMET },
	{ TLS_MAY, true, false, "220 go\r\n250 x\r\n", NULL,
	  PLAINTEXT },
	/* a carrier that asks for plaintext without leave */
	{ TLS_MAY, true, true, NULL, NULL, GOES },
	{ TLS_ENCRYPT, true, true, NULL, NULL, UNMET },
	{ TLS_VERIFY, true, true, NULL, NULL, UNMET },
};

/* Whatever the dry run says, the dialog and its outcome are the same. */
static void check_dry_run(struct script *d, const struct seen *real)
{
	static struct seen dry;
	const char *would = dry.trouble.proof.would;
	const struct script_line *shake = &d->lines[3];

	if (d->level != TLS_MAY && d->level != TLS_ENCRYPT)
		return;
	d->would = TLS_VERIFY;
	script_play(d, SIZE_MAX, &dry);
	assert_int_equal(dry.end, real->end);
	assert_string_equal(dry.sent, real->sent);
	assert_int_equal(dry.results[0].outcome, real->results[0].outcome);
	if (dry.end == OUTBOUND_DONE)
		would = dry.results[0].proof.would;
	if (shake->reply != NULL && strcmp(shake->reply, "good") == 0)
		assert_string_equal(would, "deliver");
	else
		assert_true(would[0] != '\0' && strcmp(would, "deliver") != 0);
	assert_string_equal(real->results[0].proof.would, "");
}

static void never_sends_what_the_judge_forbids(void **state)
{
	struct seen seen;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(tls_rows) / sizeof(tls_rows[0]); i++) {
		struct script d = {
			.level = tls_rows[i].level,
			.is_plaintext = tls_rows[i].is_plaintext,
			.body = "x\r\n",
			.lines = { GREETING },
		};

		n = 1;
		d.lines[n++] = tls_rows[i].is_offered ? (struct script_line)TLS_EHLO
						  : (struct script_line)PLAIN_EHLO;
		if (tls_rows[i].starttls != NULL)
			d.lines[n++] = (struct script_line){ "STARTTLS",
						      tls_rows[i].starttls };
		if (tls_rows[i].shake != NULL)
			d.lines[n++] = (struct script_line){ "<tls>", tls_rows[i].shake };
		if (tls_rows[i].shake != NULL && tls_rows[i].outcome == GOES)
			d.lines[n++] = (struct script_line)PLAIN_EHLO;
		if (tls_rows[i].outcome == GOES) {
			d.lines[n++] = (struct script_line)OK("MAIL");
			d.lines[n++] = (struct script_line)OK("RCPT");
			d.lines[n++] = (struct script_line){ "DATA", "354 go\r\n" };
			d.lines[n++] = (struct script_line)OK(".");
		}
		/* An injection split from its reply is the conn's to refuse,
		 * so only the whole dialog is played. */
		script_play(&d, SIZE_MAX, &seen);
		assert_int_equal(seen.end, tls_rows[i].outcome == GOES
						   ? OUTBOUND_DONE
					   : tls_rows[i].outcome == UNMET
						   ? OUTBOUND_UNMET
						   : OUTBOUND_PLAINTEXT);
		if (tls_rows[i].outcome == UNMET)
			assert_int_equal(seen.trouble.outcome,
					 OUTCOME_DEFERRED);
		if (tls_rows[i].outcome != GOES)
			assert_null(strstr(seen.sent, "MAIL"));
		assert_true(seen.trouble.is_unmet ==
			    (tls_rows[i].outcome == UNMET));
		check_dry_run(&d, &seen);
	}
}

/* The second connection of one host, with what the first one met. */
static void plaintext_says_why_it_is_plaintext(void **state)
{
	static const struct {
		enum tls_trouble trouble;
		const char *reason_code;
	} rows[] = {
		{ TROUBLE_REFUSED, "starttls-not-supported" },
		{ TROUBLE_HANDSHAKE, "validation-failure" },
	};
	struct outbound_excuse excuse = { .detail = "this and that" };
	struct script d = {
		.level = TLS_MAY,
		.would = TLS_VERIFY,
		.is_plaintext = true,
		.excuse = &excuse,
		.body = "x\r\n",
		.lines = { GREETING, TLS_EHLO, OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};
	const struct proof *proof;
	struct seen *seen;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		excuse.trouble = rows[i].trouble;
		seen = script_run(&d);
		script_check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
		proof = &seen->results[0].proof;
		assert_string_equal(proof->verdict, "plaintext");
		assert_string_equal(proof->reason_code, rows[i].reason_code);
		assert_string_equal(proof->would, rows[i].reason_code);
	}
	/* It excuses nothing where more is demanded. */
	d.level = TLS_ENCRYPT;
	d.lines[2].expect = NULL;
	seen = script_run(&d);
	assert_int_equal(seen->end, OUTBOUND_UNMET);
}

static void a_handshake_without_an_end_says_so(void **state)
{
	const struct script d = {
		.level = TLS_VERIFY,
		.lines = { GREETING, TLS_EHLO, { "STARTTLS", "220 go\r\n" },
			   { "<tls>", "!timeout" } },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	assert_int_equal(seen->end, OUTBOUND_UNMET);
	assert_non_null(strstr(seen->trouble.text, "the TLS handshake failed: "
			       "time ran out (timeout-starttls)"));
}

static void falls_back_to_helo(void **state)
{
	const struct script d = {
		.level = TLS_MAY,
		.body = "x\r\n",
		.lines = { GREETING, { "EHLO", "502 what?\r\n" },
			   OK("HELO relay.example.net"), OK("MAIL"),
			   OK("RCPT"), { "DATA", "354 go\r\n" }, OK(".") },
	};

	(void)state;
	script_check(script_run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void offers_credentials_to_proven_hosts_only(void **state)
{
	const struct script_line ehlo = { "EHLO", "250-mx\r\n250 AUTH GSSAPI LOGIN "
					   "PLAIN\r\n" };
	struct script d = {
		.level = TLS_VERIFY,
		.is_tls_first = true,
		.user = "me",
		.body = "x\r\n",
		.lines = { { "<tls>", "good" }, GREETING, ehlo,
			   { "AUTH PLAIN AG1lAHNlY3JldA==",
			     "235 2.7.0 welcome\r\n" },
			   OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	script_check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	assert_false(seen->auth_failed);

	d.lines[3].reply = "535 5.7.8 no\r\n";
	d.lines[4].expect = NULL;
	seen = script_run(&d);
	assert_int_equal(seen->end, OUTBOUND_HOST);
	assert_string_equal(seen->trouble.status, "4.7.8");
	assert_int_equal(seen->trouble.outcome, OUTCOME_DEFERRED);
	assert_true(seen->auth_failed);

	/* what a server repeats is told to nobody */
	d.lines[3].reply = "535 5.7.8 no: AUTH PLAIN AG1lAHNlY3JldA==\r\n";
	seen = script_run(&d);
	assert_string_equal(seen->trouble.text, "535 5.7.8 the server's text "
			    "repeats the credentials");
	d.lines[3].reply = "421 me, secret\r\n";
	seen = script_run(&d);
	assert_null(strstr(seen->trouble.text, "secret"));
	assert_int_equal(seen->end, OUTBOUND_HOST);

	/* encrypt: TLS stands, but nobody was proven */
	d.level = TLS_ENCRYPT;
	d.lines[0].reply = "bad";
	d.lines[3].expect = NULL;
	seen = script_run(&d);
	assert_int_equal(seen->end, OUTBOUND_HOST);
	assert_true(seen->auth_failed);
	assert_null(strstr(seen->sent, "AUTH"));

	d.level = TLS_NONE;
	d.is_tls_first = false;
	d.lines[0] = (struct script_line)GREETING;
	d.lines[1] = ehlo;
	d.lines[2].expect = NULL;
	seen = script_run(&d);
	assert_int_equal(seen->end, OUTBOUND_HOST);
	assert_null(strstr(seen->sent, "AUTH"));
}

static void speaks_login_where_plain_is_missing(void **state)
{
	const struct script d = {
		.level = TLS_VERIFY,
		.is_tls_first = true,
		.user = "me",
		.body = "x\r\n",
		.lines = { { "<tls>", "good" }, GREETING,
			   { "EHLO", "250-mx\r\n250 AUTH=LOGIN\r\n" },
			   { "AUTH LOGIN", "334 VXNlcm5hbWU6\r\n" },
			   { "bWU=", "334 UGFzc3dvcmQ6\r\n" },
			   { "c2VjcmV0", "235 ok\r\n" },
			   OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};

	(void)state;
	script_check(script_run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void a_probe_stops_once_judged(void **state)
{
	const struct script d = {
		.level = TLS_VERIFY,
		.stops = true,
		.lines = { GREETING, TLS_EHLO, { "STARTTLS", "220 go\r\n" },
			   { "<tls>", "good" }, PLAIN_EHLO },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	assert_int_equal(seen->end, OUTBOUND_DONE);
	assert_null(strstr(seen->sent, "MAIL"));
}

/* What a probe of the whole way says and does, by the replies to MAIL and
 * RCPT; CHUNKING and PIPELINING are offered and never used. */
static const struct {
	const char *mail, *rcpt;
	bool is_reset;
	enum outcome outcome;
	const char *stages;
} probe_rows[] = {
	{ "250 ok\r\n", "250 ok\r\n", true, OUTCOME_DELIVERED,
	  "connected:0 greeted:220 hello:250 starttls:220 shaken:0 hello:250 "
	  "mail:250 rcpt:250 other:250 " },
	{ "250 ok\r\n", "451 4.7.1 greylisted\r\n", true, OUTCOME_DEFERRED,
	  "connected:0 greeted:220 hello:250 starttls:220 shaken:0 hello:250 "
	  "mail:250 rcpt:451 other:250 " },
	{ "250 ok\r\n", "550 5.1.1 unknown\r\n", true, OUTCOME_FAILED,
	  "connected:0 greeted:220 hello:250 starttls:220 shaken:0 hello:250 "
	  "mail:250 rcpt:550 other:250 " },
	{ "550 5.7.1 not you\r\n", NULL, false, OUTCOME_FAILED,
	  "connected:0 greeted:220 hello:250 starttls:220 shaken:0 hello:250 "
	  "mail:550 " },
};

static void a_probe_never_goes_beyond_rcpt(void **state)
{
	struct seen *seen;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(probe_rows) / sizeof(probe_rows[0]); i++) {
		struct script d = {
			.level = TLS_VERIFY,
			.stops_after_rcpt = true,
			.lines = { GREETING, TLS_EHLO,
				   { "STARTTLS", "220 go\r\n" },
				   { "<tls>", "good" }, CHUNK_EHLO,
				   { "MAIL", probe_rows[i].mail } },
		};

		n = 6;
		if (probe_rows[i].rcpt != NULL)
			d.lines[n++] = (struct script_line){
				"RCPT", probe_rows[i].rcpt };
		if (probe_rows[i].is_reset)
			d.lines[n++] = (struct script_line)OK("RSET");
		seen = script_run(&d);
		assert_int_equal(seen->results[0].outcome,
				 probe_rows[i].outcome);
		assert_string_equal(seen->stages, probe_rows[i].stages);
		assert_null(strstr(seen->sent, "DATA"));
		assert_null(strstr(seen->sent, "BDAT"));
		assert_non_null(strstr(seen->sent, "QUIT"));
	}
}

static void a_probe_in_the_clear_says_goodbye_to_whom_refuses(void **state)
{
	const struct script d = {
		.level = TLS_NONE,
		.is_plaintext = true,
		.stops_after_rcpt = true,
		.lines = { GREETING, TLS_EHLO,
			   { "MAIL", "530 5.7.0 STARTTLS first\r\n" } },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	assert_int_equal(seen->end, OUTBOUND_HOST);
	assert_non_null(strstr(seen->sent, "QUIT"));
}

static void every_step_has_its_own_time(void **state)
{
	struct policy policy = { .tls = TLS_MAY };
	struct demand demand = { .policy = &policy, .level = TLS_MAY };
	struct outbound_settings settings = { .conf = &script_conf,
					      .host = "mx",
					      .demand = &demand };
	struct outbound *s = outbound_new(&settings);
	uint64_t turn;
	size_t used;

	(void)state;
	outbound_start(s);
	assert_int_equal(outbound_wait(s), 60);
	turn = outbound_turn(s);
	/* time is for the whole reply, not for each line of it */
	outbound_input(s, VIEW("220-x\r\n220-y\r\n"), &used);
	assert_int_equal(outbound_turn(s), turn);
	outbound_input(s, VIEW("220 z\r\n"), &used);
	assert_int_not_equal(outbound_turn(s), turn);
	outbound_input(s, VIEW("250-x\r\n250 STARTTLS\r\n"), &used);
	assert_int_equal(outbound_wait(s), 61);
	assert_string_equal(outbound_step(s), "the reply to STARTTLS");
	outbound_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forgets_the_clear_after_starttls),
		cmocka_unit_test(speaks_tls_first_where_told),
		cmocka_unit_test(never_sends_what_the_judge_forbids),
		cmocka_unit_test(plaintext_says_why_it_is_plaintext),
		cmocka_unit_test(a_handshake_without_an_end_says_so),
		cmocka_unit_test(falls_back_to_helo),
		cmocka_unit_test(offers_credentials_to_proven_hosts_only),
		cmocka_unit_test(speaks_login_where_plain_is_missing),
		cmocka_unit_test(a_probe_stops_once_judged),
		cmocka_unit_test(a_probe_never_goes_beyond_rcpt),
		cmocka_unit_test(
			a_probe_in_the_clear_says_goodbye_to_whom_refuses),
		cmocka_unit_test(every_step_has_its_own_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
