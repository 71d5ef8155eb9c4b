/*
 * MX first, then the addresses of all hosts at once.  Owns the route and
 * its open questions; whatever comes, an answer, an error or a timeout, is
 * handed to the route, which alone knows what it means.
 */
#include "relay/lookup.h"

#include <stdlib.h>

struct question {
	struct lookup *lookup;
	struct dns_query *query; /* NULL: answered */
	size_t host;
	enum dns_type type;
};

struct lookup {
	struct dns *dns;
	struct route *route;
	struct question mx;
	struct question **questions;
	size_t count, open;
	lookup_callback *call;
	void *arg;
};

static void destroy(struct lookup *lookup)
{
	size_t i;

	for (i = 0; i < lookup->count; i++)
		free(lookup->questions[i]);
	free(lookup->questions);
	route_free(lookup->route);
	free(lookup);
}

static void finish(struct lookup *lookup)
{
	struct candidate candidates[ROUTE_CANDIDATES_MAX];
	struct result verdict = { 0 };
	lookup_callback *call = lookup->call;
	void *arg = lookup->arg;
	size_t count = route_finish(lookup->route, candidates, &verdict);

	destroy(lookup);
	call(arg, candidates, count, &verdict);
}

static void on_address(void *arg, const struct dns_answer *answer)
{
	struct question *question = arg;
	struct lookup *lookup = question->lookup;

	question->query = NULL;
	route_take_address(lookup->route, question->host, question->type,
			   answer);
	if (--lookup->open == 0)
		finish(lookup);
}

/* True when there is something to wait for. */
static bool ask_addresses(struct lookup *lookup)
{
	struct question *question;
	const char *name;
	enum dns_type type;
	size_t host;

	while (route_ask(lookup->route, &host, &type, &name)) {
		question = must_alloc(sizeof(*question));
		question->lookup = lookup;
		question->host = host;
		question->type = type;
		lookup->questions = must_realloc(
			lookup->questions,
			(lookup->count + 1) * sizeof(*lookup->questions));
		lookup->questions[lookup->count++] = question;
		lookup->open++;
		question->query = dns_ask(lookup->dns, type, name, on_address,
					  question);
	}
	return lookup->open > 0;
}

static void on_mx(void *arg, const struct dns_answer *answer)
{
	struct lookup *lookup = arg;

	lookup->mx.query = NULL;
	route_take_mx(lookup->route, answer);
	if (!ask_addresses(lookup))
		finish(lookup);
}

struct lookup *lookup_start(struct dns *dns,
			    const struct route_question *question,
			    lookup_callback *call, void *arg)
{
	struct lookup *lookup = must_alloc(sizeof(*lookup));

	lookup->dns = dns;
	lookup->route = route_new(question);
	lookup->call = call;
	lookup->arg = arg;
	if (route_asks_mx(lookup->route)) {
		lookup->mx.query = dns_ask(dns, DNS_MX, question->domain, on_mx,
					   lookup);
		return lookup;
	}
	if (ask_addresses(lookup))
		return lookup;
	finish(lookup);
	return NULL;
}

void lookup_cancel(struct lookup *lookup)
{
	size_t i;

	if (lookup == NULL)
		return;
	if (lookup->mx.query != NULL)
		dns_cancel(lookup->mx.query);
	for (i = 0; i < lookup->count; i++)
		if (lookup->questions[i]->query != NULL)
			dns_cancel(lookup->questions[i]->query);
	destroy(lookup);
}
