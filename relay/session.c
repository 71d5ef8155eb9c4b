/*
 * The carrier of the server session.  One loop steps the protocol as long
 * as it can go on; what it wants is done in between.  It rests for bytes,
 * for a handshake, for the store (while it commits, or is behind), or for
 * a client that takes no replies; each rest has its deadline, and a
 * command's deadline is not renewed by the bytes of that command.
 */
#include "relay/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "conf/log.h"
#include "relay/identify.h"
#include "relay/pace.h"
#include "relay/smtp/inbound.h"
#include "tls/conn.h"

/* Replies that a client has not taken, until nothing more is done for it. */
enum { REPLIES_MAX = 16 * 1024 };

/* s; a deadline of 0 would be none */
#define AT_ONCE 0.001

enum rest {
	REST_NONE,
	REST_COMMAND,
	REST_BODY,
	REST_HANDSHAKE,
	REST_STORE, /* commit, or room in the store */
};

/* What the log says of a message once it is durable. */
struct receipt {
	char id[MESSAGE_ID_LEN + 1];
	char *from, *to;
	const char *protocol;
	uint64_t size;
};

struct session {
	struct session_settings set;
	void *owner;
	struct conn *conn;
	struct inbound *smtp;
	void *message;            /* open in the store, NULL: none */
	uint64_t size;            /* of what was appended */
	struct receipt *receipt;  /* while it commits */
	struct identity *identity; /* the last that was judged, or NULL */
	struct pace pace;
	unsigned progress;        /* at the last rest */
	enum rest rest;           /* which deadline is set */
	bool is_carrying;
	bool is_committing;
	bool is_behind;           /* the store has no room just now */
	bool awaits_tls;
	bool is_at_end;           /* the client sends no more */
	bool is_gone;             /* the connection failed */
	bool is_closing;
	bool has_news;            /* of the message, not yet told */
	enum intake_event news;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- the log --------------------------------------------------------- */

static void log_client(const struct session *s, struct log_line *line)
{
	char text[NET_TEXT_MAX];

	net_text(conn_peer(s->conn), text);
	log_str(line, "client", text);
}

static void log_accepted(const struct session *s)
{
	const struct receipt *r = s->receipt;
	const struct tls_facts *facts = conn_facts(s->conn);
	struct log_line line;

	log_begin(&line, LOG_INFO, "accepted");
	log_str(&line, "id", r->id);
	log_str(&line, "from", r->from);
	log_str(&line, "to", r->to);
	log_num(&line, "size", (int64_t)r->size);
	log_client(s, &line);
	log_str(&line, "helo", inbound_helo(s->smtp));
	log_str(&line, "proto", r->protocol);
	if (facts->is_tls) {
		log_str(&line, "tls", facts->version);
		log_str(&line, "cipher", facts->cipher);
	}
	log_end(&line);
}

/* The answer is the last line but for a 421 that may follow it. */
static void log_refused(const struct session *s, size_t said)
{
	struct view command, answer = view_from(buffer_view(s->set.out), said);
	struct log_line line;

	if (!inbound_refused(s->smtp, &command))
		return;
	answer = view_first(answer, view_index(answer, '\r'));
	log_begin(&line, LOG_INFO, "refused");
	log_client(s, &line);
	log_view(&line, "command", command);
	log_view(&line, "code", view_first(answer, 3));
	log_view(&line, "reason", view_from(answer, 4));
	log_end(&line);
}

static void log_trouble(const struct session *s, const char *what,
			const char *reason)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "refused");
	log_client(s, &line);
	log_str(&line, "command", what);
	log_str(&line, "reason", reason);
	log_end(&line);
}

/* --- what the protocol wants ----------------------------------------- */

