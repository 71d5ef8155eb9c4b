/*
 * Plays dialogs.  The driver is a carrier without a connection: it holds
 * the input that was not used, does what the session wants, and writes one
 * transcript of replies and store effects in the order in which they
 * happen.
 */
#include "tests/unit/dialog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/addr.h"
#include "conf/rules.h"
#include "relay/smtp/inbound.h"

enum { CUT_WHOLE = 0, CUT_BYTES = -1 };

struct player {
	const struct dialog *dialog;
	struct conf conf;
	struct listener listener;
	struct policy policy;
	struct net_block from;
	struct address postmaster;
	struct tls_facts facts;
	struct inbound *session;
	struct buffer input, out, body, transcript;
	unsigned messages;
	bool is_open;     /* a message */
	bool waits;       /* for the handshake or the store */
	bool is_closed;
};

static uint64_t largest(void *arg)
{
	const struct player *p = arg;

	return p->dialog->largest ? p->dialog->largest : UINT64_MAX;
}

static bool has_room(void *arg, uint64_t size)
{
	const struct player *p = arg;

	return !p->dialog->is_full && size < 1000000;
}

/* Complete lines of `from` into the transcript, each behind its mark. */
static void note_lines(struct player *p, const char *mark, struct buffer *from)
{
	struct view rest = buffer_view(from);

	while (rest.len > 0) {
		size_t end = view_index(rest, '\n');
		struct view line = view_first(rest, end);

		if (end < rest.len && line.len > 0 &&
		    line.at[line.len - 1] == '\r')
			line.len--;
		else
			end = rest.len; /* no CRLF: shown as it is */
		if (end == rest.len)
			line = rest;
		buffer_printf(&p->transcript, "%s ", mark);
		bytes_escape(&p->transcript, line, 2000);
		buffer_append_byte(&p->transcript, '\n');
		rest = view_from(rest, end + 1);
	}
	buffer_reset(from);
}

static void note(struct player *p, const char *text)
{
	note_lines(p, "S:", &p->out);
	buffer_printf(&p->transcript, "T: %s\n", text);
}

static void note_commit(struct player *p, const struct envelope *e)
{
	size_t i;

	note_lines(p, "B:", &p->body);
	buffer_printf(&p->transcript, "T: commit <%s>", e->sender);
	for (i = 0; i < e->recipient_count; i++) {
		const struct recipient *r = &e->recipients[i];

		buffer_printf(&p->transcript, " <%s>", r->address);
		if (r->notify)
			buffer_printf(&p->transcript, " notify=%u", r->notify);
		if (r->orcpt)
			buffer_printf(&p->transcript, " orcpt=%s", r->orcpt);
	}
	if (e->envid)
		buffer_printf(&p->transcript, " envid=%s", e->envid);
	if (e->ret)
		buffer_printf(&p->transcript, " ret=%d", (int)e->ret);
	buffer_printf(&p->transcript, "%s%s%s\n", e->is_8bit ? " 8bit" : "",
		      e->needs_utf8 ? " utf8" : "",
		      e->has_utf8_header ? " utf8-header" : "");
}

static enum inbound_want obey_begin(struct player *p)
{
	enum inbound_want next;
	struct buffer trace = { 0 };
	char id[24];

	snprintf(id, sizeof(id), "ID%u", ++p->messages);
	note(p, "begin");
	assert_false(p->is_open);
	p->is_open = true;
	next = inbound_begun(p->session, id, 1795561835);
	assert_int_equal(next, INBOUND_BODY);
	buffer_append(&trace, inbound_body(p->session));
	if (p->dialog->shows_trace)
		note_lines(p, "T: trace", &trace);
	buffer_clear(&trace);
	return INBOUND_BODY;
}

static enum inbound_want obey_commit(struct player *p)
{
	struct envelope *e = inbound_envelope(p->session);

	note_lines(p, "S:", &p->out);
	assert_true(p->is_open);
	note_commit(p, e);
	envelope_free(e);
	p->is_open = false;
	p->waits = p->dialog->waits_for_store;
	return p->waits ? INBOUND_INPUT
			: inbound_settled(p->session, INBOUND_STORED);
}

/* Does what is wanted; true when the session is to be stepped again. */
static bool obey(struct player *p, enum inbound_want what)
{
	bool is_again = what == INBOUND_AGAIN;

	while (what == INBOUND_COMMIT || what == INBOUND_BEGIN) {
		what = what == INBOUND_COMMIT ? obey_commit(p) : obey_begin(p);
		is_again = true;
		if (what == INBOUND_BODY)
			what = INBOUND_AGAIN; /* the trace, noted above */
	}
	if (what == INBOUND_TLS) {
		note(p, "tls");
		p->waits = true;
	} else if (what == INBOUND_ABORT) {
		note(p, "abort");
		assert_true(p->is_open);
		p->is_open = false;
		buffer_reset(&p->body);
		is_again = true;
	} else if (what == INBOUND_BODY) {
		assert_true(p->is_open);
		is_again = true;
	} else if (what == INBOUND_CLOSE) {
		note(p, "close");
		p->is_closed = true;
	}
	note_lines(p, "S:", &p->out);
	return is_again && !p->waits && !p->is_closed;
}

