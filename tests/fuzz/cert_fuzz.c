/*
 * What a peer presents: a run of certificates, each behind two bytes of
 * length, taken apart, named, constrained by one another and judged; and
 * the same bytes as a trust file.
 */
#include "tls/chain.h"
#include "tls/constraints.h"
#include "tls/names.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static size_t split(struct view rest, struct view *out, size_t most)
{
	size_t count = 0;

	while (rest.len >= 2 && count < most) {
		size_t len = (size_t)rest.at[0] << 8 | rest.at[1];

		rest = view_from(rest, 2);
		out[count++] = view_first(rest, len);
		rest = view_from(rest, len < rest.len ? len : rest.len);
	}
	return count;
}

static void constrain(const struct view *ders, size_t count)
{
	struct cert a, b;
	size_t i, k;

	for (i = 0; i < count; i++)
		for (k = 0; k < count; k++)
			if (cert_parse(ders[i], &a) == 0 &&
			    cert_parse(ders[k], &b) == 0)
				(void)constraints_allow(&a, &b);
}

/* The invariants that judging relies on. */
static void check(const struct tls_facts *facts)
{
	size_t i;

	if (facts->name_count > FACTS_NAMES_MAX ||
	    facts->verified_count > FACTS_CHAIN_MAX + 1)
		abort();
	if (facts->chain != CHAIN_HOLDS &&
	    (facts->verified_count > 0 || facts->leaf_is_anchor))
		abort();
	for (i = 0; i < facts->name_count; i++)
		if (!facts->names[i][0] || names_match(facts->names[i], ""))
			abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct view ders[FACTS_CHAIN_MAX];
	struct tls_facts facts = { 0 };
	struct error error;
	struct chain_question question = {
		.presented = ders, .now = 1780000000,
		.anchors = anchors_read(view_make(data, size), &error),
	};

	question.count = split(view_make(data, size), ders, FACTS_CHAIN_MAX);
	/* a lone certificate is its own trust file without its length */
	if (!question.anchors && question.count)
		question.anchors = anchors_read(ders[question.count - 1],
						&error);
	if (chain_present(&question, &facts) == 0)
		chain_verify(&question, &facts);
	check(&facts);
	constrain(ders, question.count);
	facts_clear(&facts);
	anchors_free((struct anchors *)(uintptr_t)question.anchors);
	return 0;
}
