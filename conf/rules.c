/*
 * Patterns and domains.  A lookup tries the domain itself, then "*." with
 * each of its suffixes from the longest on, then "*": one binary search
 * for each label, whatever the number of policies.
 */
#include "conf/rules.h"

#include "conf/addr.h"

#include <stdlib.h>
#include <string.h>

/* Is the pattern in the set?  Its position, or NULL. */
typedef const void *lookup(const void *set, const char *pattern);

static const void *find_policy(const void *set, const char *pattern)
{
	const struct conf *conf = set;
	size_t low = 0, high = conf->pattern_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(pattern, conf->patterns[middle].pattern);

		if (!order)
			return &conf->patterns[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static const void *find_string(const void *set, const char *pattern)
{
	const struct strings *strings = set;

	if (strings->is_sorted && strings->count)
		return bsearch(&pattern, strings->at, strings->count,
			       sizeof(*strings->at), compare_strings);
	for (size_t i = 0; i < strings->count; i++)
		if (!strcmp(strings->at[i], pattern))
			return strings->at[i];
	return NULL;
}

/* The most specific pattern of the set that the domain matches. */
static const void *search(const void *set, lookup *find, const char *domain)
{
	char pattern[ADDR_DOMAIN_MAX + 3] = "*.";
	const void *found = find(set, domain);

	/* An address literal has no labels and no parents. */
	if (domain[0] == '[' || strlen(domain) > ADDR_DOMAIN_MAX)
		return found ? found : find(set, "*");
	for (const char *at = domain; at && !found; at = strchr(at, '.')) {
		at += *at == '.';
		memcpy(pattern + 2, at, strlen(at) + 1);
		found = find(set, pattern);
	}
	return found ? found : find(set, "*");
}

static int compare_patterns(const void *a, const void *b)
{
	const struct policy_pattern *left = a, *right = b;

	return strcmp(left->pattern, right->pattern);
}

void rules_index(struct conf *conf)
{
	size_t count = 0;

	for (size_t i = 0; i < conf->policy_count; i++)
		count += conf->policies[i].patterns.count;
	conf->patterns = must_realloc(conf->patterns,
				      count * sizeof(*conf->patterns));
	conf->pattern_count = 0;
	for (size_t i = 0; i < conf->policy_count; i++) {
		const struct policy *policy = &conf->policies[i];

		for (size_t n = 0; n < policy->patterns.count; n++)
			conf->patterns[conf->pattern_count++] =
				(struct policy_pattern){
					policy->patterns.at[n], policy };
	}
	if (count)
		qsort(conf->patterns, count, sizeof(*conf->patterns),
		      compare_patterns);
}

struct rules_answer rules_policy(const struct conf *conf,
				 struct rules_question question)
{
	const struct policy_pattern *found =
		search(conf, find_policy, question.recipient_domain);

	if (!found)
		return (struct rules_answer){ &conf->fallback, NULL };
	return (struct rules_answer){ found->policy, found->pattern };
}

bool rules_match(const struct strings *patterns, const char *domain)
{
	return search(patterns, find_string, domain);
}

bool rules_pattern_matches(const char *pattern, const char *domain, bool apex)
{
	size_t suffix_len, len = strlen(domain);

	if (!strcmp(pattern, "*"))
		return true;
	if (strncmp(pattern, "*.", 2))
		return !strcmp(pattern, domain);
	suffix_len = strlen(pattern) - 1; /* with its dot */
	if (len + 1 == suffix_len)
		return apex && !strcmp(pattern + 2, domain);
	return len > suffix_len &&
	       !strcmp(domain + len - suffix_len, pattern + 1);
}

bool rules_mx_matches(const char *pattern, const char *host)
{
	const char *dot = strchr(host, '.');

	if (strncmp(pattern, "*.", 2))
		return !strcmp(pattern, host);
	return dot && dot != host && !strcmp(dot, pattern + 1);
}