static void run(struct player *p)
{
	bool is_again = !p->waits && !p->is_closed;

	while (is_again) {
		size_t used, len = buffer_len(&p->input);
		enum inbound_want what;
		/* a copy of its own, so that a sanitizer sees every byte
		 * read behind the end */
		unsigned char *exact = must_alloc(len);

		if (len > 0)
			memcpy(exact, buffer_view(&p->input).at, len);
		what = inbound_step(p->session, view_make(exact, len), &used);
		assert_true(used <= len);
		if (what == INBOUND_BODY)
			buffer_append(&p->body, inbound_body(p->session));
		buffer_consume(&p->input, used);
		is_again = obey(p, what);
		free(exact);
	}
}

static void feed(struct player *p, struct view bytes, long cut, size_t *seen)
{
	size_t i, first = *seen;

	*seen += bytes.len;
	if (cut == CUT_BYTES) {
		for (i = 0; i < bytes.len; i++) {
			buffer_append_byte(&p->input, bytes.at[i]);
			run(p);
		}
		return;
	}
	if ((size_t)cut > first && (size_t)cut < *seen) {
		size_t at = (size_t)cut - first;

		buffer_append(&p->input, view_first(bytes, at));
		run(p);
		bytes = view_from(bytes, at);
	}
	buffer_append(&p->input, bytes);
	run(p);
}

static void happen(struct player *p, const char *what)
{
	enum inbound_want wanted = INBOUND_INPUT;

	p->waits = false;
	if (strcmp(what, "secured") == 0)
		wanted = inbound_secured(p->session, &p->facts);
	else if (strcmp(what, "timeout") == 0)
		wanted = inbound_timeout(p->session);
	else if (strcmp(what, "stop") == 0)
		wanted = inbound_stop(p->session);
	else if (strcmp(what, "stored") == 0)
		wanted = inbound_settled(p->session, INBOUND_STORED);
	else if (strcmp(what, "no-room") == 0)
		wanted = inbound_settled(p->session, INBOUND_NO_ROOM);
	else if (strcmp(what, "failed") == 0)
		wanted = inbound_settled(p->session, INBOUND_FAILED);
	else
		fail_msg("%s: no such event: %s", p->dialog->name, what);
	if (strcmp(what, "no-room") == 0 || strcmp(what, "failed") == 0) {
		p->is_open = false;
		buffer_reset(&p->body);
	}
	if (obey(p, wanted))
		run(p);
}

static void decode(struct buffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned byte;

		if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
			buffer_append_byte(out, (unsigned char)byte);
			text += 2;
		} else {
			buffer_append_byte(out, (unsigned char)*text);
		}
	}
}

static void play_lines(struct player *p, long cut)
{
	struct buffer bytes = { 0 };
	size_t seen = 0, i;

	for (i = 0; p->dialog->lines[i]; i++) {
		const char *line = p->dialog->lines[i];

		if (line[0] == 'C') {
			buffer_append(&bytes, view_of(line + 3));
			buffer_append(&bytes, VIEW("\r\n"));
		} else if (line[0] == 'R') {
			decode(&bytes, line + 3);
		} else if (line[0] == 'E') {
			feed(p, buffer_view(&bytes), cut, &seen);
			buffer_reset(&bytes);
			if (!p->is_closed)
				happen(p, line + 3);
		}
	}
	feed(p, buffer_view(&bytes), cut, &seen);
	buffer_clear(&bytes);
}

static size_t client_bytes(const struct dialog *dialog)
{
	struct buffer bytes = { 0 };
	size_t i, len = 0;

	for (i = 0; dialog->lines[i]; i++) {
		if (dialog->lines[i][0] == 'C')
			len += strlen(dialog->lines[i] + 3) + 2;
		if (dialog->lines[i][0] == 'R')
			decode(&bytes, dialog->lines[i] + 3);
	}
	len += buffer_len(&bytes);
	buffer_clear(&bytes);
	return len;
}

static bool fits(struct view got, const char *expected)
{
	size_t len = strlen(expected);

	if (len > 0 && expected[len - 1] == '*')
		return got.len >= len - 1 &&
		       memcmp(got.at, expected, len - 1) == 0;
	return view_equal(got, view_of(expected));
}

