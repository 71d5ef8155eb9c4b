/*
 * The session's actions that move mail: MAIL, RCPT, DATA and BDAT, the
 * body's end, and what the store says about it.
 */
#include "relay/smtp/inbound_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/rules.h"
#include "relay/admit.h"
#include "relay/smtp/trace.h"

static const struct answer no_recipients = { 554, "5.5.1",
					     "No valid recipients" };
static const struct answer too_large = { 552, "5.3.4", "Message too large" };
static const struct answer no_room = { 452, "4.3.1",
				       "Insufficient system storage" };
static const struct answer store_failed = { 451, "4.3.0",
					    "Could not store the message" };

/* --- actions: MAIL, RCPT --------------------------------------------- */

/* RFC 5321 4.1.1.3: a postmaster without a domain is ours. */
static void complete_address(const struct inbound *s, struct address *a)
{
	const char *hostname = s->set.conf->hostname;

	if (a->text[0] == '\0' || a->domain[0] != '\0')
		return;
	a->local_len = strlen(a->text);
	snprintf(a->text + a->local_len, sizeof(a->text) - a->local_len, "@%s",
		 hostname);
	snprintf(a->domain, sizeof(a->domain), "%s", hostname);
}

/* Mail in the name of a partner must come as was agreed with it.  Our own
 * networks are exempt, and the null sender is nobody's. */
static bool is_as_agreed(struct inbound *s, const struct address *sender)
{
	static const struct answer in_the_clear = {
		530, "5.7.0", "Mail from this domain is taken over TLS only, "
			      "must issue a STARTTLS command first"
	};
	struct rules_question question = { .recipient_domain = sender->domain };
	struct answer unproven = { .code = 550, .status = "5.7.1" };
	struct judgement judgement;
	const struct policy *policy;

	if (s->is_trusted || s->set.accepts_everything || !sender->domain[0])
		return true;
	policy = rules_policy(s->set.conf, question).policy;
	if (policy->inbound == INBOUND_TLS_NONE)
		return true;
	if (!s->facts)
		return inbound_refuse(s, &in_the_clear);
	s->set.judge(s->set.judge_arg, policy, &judgement);
	if (judgement.verdict == JUDGE_DELIVER)
		return true;
	unproven.text = judgement.reason;
	return inbound_refuse(s, &unproven);
}

bool inbound_do_mail(struct inbound *s, struct view argument)
{
	const struct conf *conf = s->set.conf;
	struct transaction_limits limits = {
		.max_size = inbound_max_size(s),
		.max_line = conf->max_line,
		.max_hops = conf->max_hops,
		.normalises_newlines = s->set.listener->normalises_newlines,
	};
	struct mail_command mail;
	struct answer refusal;
	struct error why;

	if (!command_mail(argument, &mail, &refusal, &why))
		return inbound_refuse(s, &refusal);
	complete_address(s, &mail.sender);
	if (!is_as_agreed(s, &mail.sender))
		return false;
	if (limits.max_size > 0 && mail.size > limits.max_size)
		return inbound_refuse(s, &too_large);
	if (!s->set.has_room(s->set.store, mail.size))
		return inbound_refuse(s, &no_room);
	s->t = transaction_new(&mail, &limits);
	inbound_say(s, 250, "2.1.0", "Ok");
	return true;
}

bool inbound_do_rcpt(struct inbound *s, struct view argument)
{
	static const struct answer too_many = { 452, "4.5.3",
						"Too many recipients" };
	struct transaction *t = s->t;
	const struct answer *denied = NULL;
	struct rcpt_command rcpt;
	struct answer refusal;
	struct error why;

	t->refused++;
	if (!command_rcpt(argument, t->is_utf8, &rcpt, &refusal, &why))
		return inbound_refuse(s, &refusal);
	if (t->envelope->recipient_count >= s->set.conf->max_recipients)
		return inbound_refuse(s, &too_many);
	if (!s->set.accepts_everything)
		denied = admit_recipient(s->set.conf, s->is_trusted,
					 &rcpt.recipient);
	if (denied)
		return inbound_refuse(s, denied);
	complete_address(s, &rcpt.recipient);
	t->refused--;
	transaction_add(t, &rcpt);
	inbound_say(s, 250, "2.1.5", "Ok");
	return true;
}

/* --- actions: the body ----------------------------------------------- */

