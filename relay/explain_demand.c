/*
 * Second file of the room explain: what is asked of hosts that take mail for
 * somebody, by whom, and of those that bring mail from there.
 */
#include "relay/explain.h"

#include <stdio.h>

#include "conf/duration.h"

static void text_list(const char *label, const struct strings *list,
		      struct buffer *out)
{
	size_t i;

	if (list->count == 0)
		return;
	buffer_printf(out, "         %-11s ", label);
	for (i = 0; i < list->count; i++)
		buffer_printf(out, "%s\"%s\"", i > 0 ? " or " : "",
			      list->at[i]);
	buffer_printf(out, "\n");
}

static void text_from(const struct explanation *what, struct buffer *out)
{
	const struct policy *policy = what->survey->rule.policy;

	/* DANE and MTA-STS will say theirs here; a demand may only rise. */
	if (what->survey->rule.pattern != NULL)
		buffer_printf(out, "         from        the configuration, "
				   "policy \"%s\"\n", policy->title);
	else
		buffer_printf(out, "         from        the configuration, "
				   "where no policy applies\n");
	if (policy->would != TLS_NONE)
		buffer_printf(out, "         would       = %s, a dry run: "
				   "judged and told, without any bearing\n",
			      tls_level_text(policy->would));
}

bool explain_asks_chain(const struct policy *policy)
{
	return policy->pin_count == 0 || policy->trust.path != NULL ||
	       policy->issuer.count > 0;
}

static void text_pins(const struct policy *policy, struct buffer *out)
{
	char pin[FACTS_PIN_MAX];
	size_t i;

	for (i = 0; i < policy->pin_count; i++) {
		facts_pin_text(policy->pins[i], pin);
		buffer_printf(out, "         pin %-7zu %s\n", i + 1, pin);
	}
	if (!explain_asks_chain(policy))
		buffer_printf(out, "                     no chain and no date "
				   "is asked%s\n",
			      policy->names.count == 0 && !policy->names_mx
				      ? ", and no name: the pin alone counts"
				      : "");
}

static void text_proof(const struct explanation *what, struct buffer *out)
{
	const struct policy *policy = what->survey->rule.policy;
	const char *plural = what->anchors == 1 ? "" : "s";

	text_list("names", &policy->names, out);
	if (policy->names_mx)
		buffer_printf(out, "         names       that of the MX host, "
				   "whoever names it (names = { mx })\n");
	text_list("mx", &policy->mx, out);
	text_list("issuer", &policy->issuer, out);
	if (policy->trust.path != NULL)
		buffer_printf(out, "         trust       %s, %zu certificate%s, "
				   "in place of the system's\n",
			      policy->trust.path, what->anchors, plural);
	else if (what->conf->system_trust.path != NULL &&
		 explain_asks_chain(policy))
		buffer_printf(out, "         trust       the system's, %s, "
				   "%zu certificate%s\n",
			      what->conf->system_trust.path, what->anchors,
			      plural);
	text_pins(policy, out);
}

/* None is sent to a host that is known by its address only. */
static void text_sni(const struct explanation *what, struct buffer *out)
{
	const struct survey *survey = what->survey;
	const struct policy *policy = survey->rule.policy;
	size_t i, bare = 0;

	for (i = 0; i < survey->host_count; i++)
		if (survey->hosts[i].source == HOST_GATEWAY_ADDRESS)
			bare++;
	buffer_printf(out, "         SNI         %s\n",
		      policy->sni != NULL  ? policy->sni
		      : bare == 0	   ? "the host's name"
		      : bare == survey->host_count
			      ? "none: the gateways are given by address"
			      : "the host's name; none to gateways that are "
				"given by address");
}

static void text_failure(const struct policy *policy, struct buffer *out)
{
	char text[DURATION_TEXT_MAX];

	if (policy->tls <= TLS_MAY)
		return;
	if (policy->bounce_after > 0)
		buffer_printf(out, "         on-failure  bounce-after %s: then "
				   "the sender is told that TLS as demanded "
				   "is not to be had\n",
			      duration_text(policy->bounce_after, text));
	else
		buffer_printf(out, "         on-failure  defer: mail waits "
				   "until its lifetime ends\n");
}

static void text_inbound(const struct policy *policy, struct buffer *out)
{
	const struct strings *names = policy->inbound_names.count > 0
					      ? &policy->inbound_names
					      : &policy->names;

	if (policy->inbound == INBOUND_TLS_NONE)
		return;
	if (policy->inbound == INBOUND_TLS_REQUIRED) {
		buffer_printf(out, "Inbound  inbound = required: mail from "
				   "there must come over TLS\n");
		return;
	}
	buffer_printf(out, "Inbound  inbound = verify: mail from there must "
			   "come over TLS, with a proven client\n");
	text_list("names", names, out);
	if (policy->inbound_names.count == 0 && names->count > 0)
		buffer_printf(out, "                     those of the "
				   "gateways: inbound-names is not set\n");
}

void explain_text_demand(const struct explanation *what, struct buffer *out)
{
	const struct policy *policy = what->survey->rule.policy;

	buffer_printf(out, "Demand   tls = %s\n", explain_level(policy->tls));
	text_from(what, out);
	if (policy->tls != TLS_NONE) {
		buffer_printf(out, "         version     TLS %s or later\n",
			      policy->min_tls == TLS_1_3 ? "1.3" : "1.2");
		if (policy->tls == TLS_VERIFY || policy->would == TLS_VERIFY)
			text_proof(what, out);
		text_sni(what, out);
		if (policy->certificate != NULL)
			buffer_printf(out, "         certificate ours, \"%s\", "
					   "for a host that asks\n",
				      policy->certificate->title);
		if (policy->user != NULL)
			buffer_printf(out, "         AUTH        as %s\n",
				      policy->user);
		text_failure(policy, out);
	}
	text_inbound(policy, out);
}
