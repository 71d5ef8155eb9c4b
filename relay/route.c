/*
 * Comes in: a policy, MX and address answers, who we are, a seed.  Goes
 * out: candidates in order, or a verdict.  The route owns its hosts; all
 * else is borrowed.  It never asks anything itself, never lets an error
 * pass for "there is none", and never names a host that unsigned DNS alone
 * brought up where the policy forbids it (tls/policy.h decides that).
 */
#include "relay/route.h"

#include "relay/order.h"
#include "relay/smtp/proof.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct route {
	struct route_question question;
	struct route_host *hosts;
	size_t host_count;
	bool asks_mx, has_verdict;
	struct route_answer mx;
	struct result verdict;
	size_t ask_host; /* the next question's host ... */
	bool ask_v4;	 /* ... and family */
};

static bool is_for_gateways(const struct route *route)
{
	return route->question.policy->gateway_count > 0;
}

static bool is_family_wanted(const struct route *route, int family)
{
	const struct policy *policy = route->question.policy;
	int source = policy->source.sa.any.sa_family;

	if (policy->family != AF_UNSPEC)
		return policy->family == family;
	return source == AF_UNSPEC || source == family;
}

static bool is_own_address(const struct route_own *own,
			   const struct net_address *address)
{
	uint16_t port;
	size_t i;

	for (i = 0; i < own->count; i++) {
		port = net_port(&own->addresses[i]);
		if (net_equal_host(&own->addresses[i], address) &&
		    (port == 0 || port == net_port(address)))
			return true;
	}
	return false;
}

static void host_add_address(const struct route *route, struct route_host *host,
			     struct net_address address)
{
	const struct conf *conf = route->question.conf;
	bool is_v4 = address.sa.any.sa_family == AF_INET;
	size_t *count = is_v4 ? &host->v4_count : &host->v6_count;

	net_set_port(&address, host->port);
	if (!is_for_gateways(route)) {
		if (is_own_address(route->question.own, &address))
			host->is_own = true;
		if (net_blocks_have(conf->mx_ignore, conf->mx_ignore_count,
				    &address)) {
			host->ignored = address;
			host->ignored_count++;
			return;
		}
	}
	if (*count < ROUTE_HOST_ADDRESSES_MAX)
		(is_v4 ? host->v4 : host->v6)[(*count)++] = address;
}

static struct route_host *host_add(struct route *route, const char *name,
				   unsigned preference)
{
	size_t count = route->host_count + 1;
	struct route_host *host;

	route->hosts = must_realloc(route->hosts, count * sizeof(*host));
	host = &route->hosts[route->host_count];
	memset(host, 0, sizeof(*host));
	snprintf(host->name, sizeof(host->name), "%s", name);
	host->preference = preference;
	host->lot = order_lot(route->question.seed, route->host_count);
	host->port = route->question.conf->mx_port;
	route->host_count++;
	return host;
}

static void add_gateways(struct route *route)
{
	const struct policy *policy = route->question.policy;
	const struct gateway *gateway;
	struct route_host *host;
	size_t i;

	for (i = 0; i < policy->gateway_count; i++) {
		gateway = &policy->gateways[i];
		host = host_add(route, gateway->host, (unsigned)i);
		host->port = gateway->port;
		host->is_tls_first = gateway->is_tls_first;
		host->is_known = gateway->is_address;
		host->source = gateway->is_address ? HOST_GATEWAY_ADDRESS
						   : HOST_GATEWAY;
		if (gateway->is_address)
			host_add_address(route, host, gateway->address);
	}
}

static void set_verdict(struct route *route, enum outcome outcome,
			const char *status, const char *text)
{
	result_set(&route->verdict, outcome,
		   outcome == OUTCOME_FAILED ? BLAME_RECIPIENT : BLAME_HOST,
		   status, "%s", text);
	route->has_verdict = true;
}

/* RFC 5321 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]". */
static void add_literal(struct route *route)
{
	struct view text = view_of(route->question.domain);
	struct view prefix = VIEW("IPv6:");
	struct net_address address;
	char name[NET_TEXT_MAX];
	struct route_host *host;

	text = view_from(view_first(text, text.len - 1), 1);
	if (view_starts_fold(text, prefix))
		text = view_from(text, prefix.len);
	if (net_parse(text, &address) != 0) {
		set_verdict(route, OUTCOME_FAILED, "5.1.3",
			    "the address literal is malformed");
		return;
	}
	net_text(&address, name);
	host = host_add(route, name, 0);
	host->source = HOST_IMPLICIT_MX;
	host->is_known = true;
	host_add_address(route, host, address);
}

struct route *route_new(const struct route_question *question)
{
	struct route *route = must_alloc(sizeof(*route));

	route->question = *question;
	if (is_for_gateways(route))
		add_gateways(route);
	else if (question->domain[0] == '[')
		add_literal(route);
	else if (question->domain[0] == '\0')
		set_verdict(route, OUTCOME_FAILED, "5.1.3",
			    "the address has no domain");
	else
		route->asks_mx = true;
	return route;
}

