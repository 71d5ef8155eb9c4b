/*
 * Demands and judgements: every combination, against a statement of the
 * rules that is written the other way round.
 */
#include "tls/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char name_mx5[] = "mx5.example.test";
static char issuer_x[] = "CA X";
static char star[] = "*";
static char star_example[] = "*.example.test";
static char star_cloud[] = "*.mail.cloud.test";
static char path_trust[] = "/trust.pem";
static char *mx5_list[] = { name_mx5 };
static char *issuer_list[] = { issuer_x };
static char *star_list[] = { star };
static char *example_list[] = { star_example };
static char *cloud_list[] = { star_cloud };
static unsigned char pins[2][32] = { { 1 }, { 2 } };
static char (*presented_names)[256];

/* --- every combination ------------------------------------------------ */

/* Levels 0 to 3 as they are; from DRY on the stricter question that a dry
 * run asks beside `may` and `encrypt`. */
enum { DRY = 4, LEVELS = 6 };

struct combination {
	int level, source, names, pinned, issuer, trust, roots, mx, min_tls,
		pattern, host;
};

struct proof {
	int is_tls, is_13, chain, name, presented, issuer, key, is_cbc;
};

enum { PROOF_PARTS = sizeof(struct proof) / sizeof(int) };

static const char *const hosts[] = {
	"mx5.example.test", "mx.mail.cloud.test", "evil.test", "192.0.2.1",
};

static struct conf with_roots;

static enum tls_level configured(const struct combination *c)
{
	return c->level < DRY	 ? (enum tls_level)c->level
	       : c->level == DRY ? TLS_MAY
				 : TLS_ENCRYPT;
}

/* For a client `inbound` says the level. */
static enum tls_level level_of(const struct combination *c)
{
	if (c->level >= DRY)
		return TLS_VERIFY;
	return c->source == HOST_CLIENT && c->level == TLS_NONE
		       ? TLS_MAY
		       : (enum tls_level)c->level;
}

static struct policy policy_of(const struct combination *c)
{
	static const enum inbound_tls inbound[] = {
		INBOUND_TLS_NONE, INBOUND_TLS_NONE, INBOUND_TLS_REQUIRED,
		INBOUND_TLS_VERIFY,
	};
	struct policy policy = { .tls = configured(c),
				 .would = c->level >= DRY ? TLS_VERIFY
							  : TLS_NONE,
				 .inbound = inbound[c->level % DRY] };

	if (c->names == 1)
		policy.names = (struct strings){ .at = mx5_list, .count = 1 };
	policy.names_mx = c->names == 2;
	if (c->pinned) {
		policy.pins = pins;
		policy.pin_count = 2;
	}
	if (c->issuer)
		policy.issuer = (struct strings){ .at = issuer_list,
						  .count = 1 };
	if (c->trust)
		policy.trust = (struct conf_blob){
			.path = path_trust, .bytes = VIEW("x"),
		};
	if (c->mx)
		policy.mx = (struct strings){ .at = cloud_list, .count = 1 };
	policy.patterns = (struct strings){
		.at = c->pattern ? example_list : star_list, .count = 1,
	};
	policy.min_tls = c->min_tls ? TLS_1_3 : TLS_ANY;
	return policy;
}

static struct demand demand_of(const struct combination *c,
			       const struct policy *policy)
{
	struct demand_question question = {
		.policy = policy, .domain = "example.test",
		.source = (enum host_source)c->source, .host = hosts[c->host],
		.conf = c->roots ? &with_roots : NULL,
		.is_dry_run = c->level >= DRY,
	};
	struct demand demand;

	tls_demand(&question, &demand);
	return demand;
}

static struct tls_facts facts_of(const struct combination *c,
				 const struct proof *p,
				 struct facts_certificate *verified)
{
	struct tls_facts facts = { .is_tls = p->is_tls,
				   .is_server = c->source == HOST_CLIENT };

