/*
 * Comes in: a job.  Goes out: results.  An attempt owns its lookup, its
 * client while it uses one, and the results; a client that is still good
 * goes back to the pool.  The order of things: warm connection, else route;
 * each candidate; plaintext on the same host only where the judge said so;
 * what a host lacks is tried elsewhere; who is left takes the last trouble.
 */
#include "relay/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/log.h"
#include "conf/rules.h"
#include "relay/lookup.h"
#include "relay/order.h"

/* So often a connection may end without anybody's fault. */
enum { AGAIN_MAX = 3 };

struct attempt {
	struct attempt_field *field;
	struct job *job;
	attempt_callback *call;
	void *arg;
	const struct policy *policy;
	const char *domain;
	struct delivery delivery;
	struct lookup *lookup;
	struct client *client;
	bool is_handed_over; /* the message, to this client */
	bool is_routed;	     /* the candidates are known */
	struct candidate *candidates;
	size_t count, at;
	bool is_plaintext; /* the judge allowed it for this candidate */
	struct outbound_excuse excuse; /* then: why */
	unsigned again;
	struct result *trouble; /* the last one of a host, or NULL */
	double begun;
};

static bool has_state(const struct attempt *a, enum recipient_state state)
{
	size_t i;

	for (i = 0; i < a->job->envelope->recipient_count; i++)
		if (a->delivery.states[i] == state)
			return true;
	return false;
}

/* --- the end -------------------------------------------------------- */

static void destroy(struct attempt *a)
{
	lookup_cancel(a->lookup);
	client_free(a->client);
	free(a->candidates);
	free(a->trouble);
	free(a->delivery.results);
	free(a->delivery.states);
	free(a);
}

/* This result for all that have no final one. What a host lacks is only
 * final when no other host had trouble: that one might have been able. */
static void settle(struct attempt *a, const struct result *result,
		   bool with_lacking)
{
	size_t i;

	for (i = 0; i < a->job->envelope->recipient_count; i++) {
		if (a->delivery.states[i] == RECIPIENT_DONE ||
		    (a->delivery.states[i] == RECIPIENT_LACKING &&
		     !with_lacking))
			continue;
		a->delivery.results[i] = *result;
		a->delivery.states[i] = RECIPIENT_DONE;
	}
}

static void finish(struct attempt *a)
{
	a->call(a->arg, a->job, a->delivery.results);
	destroy(a);
}

static void exhausted(struct attempt *a)
{
	struct result nobody = { 0 };

	result_set(&nobody, OUTCOME_DEFERRED, BLAME_HOST, "4.4.0",
		   "no host took the message");
	settle(a, a->trouble ? a->trouble : &nobody, a->trouble != NULL);
	finish(a);
}

/* --- connections ---------------------------------------------------- */

static void on_client(struct client *client, enum client_event event,
		      void *arg);

static void on_idle_client(struct client *client, enum client_event event,
			   void *arg)
{
	struct attempt_field *field = arg;

	(void)event;
	pool_remove(field->pool, client);
	client_free(client);
}

/* Back to the pool if it may serve once more, else goodbye. */
static void release(struct attempt *a)
{
	struct attempt_field *field = a->field;
	struct client *client = a->client;
	double age = field->now(field->arg) - client_opened(client);
	struct pool_key key = {
		.generation = field->conf->generation,
		.domain = client_domain(client),
		.candidate = client_candidate(client),
		.demand = client_demand(client),
	};

	a->client = NULL;
	if (field->is_stopping || client_conf(client) != field->conf ||
	    field->conf->connection_idle == 0 ||
	    client_messages(client) >= field->conf->connection_messages ||
	    age >= ATTEMPT_CONNECTION_AGE) {
		client_quit(client);
		return;
	}
	client_adopt(client, on_idle_client, field);
	pool_put(field->pool, &key, client);
}

static void log_attempt(const struct attempt *a, const char *host)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "attempt");
	log_str(&line, "id", a->job->envelope->id);
	log_str(&line, "lane", lane_name(a->job->lane));
	log_str(&line, "host", host);
	log_end(&line);
}

/* Why the next host is tried: mail that the second takes at once would leave
 * no trace of the first. What was judged is told by who judged it. */
