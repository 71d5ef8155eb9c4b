/*
 * Comes in: replies of a server, facts of a handshake, a message's body.
 * Goes out: commands, and one result per recipient.  The session owns its
 * buffers and its place in the table; settings and deliveries are borrowed.
 *
 * Two cursors walk the same table: `asked` stands on the first step that
 * was not asked yet, `answered` on the first that was not answered.  What
 * lies between is in flight; with PIPELINING that is a whole batch, without
 * it one step.
 */
#include "relay/smtp/outbound.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "relay/smtp/carry.h"
#include "relay/smtp/outbound_state.h"

/* Commands are asked ahead up to so many bytes. */
enum { OUT_MAX = 32 * 1024 };

#define WAIT(which) offsetof(struct conf, timeout_##which)

/* clang-format off */
const struct row outbound_rows[] = {
	[BANNER] = { "the greeting", opening_compose_nothing, WAIT(greeting),
		2, EHLO, BLAME_HOST, false, NULL, outcome_host_refused },
	[EHLO] = { "the reply to EHLO", opening_compose_ehlo, WAIT(greeting),
		2, IDLE, BLAME_HOST, false, opening_ehlo_good, opening_ehlo_refused },
	[HELO] = { "the reply to HELO", opening_compose_helo, WAIT(greeting),
		2, IDLE, BLAME_HOST, false, opening_helo_good, outcome_host_refused },
	[STARTTLS] = { "the reply to STARTTLS", opening_compose_starttls,
		WAIT(starttls),
		2, SHAKE, BLAME_HOST, false, opening_starttls_good, opening_starttls_refused },
	[SHAKE] = { "the TLS handshake", NULL, WAIT(starttls),
		0, EHLO, BLAME_HOST, false, NULL, NULL },
	[PLAIN] = { "the reply to AUTH", opening_compose_plain, WAIT(command),
		2, IDLE, BLAME_HOST, false, opening_auth_good, opening_auth_refused },
	[LOGIN] = { "the reply to AUTH", opening_compose_login, WAIT(command),
		3, LOGIN_USER, BLAME_HOST, false, NULL, opening_auth_refused },
	[LOGIN_USER] = { "the reply to AUTH", opening_compose_user,
		WAIT(command),
		3, LOGIN_PASSWORD, BLAME_HOST, false, NULL, opening_auth_refused },
	[LOGIN_PASSWORD] = { "the reply to AUTH", opening_compose_password,
		WAIT(command),
		2, IDLE, BLAME_HOST, false, opening_auth_good, opening_auth_refused },
	[IDLE] = { "the next message", NULL,
		offsetof(struct conf, connection_idle),
		0, IDLE, BLAME_NONE, false, NULL, NULL },
	[RSET] = { "the reply to RSET", sending_compose_rset, WAIT(command),
		2, MAIL, BLAME_HOST, true, sending_rset_good, outcome_host_refused },
	[MAIL] = { "the reply to MAIL", sending_compose_mail, WAIT(command),
		2, RCPT, BLAME_MESSAGE, true, sending_mail_good, sending_mail_refused },
	[RCPT] = { "the reply to RCPT", sending_compose_rcpt, WAIT(command),
		2, DATA, BLAME_RECIPIENT, true, sending_rcpt_good, sending_rcpt_refused },
	[CLEAR] = { "the reply to RSET", sending_compose_rset, WAIT(command),
		2, IDLE, BLAME_HOST, false, sending_clear_answered,
		sending_clear_answered },
	[DATA] = { "the reply to DATA", sending_compose_data, WAIT(data),
		3, BODY, BLAME_MESSAGE, true, sending_data_good, sending_data_refused },
	[BODY] = { "the message to be taken", NULL, WAIT(block),
		0, DOT, BLAME_HOST, false, NULL, NULL },
	[DOT] = { "the reply to the message", sending_compose_dot, WAIT(dot),
		2, IDLE, BLAME_MESSAGE, false, sending_dot_answered, sending_dot_answered },
	[CHUNK] = { "the reply to BDAT", NULL, WAIT(dot),
		2, IDLE, BLAME_MESSAGE, false, sending_chunk_answered,
		sending_chunk_answered },
};
/* clang-format on */

