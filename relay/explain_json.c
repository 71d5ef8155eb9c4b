/*
 * The same as relay/explain.c says, for programs.  An unknown is null,
 * never left out.
 */
#include "relay/explain.h"

#include <stdio.h>
#include <sysexits.h>

#include "relay/json.h"

static void json_policy(const struct explanation *what, struct json *json)
{
	const struct survey *survey = what->survey;
	const struct policy_pattern *loser;
	size_t at = 0;

	json_open_object(json, "policy");
	json_text_or_null(json, "title",
			  survey->rule.pattern != NULL
				  ? survey->rule.policy->title
				  : NULL);
	json_text_or_null(json, "where",
			  survey->rule.pattern != NULL
				  ? survey->rule.policy->where
				  : NULL);
	json_text_or_null(json, "pattern", survey->rule.pattern);
	json_open_list(json, "lost");
	while ((loser = survey_loser(survey, what->conf, &at)) != NULL) {
		json_open_object(json, NULL);
		json_text(json, "pattern", loser->pattern);
		json_text(json, "where", loser->policy->where);
		json_text(json, "why",
			  survey_why_lost(survey, loser->pattern));
		json_close_object(json);
	}
	json_close_list(json);
	json_close_object(json);
}

static void json_answer(struct json *json, const char *key,
			const struct route_answer *answer)
{
	if (!answer->is_asked) {
		json_null(json, key);
		return;
	}
	json_open_object(json, key);
	json_text(json, "kind", explain_kind(answer));
	json_text(json, "dnssec", explain_proof(answer));
	json_text_or_null(json, "why", answer->why);
	json_close_object(json);
}

static void json_addresses(struct json *json, const struct route_host *host)
{
	char text[NET_TEXT_MAX];
	size_t i;

	json_open_list(json, "addresses");
	for (i = 0; i < host->v4_count + host->v6_count; i++) {
		net_text(i < host->v4_count ? &host->v4[i]
					    : &host->v6[i - host->v4_count],
			 text);
		json_text(json, NULL, text);
	}
	json_close_list(json);
	json_number(json, "ignored", (int64_t)host->ignored_count);
}

static void json_host(const struct explanation *what, struct json *json,
		      const struct route_host *host)
{
	struct demand demand;
	size_t i;

	explain_demand(what, host, &demand);
	json_open_object(json, NULL);
	json_text(json, "host", host->name);
	json_number(json, "port", host->port);
	json_number(json, "preference", host->preference);
	json_bool(json, "tls_first", host->is_tls_first);
	json_answer(json, "a", &host->v4_answer);
	json_answer(json, "aaaa", &host->v6_answer);
	json_addresses(json, host);
	json_text_or_null(json, "not_used",
			  host->is_left_out ? host->why : NULL);
	json_open_list(json, "names");
	for (i = 0; i < demand.name_count; i++)
		json_text(json, NULL, demand.names[i]);
	json_close_list(json);
	json_bool(json, "names_from_unsigned_dns",
		  demand.names_from_unsigned_dns);
	json_close_object(json);
}

static void json_route(const struct explanation *what, struct json *json)
{
	const struct survey *survey = what->survey;
	size_t i;

	json_open_object(json, "route");
	json_text(json, "by",
		  survey->rule.policy->gateway_count > 0 ? "gateways"
		  : survey->mx.is_asked			 ? "mx"
							 : "address");
	json_answer(json, "mx", &survey->mx);
	json_open_list(json, "hosts");
	for (i = 0; i < survey->host_count; i++)
		json_host(what, json, &survey->hosts[i]);
	json_close_list(json);
	json_close_object(json);
}

static void json_trust(const struct explanation *what, struct json *json)
{
	const struct policy *policy = what->survey->rule.policy;
	const struct conf_blob *trust = policy->trust.path != NULL
						? &policy->trust
						: &what->conf->system_trust;
	char pin[FACTS_PIN_MAX];
	size_t i;

	json_open_list(json, "issuer");
	for (i = 0; i < policy->issuer.count; i++)
		json_text(json, NULL, policy->issuer.at[i]);
	json_close_list(json);
	json_bool(json, "asks_chain", explain_asks_chain(policy));
	json_text_or_null(json, "trust",
			  explain_asks_chain(policy) ? trust->path : NULL);
	json_bool(json, "trust_is_system", policy->trust.path == NULL);
	json_number(json, "anchors", (int64_t)what->anchors);
	json_open_list(json, "pins");
	for (i = 0; i < policy->pin_count; i++) {
		facts_pin_text(policy->pins[i], pin);
		json_text(json, NULL, pin);
	}
	json_close_list(json);
}

