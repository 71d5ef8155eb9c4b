/*
 * The server session as a table: event, states in which it is legal,
 * flags, action, next state.  An action that refuses keeps the state; what
 * the session wants of its carrier follows from the state alone.  The
 * actions stand in inbound_hello.c and inbound_mail.c.
 */
#include "relay/smtp/inbound_inner.h"

#include <stdlib.h>

#include "relay/admit.h"
#include "relay/smtp/trace.h"

/* Sets of states. */
#define IN(state) (1u << (state))
#define TALK (IN(START) | IN(READY) | IN(MAIL) | IN(RCPT) | IN(CHUNKS))
#define ENVELOPE (IN(MAIL) | IN(RCPT))
#define BODY (IN(DATA) | IN(CHUNK))
#define STORING (BODY | IN(CHUNKS) | IN(COMMIT))
#define ANY (TALK | STORING | IN(NEW) | IN(SKIP) | IN(SHAKE))

/* The verbs of command.h, and what else happens. */
enum event {
	EVENT_OPEN = VERB_COUNT,
	EVENT_SECURED,
	EVENT_END, /* of a message or chunk */
	EVENT_STORED,
	EVENT_NO_ROOM,
	EVENT_FAILED,
	EVENT_TIMEOUT,
	EVENT_STOP,
	EVENT_COUNT,
};

static const struct answer needs_argument = { 501, "5.5.4",
					      "Argument required" };
static const struct answer no_argument = { 501, "5.5.4",
					   "No argument allowed" };

/* --- the table ------------------------------------------------------- */

enum {
	TLS = 1 << 0,       /* 530 where the listener demands TLS */
	LAST = 1 << 1,      /* refused, what stands behind it is no command */
	ARGUMENT = 1 << 2,  /* wants one */
	BARE = 1 << 3,      /* takes none */
};

struct row {
	unsigned legal;
	unsigned flags;
	inbound_action *action;
	unsigned char next; /* KEEP: as it is, or as the action says */
};