static void trace(const struct outbound *s, enum outbound_stage stage,
		  const struct reply *reply, const struct tls_facts *facts)
{
	const struct outbound_event event = { stage, reply, facts };

	if (s->set.trace != NULL)
		s->set.trace(s->set.trace_arg, &event);
}

static void trace_reply(const struct outbound *s)
{
	static const enum outbound_stage stages[] = {
		[BANNER] = OUTBOUND_GREETED,
		[EHLO] = OUTBOUND_HELLO,
		[HELO] = OUTBOUND_HELLO,
		[STARTTLS] = OUTBOUND_STARTTLS,
		[SHAKE] = OUTBOUND_OTHER,
		[PLAIN] = OUTBOUND_AUTH,
		[LOGIN] = OUTBOUND_AUTH,
		[LOGIN_USER] = OUTBOUND_AUTH,
		[LOGIN_PASSWORD] = OUTBOUND_AUTH,
		[IDLE] = OUTBOUND_OTHER,
		[RSET] = OUTBOUND_OTHER,
		[MAIL] = OUTBOUND_MAIL,
		[RCPT] = OUTBOUND_RCPT,
		[CLEAR] = OUTBOUND_OTHER,
		[DATA] = OUTBOUND_OTHER,
		[BODY] = OUTBOUND_OTHER,
		[DOT] = OUTBOUND_OTHER,
		[CHUNK] = OUTBOUND_OTHER,
	};

	trace(s, stages[s->answered.state], &s->reply, NULL);
}

void outbound_finish(struct outbound *s, enum outbound_end end)
{
	s->end = end;
	s->turn++;
}

bool outbound_is_in_flight(const struct outbound *s)
{
	return s->asked.state != s->answered.state ||
	       s->asked.index != s->answered.index;
}

static bool may_ask(const struct outbound *s)
{
	const struct row *row = &outbound_rows[s->asked.state];

	if (s->end != OUTBOUND_RUNS || row->compose == NULL)
		return false;
	if (s->delivery != NULL && s->transaction.is_dead)
		return false;
	if (s->set.stops_after_rcpt && s->asked.state >= DATA)
		return false;
	if (!outbound_is_in_flight(s))
		return true;
	return !s->set.stops_after_rcpt && s->offer.pipelining && row->pipelines &&
	       buffer_len(&s->out) < OUT_MAX;
}

static void ask(struct outbound *s)
{
	while (may_ask(s)) {
		outbound_rows[s->asked.state].compose(s);
		sending_advance(s, &s->asked);
	}
}

void outbound_go(struct outbound *s, enum state state)
{
	s->asked = s->answered = (struct cursor){ state, 0 };
	s->turn++;
	ask(s);
}

static void take_reply(struct outbound *s)
{
	const struct row *row = &outbound_rows[s->answered.state];
	int class = s->reply.code / 100;

	s->turn++;
	if (s->is_secret)
		opening_hush(s);
	trace_reply(s);
	if (s->reply.code == 421) {
		outcome_host_refused(s);
		return;
	}
	s->has_answer = true;
	if (class == row->goes_on && row->good != NULL)
		row->good(s);
	else if (class == row->goes_on)
		sending_advance(s, &s->answered);
	else if (class >= 4)
		row->refused(s);
	else
		outcome_host_broken(s, "the server answered out of turn");
	ask(s);
}

static enum outbound_want want(const struct outbound *s)
{
	if (s->end != OUTBOUND_RUNS)
		return OUTBOUND_CLOSE;
	if (s->asked.state == CHUNK && !s->transaction.is_dead)
		return OUTBOUND_BODY;
	if (outbound_is_in_flight(s))
		return OUTBOUND_INPUT;
	switch (s->asked.state) {
	case SHAKE: return OUTBOUND_TLS;
	case BODY: return OUTBOUND_BODY;
	case IDLE: return OUTBOUND_IDLE;
	default: return OUTBOUND_INPUT;
	}
}

