/*
 * The carrier of the server session.  One loop steps the protocol as long
 * as it can go on; what it wants is done in between.  It rests for bytes,
 * for a handshake, for the store (while it commits, or is behind), or for
 * a client that takes no replies; each rest has its deadline, and a
 * command's deadline is not renewed by the bytes of that command.
 */
#include "relay/session_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "relay/identify.h"

/* Replies that a client has not taken, until nothing more is done for it. */
enum { REPLIES_MAX = 16 * 1024 };

/* s; a deadline of 0 would be none */
#define AT_ONCE 0.001

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- what the protocol wants ----------------------------------------- */

static void flush(struct session *s)
{
	struct view bytes = buffer_view(s->set.out);

	if (!s->is_gone && !mischief_sends(s, bytes))
		conn_write(s->conn, bytes);
	buffer_reset(s->set.out);
}

/* Takes back what was said behind the first `len` bytes. */
static void unsay(struct session *s, size_t len)
{
	s->set.out->end = s->set.out->start + len;
}

static void on_store(void *arg, enum intake_event event);

static void append(struct session *s)
{
	struct view bytes = inbound_body(s->smtp);

	s->set.verbs->append(s->message, bytes);
	s->size += bytes.len;
	if (!s->has_news && s->set.verbs->is_full(s->message))
		s->is_behind = true;
}

static void begin(struct session *s)
{
	s->message = s->set.verbs->begin(s->set.store, on_store, s);
	s->size = 0;
	inbound_begun(s->smtp, s->set.verbs->id(s->message), time(NULL));
	append(s);
}

static void drop(struct session *s)
{
	if (s->message)
		s->set.verbs->abort(s->message);
	s->message = NULL;
	s->is_behind = false;
}

static void obey(struct session *s, enum inbound_want want);

/* Whether a lab lets the message be committed. */
static bool may_commit(struct session *s)
{
	enum mischief_turn turn = mischief_ask(s, MISCHIEF_DOT, VIEW(""));
	size_t answer = buffer_len(s->set.out);

	s->owes_commit = turn == MISCHIEF_HELD;
	if (turn == MISCHIEF_ANSWERED) {
		drop(s);
		obey(s, inbound_settled(s->smtp, INBOUND_FAILED));
		unsay(s, answer);
	}
	return turn == MISCHIEF_GO;
}

static void commit(struct session *s)
{
	struct inbound_story story = inbound_story(s->smtp);
	struct receipt *r = s->receipt = must_alloc(sizeof(*r));
	char count[24];

	text_copy(r->id, sizeof(r->id), s->set.verbs->id(s->message));
	r->from = must_strdup(story.sender);
	if (!story.recipient)
		snprintf(count, sizeof(count), "%zu", story.recipient_count);
	r->to = must_strdup(story.recipient ? story.recipient : count);
	r->protocol = story.protocol;
	r->size = s->size;
	s->is_committing = true;
	s->set.verbs->commit(s->message, inbound_envelope(s->smtp),
			     conn_facts(s->conn));
}

static void start_tls(struct session *s)
{
	bool is_feigned = mischief_feigns(s);
	struct error error;

	flush(s);
	if (is_feigned)
		return;
	if (s->set.tls && conn_start_server(s->conn, s->set.tls, &error) == 0) {
		s->awaits_tls = true;
		return;
	}
	session_log_trouble(s, "STARTTLS", s->set.tls ? error.text : "no certificate");
	s->is_closing = true;
}

static void obey(struct session *s, enum inbound_want want)
{
	switch (want) {
	case INBOUND_AGAIN:
	case INBOUND_INPUT:
	case INBOUND_BODY: break;
	case INBOUND_TLS: start_tls(s); break;
	case INBOUND_BEGIN: begin(s); break;
	case INBOUND_COMMIT:
		if (may_commit(s))
			commit(s);
		break;
	case INBOUND_ABORT: drop(s); break;
	case INBOUND_CLOSE: s->is_closing = true; break;
	}
}

/* One step of the protocol; false when it needs more bytes. */
static bool step(struct session *s)
{
	struct view input = conn_input(s->conn);
	size_t used, said = buffer_len(s->set.out);
	bool is_body = inbound_in_body(s->smtp);
	enum inbound_want want;

	if (mischief_waylays(s))
		return true;
	want = inbound_step(s->smtp, input, &used);
	if (want == INBOUND_BODY)
		append(s);
	session_log_refused(s, said);
	mischief_hears(s, view_first(input, used), is_body);
	mischief_reviews(s, said);
	conn_consume(s->conn, used);
	if (s->rest == REST_BODY)
		pace_count(&s->pace, now(), used);
	obey(s, want);
	return want != INBOUND_INPUT;
}

