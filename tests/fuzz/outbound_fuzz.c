/*
 * The client session against a server that says anything, and a carrier
 * that reports anything.  No command of a message may leave unless the
 * demand was met; every recipient ends in a state that its result matches.
 *
 * The first byte chooses level and settings; then each byte is an event:
 * so many bytes of the server, a handshake, a loss, a piece of the body.
 */
#include "relay/smtp/outbound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { RECIPIENTS = 3 };

struct play {
	struct outbound *session;
	enum outbound_want want;
	struct delivery delivery;
	struct demand demand;
	struct buffer pending;
	bool was_met;      /* by a handshake */
	bool is_plain_fine;
	unsigned messages;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool has(struct view text, const char *what)
{
	return text.len > 0 &&
	       memmem(text.at, text.len, what, strlen(what)) != NULL;
}

static void look(struct play *p)
{
	struct buffer *out = outbound_out(p->session);
	struct view sent = buffer_view(out);
	const struct result *result;
	size_t i;

	if (has(sent, "MAIL FROM") || has(sent, "RCPT TO") ||
	    has(sent, "AUTH "))
		require(p->was_met || p->is_plain_fine);
	if (has(sent, "AUTH "))
		require(p->was_met && p->demand.level == TLS_VERIFY);
	buffer_consume(out, sent.len);
	require(outbound_wait(p->session) > 0);
	require(outbound_step(p->session) != NULL);
	require((p->want == OUTBOUND_CLOSE) ==
		(outbound_end(p->session) != OUTBOUND_RUNS));
	for (i = 0; i < RECIPIENTS; i++) {
		result = &p->delivery.results[i];
		if (p->delivery.states[i] == RECIPIENT_OPEN)
			continue;
		require(result->status[0] == "245"[result->outcome]);
		require(result->text[0] != '\0');
	}
	if (outbound_end(p->session) == OUTBOUND_HOST ||
	    outbound_end(p->session) == OUTBOUND_UNMET) {
		result = outbound_trouble(p->session);
		require(result->outcome == OUTCOME_DEFERRED);
		require(result->blame == BLAME_HOST);
	}
}

static void give(struct play *p, struct view bytes)
{
	size_t used;

	buffer_append(&p->pending, bytes);
	if (p->want == OUTBOUND_TLS || p->want == OUTBOUND_CLOSE)
		return;
	p->want = outbound_input(p->session, buffer_view(&p->pending), &used);
	require(used <= buffer_len(&p->pending));
	buffer_consume(&p->pending, used);
}

static void shake(struct play *p, bool is_good)
{
	char names[1][256] = { "mx.example" };
	struct tls_facts facts = { .is_tls = true,
				   .presented = 1,
				   .names = names,
				   .name_count = 1,
				   .chain = is_good ? CHAIN_HOLDS
						    : CHAIN_EXPIRED };

	if (p->want != OUTBOUND_TLS)
		return;
	/* conn.h refuses to begin while plaintext is unread */
	if (buffer_len(&p->pending) > 0) {
		p->want = outbound_lost(p->session, LOST_FAILED, "plaintext",
					VIEW(""));
		return;
	}
	snprintf(facts.version, sizeof(facts.version), "TLSv1.3");
	p->was_met = is_good || p->demand.level <= TLS_ENCRYPT;
	p->want = outbound_secured(p->session, &facts);
}

static void deliver(struct play *p)
{
	if (p->want != OUTBOUND_IDLE)
		return;
	if (p->messages++ > 2) {
		p->want = outbound_quit(p->session);
		return;
	}
	memset(p->delivery.states, 0,
	       RECIPIENTS * sizeof(p->delivery.states[0]));
	p->want = outbound_deliver(p->session, &p->delivery);
}

static void event(struct play *p, unsigned char what, struct view *rest)
{
	struct view piece;

	switch (what % 8) {
	default:
		piece = view_first(*rest, what / 8u + 1);
		*rest = view_from(*rest, piece.len);
		give(p, piece);
		break;
	case 5:
		shake(p, what & 8);
		break;
	case 6:
		if (p->want == OUTBOUND_BODY)
			p->want = outbound_body(p->session, VIEW("a\r\n.b\r\n"),
						what & 8);
		else
			deliver(p);
		break;
	case 7:
		if (what & 0x80)
			p->want = outbound_lost(
				p->session, (enum outbound_loss)(what / 8 % 3),
				"", buffer_view(&p->pending));
		else if (what & 0x40)
			p->want = outbound_body_failed(p->session, "damaged");
		break;
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct conf conf = {
		.hostname = (char *)"relay.example", .timeout_greeting = 1,
		.timeout_starttls = 1, .timeout_command = 1,
		.timeout_data = 1, .timeout_block = 1, .timeout_dot = 1,
		.connection_idle = 1,
		.system_trust = { .bytes = { (const unsigned char *)"x", 1 } },
	};
	struct recipient recipients[RECIPIENTS] = {
		{ .address = (char *)"a@example.org" },
		{ .address = (char *)"\xc3\xbc@example.org",
		  .notify = NOTIFY_NEVER },
		{ .address = (char *)"c@b\xc3\xbc.example",
		  .orcpt = (char *)"rfc822;x" },
	};
	struct envelope envelope = { .sender = (char *)"me@example.net",
				     .recipients = recipients,
				     .recipient_count = RECIPIENTS,
				     .ret = RETURN_FULL,
				     .envid = (char *)"x" };
	struct result results[RECIPIENTS] = { 0 };
	enum recipient_state states[RECIPIENTS] = { 0 };
	struct policy policy = { 0 };
	struct play p = { .delivery = { &envelope, results, states } };
	struct demand_question question = { .policy = &policy,
					    .domain = "example.org",
					    .source = HOST_GATEWAY,
					    .host = "mx.example",
					    .conf = &conf };
	struct outbound_settings settings = { .conf = &conf,
					      .demand = &p.demand,
					      .host = "mx" };
	struct view rest = view_from(view_make(data, size), 1);

	if (size < 1)
		return 0;
	policy.tls = (enum tls_level)(data[0] % 4);
	policy.user = data[0] & 4 ? (char *)"u" : NULL;
	policy.password = (char *)"p";
	settings.is_tls_first = data[0] & 8;
	settings.is_plaintext = data[0] & 16;
	settings.stops_after_shake = data[0] & 32;
	envelope.is_8bit = data[0] & 64;
	envelope.needs_utf8 = data[0] & 128;
	tls_demand(&question, &p.demand);
	p.is_plain_fine = policy.tls <= TLS_MAY;
	p.session = outbound_new(&settings);
	p.want = outbound_start(p.session);
	look(&p);
	while (rest.len > 0 && p.want != OUTBOUND_CLOSE) {
		unsigned char what = rest.at[0];

		rest = view_from(rest, 1);
		event(&p, what, &rest);
		look(&p);
	}
	outbound_free(p.session);
	buffer_clear(&p.pending);
	return 0;
}
