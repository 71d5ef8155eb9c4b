/*
 * Comes in: events of one connection, pieces of one message's body.  Goes
 * out: what the session writes, and two events to the owner.  drive() is
 * the one loop: it does what the session wants until that has to come from
 * outside; it never runs within itself.
 */
#include "relay/client.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/log.h"
#include "relay/certwatch.h"
#include "relay/steady.h"
#include "tls/conn.h"

/* The next piece of a message is read when less than this waits to leave. */
enum { AHEAD_MAX = 64 * 1024 };

struct client {
	struct client_settings set;
	struct candidate candidate;
	char domain[ADDR_DOMAIN_MAX + 1];
	char host[RESULT_HOST_MAX];
	struct demand demand;
	struct demand *would; /* of a dry run, or NULL */
	struct outbound_excuse excuse;
	client_callback *call;
	void *arg;
	struct conn *conn;
	struct outbound *session;
	enum outbound_want want;
	uint64_t turn;	 /* of the session, when last looked at */
	bool is_open;	 /* the connection stands, or stood */
	bool is_shaking; /* TLS was begun, once for ever */
	bool is_driving;
	bool is_judged; /* and logged */
	bool is_delivering;
	const struct job *job;
	struct body *body;
	bool is_reading; /* a piece of the body is on its way */
	unsigned messages;
	double opened, progress;
	struct result trouble; /* of connecting */
};

/* --- what the operator reads --------------------------------------- */

static void log_judged(struct client *c)
{
	const struct judgement *judgement = outbound_judgement(c->session);
	bool is_unmet = judgement->verdict == JUDGE_NEXT_HOST;
	struct log_line line;

	log_begin(&line, is_unmet ? LOG_WARNING : LOG_INFO, "judged");
	log_str(&line, "host", c->host);
	proof_log(outbound_proof(c->session), &line);
	if (c->set.policy->title != NULL)
		log_str(&line, "policy", c->set.policy->title);
	log_str(&line, "reason", judgement->reason);
	log_end(&line);
	if (c->demand.names_from_unsigned_dns)
		log_say(LOG_NOTICE, "warning",
			"the name that %s had to bear came from unsigned DNS "
			"(names = { mx })",
			c->host);
}

static void log_would(const struct client *c)
{
	const struct judgement *would = outbound_would(c->session);
	struct log_line line;

	/* The connection that failed to become TLS has told it already. */
	if (would == NULL || would->verdict == JUDGE_DELIVER ||
	    c->set.excuse != NULL)
		return;
	log_begin(&line, LOG_NOTICE, "would-have-failed");
	log_str(&line, "host", c->host);
	log_str(&line, "policy", c->set.policy->title);
	log_str(&line, "reason-code", would->reason_code);
	log_str(&line, "reason", would->reason);
	log_end(&line);
}

/* The stricter of both judgements is what the book is about. */
static void note_judged(const struct client *c)
{
	const struct judgement *would = outbound_would(c->session);

	certwatch_judged(c->set.certwatch, c->set.policy, c->host,
			 conn_facts(c->conn),
			 would != NULL ? would
				       : outbound_judgement(c->session));
}

static void note_delivering(const struct client *c)
{
	const struct judgement *would = outbound_would(c->session);

	if (would != NULL && would->verdict != JUDGE_DELIVER)
		certwatch_would_fail(c->set.certwatch, c->set.policy, c->host,
				     would->reason_code);
}

static void log_auth_failed(const struct client *c)
{
	log_say(LOG_WARNING, "warning", "%s does not take our credentials: %s",
		c->host, outbound_trouble(c->session)->text);
}

/* --- the body ------------------------------------------------------- */

static void drive(struct client *c);

static void close_body(struct client *c)
{
	body_close(c->body);
	c->body = NULL;
	c->is_reading = false;
}

static void on_body(void *arg, struct view bytes, bool is_last,
		    const char *error)
{
	struct client *c = arg;

	c->is_reading = false;
	if (error != NULL)
		c->want = outbound_body_failed(c->session, error);
	else
		c->want = outbound_body(c->session, bytes, is_last);
	drive(c);
}

/* True when a piece came at once. */
static bool read_body(struct client *c)
{
	if (c->is_reading || conn_pending(c->conn) > AHEAD_MAX)
		return false;
	if (c->body == NULL)
		c->body = body_open(c->set.queue, c->job, on_body, c);
	c->is_reading = true;
	body_next(c->body);
	return !c->is_reading;
}

