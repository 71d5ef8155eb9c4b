/*
 * The client session against scripted servers.  Each dialog runs whole,
 * byte by byte and split at every byte; the outcome must be the same.
 */
#include "relay/smtp/outbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake/policy.c"

/* What the server expects next (a prefix of a line, "." for the end of the
 * message, "<tls>" for a handshake) and what it then says; "!close",
 * "!fail", "!timeout" end the connection; a reply may end in such a word. */
struct line {
	const char *expect, *reply;
};

enum { LINES_MAX = 260, ADDRESSES_MAX = 250 };

struct dialog {
	enum tls_level level;
	bool is_tls_first, is_plaintext, stops;
	const char *user;
	const char *const *recipients; /* NULL: one */
	size_t recipient_count;
	struct envelope envelope;
	const char *body;
	size_t piece;       /* the body comes in pieces of so many bytes */
	unsigned messages;  /* how often the message is sent; 0: once */
	struct line lines[LINES_MAX];
};

/* What came of it. */
struct outcome_seen {
	char sent[16384];   /* commands, one a line; {body} */
	char body[8192];    /* the last message as the server took it */
	enum outbound_end end;
	struct result trouble;
	struct result results[ADDRESSES_MAX];
	enum recipient_state states[ADDRESSES_MAX];
	bool auth_failed;
	size_t server_bytes;
};

struct play {
	const struct dialog *dialog;
	struct outbound *session;
	struct outcome_seen *seen;
	size_t line;             /* of the script */
	struct buffer commands;  /* from the client, not yet read */
	struct buffer replies;   /* to the client, not yet given */
	size_t given;            /* bytes the client was given in all */
	size_t split;            /* SIZE_MAX: whole; 0: byte by byte */
	size_t body_at;
	bool in_data;
	size_t chunk_left;
	bool is_last_chunk;
	const char *ending;      /* "!close" once the replies are read */
	enum outbound_want want;
	struct buffer unread;
};

static const char *const one[] = { "rcpt@example.org" };

static struct conf conf = {
	.hostname = (char *)"relay.example.net",
	.timeout_greeting = 60,
	.timeout_starttls = 61,
	.timeout_command = 300,
	.timeout_data = 120,
	.timeout_block = 180,
	.timeout_dot = 600,
	.connection_idle = 10,
};

static void note(struct play *p, const char *text, size_t len)
{
	size_t used = strlen(p->seen->sent);

	assert_true(used + len + 2 < sizeof(p->seen->sent));
	memcpy(p->seen->sent + used, text, len);
	strcpy(p->seen->sent + used + len, "\n");
}

static const struct line *next_line(struct play *p, const char *got,
				    size_t len)
{
	const struct line *line = &p->dialog->lines[p->line];

	if (line->expect == NULL)
		fail_msg("unexpected: %.*s after %s", (int)len, got,
			 p->seen->sent);
	if (strncmp(got, line->expect, strlen(line->expect)) != 0)
		fail_msg("expected %s, got %.*s", line->expect, (int)len, got);
	p->line++;
	return line;
}

static void say(struct play *p, const char *reply)
{
	const char *mark = strchr(reply, '!');
	size_t len = mark != NULL ? (size_t)(mark - reply) : strlen(reply);

	buffer_append(&p->replies, view_make(reply, len));
	p->seen->server_bytes += len;
	p->ending = mark;
}

static void take_data(struct play *p)
{
	struct view v = buffer_view(&p->commands);
	const char *at = (const char *)v.at;
	const char *end;
	size_t used = strlen(p->seen->body), len;

	end = memmem(at, v.len, "\r\n.\r\n", 5);
	if (v.len >= 3 && used == 0 && memcmp(at, ".\r\n", 3) == 0)
		len = 0;
	else if (end != NULL)
		len = (size_t)(end - at) + 2;
	else
		return;
	memcpy(p->seen->body, at, len);
	p->seen->body[len] = '\0';
	buffer_consume(&p->commands, len + 3);
	p->in_data = false;
	note(p, ".", 1);
	say(p, next_line(p, ".", 1)->reply);
}