#define ROW(event, legal, flags, action, next) \
	[event] = { legal, flags, inbound_do_##action, next }

/* clang-format off */
static const struct row table[EVENT_COUNT] = {
	/*  event          legal in    flags              action    next */
	ROW(VERB_UNKNOWN,  TALK,       0,                 unknown,  KEEP),
	ROW(VERB_HELO,     TALK,       ARGUMENT,          helo,     READY),
	ROW(VERB_EHLO,     TALK,       ARGUMENT,          ehlo,     READY),
	ROW(VERB_STARTTLS, IN(READY),  BARE,              starttls, SHAKE),
	ROW(VERB_MAIL,     IN(READY),  TLS,               mail,     MAIL),
	ROW(VERB_RCPT,     ENVELOPE,   TLS,               rcpt,     RCPT),
	ROW(VERB_DATA,     TALK,       TLS + BARE + LAST, data,     DATA),
	ROW(VERB_BDAT,     TALK,       0,                 bdat,     CHUNK),
	ROW(VERB_RSET,     TALK,       BARE,              rset,     KEEP),
	ROW(VERB_NOOP,     TALK,       0,                 noop,     KEEP),
	ROW(VERB_VRFY,     TALK,       TLS + ARGUMENT,    vrfy,     KEEP),
	ROW(VERB_HELP,     TALK,       0,                 help,     KEEP),
	ROW(VERB_QUIT,     TALK,       BARE,              quit,     CLOSED),
	ROW(VERB_ABSENT,   TALK,       0,                 absent,   KEEP),
	ROW(VERB_FOREIGN,  TALK,       0,                 foreign,  CLOSED),
	ROW(EVENT_OPEN,    IN(NEW),    0,                 open,     START),
	ROW(EVENT_SECURED, IN(SHAKE),  0,                 secured,  START),
	ROW(EVENT_END,     BODY,       0,                 end,      COMMIT),
	ROW(EVENT_STORED,  IN(COMMIT), 0,                 stored,   READY),
	ROW(EVENT_NO_ROOM, STORING,    0,                 no_room,  KEEP),
	ROW(EVENT_FAILED,  STORING,    0,                 failed,   KEEP),
	ROW(EVENT_TIMEOUT, ANY,        0,                 timeout,  CLOSED),
	ROW(EVENT_STOP,    ANY,        0,                 stop,     KEEP),
};
/* clang-format on */

/* What the state wants of the carrier. */
static enum inbound_want want(struct inbound *s)
{
	if (s->state == CLOSED)
		return INBOUND_CLOSE;
	if (s->drops_message) {
		s->drops_message = false;
		return INBOUND_ABORT;
	}
	if (s->state == SHAKE)
		return INBOUND_TLS;
	if (s->state == COMMIT)
		return INBOUND_COMMIT;
	if ((s->state == DATA || s->state == CHUNK) && !s->t->is_begun &&
	    !s->t->fault)
		return INBOUND_BEGIN;
	return INBOUND_AGAIN;
}

/* The same where nothing new is wanted: it was said before. */
static enum inbound_want rest(const struct inbound *s)
{
	return s->state == CLOSED ? INBOUND_CLOSE : INBOUND_INPUT;
}

/* Ends a session that made too many errors, or that has come to rest
 * while the relay stops. */
static enum inbound_want settle(struct inbound *s)
{
	bool rests = !s->t && (IN(s->state) & (TALK | IN(NEW)));

	if (s->state != CLOSED && s->errors >= s->set.conf->max_errors) {
		inbound_say_closing(s, "4.7.0", "Too many errors");
		s->state = CLOSED;
	}
	if (s->is_stopping && rests && s->state != CLOSED) {
		inbound_say_closing(s, "4.3.2", "Shutting down");
		s->state = CLOSED;
	}
	return want(s);
}

/* Why a command is not obeyed, whatever it says. */
static const struct answer *forbids(const struct inbound *s,
				    const struct row *row, struct view argument)
{
	if ((row->flags & TLS) && !s->facts &&
	    s->set.listener->tls == LISTEN_REQUIRED)
		return &inbound_tls_first;
	if (!(row->legal & IN(s->state)))
		return s->state == START ? &inbound_unnamed : &inbound_disorder;
	if ((row->flags & ARGUMENT) && argument.len == 0)
		return &needs_argument;
	if ((row->flags & BARE) && argument.len > 0)
		return &no_argument;
	return NULL;
}

static enum inbound_want fire(struct inbound *s, unsigned event,
			      struct view argument)
{
	const struct row *row = &table[event];
	const struct answer *forbidden = forbids(s, row, argument);
	bool went_well;

	if (event >= VERB_COUNT && forbidden)
		return rest(s);
	went_well = forbidden ? inbound_refuse(s, forbidden)
			      : row->action(s, argument);
	if (went_well && row->next != KEEP)
		s->state = row->next;
	/* A client that did not wait for 354 has sent a body: obeyed as
	 * commands, it would be a way to speak for the client. */
	if (!went_well && (row->flags & LAST) && s->bytes_behind)
		s->state = CLOSED;
	return settle(s);
}

/* --- bytes ----------------------------------------------------------- */

static enum inbound_want step_command(struct inbound *s, struct view input,
				      size_t *used)
{
	static const struct answer bare = {
		500, "5.5.2", "Lines end in CRLF and nothing else"
	};
	static const struct answer nul = { 500, "5.5.2", "NUL in a command" };
	struct command command;
	struct view line;
	enum line_verdict verdict = line_next(&s->line, input, &line, used);

	if (verdict == LINE_MORE)
		return INBOUND_INPUT;
	s->command = line;
	s->progress++;
	if (verdict == LINE_BARE || verdict == LINE_ENDLESS) {
		inbound_refuse(s, verdict == LINE_BARE ? &bare
						       : &inbound_too_long);
		s->state = CLOSED;
		return want(s);
	}
	command_parse(line, &command);
	s->command = command_shown(line, command.verb, &s->hides);
	if (verdict == LINE_LONG || line.len + 2 > command_max(command.verb)) {
		inbound_refuse(s, &inbound_too_long);
		return settle(s);
	}
	if (command.verb != VERB_FOREIGN && view_index(line, 0) < line.len) {
		inbound_refuse(s, &nul);
		return settle(s);
	}
	s->bytes_behind = *used < input.len;
	return fire(s, command.verb, command.argument);
}

static enum inbound_want step_body(struct inbound *s, struct view input,
				   size_t *used)
{
	struct transaction *t = s->t;
	enum data_outcome outcome;

	buffer_clear(&t->trace);
	outcome = data_next(&t->data, input, &s->body, used);
	if (outcome == DATA_END) {
		s->progress++;
		transaction_scan(t, VIEW(""));
		return fire(s, EVENT_END, VIEW(""));
	}
	if (outcome == DATA_MORE)
		return INBOUND_INPUT;
	transaction_scan(t, s->body);
	if (!t->fault)
		return s->body.len > 0 ? INBOUND_BODY : INBOUND_AGAIN;
	if (!t->is_begun)
		return INBOUND_AGAIN;
	t->is_begun = false;
	return INBOUND_ABORT;
}

static enum inbound_want step_skip(struct inbound *s, struct view input,
				   size_t *used)
{
	*used = input.len < s->skip ? input.len : (size_t)s->skip;
	s->skip -= *used;
	if (s->skip > 0)
		return INBOUND_INPUT;
	s->state = s->back;
	s->progress++;
	s->command = VIEW("BDAT");
	inbound_refuse(s, s->late);
	return settle(s);
}

enum inbound_want inbound_step(struct inbound *s, struct view input,
			       size_t *used)
{
	*used = 0;
	s->is_refused = false;
	s->body = VIEW("");
	switch (s->state) {
	case DATA:
	case CHUNK: return step_body(s, input, used);
	case SKIP: return step_skip(s, input, used);
	case CLOSED: return INBOUND_CLOSE;
	case NEW:
	case SHAKE:
	case COMMIT: return INBOUND_INPUT;
	default: return step_command(s, input, used);
	}
}

/* --- events ---------------------------------------------------------- */

static enum inbound_want event(struct inbound *s, enum event what)
{
	s->is_refused = false;
	s->command = VIEW("");
	return fire(s, what, VIEW(""));
}

enum inbound_want inbound_open(struct inbound *s)
{
	if (s->set.listener->tls != LISTEN_IMPLICIT)
		return event(s, EVENT_OPEN);
	s->state = SHAKE;
	return want(s);
}

enum inbound_want inbound_secured(struct inbound *s,
				  const struct tls_facts *facts)
{
	s->facts = facts;
	return event(s, EVENT_SECURED);
}

enum inbound_want inbound_begun(struct inbound *s, const char *id, int64_t now)
{
	struct transaction *t = s->t;
	const struct envelope *e = t->envelope;
	struct trace trace = {
		.hostname = s->set.conf->hostname,
		.helo = s->helo,
		.client = &s->set.client,
		.protocol = trace_protocol(s->is_esmtp, t->is_utf8,
					   s->facts != NULL),
		.facts = s->facts,
		.id = id,
		.recipient = e->recipient_count == 1 ? e->recipients[0].address
						     : NULL,
		.now = now,
	};

	text_copy(s->id, sizeof(s->id), id);
	t->is_begun = true;
	trace_write(&t->trace, &trace);
	s->body = buffer_view(&t->trace);
	return INBOUND_BODY;
}

enum inbound_want inbound_settled(struct inbound *s, enum inbound_fate fate)
{
	static const enum event events[] = {
		[INBOUND_STORED] = EVENT_STORED,
		[INBOUND_NO_ROOM] = EVENT_NO_ROOM,
		[INBOUND_FAILED] = EVENT_FAILED,
	};

	return event(s, events[fate]);
}

enum inbound_want inbound_timeout(struct inbound *s)
{
	return event(s, EVENT_TIMEOUT);
}

enum inbound_want inbound_stop(struct inbound *s)
{
	event(s, EVENT_STOP);
	return rest(s);
}

/* --- what is asked --------------------------------------------------- */

struct view inbound_body(const struct inbound *s)
{
	return s->body;
}

struct envelope *inbound_envelope(struct inbound *s)
{
	struct envelope *e = s->t->envelope;

	s->t->envelope = NULL;
	return e;
}

bool inbound_in_body(const struct inbound *s)
{
	return s->state == DATA || s->state == CHUNK || s->state == SKIP;
}

bool inbound_in_handshake(const struct inbound *s)
{
	return s->state == SHAKE;
}

unsigned inbound_progress(const struct inbound *s)
{
	return s->progress;
}

bool inbound_refused(const struct inbound *s, struct view *command)
{
	*command = s->command;
	return s->is_refused;
}

struct inbound_story inbound_story(const struct inbound *s)
{
	const struct envelope *e = s->t->envelope;

	return (struct inbound_story){
		.protocol = trace_protocol(s->is_esmtp, s->t->is_utf8,
					   s->facts != NULL),
		.sender = e->sender,
		.recipient = e->recipient_count == 1 ? e->recipients[0].address
						     : NULL,
		.recipient_count = e->recipient_count,
	};
}

const char *inbound_helo(const struct inbound *s)
{
	return s->helo ? s->helo : "";
}

struct inbound *inbound_new(const struct inbound_settings *settings)
{
	struct inbound *s = must_alloc(sizeof(*s));

	s->set = *settings;
	s->line.max = COMMAND_LINE_MAX;
	s->state = NEW;
	s->is_trusted = admit_client(settings->conf, &settings->client);
	return s;
}

void inbound_free(struct inbound *s)
{
	if (!s)
		return;
	transaction_free(s->t);
	free(s->helo);
	free(s);
}
