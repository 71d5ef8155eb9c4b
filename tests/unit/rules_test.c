/*
 * Which policy applies: specificity, the apex, and that many policies cost
 * no more than few.
 */
#include "conf/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MANY = 20000, LOOKUPS = 100000 };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static char *patterns[] = { "*.tuv.com",      "de.tuv.com", "*.de.tuv.com",
			    "*.partner.org", "partner.org", "*" };

static void the_most_specific_pattern_wins(void **unused)
{
	static const struct {
		const char *domain, *pattern;
	} rows[] = {
		{ "tuv.com",		"*.tuv.com"	},
		{ "mx.tuv.com",		"*.tuv.com"	},
		{ "a.b.tuv.com",	"*.tuv.com"	},
		{ "de.tuv.com",		"de.tuv.com"	},
		{ "x.de.tuv.com",	"*.de.tuv.com"	},
		{ "x.y.de.tuv.com",	"*.de.tuv.com"	},
		{ "partner.org",	"partner.org"	},
		{ "x.partner.org",	"*.partner.org" },
		{ "nottuv.com",		"*"		},
		{ "tuv.com.evil.org",	"*"		},
		{ "com",		"*"		},
		{ "[192.0.2.1]",	"*"		},
	};
	struct policy policies[COUNT(patterns)] = { 0 };
	struct conf conf = { .policies = policies,
			     .policy_count = COUNT(patterns) };

	(void)unused;
	for (size_t i = 0; i < COUNT(patterns); i++) {
		policies[i].patterns.at = &patterns[i];
		policies[i].patterns.count = 1;
	}
	rules_index(&conf);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rules_question question = {
			.recipient_domain = rows[i].domain };
		struct rules_answer answer = rules_policy(&conf, question);

		assert_string_equal(answer.pattern, rows[i].pattern);
		assert_string_equal(answer.policy->patterns.at[0],
				    rows[i].pattern);
	}
	free(conf.patterns);
}

static void without_a_policy_the_fallback_applies(void **unused)
{
	struct conf conf = { .fallback = { .tls = TLS_MAY } };
	struct rules_question question = { .recipient_domain = "a.example" };
	struct rules_answer answer;

	(void)unused;
	rules_index(&conf);
	answer = rules_policy(&conf, question);
	assert_ptr_equal(answer.policy, &conf.fallback);
	assert_null(answer.pattern);
	free(conf.patterns);
}

static void sets_match_as_policies_do(void **unused)
{
	char *words[] = { "*.example.com", "example.org" };
	struct strings set = { .at = words, .count = 2 };

	(void)unused;
	for (int sorted = 0; sorted < 2; sorted++) {
		set.is_sorted = sorted;
		assert_true(rules_match(&set, "example.com"));
		assert_true(rules_match(&set, "a.b.example.com"));
		assert_true(rules_match(&set, "example.org"));
		assert_false(rules_match(&set, "a.example.org"));
		assert_false(rules_match(&set, "myexample.com"));
		assert_false(rules_match(&set, ""));
		assert_false(rules_match(&set, "[192.0.2.1]"));
	}
	set.count = 0;
	assert_false(rules_match(&set, "example.com"));
}

static void single_patterns_match(void **unused)
{
	(void)unused;
	assert_true(rules_pattern_matches("*", "a.b", false));
	assert_true(rules_pattern_matches("a.b", "a.b", false));
	assert_false(rules_pattern_matches("a.b", "x.a.b", true));
	assert_true(rules_pattern_matches("*.a.b", "x.y.a.b", false));
	assert_true(rules_pattern_matches("*.a.b", "a.b", true));
	assert_false(rules_pattern_matches("*.a.b", "a.b", false));
	assert_false(rules_pattern_matches("*.a.b", "xa.b", true));
	assert_false(rules_pattern_matches("*.a.b", ".a.b", true));
	assert_false(rules_pattern_matches("*.a.b", "b", true));
}

static void an_mx_star_is_one_label(void **unused)
{
	(void)unused;
	assert_true(rules_mx_matches("*.mail.example", "a.mail.example"));
	assert_false(rules_mx_matches("*.mail.example", "a.b.mail.example"));
	assert_false(rules_mx_matches("*.mail.example", "mail.example"));
	assert_false(rules_mx_matches("*.mail.example", ".mail.example"));
	assert_false(rules_mx_matches("*.mail.example", "amail.example"));
	assert_true(rules_mx_matches("mx.example", "mx.example"));
	assert_false(rules_mx_matches("mx.example", "a.mx.example"));
}

static void many_policies_are_searched_fast(void **unused)
{
	struct policy *policies = must_alloc(MANY * sizeof(*policies));
	char (*text)[32] = must_alloc(MANY * sizeof(*text));
	char **words = must_alloc(MANY * sizeof(*words));
	struct conf conf = { .policies = policies, .policy_count = MANY };
	clock_t before;
	char domain[64];

	(void)unused;
	for (int i = 0; i < MANY; i++) {
		snprintf(text[i], sizeof(text[i]), "*.d%d.example", i);
		words[i] = text[i];
		policies[i].patterns.at = &words[i];
		policies[i].patterns.count = 1;
	}
	rules_index(&conf);
	before = clock();
	for (int i = 0; i < LOOKUPS; i++) {
		struct rules_question question = { .recipient_domain = domain };

		snprintf(domain, sizeof(domain), "a.b.d%d.example", i % MANY);
		assert_ptr_equal(rules_policy(&conf, question).policy,
				 &policies[i % MANY]);
	}
	/* Walking would take minutes; this takes a fraction of a second even
	 * with sanitizers. */
	assert_true(clock() - before < 10 * CLOCKS_PER_SEC);
	free(conf.patterns);
	free(words);
	free(text);
	free(policies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_specific_pattern_wins),
		cmocka_unit_test(without_a_policy_the_fallback_applies),
		cmocka_unit_test(sets_match_as_policies_do),
		cmocka_unit_test(single_patterns_match),
		cmocka_unit_test(an_mx_star_is_one_label),
		cmocka_unit_test(many_policies_are_searched_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
