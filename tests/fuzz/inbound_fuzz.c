/*
 * Whole sessions from bytes.  The first four bytes choose listener, client,
 * limits and how the store behaves; the rest is a run of pieces, each a
 * length byte and so many bytes, which arrive one by one.  Every reply must
 * be well formed, and nothing may reach the store that cannot leave as
 * canonical CRLF lines within the limits.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/smtp/inbound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_LINE = 100, MAX_SIZE = 2000, REPLY_MAX = 512 };

struct carrier {
	struct conf conf;
	struct listener listener;
	struct net_block from;
	struct tls_facts facts;
	struct inbound *session;
	struct buffer input, out, body;
	size_t trace_len;
	uint8_t store;     /* what it says, two bits a message */
	bool is_full;
	bool is_open;
	bool is_closed;
};

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static bool has_room(void *arg, uint64_t size)
{
	const struct carrier *c = arg;

	(void)size;
	return !c->is_full;
}

static void check_replies(struct carrier *c)
{
	struct view rest = buffer_view(&c->out);

	while (rest.len > 0) {
		struct view line = view_cut(&rest, '\n');
		size_t i;

		check(line.len >= 5 && line.len < REPLY_MAX);
		check(line.at[line.len - 1] == '\r');
		check(line.at[0] >= '2' && line.at[0] <= '5');
		check(line.at[3] == ' ' || line.at[3] == '-');
		for (i = 0; i + 1 < line.len; i++)
			check(line.at[i] >= ' ' && line.at[i] <= '~');
	}
	buffer_reset(&c->out);
}

static void check_body(const struct carrier *c, const struct envelope *e)
{
	struct view body = view_from(buffer_view(&c->body), c->trace_len);
	size_t i, line = 0;

	check(e->recipient_count > 0 && body.len <= MAX_SIZE);
	for (i = 0; i < body.len; i++) {
		unsigned char byte = body.at[i];

		check(byte != '\0');
		if (byte == '\r')
			check(i + 1 < body.len && body.at[i + 1] == '\n');
		if (byte == '\n')
			check(i > 0 && body.at[i - 1] == '\r');
		check(byte <= 0x7f || e->is_8bit);
		check(++line <= MAX_LINE);
		if (byte == '\n')
			line = 0;
	}
}

static void take_body(struct carrier *c)
{
	check(c->is_open);
	buffer_append(&c->body, inbound_body(c->session));
}

static void begin(struct carrier *c)
{
	check(!c->is_open);
	c->is_open = true;
	buffer_reset(&c->body);
	check(inbound_begun(c->session, "01FUZZ", 0) == INBOUND_BODY);
	take_body(c);
	c->trace_len = buffer_len(&c->body);
}

static enum inbound_want commit(struct carrier *c)
{
	struct envelope *e = inbound_envelope(c->session);
	unsigned fate = c->store & 3;

	check(c->is_open);
	check_body(c, e);
	envelope_free(e);
	c->is_open = false;
	c->store = (uint8_t)(c->store >> 2);
	return inbound_settled(c->session,
			       fate > 2 ? INBOUND_STORED
					: (enum inbound_fate)fate);
}

static bool obey(struct carrier *c, enum inbound_want want)
{
	if (want == INBOUND_COMMIT)
		want = commit(c);
	if (want == INBOUND_BEGIN)
		begin(c);
	if (want == INBOUND_ABORT) {
		check(c->is_open);
		c->is_open = false;
	}
	if (want == INBOUND_CLOSE)
		c->is_closed = true;
	check_replies(c);
	if (want == INBOUND_TLS)
		return buffer_len(&c->input) == 0 &&
		       obey(c, inbound_secured(c->session, &c->facts));
	return want != INBOUND_INPUT && !c->is_closed;
}

static void run(struct carrier *c)
{
	bool is_again = !c->is_closed;

	while (is_again) {
		struct view input = buffer_view(&c->input);
		size_t used;
		enum inbound_want want =
			inbound_step(c->session, input, &used);

		check(used <= input.len);
		if (want == INBOUND_BODY)
			take_body(c);
		buffer_consume(&c->input, used);
		is_again = obey(c, want);
	}
}

static void open_session(struct carrier *c, const uint8_t *choice)
{
	static char hostname[] = "mx.example.org", domain[] = "*.example";
	static char *domains[] = { domain };
	struct inbound_settings settings = {
		.conf = &c->conf,
		.listener = &c->listener,
		.offers_tls = choice[0] & 4,
		.accepts_everything = choice[0] & 8,
		.has_room = has_room,
		.store = c,
		.out = &c->out,
	};

	c->conf.hostname = hostname;
	c->conf.relay_domains = (struct strings){ .at = domains, .count = 1 };
	c->conf.max_message = MAX_SIZE;
	c->conf.max_line = MAX_LINE;
	c->conf.max_recipients = 3;
	c->conf.max_errors = choice[2] & 15 ? choice[2] & 15u : 1000;
	c->conf.max_hops = choice[2] >> 4;
	c->conf.address_literals = choice[1] & 1;
	c->listener.tls = (enum listen_tls)(choice[0] & 3);
	c->listener.normalises_newlines = choice[0] & 16;
	c->is_full = choice[0] & 32;
	c->store = choice[3];
	net_parse(VIEW("192.0.2.1"), &settings.client);
	if (choice[1] & 2) {
		c->from.base = settings.client;
		c->from.bits = 32;
		c->conf.relay_from = &c->from;
		c->conf.relay_from_count = 1;
	}
	c->session = inbound_new(&settings);
	obey(c, inbound_open(c->session));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct carrier c = { .facts = { .is_tls = true } };
	size_t at = 4;

	if (size < 4)
		return 0;
	open_session(&c, data);
	while (at < size && !c.is_closed) {
		size_t len = data[at++];

		if (len > size - at)
			len = size - at;
		buffer_append(&c.input, view_make(data + at, len));
		run(&c);
		at += len;
	}
	if (!c.is_closed)
		obey(&c, inbound_timeout(c.session));
	inbound_free(c.session);
	buffer_clear(&c.input);
	buffer_clear(&c.out);
	buffer_clear(&c.body);
	return 0;
}