static void log_failed(const struct attempt *a, const struct result *trouble)
{
	struct log_line line;

	if (trouble->is_unmet)
		return;
	log_begin(&line, LOG_INFO, "failed");
	log_str(&line, "id", a->job->envelope->id);
	log_str(&line, "lane", lane_name(a->job->lane));
	log_str(&line, "host", client_host(a->client));
	log_str(&line, "status", trouble->status);
	log_str(&line, "reason", trouble->text);
	log_end(&line);
}

/* What it calls may finish the attempt. */
static void hand_over(struct attempt *a)
{
	a->is_handed_over = true;
	client_deliver(a->client, a->job, &a->delivery);
}

static void use_warm(struct attempt *a, struct client *client)
{
	a->client = client;
	client_adopt(client, on_client, a);
	log_attempt(a, client_host(client));
	hand_over(a);
}

/* A warm connection to this very candidate, under the same demand. */
static struct client *find_warm(struct attempt *a,
				const struct candidate *candidate)
{
	struct demand_question question = {
		.policy = a->policy,
		.domain = a->domain,
		.source = candidate->source,
		.host = candidate->host,
		.conf = a->job->conf,
	};
	struct demand demand;
	struct pool_key key = {
		.generation = a->job->conf->generation,
		.domain = a->domain,
		.candidate = candidate,
		.demand = &demand,
	};

	if (pool_count(a->field->pool) == 0)
		return NULL;
	tls_demand(&question, &demand);
	return pool_take(a->field->pool, &key);
}

static void connect_to(struct attempt *a, const struct candidate *candidate)
{
	struct client_settings settings = {
		.loop = a->field->loop,
		.conf = a->job->conf,
		.policy = a->policy,
		.tls = a->field->tls,
		.certwatch = a->field->certwatch,
		.queue = a->field->queue,
		.candidate = candidate,
		.domain = a->domain,
		.is_plaintext = a->is_plaintext,
		.excuse = a->is_plaintext ? &a->excuse : NULL,
	};

	a->field->make_room(a->field->arg);
	a->is_handed_over = false;
	a->client = client_open(&settings, on_client, a);
	log_attempt(a, client_host(a->client));
}

static void try_candidate(struct attempt *a)
{
	const struct candidate *candidate;
	struct client *warm = NULL;

	if (a->at >= a->count) {
		exhausted(a);
		return;
	}
	candidate = &a->candidates[a->at];
	if (!a->is_plaintext && a->again == 0)
		warm = find_warm(a, candidate);
	if (warm != NULL)
		use_warm(a, warm);
	else
		connect_to(a, candidate);
}

/* --- the route ------------------------------------------------------ */

static void on_route(void *arg, const struct candidate *candidates,
		     size_t count, const struct result *verdict)
{
	struct attempt *a = arg;

	a->lookup = NULL;
	a->is_routed = true;
	a->count = count;
	if (count == 0) {
		settle(a, verdict, true);
		finish(a);
		return;
	}
	a->candidates = must_alloc(count * sizeof(*candidates));
	memcpy(a->candidates, candidates, count * sizeof(*candidates));
	try_candidate(a);
}

static bool is_bad(void *arg, const char *host,
		   const struct net_address *address)
{
	const struct attempt_field *field = arg;

	return hosts_is_bad(field->hosts, host, address,
			    field->now(field->arg));
}

static void find_route(struct attempt *a)
{
	struct route_question question = {
		.conf = a->job->conf,
		.policy = a->policy,
		.domain = a->domain,
		.own = a->field->own,
		.is_bad = is_bad,
		.is_bad_arg = a->field,
		.seed = order_lot(a->field->seed, 0),
	};
	struct lookup *lookup;

	a->field->seed = question.seed;
	lookup = lookup_start(a->field->dns, &question, on_route, a);
	/* NULL: on_route() was called, and `a` may be gone. */
	if (lookup != NULL)
		a->lookup = lookup;
}

/* The next candidate, or all of them if a warm connection came first. */
static void go_on(struct attempt *a)
{
	if (!a->is_routed) {
		find_route(a);
		return;
	}
	a->at++;
	a->again = 0;
	a->is_plaintext = false;
	try_candidate(a);
}

/* --- what becomes of a client --------------------------------------- */

static void delivered(struct attempt *a)
{
	release(a);
	if (has_state(a, RECIPIENT_LACKING) || has_state(a, RECIPIENT_OPEN))
		go_on(a);
	else
		finish(a);
}