static bool take_chunk(struct play *p)
{
	struct view v = buffer_view(&p->commands);
	size_t used = strlen(p->seen->body);

	if (v.len < p->chunk_left)
		return false;
	memcpy(p->seen->body + used, v.at, p->chunk_left);
	p->seen->body[used + p->chunk_left] = '\0';
	buffer_consume(&p->commands, p->chunk_left);
	p->chunk_left = 0;
	say(p, next_line(p, p->is_last_chunk ? "LAST" : "CHUNK", 5)->reply);
	return true;
}

static bool take_command(struct play *p)
{
	struct view v = buffer_view(&p->commands);
	size_t len = view_index(v, '\n');
	const struct line *line;
	char text[2048];

	if (len == v.len)
		return false;
	assert_true(len > 0 && len < sizeof(text) && v.at[len - 1] == '\r');
	memcpy(text, v.at, len - 1);
	text[len - 1] = '\0';
	buffer_consume(&p->commands, len + 1);
	note(p, text, len - 1);
	if (strncmp(text, "BDAT ", 5) == 0) {
		p->chunk_left = strtoul(text + 5, NULL, 10);
		p->is_last_chunk = strstr(text, " LAST") != NULL;
		return take_chunk(p);
	}
	if (strcmp(text, "QUIT") == 0)
		return true;
	line = next_line(p, text, len - 1);
	say(p, line->reply);
	if (strcmp(text, "DATA") == 0 && line->reply[0] == '3') {
		p->in_data = true;
		p->seen->body[0] = '\0';
		take_data(p);
	}
	return true;
}

static void serve(struct play *p)
{
	struct buffer *out = outbound_out(p->session);
	bool again = true;

	buffer_append(&p->commands, buffer_view(out));
	buffer_consume(out, buffer_len(out));
	while (again && p->ending == NULL) {
		if (p->in_data) {
			take_data(p);
			again = !p->in_data;
		} else if (p->chunk_left > 0) {
			again = take_chunk(p);
		} else {
			again = take_command(p);
		}
	}
}

/* Gives the client as much as the split allows at once. */
static void give(struct play *p)
{
	struct view v = buffer_view(&p->replies);
	size_t len = v.len, used;
	struct view all;

	if (p->split == 0)
		len = 1;
	else if (p->given < p->split && p->given + len > p->split)
		len = p->split - p->given;
	buffer_append(&p->unread, view_first(v, len));
	buffer_consume(&p->replies, len);
	p->given += len;
	all = buffer_view(&p->unread);
	p->want = outbound_input(p->session, all, &used);
	assert_true(used <= all.len);
	buffer_consume(&p->unread, used);
}

static void end_connection(struct play *p)
{
	enum outbound_loss loss = LOST_CLOSED;

	if (strcmp(p->ending, "!fail") == 0)
		loss = LOST_FAILED;
	else if (strcmp(p->ending, "!timeout") == 0)
		loss = LOST_TIMEOUT;
	p->want = outbound_lost(p->session, loss, "", buffer_view(&p->unread));
	assert_int_equal(p->want, OUTBOUND_CLOSE);
}

static void shake(struct play *p)
{
	const char *reply = next_line(p, "<tls>", 5)->reply;
	struct tls_facts facts = { .is_tls = true, .chain = CHAIN_HOLDS };

	note(p, "<tls>", 5);
	strcpy(facts.version, "TLSv1.3");
	if (strcmp(reply, "bad") == 0)
		facts.chain = CHAIN_UNKNOWN_CA;
	if (strcmp(reply, "!fail") == 0)
		p->want = outbound_lost(p->session, LOST_FAILED, "alert",
					VIEW(""));
	else
		p->want = outbound_secured(p->session, &facts);
	if (p->dialog->is_tls_first && p->want == OUTBOUND_INPUT)
		say(p, next_line(p, "", 0)->reply);
}

