/*
 * What is demanded of a host, fixed before the connection.  Reference
 * names never come from unsigned DNS unless the policy says so: an MX
 * host that nothing vouches for is not used at all.
 */
#include "tls/policy.h"

#include "conf/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void explain(struct demand *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void explain(struct demand *out, const char *format, ...)
{
	size_t len = strlen(out->why);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(out->why + len, sizeof(out->why) - len, format, args);
	va_end(args);
}

static void refuse(struct demand *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void refuse(struct demand *out, const char *format, ...)
{
	va_list args;

	out->is_usable = false;
	va_start(args, format);
	(void)vsnprintf(out->why, sizeof(out->why), format, args);
	va_end(args);
}

static bool is_address(const char *host)
{
	struct net_address address;

	return net_parse(view_of(host), &address) == 0;
}

/* The host is that domain or lies below it. */
static bool lies_in(const char *host, const char *domain)
{
	size_t h = strlen(host), d = strlen(domain);

	if (d == 0 || h < d || strcmp(host + h - d, domain) != 0)
		return false;
	return h == d || host[h - d - 1] == '.';
}

/* The policy itself vouches for the name of an MX host. */
static bool is_vouched(const struct policy *policy, const char *host)
{
	size_t i;

	for (i = 0; i < policy->patterns.count; i++) {
		const char *pattern = policy->patterns.at[i];

		/* "*" is everybody: it vouches for nobody */
		if (strcmp(pattern, "*") == 0)
			continue;
		if (strncmp(pattern, "*.", 2) == 0)
			pattern += 2;
		if (lies_in(host, pattern))
			return true;
	}
	for (i = 0; i < policy->mx.count; i++)
		if (rules_mx_matches(policy->mx.at[i], host))
			return true;
	return false;
}

static void add_name(struct demand *out, const char *name)
{
	if (out->name_count == DEMAND_NAMES_MAX) {
		refuse(out, "the policy lists more than %d names",
		       DEMAND_NAMES_MAX);
		return;
	}
	(void)snprintf(out->names[out->name_count++], sizeof(out->names[0]),
		       "%s", name);
}

/* What is listed for this side of the partner. */
static const struct strings *listed_names(const struct demand_question *q)
{
	const struct policy *policy = q->policy;

	return q->source == HOST_CLIENT && policy->inbound_names.count > 0
		       ? &policy->inbound_names
		       : &policy->names;
}

/* names = { ... }, with or without mx among them. */
static void use_listed_names(const struct demand_question *q,
			     struct demand *out)
{
	const struct strings *names = listed_names(q);
	size_t i;

	for (i = 0; i < names->count && out->is_usable; i++)
		add_name(out, names->at[i]);
	if (!q->policy->names_mx || q->source == HOST_CLIENT ||
	    is_address(q->host))
		return;
	add_name(out, q->host);
	out->names_from_unsigned_dns = q->source == HOST_MX;
}

static void use_own_name(const struct demand_question *q, struct demand *out)
{
	bool is_known = true;

	switch (q->source) {
	case HOST_GATEWAY:
	case HOST_MX_SECURE:
	case HOST_IMPLICIT_MX: break;
	case HOST_CLIENT:
	case HOST_GATEWAY_ADDRESS: is_known = false; break;
	case HOST_MX:
		if (lies_in(q->host, q->domain) ||
		    is_vouched(q->policy, q->host))
			break;
		refuse(out, "%s is the mail host of %s by unsigned DNS only: "
		       "it lies in no domain of the policy; say mx = { ... } "
		       "or names = { ... }", q->host, q->domain);
		return;
	default: is_known = false; break;
	}
	if (!is_known || is_address(q->host)) {
		refuse(out, "%s is an address: names = { ... } must say what "
		       "its certificate bears", q->host);
		return;
	}
	add_name(out, q->host);
}

/* Level verify: which of chain, name and pin. Beside pins only what the
 * policy spells out is asked. */
static void demand_proof(const struct demand_question *q, struct demand *out)
{
	const struct policy *policy = q->policy;
	bool has_names = listed_names(q)->count > 0 ||
			 (policy->names_mx && q->source != HOST_CLIENT);
	bool has_pins = policy->pin_count > 0;

	out->asks_chain = !has_pins || policy->trust.path ||
			  policy->issuer.count > 0;
	out->asks_name = !has_pins || has_names;
	if (out->asks_name && has_names)
		use_listed_names(q, out);
	else if (out->asks_name)
		use_own_name(q, out);
	if (out->is_usable && out->asks_name && out->name_count == 0)
		refuse(out, "nothing says which name the certificate of %s "
		       "must bear", q->host);
	if (out->is_usable && out->asks_chain && !out->trust)
		refuse(out, "there are no root certificates to verify %s with",
		       q->host);
}

static const struct conf_blob *find_trust(const struct demand_question *q)
{
	if (q->policy->trust.path)
		return &q->policy->trust;
	if (q->conf && q->conf->system_trust.bytes.len > 0)
		return &q->conf->system_trust;
	return NULL;
}

const char *tls_level_text(enum tls_level level)
{
	static const char *const texts[] = {
		[TLS_NONE] = "none", [TLS_MAY] = "may",
		[TLS_ENCRYPT] = "encrypt", [TLS_VERIFY] = "verify",
	};
	size_t i = (size_t)level;

	return i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : "unknown";
}

static enum tls_level level_of(const struct demand_question *q)
{
	static const enum tls_level inbound[] = {
		[INBOUND_TLS_NONE] = TLS_MAY,
		[INBOUND_TLS_REQUIRED] = TLS_ENCRYPT,
		[INBOUND_TLS_VERIFY] = TLS_VERIFY,
	};

	if (q->source == HOST_CLIENT)
		return inbound[q->policy->inbound];
	if (q->is_dry_run && q->policy->would > q->policy->tls)
		return q->policy->would;
	return q->policy->tls;
}

/* "tls = verify": what the level comes from. */
static void explain_level(const struct demand_question *q, struct demand *out)
{
	static const char *const inbound[] = {
		[INBOUND_TLS_NONE] = "none",
		[INBOUND_TLS_REQUIRED] = "required",
		[INBOUND_TLS_VERIFY] = "verify",
	};

	if (q->source == HOST_CLIENT)
		explain(out, "inbound = %s", inbound[q->policy->inbound]);
	else
		explain(out, "%s = %s", out->level > q->policy->tls ? "would"
								    : "tls",
			tls_level_text(out->level));
}

void tls_demand(const struct demand_question *question, struct demand *out)
{
	const struct policy *policy = question->policy;

	*out = (struct demand){
		.level = level_of(question), .is_usable = true,
		.min_tls = policy->min_tls, .policy = policy,
		.trust = find_trust(question),
		.generation = question->conf ? question->conf->generation : 0,
	};
	(void)snprintf(out->host, sizeof(out->host), "%s", question->host);
	if (policy->sni)
		(void)snprintf(out->sni, sizeof(out->sni), "%s", policy->sni);
	else if (!is_address(question->host))
		(void)snprintf(out->sni, sizeof(out->sni), "%s",
			       question->host);
	if (question->source != HOST_CLIENT)
		out->certificate = policy->certificate;
	if (out->level == TLS_VERIFY)
		demand_proof(question, out);
	if (!out->is_usable)
		return;
	explain_level(question, out);
	if (policy->title)
		explain(out, " by policy \"%s\"", policy->title);
	if (out->names_from_unsigned_dns)
		explain(out, ", trusting the name %s from unsigned DNS",
			question->host);
}

bool demand_equal(const struct demand *a, const struct demand *b)
{
	size_t i;

	if (a->level != b->level || a->is_usable != b->is_usable ||
	    a->min_tls != b->min_tls || a->asks_chain != b->asks_chain ||
	    a->asks_name != b->asks_name || a->policy != b->policy ||
	    a->trust != b->trust || a->generation != b->generation ||
	    a->name_count != b->name_count || strcmp(a->sni, b->sni) != 0)
		return false;
	for (i = 0; i < a->name_count; i++)
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	return true;
}
