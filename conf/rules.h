/*
 * Which policy applies to whom.  Pure.  Patterns: "example.org" is that
 * domain alone; "*.example.org" every subdomain and, unless another policy
 * names it, the apex; "*" everybody.  The most specific pattern wins:
 * exact, then the longest "*." suffix (an apex match by "*." counts less
 * than an exact one), then "*".
 */
#ifndef CONF_RULES_H
#define CONF_RULES_H

#include "conf/conf.h"

/* Selectors by sender and listener can come later (design, section 5). */
struct rules_question {
	const char *recipient_domain; /* canonical */
	const char *sender;           /* address text, may be NULL */
	const struct listener *listener; /* may be NULL */
};

struct rules_answer {
	const struct policy *policy; /* never NULL: conf->fallback at worst */
	const char *pattern;         /* the pattern that won; NULL: fallback */
};

/* Builds conf->patterns, by which rules_policy() finds policies; anew where
 * there was one.  conf_read() has done it. */
void rules_index(struct conf *conf);

struct rules_answer rules_policy(const struct conf *conf,
				 struct rules_question question);
/* True when the domain matches one of the patterns by the rules above. */
bool rules_match(const struct strings *patterns, const char *domain);
/* One pattern; "*." stands for one or more labels, and for the apex only
 * when `apex`. */
bool rules_pattern_matches(const char *pattern, const char *domain, bool apex);
/* One label per star, left-most only (RFC 8461 4.1): `mx` patterns. */
bool rules_mx_matches(const char *pattern, const char *host);

#endif
