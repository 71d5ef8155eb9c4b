/*
 * The client session from MAIL to the last reply: parameters, pipelining,
 * blame, recipients, connections that end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/script.h"

static const char *const five[] = { "a@example.org", "b@example.org",
				    "c@example.org", "d@example.org",
				    "e@example.org" };

static void delivers_in_lockstep(void **state)
{
	const struct script d = {
		.body = "Subject: x\r\n\r\n.dot\r\nno end",
		.lines = { GREETING, PLAIN_EHLO, OK("MAIL FROM:<me@"),
			   OK("RCPT TO:<rcpt@example.org>"),
			   { "DATA", "354 go\r\n" },
			   { ".", "250 2.6.0 taken\r\n" } },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	script_check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.6.0");
	assert_string_equal(seen->results[0].text, "250 2.6.0 taken");
	assert_int_equal(seen->results[0].reply_code, 250);
	assert_string_equal(seen->body,
			    "Subject: x\r\n\r\n..dot\r\nno end\r\n");
	assert_int_equal(seen->end, OUTBOUND_DONE);
	assert_string_equal(seen->sent,
			    "EHLO relay.example.net\n"
			    "MAIL FROM:<me@example.net>\n"
			    "RCPT TO:<rcpt@example.org>\nDATA\n.\nQUIT\n");
}

static void sends_parameters_where_offered(void **state)
{
	const struct script d = {
		.envelope = { .size = 99, .is_8bit = true,
			      .ret = RETURN_HEADERS, .envid = (char *)"id+2B" },
		.body = "x\r\n",
		.lines = { GREETING, RICH_EHLO, OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	script_check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	assert_true(seen->results[0].hop_has_dsn);
	assert_non_null(strstr(seen->sent,
			       "MAIL FROM:<me@example.net> SIZE=99 "
			       "BODY=8BITMIME RET=HDRS ENVID=id+2B\n"));
}

static void pipelines_by_chunks(void **state)
{
	const struct script d = {
		.body = "one\r\n.two\r\nthree",
		.piece = 9,
		.lines = { GREETING, CHUNK_EHLO, OK("MAIL"), OK("RCPT"),
			   OK("CHUNK"), OK("LAST") },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	script_check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	assert_string_equal(seen->body, "one\r\n.two\r\nthree");
}

static void large_messages_go_by_data(void **state)
{
	const struct script d = {
		.envelope = { .size = 1 << 20 },
		.body = "x\r\n",
		.lines = { GREETING, CHUNK_EHLO, OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};

	(void)state;
	script_check(script_run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

/* Whose fault a reply is, step by step (design, section 5). */
static const struct {
	size_t step;           /* line of the dialog below */
	const char *reply;
	enum outbound_end end;
	enum outcome outcome;  /* of the recipient, or the trouble */
	enum blame blame;
	const char *status;
} blame_rows[] = {
	{ 0, "554 5.3.2 go away\r\n", OUTBOUND_HOST, OUTCOME_DEFERRED,
	  BLAME_HOST, "4.3.2" },
	{ 0, "421 busy\r\n", OUTBOUND_HOST, OUTCOME_DEFERRED,
	  BLAME_HOST, "4.0.0" },
	{ 0, "!close", OUTBOUND_HOST, OUTCOME_DEFERRED, BLAME_HOST,
	  "4.4.2" },
	{ 0, "!timeout", OUTBOUND_HOST, OUTCOME_DEFERRED, BLAME_HOST,
	  "4.4.2" },
	{ 1, "450 later\r\n", OUTBOUND_HOST, OUTCOME_DEFERRED,
	  BLAME_HOST, "4.0.0" },
	{ 1, "354 hm\r\n", OUTBOUND_HOST, OUTCOME_DEFERRED, BLAME_HOST,
	  "4.5.0" },
	{ 1, "hello\r\n", OUTBOUND_HOST, OUTCOME_DEFERRED, BLAME_HOST,
	  "4.5.0" },
	{ 2, "550 5.7.1 no\r\n", OUTBOUND_DONE, OUTCOME_FAILED,
	  BLAME_MESSAGE, "5.7.1" },
	{ 2, "451 4.3.0 later\r\n", OUTBOUND_DONE, OUTCOME_DEFERRED,
	  BLAME_MESSAGE, "4.3.0" },
	/* "TLS first" is no word about the message */
	{ 2, "530 5.7.0 STARTTLS first\r\n", OUTBOUND_HOST,
	  OUTCOME_DEFERRED, BLAME_HOST, "4.7.0" },
	{ 3, "530 5.7.0 STARTTLS first\r\n", OUTBOUND_HOST,
	  OUTCOME_DEFERRED, BLAME_HOST, "4.7.0" },
	{ 2, "421 4.3.0 bye\r\n", OUTBOUND_HOST, OUTCOME_DEFERRED,
	  BLAME_HOST, "4.3.0" },
	{ 2, "!close", OUTBOUND_HOST, OUTCOME_DEFERRED, BLAME_HOST,
	  "4.4.2" },
	{ 3, "550 5.1.1 unknown\r\n", OUTBOUND_DONE, OUTCOME_FAILED,
	  BLAME_RECIPIENT, "5.1.1" },
	{ 3, "450 4.2.0 grey\r\n", OUTBOUND_DONE, OUTCOME_DEFERRED,
	  BLAME_RECIPIENT, "4.2.0" },
	{ 3, "452 4.5.3 many\r\n", OUTBOUND_DONE, OUTCOME_DEFERRED,
	  BLAME_RECIPIENT, "4.5.3" },
	{ 3, "552 5.2.2 full\r\n", OUTBOUND_DONE, OUTCOME_FAILED,
	  BLAME_RECIPIENT, "5.2.2" },
	{ 3, "421 bye\r\n", OUTBOUND_HOST, OUTCOME_DEFERRED,
	  BLAME_HOST, "4.0.0" },
	{ 4, "554 5.6.0 no\r\n", OUTBOUND_DONE, OUTCOME_FAILED,
	  BLAME_MESSAGE, "5.6.0" },
	{ 4, "451 no\r\n", OUTBOUND_DONE, OUTCOME_DEFERRED,
	  BLAME_MESSAGE, "4.0.0" },
	{ 4, "250 what\r\n", OUTBOUND_HOST, OUTCOME_DEFERRED,
	  BLAME_HOST, "4.5.0" },
	/* nothing of the message was there yet */
	{ 4, "354 go\r\n250 2.0.0 taken\r\n", OUTBOUND_HOST,
	  OUTCOME_DEFERRED, BLAME_HOST, "4.5.0" },
	{ 5, "554 5.7.1 spam\r\n", OUTBOUND_DONE, OUTCOME_FAILED,
	  BLAME_MESSAGE, "5.7.1" },
	{ 5, "451 4.7.1 hm\r\n", OUTBOUND_DONE, OUTCOME_DEFERRED,
	  BLAME_MESSAGE, "4.7.1" },
	{ 5, "421 bye\r\n", OUTBOUND_HOST, OUTCOME_DEFERRED,
	  BLAME_HOST, "4.0.0" },
	{ 5, "!close", OUTBOUND_HOST, OUTCOME_DEFERRED, BLAME_HOST,
	  "4.4.2" },
	{ 5, "!timeout", OUTBOUND_HOST, OUTCOME_DEFERRED, BLAME_HOST,
	  "4.4.2" },
	/* delivered, and then the connection dies */
	{ 5, "250 2.0.0 ok\r\n!fail", OUTBOUND_DONE,
	  OUTCOME_DELIVERED, BLAME_NONE, "2.0.0" },
};