/* --- the connection ------------------------------------------------- */

/* Hands on what the session wrote, and restarts the clock of its step. */
static void flush(struct client *c)
{
	struct buffer *out = outbound_out(c->session);

	if (buffer_len(out) > 0) {
		conn_write(c->conn, buffer_view(out));
		if (outbound_is_secret(c->session))
			buffer_wipe(out);
		else
			buffer_reset(out);
	}
	if (c->turn != outbound_turn(c->session)) {
		c->turn = outbound_turn(c->session);
		c->progress = steady_now();
		conn_deadline(c->conn, outbound_wait(c->session));
	}
}

/* True when the session took something. */
static bool feed(struct client *c)
{
	struct view input = conn_input(c->conn);
	uint64_t turn = outbound_turn(c->session);
	size_t used;

	if (input.len == 0 || c->want == OUTBOUND_TLS ||
	    c->want == OUTBOUND_CLOSE)
		return false;
	c->want = outbound_input(c->session, input, &used);
	conn_consume(c->conn, used);
	return used > 0 || turn != outbound_turn(c->session);
}

/* True when it failed, so that the session wants something else. */
static bool start_tls(struct client *c)
{
	struct error error;

	if (c->is_shaking)
		return false;
	c->is_shaking = true;
	if (conn_start_client(c->conn, c->set.tls, &c->demand, &error) == 0)
		return false;
	c->want = outbound_lost(c->session, LOST_FAILED, error.text, VIEW(""));
	return true;
}

static bool step(struct client *c)
{
	flush(c);
	if (outbound_judgement(c->session) != NULL && !c->is_judged) {
		c->is_judged = true;
		log_judged(c);
		log_would(c);
		note_judged(c);
	}
	if (c->body != NULL && c->want != OUTBOUND_BODY)
		close_body(c);
	if (feed(c))
		return true;
	if (c->want == OUTBOUND_TLS)
		return start_tls(c);
	return c->want == OUTBOUND_BODY && read_body(c);
}

static void end(struct client *c)
{
	if (outbound_auth_failed(c->session))
		log_auth_failed(c);
	if (c->conn != NULL)
		conn_finish(c->conn);
	c->conn = NULL;
	c->call(c, CLIENT_OVER, c->arg);
}

/* What follows the loop may free the client. */
static void drive(struct client *c)
{
	if (c->is_driving)
		return;
	c->is_driving = true;
	while (step(c))
		;
	c->is_driving = false;
	if (c->want == OUTBOUND_CLOSE) {
		end(c);
	} else if (c->want == OUTBOUND_IDLE && c->is_delivering) {
		c->is_delivering = false;
		c->call(c, CLIENT_IDLE, c->arg);
	}
}

static void not_connected(struct client *c, const char *why)
{
	result_set(&c->trouble, OUTCOME_DEFERRED, BLAME_HOST, "4.4.1", "%s",
		   why);
	snprintf(c->trouble.host, sizeof(c->trouble.host), "%s", c->host);
	conn_free(c->conn);
	c->conn = NULL;
	c->call(c, CLIENT_OVER, c->arg);
}

static void lost(struct client *c, enum outbound_loss loss)
{
	char why[64];

	if (!c->is_open) {
		snprintf(why, sizeof(why), "no connection within %u s",
			 (unsigned)c->set.conf->timeout_connect);
		not_connected(c,
			      loss == LOST_TIMEOUT ? why : conn_error(c->conn));
		return;
	}
	if (loss == LOST_TIMEOUT && c->want == OUTBOUND_IDLE)
		c->want = outbound_quit(c->session);
	else
		c->want = outbound_lost(
			c->session, loss,
			loss == LOST_FAILED ? conn_error(c->conn) : "",
			conn_input(c->conn));
	drive(c);
}

static void on_conn(struct conn *conn, enum conn_event event, void *arg)
{
	struct client *c = arg;

	switch (event) {
	case CONN_OPEN:
		c->is_open = true;
		c->want = outbound_start(c->session);
		break;
	case CONN_SECURE:
		c->want = outbound_secured(c->session, conn_facts(conn));
		break;
	case CONN_INPUT: break;
	case CONN_DRAINED: c->progress = steady_now(); break;
	case CONN_CLOSED: lost(c, LOST_CLOSED); return;
	case CONN_TIMEOUT: lost(c, LOST_TIMEOUT); return;
	case CONN_FAILED: lost(c, LOST_FAILED); return;
	}
	drive(c);
}

