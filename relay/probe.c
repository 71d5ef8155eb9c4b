/*
 * Comes in: rows with addresses.  Goes out: the same rows with cells, times
 * and what was presented.  Each row is a visit: one client session (a
 * second one where the judge allows plain text), watched by its trace.  The
 * session itself makes sure that nothing goes beyond RCPT.
 */
#include "relay/probe.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/assure.h"
#include "relay/client.h"

struct visit;

struct probe {
	const struct probe_settings *set;
	struct matrix *matrix;
	struct visit *visits; /* one for each row; those that run have a
	                       * client */
	size_t next, active;
	struct envelope *envelope;
	ev_timer limit;
};

struct visit {
	struct probe *probe;
	struct matrix_row *row;
	struct client *client;
	struct delivery delivery;
	struct result result;
	enum recipient_state state;
	enum matrix_stage pending; /* what is being found out */
	uint64_t since;            /* ms: when it began */
	unsigned handshake_ms;
	bool is_secure;
	bool is_settled;           /* the row's fate is known */
	bool is_asked;             /* MAIL was begun */
	bool is_plaintext;         /* the judge let it go in the clear */
};

static uint64_t now_ms(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

static unsigned lap(struct visit *visit)
{
	uint64_t now = now_ms();
	unsigned ms = (unsigned)(now - visit->since);

	visit->since = now;
	return ms;
}

static void set_cell(struct visit *visit, enum matrix_stage stage,
		     enum matrix_state state, unsigned ms)
{
	visit->row->cells[stage].state = state;
	visit->row->cells[stage].ms = ms;
}

static void settle(struct visit *visit, enum matrix_stage stage,
		   enum matrix_state state, const char *reason)
{
	set_cell(visit, stage, state, lap(visit));
	snprintf(visit->row->reason, sizeof(visit->row->reason), "%s", reason);
	visit->is_settled = true;
}

/* --- what the session got past --------------------------------------- */

/* Whoever goes on behind a handshake was judged good enough; a dry run may
 * find fault all the same. */
static void certificate_passed(struct visit *visit)
{
	const struct judgement *would = client_would(visit->client);
	enum matrix_state state = MATRIX_UNASKED;

	if (visit->probe->matrix->policy->tls == TLS_VERIFY)
		state = MATRIX_OK;
	else if (would != NULL)
		state = would->verdict == JUDGE_DELIVER ? MATRIX_OK
							: MATRIX_FAIL;
	set_cell(visit, MATRIX_CERT, state, visit->handshake_ms);
}

static void on_shaken(struct visit *visit, const struct tls_facts *facts)
{
	facts_clear(&visit->row->facts);
	facts_copy(&visit->row->facts, facts);
	visit->handshake_ms = lap(visit);
	visit->is_secure = true;
	visit->pending = MATRIX_CERT;
	if (visit->row->is_tls_first)
		set_cell(visit, MATRIX_TLS_ADV, MATRIX_OK, 0);
}

/* The one EHLO of a session that began with TLS stands for both columns. */
static void on_hello(struct visit *visit)
{
	unsigned ms = lap(visit);

	if (visit->is_secure)
		set_cell(visit, MATRIX_TLS_NEG, MATRIX_OK, ms);
	if (!visit->is_secure || visit->row->is_tls_first)
		set_cell(visit, MATRIX_CAN_USE, MATRIX_OK, ms);
	visit->pending = visit->is_secure ? MATRIX_SENDER : MATRIX_TLS_ADV;
}

static void on_mail_or_rcpt(struct visit *visit, enum matrix_stage stage,
			    const struct reply *reply)
{
	int class = reply->code / 100;

	if (class == 2) {
		set_cell(visit, stage, MATRIX_OK, lap(visit));
		visit->pending = MATRIX_RECIPIENT;
		visit->is_settled = stage == MATRIX_RECIPIENT;
		return;
	}
	settle(visit, stage, class == 4 ? MATRIX_TEMP : MATRIX_FAIL,
	       reply->text);
}

static void on_plain_answer(struct visit *visit, bool is_last,
			    const struct reply *reply)
{
	char text[RESULT_TEXT_MAX];

	if (reply->code / 100 != 2) {
		settle(visit, MATRIX_SENDER, assure_state(reply), reply->text);
		return;
	}
	if (!is_last)
		return;
	snprintf(text, sizeof(text), "it takes mail without TLS: %.400s",
		 reply->text);
	settle(visit, MATRIX_SENDER, MATRIX_FAIL, text);
}

static void on_reply(struct visit *visit, const struct outbound_event *event)
{
	bool is_plain = visit->probe->set->depth == PROBE_PLAIN;
	bool is_good = event->reply->code / 100 == 2;

	switch (event->stage) {
	case OUTBOUND_GREETED:
		if (!is_good)
			break;
		set_cell(visit, MATRIX_ALLOWED, MATRIX_OK, lap(visit));
		visit->pending = MATRIX_CAN_USE;
		break;
	case OUTBOUND_HELLO:
		if (is_good)
			on_hello(visit);
		break;
	case OUTBOUND_STARTTLS:
		if (!is_good)
			break;
		set_cell(visit, MATRIX_TLS_ADV, MATRIX_OK, lap(visit));
		visit->pending = MATRIX_TLS_NEG;
		break;
	case OUTBOUND_MAIL:
	case OUTBOUND_RCPT:
		if (is_plain)
			on_plain_answer(visit, event->stage == OUTBOUND_RCPT,
					event->reply);
		else
			on_mail_or_rcpt(visit,
					event->stage == OUTBOUND_MAIL
						? MATRIX_SENDER
						: MATRIX_RECIPIENT,
					event->reply);
		break;
	default: break;
	}
}

static void on_stage(void *arg, const struct outbound_event *event)
{
	struct visit *visit = arg;

	if (event->stage == OUTBOUND_CONNECTED) {
		set_cell(visit, MATRIX_CONNECT, MATRIX_OK, lap(visit));
		visit->pending = visit->row->is_tls_first ? MATRIX_TLS_NEG
							  : MATRIX_ALLOWED;
		return;
	}
	if (visit->pending == MATRIX_CERT) {
		certificate_passed(visit);
		visit->pending = visit->row->is_tls_first ? MATRIX_ALLOWED
							  : MATRIX_TLS_NEG;
	}
	if (event->stage == OUTBOUND_SHAKEN)
		on_shaken(visit, event->facts);
	else if (event->reply != NULL && !visit->is_settled)
		on_reply(visit, event);
}

/* --- the end of a visit ---------------------------------------------- */

static void start_more(struct probe *probe);

static void note_judgement(struct visit *visit)
{
	const struct judgement *judgement = client_judgement(visit->client);
	const struct judgement *would = client_would(visit->client);

	if (judgement == NULL)
		return;
	visit->row->has_would = would != NULL;
	if (would != NULL)
		visit->row->would = *would;
	visit->row->judgement = *judgement;
	visit->row->is_judged = true;
	visit->row->is_met = judgement->verdict == JUDGE_DELIVER;
	visit->row->is_plaintext = visit->row->is_met && !visit->is_secure;
}

/* The judge lets mail go in the clear. At level may TLS was wanted all the
 * same, and its want is shown; at level none nobody asked for it. */
static void note_plaintext(struct visit *visit, const char *why)
{
	struct matrix_row *row = visit->row;
	bool is_wanted = visit->probe->matrix->policy->tls == TLS_MAY;

	if (visit->is_secure || visit->is_plaintext)
		return;
	visit->is_plaintext = true;
	set_cell(visit, MATRIX_CERT,
		 visit->row->has_would ? MATRIX_UNREACHED : MATRIX_UNASKED, 0);
	if (is_wanted) {
		set_cell(visit, visit->pending, MATRIX_FAIL, lap(visit));
		snprintf(row->reason, sizeof(row->reason),
			 "%.460s; mail goes in plain text", why);
		return;
	}
	set_cell(visit, MATRIX_TLS_ADV, MATRIX_UNASKED, 0);
	set_cell(visit, MATRIX_TLS_NEG, MATRIX_UNASKED, 0);
}

static void conclude(struct visit *visit)
{
	struct probe *probe = visit->probe;

	visit->client = NULL;
	probe->active--;
	start_more(probe);
}

/* A judgement of what was presented is about the certificate, unless the
 * version alone was too old. */
static void settle_unmet(struct visit *visit, const char *reason)
{
	bool is_version = visit->row->judgement.fault == FAULT_VERSION;

	if (visit->pending != MATRIX_CERT) {
		settle(visit, visit->pending, MATRIX_FAIL, reason);
		return;
	}
	settle(visit, is_version ? MATRIX_TLS_NEG : MATRIX_CERT, MATRIX_FAIL,
	       "");
	visit->row->cells[is_version ? MATRIX_TLS_NEG : MATRIX_CERT].ms =
		visit->handshake_ms;
}

static void visit_start(struct visit *visit, bool is_plaintext,
			const struct outbound_excuse *excuse);

static void on_over(struct visit *visit)
{
	struct client *client = visit->client;
	enum outbound_end end = client_end(client);
	const char *trouble = client_trouble(client)->text;
	struct outbound_excuse excuse;

	note_judgement(visit);
	if (end == OUTBOUND_PLAINTEXT) {
		note_plaintext(visit, trouble);
		excuse = *client_excuse(client);
		client_free(client);
		visit_start(visit, true, &excuse);
		return;
	}
	if (end != OUTBOUND_DONE && !visit->is_settled)
		settle_unmet(visit, trouble);
	else if (end == OUTBOUND_DONE)
		note_plaintext(visit, visit->row->judgement.reason);
	client_free(client);
	conclude(visit);
}

static void on_client(struct client *client, enum client_event event,
		      void *arg)
{
	struct visit *visit = arg;

	if (event == CLIENT_OVER) {
		on_over(visit);
	} else if (!visit->is_asked) {
		visit->is_asked = true;
		note_judgement(visit);
		note_plaintext(visit, visit->row->judgement.reason);
		visit->pending = MATRIX_SENDER;
		lap(visit);
		client_deliver(client, NULL, &visit->delivery);
	} else {
		/* An address that this host cannot carry was never asked. */
		if (!visit->is_settled)
			settle(visit, visit->pending, MATRIX_FAIL,
			       visit->result.text);
		client_quit(client);
		conclude(visit);
	}
}

/* --- the beginning --------------------------------------------------- */

static void visit_start(struct visit *visit, bool is_plaintext,
			const struct outbound_excuse *excuse)
{
	const struct probe_settings *set = visit->probe->set;
	const struct matrix *matrix = visit->probe->matrix;
	struct matrix_row *row = visit->row;
	struct candidate candidate = {
		.address = row->address,
		.source = row->source,
		.is_tls_first = row->is_tls_first,
	};
	const struct client_settings settings = {
		.loop = set->errand->loop,
		.conf = matrix->conf,
		.policy = matrix->policy,
		.tls = set->tls,
		.candidate = &candidate,
		.domain = matrix->domain,
		.is_plaintext = is_plaintext,
		.excuse = excuse,
		.stops_after_shake = set->depth == PROBE_TLS,
		.stops_after_rcpt = true,
		.trace = on_stage,
		.trace_arg = visit,
	};

	snprintf(candidate.host, sizeof(candidate.host), "%s", row->host);
	visit->pending = MATRIX_CONNECT;
	visit->since = now_ms();
	visit->client = client_open(&settings, on_client, visit);
}

/* There is no plain text to refuse where TLS comes first. */
static bool is_answered(struct probe *probe, struct matrix_row *row)
{
	size_t i;

	if (row->address.sa.any.sa_family == AF_UNSPEC)
		return true;
	if (probe->set->depth != PROBE_PLAIN || !row->is_tls_first)
		return false;
	for (i = 0; i < MATRIX_STAGES; i++)
		row->cells[i].state = MATRIX_UNASKED;
	row->cells[MATRIX_SENDER].state = MATRIX_OK;
	snprintf(row->reason, sizeof(row->reason),
		 "TLS from the first byte: there is no plain text");
	return true;
}

static void start_more(struct probe *probe)
{
	struct visit *visit;

	while (probe->active < PROBE_PARALLEL &&
	       probe->next < probe->matrix->count) {
		visit = &probe->visits[probe->next++];
		if (is_answered(probe, visit->row))
			continue;
		probe->active++;
		visit_start(visit, probe->set->depth == PROBE_PLAIN, NULL);
	}
	if (probe->active == 0)
		errand_done(probe->set->errand);
}

static void give_up(struct visit *visit, const char *reason)
{
	if (visit->client != NULL)
		note_judgement(visit);
	if (!visit->is_settled)
		settle(visit, visit->pending, MATRIX_FAIL, reason);
	client_free(visit->client);
	visit->client = NULL;
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct probe *probe = timer->data;
	char reason[80];
	size_t i;

	(void)loop;
	(void)events;
	snprintf(reason, sizeof(reason), "no end within the %u s for all",
		 probe->set->limit);
	for (i = 0; i < probe->matrix->count; i++) {
		struct visit *visit = &probe->visits[i];

		if (visit->client != NULL ||
		    (i >= probe->next && !is_answered(probe, visit->row)))
			give_up(visit, reason);
	}
	errand_done(probe->set->errand);
}

static struct envelope *make_envelope(const struct matrix *matrix)
{
	struct envelope *envelope = envelope_new();
	struct address recipient, sender = { 0 };
	struct error ignored;

	free(envelope->sender);
	envelope->sender = must_strdup(matrix->sender);
	envelope_add(envelope, matrix->recipient, matrix->domain);
	if (address_parse(view_of(matrix->recipient), &recipient, &ignored))
		return envelope;
	if (matrix->sender[0] != '\0')
		(void)address_parse(view_of(matrix->sender), &sender,
				    &ignored);
	envelope->needs_utf8 = recipient.needs_utf8 || sender.needs_utf8;
	return envelope;
}

static void prepare(struct probe *probe)
{
	struct visit *visit;
	uint64_t now = now_ms();
	size_t i;

	probe->visits = must_alloc(probe->matrix->count *
				   sizeof(*probe->visits));
	probe->envelope = make_envelope(probe->matrix);
	for (i = 0; i < probe->matrix->count; i++) {
		visit = &probe->visits[i];
		visit->probe = probe;
		visit->row = &probe->matrix->rows[i];
		visit->since = now;
		visit->delivery = (struct delivery){
			probe->envelope, &visit->result, &visit->state
		};
	}
}

void probe_run(const struct probe_settings *settings, struct matrix *matrix)
{
	struct probe probe = { .set = settings, .matrix = matrix };

	if (matrix->count == 0)
		return;
	prepare(&probe);
	ev_timer_init(&probe.limit, on_limit, settings->limit, 0);
	probe.limit.data = &probe;
	if (settings->limit > 0)
		ev_timer_start(settings->errand->loop, &probe.limit);
	start_more(&probe);
	if (probe.active > 0)
		errand_run(settings->errand);
	ev_timer_stop(settings->errand->loop, &probe.limit);
	envelope_free(probe.envelope);
	free(probe.visits);
}