static void blames_as_the_table_says(void **state)
{
	const struct script good = {
		.body = "x\r\n",
		.lines = { GREETING, PLAIN_EHLO, OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};
	const struct result *result;
	struct seen *seen;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(blame_rows) / sizeof(blame_rows[0]); i++) {
		struct script d = good;

		d.lines[blame_rows[i].step].reply = blame_rows[i].reply;
		d.lines[blame_rows[i].step + 1] = (struct script_line){ NULL, NULL };
		if (blame_rows[i].step == 3 && blame_rows[i].end == OUTBOUND_DONE)
			d.lines[4] = (struct script_line){ NULL, NULL };
		seen = script_run(&d);
		assert_int_equal(seen->end, blame_rows[i].end);
		result = seen->states[0] == RECIPIENT_DONE ? &seen->results[0]
							   : &seen->trouble;
		assert_int_equal(result->outcome, blame_rows[i].outcome);
		assert_int_equal(result->blame, blame_rows[i].blame);
		assert_string_equal(result->status, blame_rows[i].status);
		/* Only what was sent whole may not be tried elsewhere. */
		if (blame_rows[i].end == OUTBOUND_HOST)
			assert_int_equal(seen->states[0],
					 blame_rows[i].step == 5 &&
							 blame_rows[i].reply[0] == '!'
						 ? RECIPIENT_DONE
						 : RECIPIENT_OPEN);
	}
}