/* --- the face ------------------------------------------------------- */

void client_host_text(const struct candidate *candidate,
		      char out[RESULT_HOST_MAX])
{
	char address[NET_TEXT_MAX];

	net_text(&candidate->address, address);
	snprintf(out, RESULT_HOST_MAX, "%.180s[%s]:%u", candidate->host,
		 address, (unsigned)net_port(&candidate->address));
}

static void set_demand(struct client *c)
{
	struct demand_question question = {
		.policy = c->set.policy,
		.domain = c->domain,
		.source = c->candidate.source,
		.host = c->candidate.host,
		.conf = c->set.conf,
	};

	tls_demand(&question, &c->demand);
	if (c->set.policy->would == TLS_NONE)
		return;
	c->would = must_alloc(sizeof(*c->would));
	question.is_dry_run = true;
	tls_demand(&question, c->would);
}

struct client *client_open(const struct client_settings *settings,
			   client_callback *call, void *arg)
{
	struct client *c = must_alloc(sizeof(*c));
	struct outbound_settings session = {
		.conf = settings->conf,
		.demand = &c->demand,
		.host = c->host,
		.is_tls_first = settings->candidate->is_tls_first,
		.is_plaintext = settings->is_plaintext,
		.stops_after_shake = settings->stops_after_shake,
		.stops_after_rcpt = settings->stops_after_rcpt,
		.trace = settings->trace,
		.trace_arg = settings->trace_arg,
	};
	const struct net_address *source = &settings->policy->source;

	c->set = *settings;
	c->candidate = *settings->candidate;
	c->set.candidate = &c->candidate;
	snprintf(c->domain, sizeof(c->domain), "%s", settings->domain);
	c->set.domain = c->domain;
	if (settings->excuse != NULL) {
		c->excuse = *settings->excuse;
		c->set.excuse = session.excuse = &c->excuse;
	}
	client_host_text(&c->candidate, c->host);
	set_demand(c);
	session.would = c->would;
	c->call = call;
	c->arg = arg;
	c->opened = c->progress = steady_now();
	c->is_delivering = true; /* its first IDLE is told */
	c->session = outbound_new(&session);
	c->conn = conn_connect(settings->loop, &c->candidate.address,
			       source->sa.any.sa_family != AF_UNSPEC ? source
								     : NULL,
			       on_conn, c);
	conn_deadline(c->conn, settings->conf->timeout_connect);
	return c;
}

void client_adopt(struct client *c, client_callback *call, void *arg)
{
	c->call = call;
	c->arg = arg;
}

void client_deliver(struct client *c, const struct job *job,
		    struct delivery *delivery)
{
	c->job = job;
	c->is_delivering = true;
	c->messages++;
	note_delivering(c);
	c->want = outbound_deliver(c->session, delivery);
	drive(c);
}

void client_quit(struct client *c)
{
	c->want = outbound_quit(c->session);
	flush(c);
	conn_finish(c->conn);
	c->conn = NULL;
	client_free(c);
}

void client_free(struct client *c)
{
	if (c == NULL)
		return;
	if (c->body != NULL)
		close_body(c);
	conn_free(c->conn);
	outbound_free(c->session);
	free(c->would);
	free(c);
}

const struct candidate *client_candidate(const struct client *c)
{
	return &c->candidate;
}

const struct demand *client_demand(const struct client *c)
{
	return &c->demand;
}

const struct conf *client_conf(const struct client *c)
{
	return c->set.conf;
}

const char *client_domain(const struct client *c)
{
	return c->domain;
}

const char *client_host(const struct client *c)
{
	return c->host;
}

const struct judgement *client_judgement(const struct client *c)
{
	return outbound_judgement(c->session);
}

const struct judgement *client_would(const struct client *c)
{
	return outbound_would(c->session);
}

unsigned client_messages(const struct client *c)
{
	return c->messages;
}

double client_opened(const struct client *c)
{
	return c->opened;
}

double client_progress(const struct client *c)
{
	return c->progress;
}

enum outbound_end client_end(const struct client *c)
{
	return c->is_open ? outbound_end(c->session) : OUTBOUND_HOST;
}

const struct result *client_trouble(const struct client *c)
{
	return c->is_open ? outbound_trouble(c->session) : &c->trouble;
}

const struct outbound_excuse *client_excuse(const struct client *c)
{
	return outbound_excuse(c->session);
}

bool client_is_committed(const struct client *c)
{
	return outbound_is_committed(c->session);
}