static void host_failed(struct attempt *a)
{
	const struct candidate *candidate = client_candidate(a->client);

	log_failed(a, client_trouble(a->client));
	/* TLS that is not as demanded waits for somebody who mends it: it is
	 * told rather than that another host is down just now. */
	if (a->trouble == NULL)
		a->trouble = must_alloc(sizeof(*a->trouble));
	if (!a->trouble->is_unmet)
		*a->trouble = *client_trouble(a->client);
	/* In the middle of a message it is a bad moment, not a bad host. */
	if (!a->is_handed_over)
		hosts_failed(a->field->hosts, candidate->host,
			     &candidate->address, a->field->now(a->field->arg));
	client_free(a->client);
	a->client = NULL;
	if (has_state(a, RECIPIENT_OPEN) || has_state(a, RECIPIENT_LACKING))
		go_on(a);
	else
		finish(a);
}

/* The connection went without fault: the same host again for who is left. */
static void ended(struct attempt *a)
{
	client_free(a->client);
	a->client = NULL;
	if (!has_state(a, RECIPIENT_OPEN)) {
		if (has_state(a, RECIPIENT_LACKING))
			go_on(a);
		else
			finish(a);
	} else if (!a->is_routed) {
		find_route(a);
	} else if (++a->again <= AGAIN_MAX) {
		try_candidate(a);
	} else {
		go_on(a);
	}
}

static void over(struct attempt *a)
{
	switch (client_end(a->client)) {
	case OUTBOUND_PLAINTEXT:
		a->excuse = *client_excuse(a->client);
		client_free(a->client);
		a->client = NULL;
		a->is_plaintext = true;
		try_candidate(a);
		return;
	case OUTBOUND_DONE:
	case OUTBOUND_RUNS: ended(a); return;
	case OUTBOUND_HOST:
	case OUTBOUND_UNMET: host_failed(a); return;
	}
}

static void on_client(struct client *client, enum client_event event, void *arg)
{
	struct attempt *a = arg;
	const struct candidate *candidate = client_candidate(client);

	if (event == CLIENT_OVER) {
		over(a);
	} else if (a->is_handed_over) {
		delivered(a);
	} else {
		hosts_worked(a->field->hosts, candidate->host,
			     &candidate->address);
		hand_over(a);
	}
}

/* --- the face ------------------------------------------------------- */

struct attempt *attempt_new(struct attempt_field *field, struct job *job,
			    attempt_callback *call, void *arg)
{
	struct attempt *a = must_alloc(sizeof(*a));
	size_t count = job->envelope->recipient_count;

	a->field = field;
	a->job = job;
	a->call = call;
	a->arg = arg;
	a->begun = field->now(field->arg);
	a->delivery.envelope = job->envelope;
	a->delivery.results = must_alloc(count * sizeof(struct result));
	a->delivery.states = must_alloc(count * sizeof(enum recipient_state));
	return a;
}

void attempt_start(struct attempt *a)
{
	struct rules_question question = {
		.recipient_domain = a->job->envelope->recipients[0].domain,
		.sender = a->job->envelope->sender,
	};
	struct client *warm;

	/* Afresh each time: a policy that was tightened since binds what is
	 * already queued. */
	a->policy = rules_policy(a->job->conf, question).policy;
	a->domain = question.recipient_domain;
	warm = pool_take_for(a->field->pool, a->job->conf->generation,
			     a->policy, a->domain);
	if (warm != NULL)
		use_warm(a, warm);
	else
		find_route(a);
}

double attempt_progress(const struct attempt *a)
{
	return a->client != NULL ? client_progress(a->client) : a->begun;
}

bool attempt_is_committed(const struct attempt *a)
{
	return a->client != NULL && client_is_committed(a->client);
}

bool attempt_is_underway(const struct attempt *a)
{
	return a->client != NULL && a->is_handed_over;
}

void attempt_break(struct attempt *a, const struct result *why)
{
	struct result result = *why;

	if (a->client != NULL)
		snprintf(result.host, sizeof(result.host), "%s",
			 client_host(a->client));
	client_free(a->client);
	a->client = NULL;
	settle(a, &result, true);
	finish(a);
}

bool attempt_is_untouched(const struct attempt *a)
{
	return !has_state(a, RECIPIENT_DONE) && !attempt_is_committed(a);
}

void attempt_free(struct attempt *a)
{
	if (a != NULL)
		destroy(a);
}
