/*
 * The scripted server.  See script.h.
 */
#include "tests/unit/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct play {
	const struct script *script;
	struct outbound *session;
	struct seen *seen;
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

const char *const script_recipient = "rcpt@example.org";

const struct conf script_conf = {
	.hostname = (char *)"relay.example.net",
	.timeout_greeting = 60,
	.timeout_starttls = 61,
	.timeout_command = 300,
	.timeout_data = 120,
	.timeout_block = 180,
	.timeout_dot = 600,
	.connection_idle = 10,
	.system_trust = { .bytes = { (const unsigned char *)"roots", 5 } },
};

static void note(struct play *p, const char *text, size_t len)
{
	size_t used = strlen(p->seen->sent);

	assert_true(used + len + 2 < sizeof(p->seen->sent));
	memcpy(p->seen->sent + used, text, len);
	strcpy(p->seen->sent + used + len, "\n");
}

static const struct script_line *next_line(struct play *p, const char *got,
				    size_t len)
{
	const struct script_line *line = &p->script->lines[p->line];

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
	const struct script_line *line;
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
	char names[1][256] = { "mx.example.org" };
	struct tls_facts facts = { .is_tls = true, .presented = 1,
				   .names = names, .name_count = 1,
				   .chain = CHAIN_HOLDS };

	note(p, "<tls>", 5);
	strcpy(facts.version, "TLSv1.3");
	if (strcmp(reply, "bad") == 0)
		facts.chain = CHAIN_UNKNOWN_CA;
	if (strcmp(reply, "!fail") == 0)
		p->want = outbound_lost(p->session, LOST_FAILED, "alert",
					VIEW(""));
	else if (strcmp(reply, "!timeout") == 0)
		p->want = outbound_lost(p->session, LOST_TIMEOUT, "",
					VIEW(""));
	else
		p->want = outbound_secured(p->session, &facts);
	if (p->script->is_tls_first && p->want == OUTBOUND_INPUT)
		say(p, next_line(p, "", 0)->reply);
}

static void feed_body(struct play *p)
{
	const char *body = p->script->body;
	size_t left = strlen(body) - p->body_at, len = left;

	if (p->script->piece > 0 && len > p->script->piece)
		len = p->script->piece;
	p->want = outbound_body(p->session, view_make(body + p->body_at, len),
				len == left);
	p->body_at += len;
	if (p->want != OUTBOUND_BODY)
		p->body_at = 0;
}

static void drive(struct play *p, struct delivery *delivery)
{
	unsigned messages = p->script->messages;

	if (messages == 0)
		messages = 1;
	p->want = outbound_start(p->session);
	if (!p->script->is_tls_first)
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

static void note_stage(void *arg, const struct outbound_event *event)
{
	static const char *const names[] = {
		[OUTBOUND_CONNECTED] = "connected",
		[OUTBOUND_GREETED] = "greeted",
		[OUTBOUND_HELLO] = "hello",
		[OUTBOUND_STARTTLS] = "starttls",
		[OUTBOUND_SHAKEN] = "shaken",
		[OUTBOUND_AUTH] = "auth",
		[OUTBOUND_MAIL] = "mail",
		[OUTBOUND_RCPT] = "rcpt",
		[OUTBOUND_OTHER] = "other",
	};
	struct seen *seen = arg;
	size_t used = strlen(seen->stages);

	assert_int_equal(event->stage == OUTBOUND_SHAKEN,
			 event->facts != NULL);
	snprintf(seen->stages + used, sizeof(seen->stages) - used, "%s:%d ",
		 names[event->stage],
		 event->reply != NULL ? event->reply->code : 0);
}

void script_play(const struct script *script, size_t split,
		 struct seen *seen)
{
	struct policy policy = { .tls = script->level,
				 .would = script->would };
	struct demand_question question = {
		.policy = &policy, .domain = "example.org",
		.source = HOST_GATEWAY, .host = "mx.example.org",
		.conf = &script_conf,
	};
	struct demand demand, would;
	struct outbound_settings settings = {
		.conf = &script_conf,
		.demand = &demand,
		.would = script->would ? &would : NULL,
		.host = "mx.example.org[192.0.2.1]:25",
		.is_tls_first = script->is_tls_first,
		.is_plaintext = script->is_plaintext,
		.excuse = script->excuse,
		.stops_after_shake = script->stops,
		.stops_after_rcpt = script->stops_after_rcpt,
		.trace = note_stage,
		.trace_arg = seen,
	};
	struct recipient recipients[SCRIPT_RECIPIENTS_MAX] = { 0 };
	struct envelope envelope = script->envelope;
	struct delivery delivery = { &envelope, seen->results, seen->states };
	struct play p = { .script = script, .seen = seen, .split = split };
	size_t i;

	memset(seen, 0, sizeof(*seen));
	policy.user = (char *)script->user;
	policy.password = (char *)"secret";
	tls_demand(&question, &demand);
	question.is_dry_run = true;
	tls_demand(&question, &would);
	envelope.recipients = recipients;
	envelope.recipient_count = script->recipient_count;
	if (script->recipients == NULL)
		envelope.recipient_count = 1;
	for (i = 0; i < envelope.recipient_count; i++)
		recipients[i].address = (char *)(script->recipients != NULL
						 ? script->recipients[i]
						 : script_recipient);
	if (envelope.sender == NULL)
		envelope.sender = (char *)"me@example.net";
	p.session = outbound_new(&settings);
	drive(&p, &delivery);
	seen->end = outbound_end(p.session);
	seen->trouble = *outbound_trouble(p.session);
	seen->auth_failed = outbound_auth_failed(p.session);
	if (script->lines[p.line].expect != NULL)
		fail_msg("never came: %s after %s, %s",
			 script->lines[p.line].expect, seen->sent,
			 seen->trouble.text);
	outbound_free(p.session);
	buffer_clear(&p.commands);
	buffer_clear(&p.replies);
	buffer_clear(&p.unread);
}

/* Whole, then in every other way; all must come out alike. */
struct seen *script_run(const struct script *script)
{
	static struct seen whole, other;
	size_t split;

	script_play(script, SIZE_MAX, &whole);
	for (split = 0; split < whole.server_bytes; split++) {
		script_play(script, split, &other);
		assert_string_equal(whole.sent, other.sent);
		assert_memory_equal(&whole, &other, sizeof(whole));
	}
	return &whole;
}

void script_check(const struct seen *seen, size_t i,
		  enum outcome outcome, enum blame blame, const char *status)
{
	assert_int_equal(seen->states[i], RECIPIENT_DONE);
	assert_int_equal(seen->results[i].outcome, outcome);
	assert_int_equal(seen->results[i].blame, blame);
	assert_string_equal(seen->results[i].status, status);
	assert_string_equal(seen->results[i].host,
			    "mx.example.org[192.0.2.1]:25");
}