static void feed_body(struct play *p)
{
	const char *body = p->dialog->body;
	size_t left = strlen(body) - p->body_at, len = left;

	if (p->dialog->piece > 0 && len > p->dialog->piece)
		len = p->dialog->piece;
	p->want = outbound_body(p->session, view_make(body + p->body_at, len),
				len == left);
	p->body_at += len;
	if (p->want != OUTBOUND_BODY)
		p->body_at = 0;
}

static void drive(struct play *p, struct delivery *delivery)
{
	unsigned messages = p->dialog->messages;

	if (messages == 0)
		messages = 1;
	p->want = outbound_start(p->session);
	if (!p->dialog->is_tls_first)
		say(p, next_line(p, "", 0)->reply);
	for (;;) {
		serve(p);
		if (p->want == OUTBOUND_CLOSE)
			return;
		if (p->want == OUTBOUND_TLS) {
			shake(p);
		} else if (buffer_len(&p->replies) > 0) {
			give(p);
		} else if (p->ending != NULL) {
			end_connection(p);
		} else if (p->want == OUTBOUND_BODY) {
			feed_body(p);
		} else if (p->want == OUTBOUND_IDLE && messages-- > 0) {
			memset(delivery->states, 0,
			       sizeof(p->seen->states));
			p->want = outbound_deliver(p->session, delivery);
		} else if (p->want == OUTBOUND_IDLE) {
			p->want = outbound_quit(p->session);
		} else {
			fail_msg("both wait: %s after %s",
				 outbound_step(p->session), p->seen->sent);
		}
	}
}

static void play(const struct dialog *dialog, size_t split,
		 struct outcome_seen *seen)
{
	struct policy policy = { .tls = dialog->level };
	struct demand_question question = { &policy, "example.org",
					    HOST_GATEWAY, "mx.example.org" };
	struct demand demand;
	struct outbound_settings settings = {
		.conf = &conf,
		.demand = &demand,
		.host = "mx.example.org[192.0.2.1]:25",
		.is_tls_first = dialog->is_tls_first,
		.is_plaintext = dialog->is_plaintext,
		.stops_after_shake = dialog->stops,
	};
	struct recipient recipients[ADDRESSES_MAX] = { 0 };
	struct envelope envelope = dialog->envelope;
	struct delivery delivery = { &envelope, seen->results, seen->states };
	struct play p = { .dialog = dialog, .seen = seen, .split = split };
	size_t i;

	memset(seen, 0, sizeof(*seen));
	policy.user = (char *)dialog->user;
	policy.password = (char *)"secret";
	tls_demand(&question, &demand);
	envelope.recipients = recipients;
	envelope.recipient_count = dialog->recipient_count;
	if (dialog->recipients == NULL)
		envelope.recipient_count = 1;
	for (i = 0; i < envelope.recipient_count; i++)
		recipients[i].address = (char *)(dialog->recipients != NULL
						 ? dialog->recipients[i]
						 : one[0]);
	if (envelope.sender == NULL)
		envelope.sender = (char *)"me@example.net";
	p.session = outbound_new(&settings);
	drive(&p, &delivery);
	seen->end = outbound_end(p.session);
	seen->trouble = *outbound_trouble(p.session);
	seen->auth_failed = outbound_auth_failed(p.session);
	if (dialog->lines[p.line].expect != NULL)
		fail_msg("never came: %s after %s, %s",
			 dialog->lines[p.line].expect, seen->sent,
			 seen->trouble.text);
	outbound_free(p.session);
	buffer_clear(&p.commands);
	buffer_clear(&p.replies);
	buffer_clear(&p.unread);
}

/* Whole, then in every other way; all must come out alike. */
static struct outcome_seen *run(const struct dialog *dialog)
{
	static struct outcome_seen whole, other;
	size_t split;