	if (!p->is_tls)
		return facts;
	(void)snprintf(facts.version, sizeof(facts.version),
		       p->is_13 ? "TLSv1.3" : "TLSv1.2");
	if (p->is_cbc)
		(void)snprintf(facts.cipher, sizeof(facts.cipher),
			       "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256");
	facts.chain = (enum chain_verdict)p->chain;
	if (!p->presented)
		return facts;
	facts.presented = 1;
	facts.leaf.spki_sha256[0] = (unsigned char)p->key;
	facts.names = presented_names;
	facts.name_count = 1;
	/* 0: another, 1: mx5, 2: the MX of the cloud */
	(void)snprintf(presented_names[0], 256, "%s",
		       p->name == 0   ? "other.test"
		       : p->name == 1 ? "mx5.example.test"
				      : "*.mail.cloud.test");
	if (p->chain == CHAIN_HOLDS) {
		(void)snprintf(verified->subject, FACTS_TEXT_MAX, "%s",
			       p->issuer ? "CA X" : "CA Y");
		facts.verified = verified;
		facts.verified_count = 1;
	}
	return facts;
}

/* Which host may bear which name, said once more: -1 unusable, 0 none is
 * asked, 1 mx5, 2 the cloud's, 3 a name that nobody here presents. */
static int name_expected(const struct combination *c)
{
	static const int own[] = { 1, 2, 3, -1 };
	bool is_mx = c->source == HOST_MX;
	bool is_client = c->source == HOST_CLIENT;

	if (c->names == 1)
		return 1;
	if (c->names == 2 && !is_client)
		return own[c->host];
	if (c->pinned)
		return 0;
	if (c->source == HOST_GATEWAY_ADDRESS || is_client || c->host == 3)
		return -1;
	if (is_mx && c->host == 1 && !c->mx)
		return -1;
	if (is_mx && c->host == 2)
		return -1;
	return own[c->host];
}

static bool should_deliver(const struct combination *c, const struct proof *p)
{
	enum tls_level level = level_of(c);
	int name = level == TLS_VERIFY ? name_expected(c) : 0;
	bool asks_chain = !c->pinned || c->trust || c->issuer;

	if (level <= TLS_MAY && !p->is_tls)
		return true;
	if (!p->is_tls || (c->min_tls && !p->is_13))
		return false;
	/* what only level may speaks; clients may always */
	if (level > TLS_MAY && p->is_cbc && c->source != HOST_CLIENT)
		return false;
	if (level != TLS_VERIFY)
		return true;
	if (!p->presented || name < 0 || (name > 0 && name != p->name))
		return false;
	if (c->pinned && p->key != 1 && p->key != 2)
		return false;
	if (asks_chain && (p->chain != CHAIN_HOLDS ||
			   !(c->trust || c->roots)))
		return false;
	return !c->issuer || p->issuer;
}

static bool next(int *digits, const int *limits, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (++digits[i] < limits[i])
			return true;
		digits[i] = 0;
	}
	return false;
}

/* A dry run is nobody's who comes to us; apart from its level it is judged
 * like any other, so that corners are not walked again. */
static bool is_possible(const struct combination *c)
{
	return c->level < DRY || (c->source != HOST_CLIENT && !c->min_tls &&
				  !c->pattern && !c->mx);
}

/* How many kinds there are of each part of a proof; of what nobody looks
 * at, under this combination, one. */
static void kinds_of(const struct combination *c, int kinds[PROOF_PARTS])
{
	bool is_corner = c->mx || c->min_tls || c->pattern || c->host;
	bool is_looked_at = !is_corner || level_of(c) == TLS_VERIFY;
	struct proof most = {
		.is_tls = 2,
		.is_13 = 2,
		.chain = is_corner ? CHAIN_NO_CERTIFICATE + 1
				   : CHAIN_NAME_CONSTRAINT + 1,
		.name = is_looked_at ? 3 : 1,
		.presented = 2,
		.issuer = c->issuer ? 2 : 1,
		.key = c->pinned && is_looked_at ? 3 : 1,
		.is_cbc = is_corner ? 1 : 2,
	};

	memcpy(kinds, &most, sizeof(most));
}