void route_free(struct route *route)
{
	if (route == NULL)
		return;
	free(route->hosts);
	free(route);
}

bool route_asks_mx(const struct route *route)
{
	return route->asks_mx;
}

static struct route_host *host_find(struct route *route, const char *name)
{
	size_t i;

	for (i = 0; i < route->host_count; i++)
		if (strcmp(route->hosts[i].name, name) == 0)
			return &route->hosts[i];
	return NULL;
}

/* The records of a real MX answer; a null MX beside real ones is noise
 * (RFC 7505 3). */
static void add_mx_hosts(struct route *route, const struct dns_answer *answer)
{
	const struct dns_record *record;
	struct route_host *host;
	size_t i;

	for (i = 0; i < answer->count && i < DNS_RECORDS_MAX; i++) {
		record = &answer->records[i];
		if (record->name[0] == '\0')
			continue;
		host = host_find(route, record->name);
		if (host == NULL)
			host = host_add(route, record->name,
					record->preference);
		else if (record->preference < host->preference)
			host->preference = record->preference;
		host->source = answer->is_secure ? HOST_MX_SECURE : HOST_MX;
		if (strcmp(record->name, route->question.own->hostname) == 0)
			host->is_own = true;
	}
	if (route->host_count > 0)
		return;
	if (answer->count > 0)
		set_verdict(route, OUTCOME_FAILED, "5.1.10",
			    "the domain accepts no mail (null MX)");
	else
		set_verdict(route, OUTCOME_FAILED, "5.4.4",
			    "the domain's MX records name no usable host");
}

static void note_answer(struct route_answer *note,
			const struct dns_answer *answer)
{
	note->is_asked = true;
	note->kind = answer->kind;
	note->is_secure = answer->is_secure;
	note->is_bogus = answer->is_bogus;
	snprintf(note->why, sizeof(note->why), "%s", answer->why);
}

void route_take_mx(struct route *route, const struct dns_answer *answer)
{
	const char *domain = route->question.domain;
	char text[RESULT_TEXT_MAX];

	route->asks_mx = false;
	note_answer(&route->mx, answer);
	switch (answer->kind) {
	case DNS_DATA: add_mx_hosts(route, answer); return;
	case DNS_NODATA:
		host_add(route, domain, 0)->source = HOST_IMPLICIT_MX;
		return;
	case DNS_NXDOMAIN:
		snprintf(text, sizeof(text), "the domain %s does not exist",
			 domain);
		set_verdict(route, OUTCOME_FAILED, "5.1.2", text);
		return;
	case DNS_ERROR: break;
	}
	snprintf(text, sizeof(text), "looking up the MX of %s failed: %s",
		 domain, answer->why);
	set_verdict(route, OUTCOME_DEFERRED, "4.4.3", text);
}

bool route_ask(struct route *route, size_t *host, enum dns_type *type,
	       const char **name)
{
	bool is_v4;

	while (!route->has_verdict && route->ask_host < route->host_count) {
		*host = route->ask_host;
		is_v4 = route->ask_v4;
		*type = is_v4 ? DNS_A : DNS_AAAA;
		*name = route->hosts[*host].name;
		route->ask_v4 = !is_v4;
		if (is_v4)
			route->ask_host++;
		if (!route->hosts[*host].is_known &&
		    is_family_wanted(route, is_v4 ? AF_INET : AF_INET6))
			return true;
	}
	return false;
}

void route_take_address(struct route *route, size_t index, enum dns_type type,
			const struct dns_answer *answer)
{
	struct route_host *host = &route->hosts[index];
	size_t i;

	note_answer(type == DNS_A ? &host->v4_answer : &host->v6_answer,
		    answer);
	if (answer->kind == DNS_ERROR)
		snprintf(host->trouble, sizeof(host->trouble),
			 "looking up %s failed: %s", host->name, answer->why);
	if (answer->kind != DNS_DATA)
		return;
	for (i = 0; i < answer->count; i++)
		if (answer->records[i].address.sa.any.sa_family ==
		    (type == DNS_A ? AF_INET : AF_INET6))
			host_add_address(route, host,
					 answer->records[i].address);
}

static void leave_out(struct route_host *host, const char *why)
{
	host->is_left_out = true;
	snprintf(host->why, sizeof(host->why), "%s", why);
}

/* Our own host and all that is not better than it would send the mail
 * round in a circle (RFC 5321 5.1).  True when something was cut. */
static bool cut_own(struct route *route)
{
	unsigned least = UINT_MAX;
	bool is_cut = false;
	size_t i;

	for (i = 0; i < route->host_count; i++)
		if (route->hosts[i].is_own &&
		    route->hosts[i].preference < least)
			least = route->hosts[i].preference;
	for (i = 0; i < route->host_count; i++) {
		if (least == UINT_MAX || route->hosts[i].preference < least)
			continue;
		leave_out(&route->hosts[i],
			  route->hosts[i].is_own
				  ? "it is this host itself"
				  : "it is not better than this host itself");
		is_cut = true;
	}
	return is_cut;
}

