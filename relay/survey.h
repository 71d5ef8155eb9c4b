/*
 * How things stand for one recipient, for commands that explain: which
 * policy applies, what the DNS said, and where mail would go, with all
 * that was left out on the way.  Found by the very rooms that delivery
 * uses (conf/rules.h, relay/lookup.h, relay/route.h).
 */
#ifndef RELAY_SURVEY_H
#define RELAY_SURVEY_H

#include "conf/rules.h"
#include "relay/errand.h"
#include "relay/order.h"

struct survey {
	struct address address;
	struct rules_answer rule;
	bool is_refused;          /* an address literal that nobody may use */
	struct route_answer mx;
	struct route_host *hosts; /* in their order */
	size_t host_count;
	struct candidate candidates[ROUTE_CANDIDATES_MAX];
	size_t count;
	struct result verdict;    /* when there is no candidate */
};

/* Runs the errand's loop until all is answered. */
void survey_make(struct survey *survey, struct errand *errand,
		 const struct address *address);
/* As if that policy applied, which may be of another snapshot. */
void survey_by(struct survey *survey, struct errand *errand,
	       const struct address *address, const struct rules_answer *rule);
void survey_clear(struct survey *survey);

/* True when no question failed that might have changed the outcome: there
 * is no route because there is none, not because the DNS was silent. */
bool survey_is_final(const struct survey *survey);

/* A pattern that the domain matches too and that a more specific one beat;
 * *at begins at 0. NULL: no more. */
const struct policy_pattern *survey_loser(const struct survey *survey,
					  const struct conf *conf, size_t *at);
/* Why that one lost, for people. */
const char *survey_why_lost(const struct survey *survey, const char *pattern);

#endif
