/*
 * Comes in: an address.  Goes out: what delivery would find out about it at
 * this moment.  Owns a copy of the route's hosts; policies stay the
 * snapshot's.
 */
#include "relay/survey.h"

#include <stdlib.h>
#include <string.h>

#include "relay/lookup.h"
#include "relay/own.h"

struct asking {
	struct survey *survey;
	struct errand *errand;
	bool is_over;
};

static void on_route(void *arg, const struct route_view *view)
{
	struct survey *survey = arg;
	size_t size = view->host_count * sizeof(*survey->hosts);

	survey->mx = *view->mx;
	survey->host_count = view->host_count;
	if (size > 0) {
		survey->hosts = must_alloc(size);
		memcpy(survey->hosts, view->hosts, size);
	}
	survey->count = view->count;
	memcpy(survey->candidates, view->candidates,
	       view->count * sizeof(survey->candidates[0]));
	survey->verdict = *view->verdict;
}

static void on_end(void *arg, const struct candidate *candidates, size_t count,
		   const struct result *verdict)
{
	struct asking *asking = arg;

	(void)candidates;
	(void)count;
	(void)verdict;
	asking->is_over = true;
	errand_done(asking->errand);
}

/* As admit_recipient() says to whoever hands such a recipient in. */
static void refuse(struct survey *survey)
{
	survey->is_refused = true;
	result_set(&survey->verdict, OUTCOME_FAILED, BLAME_RECIPIENT, "5.1.2",
		   "address literals are not accepted here "
		   "(address-literals = no)");
}

void survey_by(struct survey *survey, struct errand *errand,
	       const struct address *address, const struct rules_answer *rule)
{
	struct asking asking = { survey, errand, false };
	struct route_question question;
	struct own own;

	memset(survey, 0, sizeof(*survey));
	survey->address = *address;
	survey->rule = *rule;
	if (address->is_literal && !errand->conf->address_literals) {
		refuse(survey);
		return;
	}
	own_init(&own, errand->conf);
	question = (struct route_question){
		.conf = errand->conf,
		.policy = survey->rule.policy,
		.domain = survey->address.domain,
		.own = &own.route,
		.witness = on_route,
		.witness_arg = survey,
	};
	lookup_start(errand->dns, &question, on_end, &asking);
	if (!asking.is_over)
		errand_run(errand);
	own_clear(&own);
}

void survey_make(struct survey *survey, struct errand *errand,
		 const struct address *address)
{
	struct rules_question who = { .recipient_domain = address->domain };
	struct rules_answer rule = rules_policy(errand->conf, who);

	survey_by(survey, errand, address, &rule);
}

void survey_clear(struct survey *survey)
{
	free(survey->hosts);
	memset(survey, 0, sizeof(*survey));
}

bool survey_is_final(const struct survey *survey)
{
	return survey->verdict.outcome == OUTCOME_FAILED ||
	       strcmp(survey->verdict.status, "4.4.3") != 0;
}

const struct policy_pattern *survey_loser(const struct survey *survey,
					  const struct conf *conf, size_t *at)
{
	const struct policy_pattern *pattern;

	while (*at < conf->pattern_count) {
		pattern = &conf->patterns[(*at)++];
		if (pattern->pattern != survey->rule.pattern &&
		    rules_pattern_matches(pattern->pattern,
					  survey->address.domain, true))
			return pattern;
	}
	return NULL;
}

const char *survey_why_lost(const struct survey *survey, const char *pattern)
{
	if (strcmp(pattern, "*") == 0)
		return "it means everybody and is the least specific";
	if (survey->rule.pattern[0] != '*')
		return "the other one names this very domain";
	return "the other one is longer and so more specific";
}
