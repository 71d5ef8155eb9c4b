/*
 * `postern explain`: what is known about one recipient, as text or JSON.
 * Pure; relay/explain_verb.c finds it out.
 */
#ifndef RELAY_EXPLAIN_H
#define RELAY_EXPLAIN_H

#include "relay/survey.h"

/* Whether one address would be good enough right now. */
struct explain_probe {
	const struct candidate *candidate;
	bool holds, is_temporary;
	bool is_plaintext; /* it holds, and mail would go in the clear */
	const char *reason;
	const struct judgement *would; /* of a dry run; NULL: none */
};

/* All borrowed. */
struct explanation {
	const struct conf *conf;
	const struct survey *survey;
	size_t anchors;   /* certificates in what the demand trusts */
	bool is_probed;
	const struct explain_probe *probes;
	size_t probe_count;
};

void explain_text(const struct explanation *what, struct buffer *out);
void explain_json(const struct explanation *what, struct buffer *out);

/* What is demanded of one host of the survey, by the dry run where there is
 * one. */
void explain_demand(const struct explanation *what,
		    const struct route_host *host, struct demand *demand);
/* Its part of the text: what is asked of hosts, and of mail from there. */
void explain_text_demand(const struct explanation *what, struct buffer *out);
/* Whether a chain is asked under verify: beside pins only what is spelled
 * out is. */
bool explain_asks_chain(const struct policy *policy);
/* The DNS's answer in words; never NULL. */
const char *explain_kind(const struct route_answer *answer);
const char *explain_proof(const struct route_answer *answer);
/* "tls = verify", in words. */
const char *explain_level(enum tls_level level);
/* Would mail go? 0, 1 (no) or EX_TEMPFAIL (not now). */
int explain_status(const struct explanation *what);

#endif