static void json_demand(const struct explanation *what, struct json *json)
{
	const struct policy *policy = what->survey->rule.policy;

	json_open_object(json, "demand");
	json_text(json, "level", tls_level_text(policy->tls));
	json_text(json, "from", "configuration");
	json_text(json, "min_tls", policy->min_tls == TLS_1_3 ? "1.3" : "1.2");
	json_text_or_null(json, "would",
			  policy->would != TLS_NONE
				  ? tls_level_text(policy->would)
				  : NULL);
	if (policy->bounce_after > 0)
		json_number(json, "bounce_after", policy->bounce_after);
	else
		json_null(json, "bounce_after");
	json_text_or_null(json, "sni", policy->sni);
	json_text_or_null(json, "certificate",
			  policy->certificate != NULL
				  ? policy->certificate->title
				  : NULL);
	json_text_or_null(json, "user", policy->user);
	json_trust(what, json);
	json_close_object(json);
}

/* Of mail from there. */
static void json_inbound(const struct explanation *what, struct json *json)
{
	static const char *const levels[] = {
		[INBOUND_TLS_NONE] = "none",
		[INBOUND_TLS_REQUIRED] = "required",
		[INBOUND_TLS_VERIFY] = "verify",
	};
	const struct policy *policy = what->survey->rule.policy;
	const struct strings *names = policy->inbound_names.count > 0
					      ? &policy->inbound_names
					      : &policy->names;
	size_t i;

	json_open_object(json, "inbound");
	json_text(json, "level", levels[policy->inbound]);
	json_open_list(json, "names");
	for (i = 0; policy->inbound == INBOUND_TLS_VERIFY && i < names->count;
	     i++)
		json_text(json, NULL, names->at[i]);
	json_close_list(json);
	json_close_object(json);
}

static void json_candidate(struct json *json,
			   const struct candidate *candidate)
{
	char text[NET_TEXT_MAX];

	json_text(json, "host", candidate->host);
	net_text(&candidate->address, text);
	json_text(json, "address", text);
	json_number(json, "port", net_port(&candidate->address));
}

static void json_would(struct json *json, const struct judgement *would)
{
	if (would == NULL) {
		json_null(json, "would");
		return;
	}
	json_open_object(json, "would");
	json_bool(json, "holds", would->verdict == JUDGE_DELIVER);
	json_text_or_null(json, "code", would->reason_code);
	json_text(json, "reason", would->reason);
	json_close_object(json);
}

static void json_attempts(const struct explanation *what, struct json *json)
{
	size_t i;

	json_open_list(json, "attempts");
	for (i = 0; i < what->survey->count; i++) {
		json_open_object(json, NULL);
		json_candidate(json, &what->survey->candidates[i]);
		json_close_object(json);
	}
	json_close_list(json);
	if (!what->is_probed) {
		json_null(json, "probe");
		return;
	}
	json_open_list(json, "probe");
	for (i = 0; i < what->probe_count; i++) {
		json_open_object(json, NULL);
		json_candidate(json, what->probes[i].candidate);
		json_bool(json, "holds", what->probes[i].holds);
		json_bool(json, "temporary", what->probes[i].is_temporary);
		json_bool(json, "plaintext", what->probes[i].is_plaintext);
		json_text(json, "reason", what->probes[i].reason);
		json_would(json, what->probes[i].would);
		json_close_object(json);
	}
	json_close_list(json);
}

static void json_verdict(const struct explanation *what, struct json *json)
{
	const struct survey *survey = what->survey;
	int status = explain_status(what);

	json_open_object(json, "verdict");
	json_text(json, "would",
		  status == EX_OK ? "go"
		  : survey->count == 0 &&
				  survey->verdict.outcome == OUTCOME_FAILED
			  ? "be returned"
			  : "wait");
	json_text_or_null(json, "status", survey->verdict.status);
	json_text_or_null(json, "reason", survey->verdict.text);
	json_number(json, "exit", status);
	json_close_object(json);
}

void explain_json(const struct explanation *what, struct buffer *out)
{
	struct json json = { .out = out };

	json_open_object(&json, NULL);
	json_text(&json, "address", what->survey->address.text);
	json_text(&json, "domain", what->survey->address.domain);
	json_policy(what, &json);
	json_route(what, &json);
	json_demand(what, &json);
	json_inbound(what, &json);
	json_attempts(what, &json);
	json_verdict(what, &json);
	json_close_object(&json);
}