/* Leaves out what the demand forbids; *why is the first reason. */
static bool leave_out_forbidden(struct route *route, struct demand *demand)
{
	struct demand_question question = {
		.policy = route->question.policy,
		.domain = route->question.domain,
		.conf = route->question.conf,
	};
	struct demand scratch;
	bool is_first = true;
	size_t i;

	for (i = 0; i < route->host_count; i++) {
		if (route->hosts[i].is_left_out)
			continue;
		question.source = route->hosts[i].source;
		question.host = route->hosts[i].name;
		tls_demand(&question, is_first ? demand : &scratch);
		if (is_first ? demand->is_usable : scratch.is_usable)
			continue;
		leave_out(&route->hosts[i],
			  is_first ? demand->why : scratch.why);
		is_first = false;
	}
	return !is_first;
}

/* The first host among those not left out of which a question failed. */
static const struct route_host *host_in_trouble(const struct route *route)
{
	size_t i;

	for (i = 0; i < route->host_count; i++)
		if (!route->hosts[i].is_left_out &&
		    route->hosts[i].trouble[0] != '\0')
			return &route->hosts[i];
	return NULL;
}

/* A configured gateway that does not resolve is more likely a mistake in
 * the configuration or in the network than the end of the partner: defer.
 * A domain's own MX hosts without addresses are an answer. */
static void no_address(struct route *route)
{
	const char *domain = route->question.domain;
	char text[RESULT_TEXT_MAX], address[NET_TEXT_MAX];
	size_t i;

	if (is_for_gateways(route)) {
		snprintf(text, sizeof(text),
			 "no gateway of policy \"%s\" has a usable address",
			 route->question.policy->title);
		set_verdict(route, OUTCOME_DEFERRED, "4.4.4", text);
		return;
	}
	snprintf(text, sizeof(text), "no mail host of %s has a usable address",
		 domain);
	for (i = 0; i < route->host_count; i++) {
		if (route->hosts[i].ignored.sa.any.sa_family == AF_UNSPEC)
			continue;
		net_text(&route->hosts[i].ignored, address);
		snprintf(text, sizeof(text),
			 "no mail host of %s has a usable address; "
			 "%s of %s is ignored (mx-ignore)",
			 domain, address, route->hosts[i].name);
		break;
	}
	set_verdict(route, OUTCOME_FAILED, "5.4.4", text);
}

/* Every host that is there is forbidden: as when a host's TLS is judged. */
static void no_host_allowed(struct route *route, const struct demand *demand)
{
	static const struct tls_facts nothing;
	struct judgement judgement;

	set_verdict(route, OUTCOME_DEFERRED, "4.7.0", demand->why);
	tls_judge(demand, &nothing, &judgement);
	proof_make(demand, &nothing, &judgement, &route->verdict.proof);
	route->verdict.is_unmet = true;
}

/* Nothing is left: the reason that is nearest to a remedy. An error
 * anywhere keeps the mail (it might have been a usable host). */
static void find_verdict(struct route *route, bool is_cut, bool is_forbidden,
			 const struct demand *demand)
{
	const struct route_host *host = host_in_trouble(route);
	char text[RESULT_TEXT_MAX];

	if (host != NULL)
		set_verdict(route, OUTCOME_DEFERRED, "4.4.3", host->trouble);
	else if (is_forbidden)
		no_host_allowed(route, demand);
	else if (is_cut) {
		snprintf(text, sizeof(text),
			 "mail for %s loops back to this host: its MX is "
			 "ourselves, but no policy says where the mail goes",
			 route->question.domain);
		set_verdict(route, OUTCOME_FAILED, "5.4.6", text);
	} else
		no_address(route);
}

static void testify(const struct route *route,
		    const struct candidate *candidates, size_t count)
{
	const struct route_view view = {
		.mx = &route->mx,
		.hosts = route->hosts,
		.host_count = route->host_count,
		.candidates = candidates,
		.count = count,
		.verdict = &route->verdict,
	};

	route->question.witness(route->question.witness_arg, &view);
}

size_t route_finish(struct route *route,
		    struct candidate out[ROUTE_CANDIDATES_MAX],
		    struct result *verdict)
{
	struct demand demand = { 0 };
	bool is_cut, is_forbidden;
	size_t count = 0;

	if (!route->has_verdict) {
		is_cut = cut_own(route);
		is_forbidden = leave_out_forbidden(route, &demand);
		count = order_candidates(route->hosts, route->host_count,
					 &route->question, out);
		if (count == 0)
			find_verdict(route, is_cut, is_forbidden, &demand);
	}
	*verdict = route->verdict;
	if (route->question.witness != NULL)
		testify(route, out, count);
	return count;
}