static void free_receipt(struct session *s)
{
	if (s->receipt) {
		free(s->receipt->from);
		free(s->receipt->to);
		free(s->receipt);
	}
	s->receipt = NULL;
}

/* What became of the message goes to the log and to the client. */
static void take_news(struct session *s)
{
	static const enum inbound_fate fates[] = {
		[INTAKE_STORED] = INBOUND_STORED,
		[INTAKE_NO_ROOM] = INBOUND_NO_ROOM,
		[INTAKE_FAILED] = INBOUND_FAILED,
	};
	size_t said = buffer_len(s->set.out);

	if (s->news == INTAKE_STORED)
		session_log_accepted(s);
	free_receipt(s);
	s->has_news = s->is_committing = s->is_behind = false;
	s->message = NULL;
	obey(s, inbound_settled(s->smtp, fates[s->news]));
	session_log_refused(s, said);
	mischief_reviews(s, said);
}

/* Says the greeting, or starts the handshake that comes before it. */
static void greet(struct session *s)
{
	const struct tls_facts *facts = conn_facts(s->conn);
	size_t said = buffer_len(s->set.out), answer;
	enum mischief_turn turn = mischief_ask(s, MISCHIEF_GREETING, VIEW(""));

	s->owes_greeting = turn == MISCHIEF_HELD;
	if (turn != MISCHIEF_GO && turn != MISCHIEF_ANSWERED)
		return;
	answer = buffer_len(s->set.out);
	obey(s, facts->is_tls ? inbound_secured(s->smtp, facts) :
				inbound_open(s->smtp));
	if (turn == MISCHIEF_ANSWERED)
		unsay(s, answer);
	else
		mischief_reviews(s, said);
}

/* --- whose mail the client may bring --------------------------------- */

/* What was judged once on this connection stays as it is. */
struct identity {
	const struct policy *policy;
	struct judgement judgement;
};

static void judge(void *arg, const struct policy *policy, struct judgement *out)
{
	struct session *s = arg;

	if (!s->identity)
		s->identity = must_alloc(sizeof(*s->identity));
	if (s->identity->policy != policy) {
		s->identity->policy = policy;
		identify_client(s->conn, s->set.tls, s->set.conf, policy,
				&s->identity->judgement);
	}
	*out = s->identity->judgement;
}

/* --- rests and deadlines --------------------------------------------- */

static bool must_wait(const struct session *s)
{
	return s->is_closing || s->is_committing || s->is_behind ||
	       s->awaits_tls || s->is_held;
}

static bool is_heard(struct session *s)
{
	if (conn_pending(s->conn) + buffer_len(s->set.out) <= REPLIES_MAX)
		return true;
	flush(s);
	return conn_pending(s->conn) <= REPLIES_MAX;
}

static enum rest rest_of(const struct session *s)
{
	if (s->awaits_tls)
		return REST_HANDSHAKE;
	if (s->is_held)
		return REST_HELD;
	if (s->is_committing || s->is_behind)
		return REST_STORE;
	return inbound_in_body(s->smtp) ? REST_BODY : REST_COMMAND;
}

static void set_deadline(struct session *s)
{
	const struct conf *conf = s->set.conf;
	enum rest rest = rest_of(s);
	bool is_new = rest != s->rest ||
		      s->progress != inbound_progress(s->smtp);
	double left;

	s->rest = rest;
	s->progress = inbound_progress(s->smtp);
	if (rest == REST_BODY) {
		if (is_new)
			pace_start(&s->pace, now(), conf->timeout_block);
		left = pace_left(&s->pace, now());
		conn_deadline(s->conn, left > AT_ONCE ? left : AT_ONCE);
		return;
	}
	if (!is_new)
		return;
	if (rest == REST_STORE || rest == REST_HELD)
		conn_deadline(s->conn, 0);
	else if (rest == REST_HANDSHAKE)
		conn_deadline(s->conn, conf->timeout_starttls);
	else
		conn_deadline(s->conn, conf->timeout_idle);
}

static void end(struct session *s)
{
	void (*ended)(void *owner) = s->set.ended;
	void *owner = s->owner;

	drop(s);
	if (s->visit)
		s->set.mischief->leave(s->visit);
	s->visit = NULL;
	flush(s);
	if (s->is_cut)
		conn_flush(s->conn);
	if (s->is_gone || s->is_cut)
		conn_free(s->conn);
	else
		conn_finish(s->conn);
	inbound_free(s->smtp);
	free_receipt(s);
	free(s->identity);
	tls_context_free(s->set.tls);
	free(s);
	ended(owner);
}

/* Goes on as far as it can, then rests or ends.  The session may be gone
 * afterwards. */