static void flush(struct session *s)
{
	if (!s->is_gone)
		conn_write(s->conn, buffer_view(s->set.out));
	buffer_reset(s->set.out);
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

static void commit(struct session *s)
{
	struct inbound_story story = inbound_story(s->smtp);
	struct receipt *r = s->receipt = must_alloc(sizeof(*r));
	char count[24];

	snprintf(count, sizeof(count), "%zu", story.recipient_count);
	snprintf(r->id, sizeof(r->id), "%s", s->set.verbs->id(s->message));
	r->from = must_strdup(story.sender);
	r->to = must_strdup(story.recipient ? story.recipient : count);
	r->protocol = story.protocol;
	r->size = s->size;
	s->is_committing = true;
	s->set.verbs->commit(s->message, inbound_envelope(s->smtp),
			     conn_facts(s->conn));
}

static void start_tls(struct session *s)
{
	struct error error;

	flush(s);
	if (s->set.tls && conn_start_server(s->conn, s->set.tls, &error) == 0) {
		s->awaits_tls = true;
		return;
	}
	log_trouble(s, "STARTTLS", s->set.tls ? error.text : "no certificate");
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
	case INBOUND_COMMIT: commit(s); break;
	case INBOUND_ABORT: drop(s); break;
	case INBOUND_CLOSE: s->is_closing = true; break;
	}
}

/* One step of the protocol; false when it needs more bytes. */
static bool step(struct session *s)
{
	struct view input = conn_input(s->conn);
	size_t used, said = buffer_len(s->set.out);
	enum inbound_want want = inbound_step(s->smtp, input, &used);

	if (want == INBOUND_BODY)
		append(s);
	log_refused(s, said);
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
		log_accepted(s);
	free_receipt(s);
	s->has_news = s->is_committing = s->is_behind = false;
	s->message = NULL;
	obey(s, inbound_settled(s->smtp, fates[s->news]));
	log_refused(s, said);
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
	       s->awaits_tls;
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
	if (rest == REST_STORE)
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
	flush(s);
	if (s->is_gone)
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
		else
			is_heard_out = !step(s);
	}
	s->is_carrying = false;
	if (s->is_at_end && is_heard_out)
		s->is_closing = true;
	/* A message that the store is about to have stays in hand, so that
	 * what became of it can be told, if only to the log. */
	if (!s->is_committing && (s->is_closing || s->is_gone)) {
		end(s);
		return;
	}
	flush(s);
	if (s->is_gone)
		return;
	set_deadline(s);
	if (must_wait(s) && !s->awaits_tls)
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
	if (s->awaits_tls)
		log_trouble(s, "STARTTLS", conn_error(s->conn));
	s->is_gone = true;
}

static void on_conn(struct conn *conn, enum conn_event event, void *arg)
{
	struct session *s = arg;

	switch (event) {
	case CONN_OPEN:
	case CONN_INPUT:
	case CONN_DRAINED: break;
	case CONN_SECURE:
		s->awaits_tls = false;
		obey(s, inbound_secured(s->smtp, conn_facts(conn)));
		break;
	case CONN_CLOSED:
		s->is_at_end = true;
		if (s->awaits_tls)
			s->is_gone = true;
		break;
	case CONN_TIMEOUT:
		log_trouble(s, s->awaits_tls ? "STARTTLS" : "", "timeout");
		obey(s, inbound_timeout(s->smtp));
		break;
	case CONN_FAILED: fail(s); break;
	}
	carry(s);
}

void session_stop(struct session *s)
{
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

struct session *session_new(const struct session_settings *settings, int fd,
			    const struct net_address *client, void *owner)
{
	struct session *s = must_alloc(sizeof(*s));
	struct inbound_settings inbound = {
		.conf = settings->conf,
		.listener = settings->listener,
		.offers_tls = settings->tls != NULL,
		.accepts_everything = settings->accepts_everything,
		.has_room = settings->verbs->has_room,
		.store = settings->store,
		.judge = judge,
		.judge_arg = s,
		.out = settings->out,
	};

	s->set = *settings;
	s->set.tls = settings->tls ? tls_context_hold(settings->tls) : NULL;
	s->owner = owner;
	s->conn = conn_accept(settings->loop, fd, client, on_conn, s);
	inbound.client = *client;
	s->smtp = inbound_new(&inbound);
	obey(s, inbound_open(s->smtp));
	flush(s);
	set_deadline(s);
	/* It may not end before its owner knows it. */
	if (s->is_closing)
		conn_deadline(s->conn, AT_ONCE);
	return s;
}