enum outbound_want outbound_start(struct outbound *s)
{
	trace(s, OUTBOUND_CONNECTED, NULL, NULL);
	outbound_go(s, s->set.is_tls_first ? SHAKE : BANNER);
	return want(s);
}

/* A word of success in the middle of the message cannot be about it; it must
 * not pass for the reply to its end.  A refusal may wait there. */
static bool is_praised_early(const struct outbound *s, struct view rest)
{
	return s->end == OUTBOUND_RUNS && s->asked.state == BODY &&
	       !outbound_is_in_flight(s) && rest.len > 0 &&
	       (rest.at[0] == '2' || rest.at[0] == '3');
}

enum outbound_want outbound_input(struct outbound *s, struct view bytes,
				  size_t *used)
{
	struct view rest = bytes, line;
	int got = 1;

	while (s->end == OUTBOUND_RUNS && outbound_is_in_flight(s) && got > 0) {
		got = reply_read(&s->reply, &rest, &line);
		if (got < 0) {
			outcome_host_broken(s, s->reply.text);
			break;
		}
		if (got > 0 && s->answered.state == EHLO && s->reply.lines > 1)
			offer_line(&s->offer, line);
		s->unread = rest.len;
		if (got > 0 && s->reply.is_whole)
			take_reply(s);
	}
	/* Nobody asked: a goodbye, or worse. */
	if (want(s) == OUTBOUND_IDLE && rest.len > 0)
		outbound_finish(s, OUTBOUND_DONE);
	if (is_praised_early(s, rest))
		outcome_host_broken(s, "the server answered out of turn");
	*used = bytes.len - rest.len;
	return want(s);
}

enum outbound_want outbound_secured(struct outbound *s,
				    const struct tls_facts *facts)
{
	if (want(s) != OUTBOUND_TLS)
		return want(s);
	trace(s, OUTBOUND_SHAKEN, NULL, facts);
	if (opening_secured(s, facts))
		outbound_go(s, s->set.is_tls_first ? BANNER : EHLO);
	return want(s);
}

/* A handshake that just ends has no words of its own. */
static const char *how_lost(enum outbound_loss loss, const char *detail)
{
	static const char *const how[] = {
		[LOST_CLOSED] = "the peer closed the connection",
		[LOST_FAILED] = "the connection broke",
		[LOST_TIMEOUT] = "time ran out (timeout-starttls)",
	};

	return detail[0] != '\0' ? detail : how[loss];
}

enum outbound_want outbound_lost(struct outbound *s, enum outbound_loss loss,
				 const char *detail, struct view unread)
{
	if (s->end != OUTBOUND_RUNS)
		return want(s);
	if (want(s) == OUTBOUND_TLS)
		opening_tls_failed(s, TROUBLE_HANDSHAKE,
				   how_lost(loss, detail));
	else if (want(s) == OUTBOUND_IDLE)
		outbound_finish(s, OUTBOUND_DONE);
	else
		outcome_lost(s, loss, detail, unread);
	return want(s);
}

static void check_recipients(struct outbound *s)
{
	struct delivery *d = s->delivery;
	struct result result = { 0 };
	enum carry carry;
	size_t i;

	for (i = 0; i < d->envelope->recipient_count; i++) {
		if (d->states[i] != RECIPIENT_OPEN)
			continue;
		carry = carry_recipient(&d->envelope->recipients[i], &s->offer,
					&result);
		if (carry == CARRY_FITS)
			continue;
		outcome_sign(s, &result);
		d->results[i] = result;
		d->states[i] = carry == CARRY_LACKS ? RECIPIENT_LACKING
						    : RECIPIENT_DONE;
	}
}

