/*
 * What is written down of a visit: the transcript, the journal, and the
 * label on its messages.
 */
#include "relay/lab/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/lab/desk.h"
#include "relay/lab/journal.h"
#include "relay/lab/transcript.h"
#include "relay/smtp/command.h"
#include "relay/smtp/trace.h"
#include "relay/steady.h"

static int64_t utc_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- labels ---------------------------------------------------------- */

static void describe(void *arg, struct label *label)
{
	const struct visit *v = arg;
	bool is_utf8 = v->mail.from.params &&
		       strcasestr(v->mail.from.params, "SMTPUTF8");

	label->session = v->journal->id;
	label->client = v->journal->client;
	label->helo = v->helo ? v->helo : "";
	label->protocol = trace_protocol(v->is_esmtp, is_utf8, v->is_tls);
	label->from.params = v->mail.from.params;
	for (size_t i = 0; i < label->to_count && i < v->mail.to_count; i++)
		label->to[i].params = v->mail.to[i].params;
}

static void stored(void *arg, const char *id)
{
	struct visit *v = arg;

	transcript_note(v->transcript, steady_now(), "stored as %s", id);
	journal_stored(v->journal, id);
}

/* --- life ------------------------------------------------------------ */

void visit_begin_telling(struct visit *v)
{
	struct gateway_at_work *g = v->gateway;
	char client[NET_TEXT_MAX];

	net_text_port(&v->client, client);
	v->visitor.describe = describe;
	v->visitor.stored = stored;
	v->visitor.arg = v;
	v->transcript = transcript_new(desk_transcripts(g->desk),
				       steady_now());
	v->journal = journal_open(g->lab->journal, g->counts,
				  transcript_id(v->transcript), utc_ms());
	snprintf(v->journal->client, sizeof(v->journal->client), "%s", client);
	transcript_note(v->transcript, steady_now(), "%s is visited by %s",
			g->as_written->name, client);
}

void visit_end_telling(struct visit *v)
{
	const char *outcome = v->outcome;

	if (!*outcome && v->step == STEP_QUIT)
		outcome = "the client said QUIT";
	/* Timeout, too many errors, the lab's end. */
	if (!*outcome && strncmp(v->journal->reply, "421", 3) == 0)
		outcome = v->journal->reply;
	if (!*outcome)
		outcome = "the client left";
	transcript_note(v->transcript, steady_now(), "the end: %s", outcome);
	journal_close(v->journal, outcome, utc_ms());
	transcript_free(v->transcript);
}

/* --- events ---------------------------------------------------------- */

void visit_tell_command(struct visit *v, struct view line)
{
	struct command command;
	struct view shown;

	command_parse(line, &command);
	shown = command_shown(line, command.verb, &v->hides);
	transcript_heard(v->transcript, shown, steady_now());
	journal_heard(v->journal, shown);
}

void visit_tell_body(struct visit *v)
{
	char text[64];

	snprintf(text, sizeof(text), "(a body of %llu bytes)",
		 (unsigned long long)v->mail.size);
	transcript_heard(v->transcript, view_of(text), steady_now());
	journal_state(v->journal, JOURNAL_COMMANDS);
}

void visit_tell_replies(struct visit *v, struct view replies)
{
	transcript_said(v->transcript, replies, steady_now());
	journal_said(v->journal, replies);
	if (v->journal->state == JOURNAL_GREETING)
		journal_state(v->journal, JOURNAL_COMMANDS);
}

static void tell_facts(struct visit *v, const struct tls_facts *facts)
{
	struct buffer text = { 0 };

	buffer_printf(&text, "%s %s, SNI ", facts->version, facts->cipher);
	if (*facts->sni)
		bytes_escape(&text, view_of(facts->sni), sizeof(facts->sni));
	else
		buffer_append(&text, VIEW("none"));
	if (facts->presented > 0)
		buffer_printf(&text, ", client certificate %s sha256:%s",
			      v->journal->peer, v->journal->fingerprint);
	transcript_note(v->transcript, steady_now(), "%.*s",
			(int)buffer_len(&text), buffer_view(&text).at);
	buffer_clear(&text);
}

void visit_tell_handshake(struct visit *v, const struct tls_facts *facts,
			  const char *trouble)
{
	if (trouble) {
		snprintf(v->outcome, sizeof(v->outcome),
			 "the handshake failed: %s", trouble);
		return;
	}
	journal_secured(v->journal, facts);
	journal_state(v->journal, JOURNAL_COMMANDS);
	tell_facts(v, facts);
}

void visit_tell_fault(struct visit *v, const struct fault *fault)
{
	struct buffer name = { 0 };

	fault_name(fault, &name);
	buffer_append_byte(&name, '\0');
	transcript_note(v->transcript, steady_now(), "fault: %s",
			(const char *)buffer_view(&name).at);
	journal_played(v->journal, (const char *)buffer_view(&name).at);
	buffer_clear(&name);
}