	play(dialog, SIZE_MAX, &whole);
	for (split = 0; split < whole.server_bytes; split++) {
		play(dialog, split, &other);
		assert_string_equal(whole.sent, other.sent);
		assert_memory_equal(&whole, &other, sizeof(whole));
	}
	return &whole;
}

static void check(const struct outcome_seen *seen, size_t i,
		  enum outcome outcome, enum blame blame, const char *status)
{
	assert_int_equal(seen->states[i], RECIPIENT_DONE);
	assert_int_equal(seen->results[i].outcome, outcome);
	assert_int_equal(seen->results[i].blame, blame);
	assert_string_equal(seen->results[i].status, status);
	assert_string_equal(seen->results[i].host,
			    "mx.example.org[192.0.2.1]:25");
}

#define GREETING { "", "220 mx.example.org ready\r\n" }
#define PLAIN_EHLO { "EHLO relay.example.net", "250 mx.example.org\r\n" }
#define RICH_EHLO \
	{ "EHLO", "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 1000\r\n" \
		  "250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n" }
#define CHUNK_EHLO \
	{ "EHLO", "250-mx.example.org\r\n250-PIPELINING\r\n" \
		  "250 CHUNKING\r\n" }
#define TLS_EHLO { "EHLO", "250-mx.example.org\r\n250 STARTTLS\r\n" }
#define OK(command) { command, "250 2.0.0 ok\r\n" }