static void carry(struct session *s)
{
	bool is_heard_out = false;

	if (s->is_carrying)
		return;
	s->is_carrying = true;
	while (!is_heard_out) {
		if (s->has_news)
			take_news(s);
		else if (must_wait(s) || s->is_gone || !is_heard(s))
			break;
		else if (s->owes_greeting)
			greet(s);
		else if (s->owes_commit)
			obey(s, INBOUND_COMMIT);
		else
			is_heard_out = !step(s);
	}
	s->is_carrying = false;
	if (s->is_at_end && is_heard_out)
		s->is_closing = true;
	flush(s);
	/* A message that the store is about to have stays in hand, so that
	 * what became of it can be told, if only to the log. */
	if (!s->is_committing &&
	    ((s->is_closing && !s->is_held) || s->is_gone)) {
		end(s);
		return;
	}
	if (s->is_gone)
		return;
	set_deadline(s);
	/* Who holds a client wants to know when it is gone. */
	if (must_wait(s) && !s->awaits_tls && !s->is_held)
		conn_pause(s->conn);
	else
		conn_resume(s->conn);
}

/* --- events ---------------------------------------------------------- */

static void on_store(void *arg, enum intake_event event)
{
	struct session *s = arg;

	if (event == INTAKE_ROOM) {
		s->is_behind = false;
	} else {
		s->has_news = true;
		s->news = event;
	}
	carry(s);
}

static void fail(struct session *s)
{
	if (s->awaits_tls) {
		session_log_trouble(s, "STARTTLS", conn_error(s->conn));
		mischief_told(s, conn_error(s->conn));
	}
	s->is_gone = true;
}

static void secured(struct session *s)
{
	s->awaits_tls = false;
	mischief_told(s, NULL);
	if (s->set.listener->tls == LISTEN_IMPLICIT)
		greet(s);
	else
		obey(s, inbound_secured(s->smtp, conn_facts(s->conn)));
}

static void on_conn(struct conn *conn, enum conn_event event, void *arg)
{
	struct session *s = arg;

	(void)conn;
	switch (event) {
	case CONN_OPEN:
	case CONN_DRAINED: break;
	case CONN_INPUT: mischief_plays(s); break;
	case CONN_SECURE: secured(s); break;
	case CONN_CLOSED:
		s->is_at_end = true;
		if (s->awaits_tls || s->is_held)
			s->is_gone = true;
		break;
	case CONN_TIMEOUT:
		if (s->is_closing)
			break;
		session_log_trouble(s, s->awaits_tls ? "STARTTLS" : "",
				    "timeout");
		obey(s, inbound_timeout(s->smtp));
		break;
	case CONN_FAILED: fail(s); break;
	}
	carry(s);
}

void session_resume(struct session *s)
{
	s->is_held = false;
	carry(s);
}

void session_stop(struct session *s)
{
	/* What is held may never go on. */
	if (s->is_held)
		s->is_gone = true;
	else
		obey(s, inbound_stop(s->smtp));
	carry(s);
}

void session_free(struct session *s)
{
	if (!s)
		return;
	s->is_gone = true;
	s->is_committing = false;
	end(s);
}

const struct conf *session_conf(const struct session *s)
{
	return s->set.conf;
}

/* A lab may choose certificate and store for each session. */
static void enter(struct session *s, const struct net_address *client)
{
	const struct mischief_verbs *verbs = s->set.mischief;

	if (!verbs)
		return;
	s->visit = verbs->enter(s->set.mischief_owner, s, client);
	if (verbs->context)
		s->set.tls = verbs->context(s->visit, s->set.tls);
	if (verbs->store)
		s->set.store = verbs->store(s->visit, s->set.store);
}

struct session *session_new(const struct session_settings *settings, int fd,
			    const struct net_address *client, void *owner)
{
	struct session *s = must_alloc(sizeof(*s));
	struct inbound_settings inbound = {
		.conf = settings->conf,
		.listener = settings->listener,
		.accepts_everything = settings->accepts_everything,
		.has_room = settings->verbs->has_room,
		.largest = settings->verbs->largest,
		.judge = judge,
		.judge_arg = s,
		.out = settings->out,
	};

	s->set = *settings;
	s->owner = owner;
	enter(s, client);
	if (s->set.tls)
		tls_context_hold(s->set.tls);
	s->conn = conn_accept(settings->loop, fd, client, on_conn, s);
	inbound.client = *client;
	inbound.offers_tls = s->set.tls != NULL;
	inbound.store = s->set.store;
	s->smtp = inbound_new(&inbound);
	if (settings->listener->tls == LISTEN_IMPLICIT)
		obey(s, inbound_open(s->smtp));
	else
		greet(s);
	flush(s);
	set_deadline(s);
	/* It may not end before its owner knows it. */
	if (s->is_closing)
		conn_deadline(s->conn, AT_ONCE);
	return s;
}