/* Why there can be no body now; NULL: it may come. */
static const struct answer *lacks(const struct inbound *s, bool is_chunk)
{
	if (s->state == START)
		return &inbound_unnamed;
	if (s->state == MAIL && s->t->refused > 0)
		return &no_recipients;
	if (s->state == READY || s->state == MAIL)
		return &inbound_disorder;
	/* RFC 3030 2: a body comes by BDAT or by DATA, not by both. */
	if (s->state == CHUNKS && !is_chunk)
		return &inbound_disorder;
	return NULL;
}

bool inbound_do_data(struct inbound *s, struct view argument)
{
	const struct answer *refusal = lacks(s, false);

	(void)argument;
	if (refusal)
		return inbound_refuse(s, refusal);
	inbound_say(s, 354, "", "End data with <CR><LF>.<CR><LF>");
	return true;
}

static bool is_over(const struct transaction *t, uint64_t more)
{
	return t->max_size > 0 &&
	       (more > t->max_size || t->size > t->max_size - more);
}

/* RFC 3030 2: the octets of a refused BDAT come all the same; the answer
 * waits until they are through. */
static bool skip_chunk(struct inbound *s, uint64_t octets,
		       const struct answer *refusal)
{
	if (s->state == RCPT || s->state == CHUNKS) {
		inbound_end_transaction(s);
		s->state = READY;
	}
	s->back = s->state;
	s->state = SKIP;
	s->skip = octets;
	s->late = refusal;
	return false;
}

bool inbound_do_bdat(struct inbound *s, struct view argument)
{
	static const struct answer malformed = { 501, "5.5.4",
						 "Malformed BDAT" };
	const struct answer *refusal = lacks(s, true);
	uint64_t octets;
	bool is_last;

	if (!command_bdat(argument, &octets, &is_last)) {
		/* The octets that follow would be taken for commands. */
		inbound_refuse(s, &malformed);
		s->state = CLOSED;
		return false;
	}
	if (s->set.listener->tls == LISTEN_REQUIRED && !s->facts)
		refusal = &inbound_tls_first;
	if (!refusal)
		refusal = s->t->fault;
	if (!refusal && is_over(s->t, octets))
		refusal = &too_large;
	if (refusal)
		return skip_chunk(s, octets, refusal);
	data_chunk(&s->t->data, octets, is_last);
	return true;
}

static bool do_chunk_end(struct inbound *s)
{
	char text[64];

	snprintf(text, sizeof(text), "%" PRIu64 " octets taken",
		 s->t->data.chunk);
	inbound_say(s, 250, "2.0.0", text);
	s->state = CHUNKS;
	return false;
}

static void describe_client(const struct inbound *s, struct envelope *e)
{
	char address[NET_TEXT_MAX];
	struct buffer text = { 0 };

	net_text(&s->set.client, address);
	buffer_printf(&text, "%s helo=", address);
	bytes_escape(&text, view_of(s->helo), TRACE_NAME_MAX);
	if (s->facts)
		buffer_printf(&text, " tls=%s", s->facts->version);
	free(e->client);
	e->client = view_string(buffer_view(&text));
	buffer_clear(&text);
}

bool inbound_do_end(struct inbound *s, struct view argument)
{
	struct transaction *t = s->t;

	(void)argument;
	s->command = t->data.is_bdat ? VIEW("BDAT") : VIEW("DATA");
	if (t->fault) {
		inbound_refuse(s, t->fault);
		inbound_end_transaction(s);
		s->state = READY;
		return false;
	}
	if (t->data.is_bdat && !t->data.is_last)
		return do_chunk_end(s);
	transaction_complete(t);
	describe_client(s, t->envelope);
	return true;
}

bool inbound_do_stored(struct inbound *s, struct view argument)
{
	char text[MESSAGE_ID_LEN + 16];

	(void)argument;
	snprintf(text, sizeof(text), "%s stored", s->id);
	inbound_say(s, 250, "2.0.0", text);
	s->t->is_begun = false;
	inbound_end_transaction(s);
	s->errors = s->idle_commands = 0;
	return true;
}

/* The store holds nothing of it any more.  While the body still comes, it
 * is read to its end first. */
static bool lost(struct inbound *s, const struct answer *why)
{
	bool is_whole = s->state == COMMIT;

	if (!s->t)
		return false;
	s->t->is_begun = false;
	transaction_fail(s->t, why);
	if (!is_whole)
		return false;
	s->command = VIEW("DATA");
	inbound_refuse(s, why);
	inbound_end_transaction(s);
	s->state = READY;
	return true;
}

bool inbound_do_no_room(struct inbound *s, struct view argument)
{
	(void)argument;
	return lost(s, &no_room);
}

bool inbound_do_failed(struct inbound *s, struct view argument)
{
	(void)argument;
	return lost(s, &store_failed);
}