static void delivers_in_lockstep(void **state)
{
	const struct dialog d = {
		.body = "Subject: x\r\n\r\n.dot\r\nno end",
		.lines = { GREETING, PLAIN_EHLO, OK("MAIL FROM:<me@"),
			   OK("RCPT TO:<rcpt@example.org>"),
			   { "DATA", "354 go\r\n" },
			   { ".", "250 2.6.0 taken\r\n" } },
	};
	struct outcome_seen *seen = run(&d);

	(void)state;
	check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.6.0");
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
	const struct dialog d = {
		.envelope = { .size = 99, .is_8bit = true,
			      .ret = RETURN_HEADERS, .envid = (char *)"id+2B" },
		.body = "x\r\n",
		.lines = { GREETING, RICH_EHLO, OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};
	struct outcome_seen *seen = run(&d);

	(void)state;
	check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	assert_true(seen->results[0].hop_has_dsn);
	assert_non_null(strstr(seen->sent,
			       "MAIL FROM:<me@example.net> SIZE=99 "
			       "BODY=8BITMIME RET=HDRS ENVID=id+2B\n"));
}

static void pipelines_by_chunks(void **state)
{
	const struct dialog d = {
		.body = "one\r\n.two\r\nthree",
		.piece = 9,
		.lines = { GREETING, CHUNK_EHLO, OK("MAIL"), OK("RCPT"),
			   OK("CHUNK"), OK("LAST") },
	};
	struct outcome_seen *seen = run(&d);

	(void)state;
	check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	assert_string_equal(seen->body, "one\r\n.two\r\nthree");
}

static void large_messages_go_by_data(void **state)
{
	const struct dialog d = {
		.envelope = { .size = 1 << 20 },
		.body = "x\r\n",
		.lines = { GREETING, CHUNK_EHLO, OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};

	(void)state;
	check(run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void forgets_the_clear_after_starttls(void **state)
{
	const struct dialog d = {
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
	struct outcome_seen *seen = run(&d);

	(void)state;
	check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	assert_non_null(strstr(seen->sent, "MAIL FROM:<me@example.net>\n"));
	assert_non_null(strstr(seen->results[0].proof, "TLSv1.3"));
	assert_non_null(strstr(seen->results[0].proof, " verified "));
}

static void speaks_tls_first_where_told(void **state)
{
	const struct dialog d = {
		.level = TLS_VERIFY,
		.is_tls_first = true,
		.body = "x\r\n",
		.lines = { { "<tls>", "good" }, GREETING, PLAIN_EHLO,
			   OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};

	(void)state;
	check(run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

/* For each level: what the server does with TLS, and whether mail goes. */
static void never_sends_what_the_judge_forbids(void **state)
{
	enum { GOES, UNMET, PLAINTEXT };
	static const struct {
		enum tls_level level;
		bool is_offered, is_plaintext;
		const char *starttls, *shake;
		int outcome;
	} rows[] = {
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
	struct outcome_seen seen;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dialog d = {
			.level = rows[i].level,
			.is_plaintext = rows[i].is_plaintext,
			.body = "x\r\n",
			.lines = { GREETING },
		};

		n = 1;
		d.lines[n++] = rows[i].is_offered ? (struct line)TLS_EHLO
						  : (struct line)PLAIN_EHLO;
		if (rows[i].starttls != NULL)
			d.lines[n++] = (struct line){ "STARTTLS",
						      rows[i].starttls };
		if (rows[i].shake != NULL)
			d.lines[n++] = (struct line){ "<tls>", rows[i].shake };
		if (rows[i].shake != NULL && rows[i].outcome == GOES)
			d.lines[n++] = (struct line)PLAIN_EHLO;
		if (rows[i].outcome == GOES) {
			d.lines[n++] = (struct line)OK("MAIL");
			d.lines[n++] = (struct line)OK("RCPT");
			d.lines[n++] = (struct line){ "DATA", "354 go\r\n" };
			d.lines[n++] = (struct line)OK(".");
		}
		/* An injection split from its reply is the conn's to refuse,
		 * so only the whole dialog is played. */
		play(&d, SIZE_MAX, &seen);
		assert_int_equal(seen.end, rows[i].outcome == GOES
						   ? OUTBOUND_DONE
					   : rows[i].outcome == UNMET
						   ? OUTBOUND_UNMET
						   : OUTBOUND_PLAINTEXT);
		if (rows[i].outcome == UNMET)
			assert_int_equal(seen.trouble.outcome,
					 OUTCOME_DEFERRED);
		if (rows[i].outcome != GOES)
			assert_null(strstr(seen.sent, "MAIL"));
	}
}

static void falls_back_to_helo(void **state)
{
	const struct dialog d = {
		.level = TLS_MAY,
		.body = "x\r\n",
		.lines = { GREETING, { "EHLO", "502 what?\r\n" },
			   OK("HELO relay.example.net"), OK("MAIL"),
			   OK("RCPT"), { "DATA", "354 go\r\n" }, OK(".") },
	};

	(void)state;
	check(run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void offers_credentials_to_proven_hosts_only(void **state)
{
	const struct line ehlo = { "EHLO", "250-mx\r\n250 AUTH GSSAPI LOGIN "
					   "PLAIN\r\n" };
	struct dialog d = {
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
	struct outcome_seen *seen = run(&d);

	(void)state;
	check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	assert_false(seen->auth_failed);

	d.lines[3].reply = "535 5.7.8 no\r\n";
	d.lines[4].expect = NULL;
	seen = run(&d);
	assert_int_equal(seen->end, OUTBOUND_HOST);
	assert_string_equal(seen->trouble.status, "4.7.8");
	assert_int_equal(seen->trouble.outcome, OUTCOME_DEFERRED);
	assert_true(seen->auth_failed);

	/* encrypt: TLS stands, but nobody was proven */
	d.level = TLS_ENCRYPT;
	d.lines[0].reply = "bad";
	d.lines[3].expect = NULL;
	seen = run(&d);
	assert_int_equal(seen->end, OUTBOUND_HOST);
	assert_true(seen->auth_failed);
	assert_null(strstr(seen->sent, "AUTH"));

	d.level = TLS_NONE;
	d.is_tls_first = false;
	d.lines[0] = (struct line)GREETING;
	d.lines[1] = ehlo;
	d.lines[2].expect = NULL;
	seen = run(&d);
	assert_int_equal(seen->end, OUTBOUND_HOST);
	assert_null(strstr(seen->sent, "AUTH"));
}

static void speaks_login_where_plain_is_missing(void **state)
{
	const struct dialog d = {
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
	check(run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

/* Whose fault a reply is, step by step (design, section 5). */
static void blames_as_the_table_says(void **state)
{
	static const struct {
		size_t step;           /* line of the dialog below */
		const char *reply;
		enum outbound_end end;
		enum outcome outcome;  /* of the recipient, or the trouble */
		enum blame blame;
		const char *status;
	} rows[] = {
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
	const struct dialog good = {
		.body = "x\r\n",
		.lines = { GREETING, PLAIN_EHLO, OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};
	const struct result *result;
	struct outcome_seen *seen;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dialog d = good;

		d.lines[rows[i].step].reply = rows[i].reply;
		d.lines[rows[i].step + 1] = (struct line){ NULL, NULL };
		if (rows[i].step == 3 && rows[i].end == OUTBOUND_DONE)
			d.lines[4] = (struct line){ NULL, NULL };
		seen = run(&d);
		assert_int_equal(seen->end, rows[i].end);
		result = seen->states[0] == RECIPIENT_DONE ? &seen->results[0]
							   : &seen->trouble;
		assert_int_equal(result->outcome, rows[i].outcome);
		assert_int_equal(result->blame, rows[i].blame);
		assert_string_equal(result->status, rows[i].status);
		/* Only what was sent whole may not be tried elsewhere. */
		if (rows[i].end == OUTBOUND_HOST)
			assert_int_equal(seen->states[0],
					 rows[i].step == 5 &&
							 rows[i].reply[0] == '!'
						 ? RECIPIENT_DONE
						 : RECIPIENT_OPEN);
	}
}

static const char *const five[] = { "a@example.org", "b@example.org",
				    "c@example.org", "d@example.org",
				    "e@example.org" };

static void each_recipient_has_its_own_result(void **state)
{
	struct dialog d = {
		.recipients = five,
		.recipient_count = 4,
		.body = "x\r\n",
		.lines = { GREETING, RICH_EHLO, OK("MAIL"), OK("RCPT TO:<a"),
			   { "RCPT TO:<b", "550 5.1.1 no\r\n" },
			   { "RCPT TO:<c", "451 4.2.0 later\r\n" },
			   OK("RCPT TO:<d"), { "DATA", "354 go\r\n" },
			   { ".", "250 2.1.5 done\r\n" } },
	};
	struct outcome_seen *seen;

	(void)state;
	for (int lockstep = 0; lockstep < 2; lockstep++) {
		if (lockstep)
			d.lines[1] = (struct line)PLAIN_EHLO;
		seen = run(&d);
		check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.1.5");
		check(seen, 1, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.1");
		check(seen, 2, OUTCOME_DEFERRED, BLAME_RECIPIENT, "4.2.0");
		check(seen, 3, OUTCOME_DELIVERED, BLAME_NONE, "2.1.5");
	}
}

static void too_many_recipients_go_in_another_transaction(void **state)
{
	struct dialog d = {
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
	struct outcome_seen *seen = run(&d);

	(void)state;
	check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	check(seen, 1, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	check(seen, 2, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	check(seen, 3, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.1");
}

static void splits_at_a_hundred(void **state)
{
	static const char *many[230];
	static struct dialog d = { .recipients = many,
				   .recipient_count = 230,
				   .body = "x\r\n",
				   .lines = { GREETING, RICH_EHLO } };
	static const size_t batches[] = { 100, 100, 30 };
	static struct outcome_seen seen;
	size_t i, batch, n = 2;

	(void)state;
	for (i = 0; i < 230; i++)
		many[i] = "r@example.org";
	for (batch = 0; batch < 3; batch++) {
		d.lines[n++] = (struct line)OK("MAIL");
		for (i = 0; i < batches[batch]; i++)
			d.lines[n++] = (struct line)OK("RCPT");
		d.lines[n++] = (struct line){ "DATA", "354 go\r\n" };
		d.lines[n++] = (struct line)OK(".");
	}
	play(&d, SIZE_MAX, &seen);
	for (i = 0; i < 230; i++)
		check(&seen, i, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void a_refused_mail_leaves_nothing_open(void **state)
{
	const struct dialog d = {
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
	check(run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void nobody_gets_an_empty_message(void **state)
{
	const struct dialog d = {
		.messages = 2,
		.body = "x\r\n",
		.lines = { GREETING, RICH_EHLO, OK("MAIL"),
			   { "RCPT", "550 5.1.1 no\r\n" },
			   { "DATA", "354 go\r\n" },
			   { ".", "554 5.5.1 no valid recipients\r\n" },
			   OK("MAIL"), { "RCPT", "550 5.1.1 no\r\n" },
			   { "DATA", "503 5.5.1 no\r\n" } },
	};
	struct outcome_seen *seen = run(&d);

	(void)state;
	check(seen, 0, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.1");
	assert_string_equal(seen->body, "");
}

static void resets_what_a_refusal_left_open(void **state)
{
	const struct dialog d = {
		.messages = 2,
		.body = "x\r\n",
		.lines = { GREETING, PLAIN_EHLO, OK("MAIL"),
			   { "RCPT", "550 5.1.1 no\r\n" }, OK("RSET"),
			   OK("MAIL"), OK("RCPT"), { "DATA", "354 go\r\n" },
			   OK(".") },
	};

	(void)state;
	check(run(&d), 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void a_kept_connection_that_died_is_nobodys_fault(void **state)
{
	static const char *const deaths[] = { "!close", "!fail",
					      "421 4.4.2 idle\r\n" };
	struct dialog d = {
		.messages = 2,
		.body = "x\r\n",
		.lines = { GREETING, PLAIN_EHLO, OK("MAIL"), OK("RCPT"),
			   { "DATA", "354 go\r\n" }, OK("."),
			   { "MAIL", NULL } },
	};
	struct outcome_seen *seen;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		d.lines[6].reply = deaths[i];
		seen = run(&d);
		assert_int_equal(seen->end, OUTBOUND_DONE);
		assert_int_equal(seen->states[0], RECIPIENT_OPEN);
	}
	/* later in the transaction it is the host's fault as ever */
	d.lines[6].reply = "250 ok\r\n";
	d.lines[7] = (struct line){ "RCPT", "!close" };
	seen = run(&d);
	assert_int_equal(seen->end, OUTBOUND_HOST);
	assert_int_equal(seen->states[0], RECIPIENT_OPEN);
}

static void what_a_hop_lacks_leaves_the_choice(void **state)
{
	struct dialog d = {
		.envelope = { .is_8bit = true },
		.body = "x\r\n",
		.lines = { GREETING, PLAIN_EHLO },
	};
	struct outcome_seen *seen = run(&d);

	(void)state;
	assert_int_equal(seen->states[0], RECIPIENT_LACKING);
	assert_string_equal(seen->results[0].status, "5.6.3");
	assert_int_equal(seen->results[0].outcome, OUTCOME_FAILED);

	d.envelope = (struct envelope){ .needs_utf8 = true,
					.has_utf8_header = true };
	seen = run(&d);
	assert_int_equal(seen->states[0], RECIPIENT_LACKING);
	assert_string_equal(seen->results[0].status, "5.6.7");

	/* too large is too large */
	d.envelope = (struct envelope){ .size = 1001 };
	d.lines[1] = (struct line)RICH_EHLO;
	seen = run(&d);
	check(seen, 0, OUTCOME_FAILED, BLAME_MESSAGE, "5.3.4");
}

static void domains_become_a_labels_where_utf8_is_missing(void **state)
{
	static const char *const mixed[] = { "a@b\xc3\xbc" "cher.example",
					     "\xc3\xbc@example.org" };
	struct dialog d = {
		.envelope = { .needs_utf8 = true },
		.recipients = mixed,
		.recipient_count = 2,
		.body = "x\r\n",
		.lines = { GREETING, PLAIN_EHLO, OK("MAIL FROM:<me@"),
			   OK("RCPT TO:<a@xn--bcher-kva.example>"),
			   { "DATA", "354 go\r\n" }, OK(".") },
	};
	struct outcome_seen *seen = run(&d);

	(void)state;
	check(seen, 0, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
	assert_int_equal(seen->states[1], RECIPIENT_LACKING);
	assert_string_equal(seen->results[1].status, "5.6.7");

	d.lines[1] = (struct line)RICH_EHLO;
	d.lines[2].expect = "MAIL FROM:<me@example.net> SIZE=0 SMTPUTF8";
	d.lines[3].expect = "RCPT TO:<a@b\xc3\xbc" "cher.example>";
	d.lines[4] = (struct line)OK("RCPT TO:<\xc3\xbc@example.org>");
	d.lines[5] = (struct line){ "DATA", "354 go\r\n" };
	d.lines[6] = (struct line)OK(".");
	seen = run(&d);
	check(seen, 1, OUTCOME_DELIVERED, BLAME_NONE, "2.0.0");
}

static void an_early_refusal_of_a_message_counts(void **state)
{
	struct outbound_settings settings = { .conf = &conf,
					      .host = "mx" };
	struct policy policy = { 0 };
	struct demand demand = { .policy = &policy };
	struct recipient recipient = { .address = (char *)one[0] };
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
	struct demand demand = { .policy = &policy };
	struct outbound_settings settings = { .conf = &conf,
					      .host = "mx",
					      .demand = &demand };
	struct recipient recipient = { .address = (char *)one[0] };
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

static void a_probe_stops_once_judged(void **state)
{
	const struct dialog d = {
		.level = TLS_VERIFY,
		.stops = true,
		.lines = { GREETING, TLS_EHLO, { "STARTTLS", "220 go\r\n" },
			   { "<tls>", "good" }, PLAIN_EHLO },
	};
	struct outcome_seen *seen = run(&d);

	(void)state;
	assert_int_equal(seen->end, OUTBOUND_DONE);
	assert_null(strstr(seen->sent, "MAIL"));
}

static void every_step_has_its_own_time(void **state)
{
	struct policy policy = { .tls = TLS_MAY };
	struct demand demand = { .policy = &policy, .level = TLS_MAY };
	struct outbound_settings settings = { .conf = &conf,
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
		cmocka_unit_test(delivers_in_lockstep),
		cmocka_unit_test(sends_parameters_where_offered),
		cmocka_unit_test(pipelines_by_chunks),
		cmocka_unit_test(large_messages_go_by_data),
		cmocka_unit_test(forgets_the_clear_after_starttls),
		cmocka_unit_test(speaks_tls_first_where_told),
		cmocka_unit_test(never_sends_what_the_judge_forbids),
		cmocka_unit_test(falls_back_to_helo),
		cmocka_unit_test(offers_credentials_to_proven_hosts_only),
		cmocka_unit_test(speaks_login_where_plain_is_missing),
		cmocka_unit_test(blames_as_the_table_says),
		cmocka_unit_test(each_recipient_has_its_own_result),
		cmocka_unit_test(too_many_recipients_go_in_another_transaction),
		cmocka_unit_test(splits_at_a_hundred),
		cmocka_unit_test(a_refused_mail_leaves_nothing_open),
		cmocka_unit_test(nobody_gets_an_empty_message),
		cmocka_unit_test(resets_what_a_refusal_left_open),
		cmocka_unit_test(a_kept_connection_that_died_is_nobodys_fault),
		cmocka_unit_test(what_a_hop_lacks_leaves_the_choice),
		cmocka_unit_test(domains_become_a_labels_where_utf8_is_missing),
		cmocka_unit_test(an_early_refusal_of_a_message_counts),
		cmocka_unit_test(a_body_that_cannot_be_read_is_never_ended),
		cmocka_unit_test(a_probe_stops_once_judged),
		cmocka_unit_test(every_step_has_its_own_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