/* The same as one that was walked, since there is nothing to look at. */
static bool is_repeated(const struct proof *p)
{
	if (!p->is_tls)
		return p->is_13 || p->chain || p->name || p->presented ||
		       p->issuer || p->key || p->is_cbc;
	if (p->is_cbc && (p->is_13 || p->chain > CHAIN_HOLDS))
		return true;
	return !p->presented && (p->name || p->issuer || p->key);
}

static void check_one(const struct combination *c, const struct demand *demand,
		      const struct proof *p)
{
	struct facts_certificate verified = { 0 };
	struct tls_facts facts = facts_of(c, p, &verified);
	bool deliver = should_deliver(c, p);
	struct judgement j;

	tls_judge(demand, &facts, &j);
	assert_int_equal(j.verdict == JUDGE_DELIVER, j.fault == FAULT_NONE);
	if ((j.verdict == JUDGE_DELIVER) != deliver)
		fail_msg("level %d source %d host %s names %d: %s (%s)",
			 c->level, c->source, hosts[c->host], c->names,
			 j.verdict == JUDGE_DELIVER ? "deliver" : "refused",
			 j.reason);
	/* plaintext is no answer once there was a handshake */
	assert_int_not_equal(j.verdict, JUDGE_PLAINTEXT_RETRY);
	assert_true(strlen(j.reason) > 0);
	assert_true(deliver == (j.code[0] == '\0'));
	assert_true(deliver == (j.reason_code[0] == '\0'));
	assert_true(deliver || strncmp(j.code, "4.7.", 4) == 0);
	assert_true(j.is_verified == (deliver && level_of(c) == TLS_VERIFY));
}

static void check_troubles(const struct combination *c,
			   const struct demand *demand)
{
	struct judgement j;
	int trouble;

	for (trouble = 0; trouble < 3; trouble++) {
		tls_judge_trouble(demand, (enum tls_trouble)trouble, "why",
				  &j);
		assert_int_equal(j.verdict, level_of(c) == TLS_MAY
						    ? JUDGE_PLAINTEXT_RETRY
						    : JUDGE_NEXT_HOST);
		assert_int_equal(strncmp(j.code, "4.7.", 4), 0);
		assert_true(j.reason_code[0] != '\0');
		assert_true(strlen(j.reason) > 0);
	}
}

static void no_unmet_demand_is_ever_delivered(void **state)
{
	static const int limits[] = { LEVELS, 6, 3, 2, 2, 2, 2, 2, 2, 2, 4 };
	int kinds[PROOF_PARTS];
	struct combination c = { 0 };
	struct proof p;
	struct policy policy;
	struct demand demand;
	unsigned long count = 0;

	(void)state;
	do {
		if (!is_possible(&c))
			continue;
		policy = policy_of(&c);
		demand = demand_of(&c, &policy);
		check_troubles(&c, &demand);
		p = (struct proof){ 0 };
		kinds_of(&c, kinds);
		do {
			if (is_repeated(&p))
				continue;
			check_one(&c, &demand, &p);
			count++;
		} while (next(&p.is_tls, kinds, PROOF_PARTS));
	} while (next(&c.level, limits, 11));
	print_message("%lu combinations\n", count);
	assert_true(count > 1000000);
}

static int set_up(void **state)
{
	(void)state;
	presented_names = must_alloc(sizeof(*presented_names));
	with_roots.system_trust = (struct conf_blob){
			.path = path_trust, .bytes = VIEW("x"),
		};
	with_roots.generation = 1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(presented_names);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_unmet_demand_is_ever_delivered),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