static void compare(struct player *p, long cut)
{
	const struct dialog *dialog = p->dialog;
	struct view rest = buffer_view(&p->transcript);
	size_t i;

	for (i = 0; dialog->lines[i]; i++) {
		struct view got;

		if (!strchr("STB", dialog->lines[i][0]))
			continue;
		got = view_cut(&rest, '\n');
		if (!fits(got, dialog->lines[i]))
			fail_msg("%s (cut %ld): got \"%.*s\", expected \"%s\"",
				 dialog->name, cut, (int)got.len,
				 (const char *)got.at, dialog->lines[i]);
	}
	if (rest.len > 0)
		fail_msg("%s (cut %ld): and then \"%.*s\"", dialog->name, cut,
			 (int)rest.len, (const char *)rest.at);
}

static void world(struct player *p)
{
	static char hostname[] = "mx.example.org", facts_version[] = "TLSv1.3";
	static char relay_domain[] = "*.relay.example";
	static char *domains[] = { relay_domain };
	static char partner[] = "*.partner.example";
	static char *partners[] = { partner };
	const struct dialog *d = p->dialog;
	struct error error;

	assert_int_equal(net_block_parse(VIEW("127.0.0.0/8"), &p->from, &error),
			 0);
	p->conf.hostname = hostname;
	p->conf.relay_from = &p->from;
	p->conf.relay_from_count = 1;
	p->conf.relay_domains = (struct strings){ .at = domains, .count = 1 };
	p->conf.max_message = d->max_message ? d->max_message : 100000;
	p->conf.max_recipients = d->max_recipients ? d->max_recipients : 1000;
	p->conf.max_errors = d->max_errors ? d->max_errors : 20;
	p->conf.max_hops = d->max_hops ? d->max_hops : 100;
	p->conf.max_line = d->max_line ? d->max_line : 1000;
	p->policy.patterns = (struct strings){ .at = partners, .count = 1 };
	p->policy.inbound = d->inbound;
	p->conf.policies = &p->policy;
	p->conf.policy_count = 1;
	rules_index(&p->conf);
	p->listener.tls = d->tls;
	p->listener.normalises_newlines = d->normalises_newlines;
	p->facts.is_tls = true;
	memcpy(p->facts.version, facts_version, sizeof(facts_version));
	snprintf(p->facts.cipher, sizeof(p->facts.cipher), "TLS_TEST");
	if (d->postmaster) {
		assert_int_equal(address_parse(view_of(d->postmaster),
					       &p->postmaster, &error), 0);
		p->conf.postmaster = &p->postmaster;
	}
}

static void store_one(struct player *p, long cut, const char *text)
{
	struct view rest = buffer_view(&p->transcript);
	bool is_found = false;
	size_t commits = 0;

	while (rest.len > 0) {
		struct view line = view_cut(&rest, '\n');
		size_t len = strlen(text);

		commits += view_starts_fold(line, VIEW("T: commit"));
		if (line.len >= len && line.at[0] == 'B' &&
		    view_equal(view_from(line, line.len - len), view_of(text)))
			is_found = true;
	}
	if (commits != 1 || !is_found)
		fail_msg("%s (cut %ld): %zu messages, text %sfound",
			 p->dialog->name, cut, commits, is_found ? "" : "not ");
}

static void judge(void *arg, const struct policy *policy,
		  struct judgement *out)
{
	const struct player *p = arg;

	assert_ptr_equal(policy, &p->policy);
	*out = (struct judgement){
		.verdict = p->dialog->is_partner ? JUDGE_DELIVER
						 : JUDGE_NEXT_HOST,
		.reason = "not the partner\x01",
	};
}

/* `text`: dialog_stores_one(), else the transcript is compared. */
static void play(const struct dialog *dialog, long cut, const char *text)
{
	struct player p = { .dialog = dialog };
	struct inbound_settings settings = {
		.conf = &p.conf,
		.listener = &p.listener,
		.offers_tls = dialog->has_certificate,
		.accepts_everything = dialog->accepts_everything,
		.has_room = has_room,
		.largest = largest,
		.store = &p,
		.judge = judge,
		.judge_arg = &p,
		.out = &p.out,
	};

	world(&p);
	assert_int_equal(net_parse(view_of(dialog->client ? dialog->client
							  : "127.0.0.1"),
				   &settings.client), 0);
	p.session = inbound_new(&settings);
	obey(&p, inbound_open(p.session));
	play_lines(&p, cut);
	if (text)
		store_one(&p, cut, text);
	else
		compare(&p, cut);
	inbound_free(p.session);
	free(p.conf.patterns);
	buffer_clear(&p.input);
	buffer_clear(&p.out);
	buffer_clear(&p.body);
	buffer_clear(&p.transcript);
}

static void play_all(const struct dialog *dialog, const char *text)
{
	long cut, len = (long)client_bytes(dialog);

	play(dialog, CUT_WHOLE, text);
	if (dialog->is_uncut)
		return;
	for (cut = 1; cut < len; cut++)
		play(dialog, cut, text);
	play(dialog, CUT_BYTES, text);
}

void dialog_play(const struct dialog *dialog)
{
	play_all(dialog, NULL);
}

void dialog_stores_one(const struct dialog *dialog, const char *text)
{
	play_all(dialog, text);
}
