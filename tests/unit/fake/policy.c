/*
 * A judge for tests, included by the test that needs it: the shape of
 * tls/policy.h with rules that fit on a page.  A host whose name begins
 * with "forbidden" is not usable under verify; CHAIN_HOLDS is all that
 * verify asks.
 */
#include <stdio.h>
#include <string.h>

#include "tls/policy.h"

void tls_demand(const struct demand_question *question, struct demand *out)
{
	memset(out, 0, sizeof(*out));
	out->policy = question->policy;
	out->level = question->policy->tls;
	out->is_usable = out->level != TLS_VERIFY ||
			 strncmp(question->host, "forbidden", 9) != 0;
	snprintf(out->why, sizeof(out->why), "%s %s", question->host,
		 out->is_usable ? "is fine" : "may not be used");
	snprintf(out->sni, sizeof(out->sni), "%s", question->host);
}

void tls_judge(const struct demand *demand, const struct tls_facts *facts,
	       struct judgement *out)
{
	bool holds = facts->is_tls && facts->chain == CHAIN_HOLDS;
	bool is_met = demand->level <= TLS_MAY ||
		      (demand->level == TLS_ENCRYPT && facts->is_tls) || holds;

	memset(out, 0, sizeof(*out));
	out->verdict = is_met ? JUDGE_DELIVER : JUDGE_NEXT_HOST;
	out->code = is_met ? "" : "4.7.5";
	out->is_verified = holds;
	out->matched_pin = -1;
	snprintf(out->reason, sizeof(out->reason), "%s",
		 is_met ? "it holds" : "expected this, presented that");
}

void tls_judge_trouble(const struct demand *demand, enum tls_trouble trouble,
		       const char *detail, struct judgement *out)
{
	static const char *const what[] = { "not offered", "refused",
					    "handshake failed" };

	memset(out, 0, sizeof(*out));
	out->verdict = demand->level == TLS_MAY ? JUDGE_PLAINTEXT_RETRY
						: JUDGE_NEXT_HOST;
	out->code = demand->level == TLS_MAY ? "" : "4.7.4";
	out->matched_pin = -1;
	snprintf(out->reason, sizeof(out->reason), "TLS %s: %s",
		 what[trouble], detail);
}

bool demand_equal(const struct demand *a, const struct demand *b)
{
	return a->level == b->level && a->policy == b->policy &&
	       strcmp(a->sni, b->sni) == 0;
}
