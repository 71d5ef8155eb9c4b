/*
 * Comes in: a survey, and what a probe saw.  Goes out: text for people, in
 * the order in which a message meets it: policy, route, demand, verdict.
 * Bytes of the DNS and of hosts were escaped and bounded where they came in.
 */
#include "relay/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

void explain_demand(const struct explanation *what,
		    const struct route_host *host, struct demand *demand)
{
	const struct demand_question question = {
		.policy = what->survey->rule.policy,
		.domain = what->survey->address.domain,
		.source = host->source,
		.host = host->name,
		.conf = what->conf,
		.is_dry_run = true,
	};

	tls_demand(&question, demand);
}

const char *explain_kind(const struct route_answer *answer)
{
	static const char *const kinds[] = {
		[DNS_DATA] = "data",
		[DNS_NODATA] = "nodata",
		[DNS_NXDOMAIN] = "nxdomain",
		[DNS_ERROR] = "error",
	};

	return answer->is_asked ? kinds[answer->kind] : "not asked";
}

const char *explain_proof(const struct route_answer *answer)
{
	if (!answer->is_asked)
		return "not asked";
	if (answer->is_bogus)
		return "bogus";
	if (answer->kind == DNS_ERROR)
		return "unknown";
	return answer->is_secure ? "secure" : "insecure";
}

const char *explain_level(enum tls_level level)
{
	static const char *const words[] = {
		[TLS_NONE] = "none: never TLS",
		[TLS_MAY] = "may: TLS where it is offered, else plain text",
		[TLS_ENCRYPT] = "encrypt: TLS, whoever the host is; "
				"else the mail waits",
		[TLS_VERIFY] = "verify: TLS with a proven host; "
			       "else the mail waits",
	};

	return words[level];
}

int explain_status(const struct explanation *what)
{
	bool is_temporary = what->probe_count > 0;
	size_t i;

	if (what->survey->count == 0)
		return survey_is_final(what->survey) ? 1 : EX_TEMPFAIL;
	for (i = 0; i < what->probe_count; i++) {
		if (what->probes[i].holds)
			return EX_OK;
		if (!what->probes[i].is_temporary)
			is_temporary = false;
	}
	if (!what->is_probed)
		return EX_OK;
	return is_temporary ? EX_TEMPFAIL : 1;
}

/* --- the policy ------------------------------------------------------ */

static void text_policy(const struct explanation *what, struct buffer *out)
{
	const struct survey *survey = what->survey;
	const struct policy *policy = survey->rule.policy;
	const struct policy_pattern *loser;
	size_t at = 0, lost = 0, others = what->conf->pattern_count;

	if (survey->rule.pattern == NULL)
		buffer_printf(out, "Policy   none applies: MX, tls = may\n");
	else
		buffer_printf(out, "Policy   \"%s\" at %s, by its pattern "
				   "\"%s\"\n",
			      policy->title, policy->where,
			      survey->rule.pattern);
	while ((loser = survey_loser(survey, what->conf, &at)) != NULL) {
		buffer_printf(out, "         lost: \"%s\" at %s: %s\n",
			      loser->pattern, loser->policy->where,
			      survey_why_lost(survey, loser->pattern));
		lost++;
	}
	others -= lost + (survey->rule.pattern != NULL);
	if (others > 0)
		buffer_printf(out, "         %zu other pattern%s not match\n",
			      others, others == 1 ? " does" : "s do");
}

/* --- the route ------------------------------------------------------- */

static void text_addresses(const char *type, const struct route_answer *answer,
			   const struct net_address *addresses, size_t count,
			   struct buffer *out)
{
	char text[NET_TEXT_MAX];
	size_t i;

	if (!answer->is_asked)
		return;
	buffer_printf(out, "            %-4s ", type);
	for (i = 0; i < count; i++) {
		net_text(&addresses[i], text);
		buffer_printf(out, "%s%s", i > 0 ? ", " : "", text);
	}
	if (count == 0)
		buffer_printf(out, "%s", answer->kind == DNS_DATA
						 ? "none that is used"
						 : explain_kind(answer));
	if (answer->kind == DNS_ERROR)
		buffer_printf(out, ": %s", answer->why);
	buffer_printf(out, " (%s)\n", explain_proof(answer));
}

static void text_own_demand(const struct explanation *what,
			    const struct route_host *host, struct buffer *out)
{
	struct demand demand;
	size_t i;

	explain_demand(what, host, &demand);
	if (!demand.is_usable)
		buffer_printf(out, "            would not be used: %s\n",
			      demand.why);
	if (!demand.is_usable || !demand.asks_name)
		return;
	buffer_printf(out, "            must bear ");
	for (i = 0; i < demand.name_count; i++)
		buffer_printf(out, "%s%s", i > 0 ? " or " : "",
			      demand.names[i]);
	buffer_printf(out, "%s\n",
		      demand.names_from_unsigned_dns
			      ? ", a name from unsigned DNS (names = { mx })"
			      : "");
}