static void each_recipient_has_its_own_result(void **state)
{
	struct script d = {
		.recipients = five,
		.recipient_count = 4,
		.body = "x\r\n",
		.lines = { GREETING, RICH_EHLO, OK("MAIL"), OK("RCPT TO:<a"),
			   { "RCPT TO:<b", "550 5.1.1 no\r\n" },
			   { "RCPT TO:<c", "451 4.2.0 later\r\n" },
			   OK("RCPT TO:<d"), { "DATA", "354 go\r\n" },
			   { ".", "250 2.1.5 done\r\n" } },
	};
	struct seen *seen;

	(void)state;
	for (int lockstep = 0; lockstep < 2; lockstep++) {
		if (lockstep)
			d.lines[1] = (struct script_line)PLAIN_EHLO;
		seen = script_run(&d);
		script_check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.1.5");
		script_check(seen, 1, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.1");
		script_check(seen, 2, OUTCOME_DEFERRED, BLAME_RECIPIENT, "4.2.0");
		script_check(seen, 3, OUTCOME_DELIVERED, BLAME_NONE, "2.1.5");
	}
}

static void too_many_recipients_go_in_another_transaction(void **state)
{
	struct script d = {
		.recipients = five,
		.recipient_count = 4,
		.body = "x\r\n",
		.lines = { GREETING, RICH_EHLO, OK("MAIL"), OK("RCPT TO:<a"),
			   OK("RCPT TO:<b"),
			   { "RCPT TO:<c", "452 4.5.3 many\r\n" },
			   { "RCPT TO:<d", "552 many\r\n" },
			   { "DATA", "354 go\r\n" }, OK("."),
			   OK("MAIL"), OK("RCPT TO:<c"),
			   { "RCPT TO:<d", "550 5.1.1 no\r\n" },
			   { "DATA", "354 go\r\n" }, OK(".") },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	script_check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	script_check(seen, 1, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	script_check(seen, 2, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	script_check(seen, 3, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.1");
}

static void splits_at_a_hundred(void **state)
{
	static const char *many[230];
	static struct script d = { .recipients = many,
				   .recipient_count = 230,
				   .body = "x\r\n",
				   .lines = { GREETING, RICH_EHLO } };
	static const size_t batches[] = { 100, 100, 30 };
	static struct seen seen;
	size_t i, batch, n = 2;

	(void)state;
	for (i = 0; i < 230; i++)
		many[i] = "r@example.org";
	for (batch = 0; batch < 3; batch++) {
		d.lines[n++] = (struct script_line)OK("MAIL");
		for (i = 0; i < batches[batch]; i++)
			d.lines[n++] = (struct script_line)OK("RCPT");
		d.lines[n++] = (struct script_line){ "DATA", "354 go\r\n" };
		d.lines[n++] = (struct script_line)OK(".");
	}
	script_play(&d, SIZE_MAX, &seen);
	for (i = 0; i < 230; i++)
		script_check(&seen, i, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void a_refused_mail_leaves_nothing_open(void **state)
{
	const struct script d = {
		.recipients = five,
		.recipient_count = 2,
		.messages = 2,
		.body = "x\r\n",
		.lines = { GREETING, RICH_EHLO,
			   { "MAIL", "550 5.7.1 no\r\n" },
			   { "RCPT", "503 5.5.1 no mail\r\n" },
			   { "RCPT", "250 2.1.5 strange\r\n" },
			   { "DATA", "503 5.5.1 no\r\n" },
			   OK("MAIL"), OK("RCPT"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};

	(void)state;
	script_check(script_run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void nobody_gets_an_empty_message(void **state)
{
	const struct script d = {
		.messages = 2,
		.body = "x\r\n",
		.lines = { GREETING, RICH_EHLO, OK("MAIL"),
			   { "RCPT", "550 5.1.1 no\r\n" },
			   { "DATA", "354 go\r\n" },
			   { ".", "554 5.5.1 no valid recipients\r\n" },
			   OK("MAIL"), { "RCPT", "550 5.1.1 no\r\n" },
			   { "DATA", "503 5.5.1 no\r\n" } },
	};
	struct seen *seen = script_run(&d);

	(void)state;
	script_check(seen, 0, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.1");
	assert_string_equal(seen->body, "");
}

static void resets_what_a_refusal_left_open(void **state)
{
	const struct script d = {
		.messages = 2,
		.body = "x\r\n",
		.lines = { GREETING, PLAIN_EHLO, OK("MAIL"),
			   { "RCPT", "550 5.1.1 no\r\n" }, OK("RSET"),
			   OK("MAIL"), OK("RCPT"), { "DATA", "354 go\r\n" },
			   OK(".") },
	};

	(void)state;
	script_check(script_run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void a_kept_connection_that_died_is_nobodys_fault(void **state)
{
	static const char *const deaths[] = { "!close", "!fail",
					      "421 4.4.2 idle\r\n" };
	struct script d = {
		.messages = 2,
		.body = "x\r\n",
		.lines = { GREETING, PLAIN_EHLO, OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK("."),
			   { "MAIL", NULL } },
	};
	struct seen *seen;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		d.lines[6].reply = deaths[i];
		seen = script_run(&d);
		assert_int_equal(seen->end, OUTBOUND_DONE);
		assert_int_equal(seen->states[0], RECIPIENT_OPEN);
	}
	/* later in the transaction it is the host's fault as ever */
	d.lines[6].reply = "250 ok\r\n";
	d.lines[7] = (struct script_line){ "RCPT", "!close" };
	seen = script_run(&d);
	assert_int_equal(seen->end, OUTBOUND_HOST);
	assert_int_equal(seen->states[0], RECIPIENT_OPEN);
}

static void an_early_refusal_of_a_message_counts(void **state)
{
	struct outbound_settings settings = { .conf = &script_conf,
					      .host = "mx" };
	struct policy policy = { 0 };
	struct demand demand = { .policy = &policy, .is_usable = true };
	struct recipient recipient = { .address = (char *)script_recipient };
	struct envelope envelope = { .sender = (char *)"",
				     .recipients = &recipient,
				     .recipient_count = 1 };
	struct result result;
	enum recipient_state done = RECIPIENT_OPEN;
	struct delivery delivery = { &envelope, &result, &done };
	struct view said = VIEW("220 x\r\n250 x\r\n");
	struct outbound *s;
	size_t used;

	(void)state;
	settings.demand = &demand;
	s = outbound_new(&settings);
	outbound_start(s);
	assert_int_equal(outbound_input(s, said, &used), OUTBOUND_IDLE);
	outbound_deliver(s, &delivery);
	said = VIEW("250 x\r\n250 x\r\n354 x\r\n");
	while (said.len > 0) {
		outbound_input(s, said, &used);
		said = view_from(said, used);
	}
	assert_int_equal(outbound_body(s, VIEW("x"), false), OUTBOUND_BODY);
	assert_false(outbound_is_committed(s));
	outbound_lost(s, LOST_CLOSED, "", VIEW("552 5.3.4 too big\r\n"));
	assert_int_equal(outbound_end(s), OUTBOUND_DONE);
	assert_int_equal(done, RECIPIENT_DONE);
	assert_string_equal(result.status, "5.3.4");
	assert_int_equal(result.outcome, OUTCOME_FAILED);
	outbound_free(s);
}

static void a_body_that_cannot_be_read_is_never_ended(void **state)
{
	struct policy policy = { 0 };
	struct demand demand = { .policy = &policy, .is_usable = true };
	struct outbound_settings settings = { .conf = &script_conf,
					      .host = "mx",
					      .demand = &demand };
	struct recipient recipient = { .address = (char *)script_recipient };
	struct envelope envelope = { .sender = (char *)"",
				     .recipients = &recipient,
				     .recipient_count = 1 };
	struct result result;
	enum recipient_state done = RECIPIENT_OPEN;
	struct delivery delivery = { &envelope, &result, &done };
	struct outbound *s = outbound_new(&settings);
	struct view out;
	size_t used;

	(void)state;
	outbound_start(s);
	outbound_input(s, VIEW("220 x\r\n250 x\r\n"), &used);
	outbound_deliver(s, &delivery);
	outbound_input(s, VIEW("250 x\r\n250 x\r\n354 x\r\n"), &used);
	outbound_body(s, VIEW("x\r\n"), false);
	assert_int_equal(outbound_body_failed(s, "damaged"), OUTBOUND_CLOSE);
	assert_string_equal(result.status, "4.3.0");
	assert_int_equal(result.blame, BLAME_MESSAGE);
	out = buffer_view(outbound_out(s));
	assert_null(memmem(out.at, out.len, "\r\n.\r\n", 5));
	outbound_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivers_in_lockstep),
		cmocka_unit_test(sends_parameters_where_offered),
		cmocka_unit_test(pipelines_by_chunks),
		cmocka_unit_test(large_messages_go_by_data),
		cmocka_unit_test(blames_as_the_table_says),
		cmocka_unit_test(each_recipient_has_its_own_result),
		cmocka_unit_test(too_many_recipients_go_in_another_transaction),
		cmocka_unit_test(splits_at_a_hundred),
		cmocka_unit_test(a_refused_mail_leaves_nothing_open),
		cmocka_unit_test(nobody_gets_an_empty_message),
		cmocka_unit_test(resets_what_a_refusal_left_open),
		cmocka_unit_test(a_kept_connection_that_died_is_nobodys_fault),
		cmocka_unit_test(an_early_refusal_of_a_message_counts),
		cmocka_unit_test(a_body_that_cannot_be_read_is_never_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