enum outbound_want outbound_deliver(struct outbound *s,
				    struct delivery *delivery)
{
	struct result result = { 0 };
	enum carry carry;
	size_t i;

	if (want(s) != OUTBOUND_IDLE || !s->may_send)
		return want(s);
	s->delivery = delivery;
	s->has_answer = false;
	for (i = 0; i < delivery->envelope->recipient_count; i++)
		if (delivery->states[i] == RECIPIENT_LACKING)
			delivery->states[i] = RECIPIENT_OPEN;
	carry = carry_message(delivery->envelope, &s->offer, &result);
	if (carry != CARRY_FITS)
		outcome_settle(s, &result,
			       carry == CARRY_LACKS ? RECIPIENT_LACKING
						    : RECIPIENT_DONE);
	check_recipients(s);
	sending_start(s);
	return want(s);
}

enum outbound_want outbound_body(struct outbound *s, struct view bytes,
				 bool is_last)
{
	if (want(s) != OUTBOUND_BODY)
		return want(s);
	s->turn++;
	sending_body(s, bytes, is_last);
	return want(s);
}

enum outbound_want outbound_body_failed(struct outbound *s, const char *why)
{
	struct result result = { 0 };

	if (s->end != OUTBOUND_RUNS || s->delivery == NULL)
		return want(s);
	result_set(&result, OUTCOME_DEFERRED, BLAME_MESSAGE, "4.3.0",
		   "the message could not be read from the spool: %s", why);
	outcome_settle(s, &result, RECIPIENT_DONE);
	outbound_finish(s, OUTBOUND_DONE);
	return want(s);
}

enum outbound_want outbound_quit(struct outbound *s)
{
	if (want(s) != OUTBOUND_IDLE)
		return want(s);
	buffer_append(&s->out, VIEW("QUIT\r\n"));
	outbound_finish(s, OUTBOUND_DONE);
	return want(s);
}

struct buffer *outbound_out(struct outbound *s)
{
	return &s->out;
}

bool outbound_is_secret(const struct outbound *s)
{
	return s->is_secret;
}

static enum state waiting(const struct outbound *s)
{
	return outbound_is_in_flight(s) ? s->answered.state : s->asked.state;
}

uint32_t outbound_wait(const struct outbound *s)
{
	const char *conf = (const char *)s->set.conf;
	uint32_t seconds;

	memcpy(&seconds, conf + outbound_rows[waiting(s)].wait,
	       sizeof(seconds));
	return seconds;
}

uint64_t outbound_turn(const struct outbound *s)
{
	return s->turn;
}

const char *outbound_step(const struct outbound *s)
{
	return outbound_rows[waiting(s)].name;
}

enum outbound_end outbound_end(const struct outbound *s)
{
	return s->end;
}

const struct result *outbound_trouble(const struct outbound *s)
{
	return &s->trouble;
}

const struct outbound_excuse *outbound_excuse(const struct outbound *s)
{
	return &s->excuse;
}

const struct judgement *outbound_judgement(const struct outbound *s)
{
	return s->is_judged ? &s->judgement : NULL;
}

const struct judgement *outbound_would(const struct outbound *s)
{
	return s->is_judged && s->set.would != NULL ? &s->would : NULL;
}

const struct proof *outbound_proof(const struct outbound *s)
{
	return &s->proof;
}

const struct offer *outbound_offer(const struct outbound *s)
{
	return &s->offer;
}

bool outbound_auth_failed(const struct outbound *s)
{
	return s->auth_failed;
}

bool outbound_is_committed(const struct outbound *s)
{
	return s->delivery != NULL && s->transaction.is_sent;
}

struct outbound *outbound_new(const struct outbound_settings *settings)
{
	struct outbound *s = must_alloc(sizeof(*s));

	s->set = *settings;
	return s;
}

void outbound_free(struct outbound *s)
{
	if (s == NULL)
		return;
	buffer_wipe(&s->out);
	free(s);
}