static void text_host(const struct explanation *what,
		      const struct route_host *host, bool is_gateway,
		      struct buffer *out)
{
	char text[NET_TEXT_MAX];

	if (is_gateway)
		buffer_printf(out, "         %-2u", host->preference + 1);
	else
		buffer_printf(out, "         %-2u", host->preference);
	buffer_printf(out, strchr(host->name, ':') != NULL ? " [%s]:%u%s\n"
							   : " %s:%u%s\n",
		      host->name, (unsigned)host->port,
		      host->is_tls_first ? ", TLS from the first byte" : "");
	text_addresses("A", &host->v4_answer, host->v4, host->v4_count, out);
	text_addresses("AAAA", &host->v6_answer, host->v6, host->v6_count,
		       out);
	if (host->ignored_count > 0) {
		net_text(&host->ignored, text);
		buffer_printf(out, "            ignored by mx-ignore: %s", text);
		if (host->ignored_count > 1)
			buffer_printf(out, " and %zu more",
				      host->ignored_count - 1);
		buffer_printf(out, "\n");
	}
	if (host->is_left_out)
		buffer_printf(out, "            not used: %s\n", host->why);
	else
		text_own_demand(what, host, out);
}

static void text_route(const struct explanation *what, struct buffer *out)
{
	const struct survey *survey = what->survey;
	bool is_gateway = survey->rule.policy->gateway_count > 0;
	size_t i;

	if (is_gateway)
		buffer_printf(out, "Route    the gateways of the policy, in "
				   "this order\n");
	else if (!survey->mx.is_asked)
		buffer_printf(out, "Route    the address itself\n");
	else if (survey->mx.kind == DNS_ERROR)
		buffer_printf(out, "Route    MX of %s: error (%s): %s\n",
			      survey->address.domain,
			      explain_proof(&survey->mx), survey->mx.why);
	else
		buffer_printf(out, "Route    MX of %s: %s (%s)%s\n",
			      survey->address.domain,
			      explain_kind(&survey->mx),
			      explain_proof(&survey->mx),
			      survey->mx.kind == DNS_NODATA
				      ? ": the domain's own address"
				      : "");
	for (i = 0; i < survey->host_count; i++)
		text_host(what, &survey->hosts[i], is_gateway, out);
}

/* --- the verdict ----------------------------------------------------- */

static void text_candidate(const struct candidate *candidate,
			   struct buffer *out)
{
	char address[NET_TEXT_MAX];

	net_text(&candidate->address, address);
	buffer_printf(out, "%s[%s]:%u", candidate->host, address,
		      (unsigned)net_port(&candidate->address));
}

static const char *state_of(const struct explain_probe *probe)
{
	if (probe->holds)
		return probe->is_plaintext ? "mail goes in plain text"
					   : "holds";
	return probe->is_temporary ? "cannot be asked" : "does not hold";
}

static void text_now(const struct explanation *what, struct buffer *out)
{
	const struct explain_probe *probe;
	size_t i;

	for (i = 0; i < what->probe_count; i++) {
		probe = &what->probes[i];
		buffer_printf(out, "%-9s", i == 0 ? "Now" : "");
		text_candidate(probe->candidate, out);
		buffer_printf(out, " %s: %s\n", state_of(probe),
			      probe->reason);
		if (probe->would != NULL)
			buffer_printf(out, "           under would = verify it "
					   "would %s: %s\n",
				      probe->would->verdict == JUDGE_DELIVER
					      ? "hold"
					      : "fail",
				      probe->would->reason);
	}
}

static void text_verdict(const struct explanation *what, struct buffer *out)
{
	const struct survey *survey = what->survey;
	size_t i;

	for (i = 0; i < survey->count; i++) {
		buffer_printf(out, "%-9s", i == 0 ? "Attempt" : "");
		text_candidate(&survey->candidates[i], out);
		buffer_printf(out, "\n");
	}
	text_now(what, out);
	buffer_printf(out, "Verdict  ");
	if (survey->count == 0)
		buffer_printf(out, "mail would %s: %s %s\n",
			      survey->verdict.outcome == OUTCOME_FAILED
				      ? "be returned"
				      : "wait",
			      survey->verdict.status, survey->verdict.text);
	else if (!what->is_probed)
		buffer_printf(out, "mail would be tried there; --probe asks "
				   "whether it would hold\n");
	else if (explain_status(what) == EX_OK)
		buffer_printf(out, "mail would go\n");
	else
		buffer_printf(out, "mail would wait: no host is good enough "
				   "now\n");
}

void explain_text(const struct explanation *what, struct buffer *out)
{
	buffer_printf(out, "%s\n\n", what->survey->address.text);
	text_policy(what, out);
	if (!what->survey->is_refused) {
		text_route(what, out);
		explain_text_demand(what, out);
	}
	text_verdict(what, out);
}
