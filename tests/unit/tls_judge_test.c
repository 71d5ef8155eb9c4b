/*
 * Demands and judgements: the sentences of the rules one by one, with the
 * words that a postmaster gets to read.
 */
#include "tls/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char name_mx5[] = "mx5.example.test";
static char star_cloud[] = "*.mail.cloud.test";
static char path_trust[] = "/trust.pem";
static char *mx5_list[] = { name_mx5 };
static char *cloud_list[] = { star_cloud };
static unsigned char pins[2][32] = { { 1 }, { 2 } };
static char (*presented_names)[256];
static struct conf with_roots;

static struct demand ask(struct policy *policy, enum host_source source,
			 const char *host)
{
	struct demand_question question = {
		.policy = policy, .domain = "example.test", .source = source,
		.host = host, .conf = &with_roots,
	};
	struct demand demand;

	policy->tls = TLS_VERIFY;
	tls_demand(&question, &demand);
	return demand;
}

static void an_mx_host_of_unsigned_dns_needs_somebody_to_vouch(void **state)
{
	static const struct {
		const char *host;
		enum host_source source;
		bool is_usable;
	} rows[] = {
		{ "example.test", HOST_MX, true },
		{ "mx.example.test", HOST_MX, true },
		{ "a.b.example.test", HOST_MX, true },
		{ "notexample.test", HOST_MX, false },
		{ "example.test.evil.test", HOST_MX, false },
		{ "mx.partner.test", HOST_MX, true },  /* a pattern's */
		{ "partner.test", HOST_MX, true },
		{ "x.mail.cloud.test", HOST_MX, true }, /* mx = */
		{ "x.y.mail.cloud.test", HOST_MX, false },
		{ "mail.cloud.test", HOST_MX, false },
		{ "evil.test", HOST_MX, false },
		{ "evil.test", HOST_MX_SECURE, true },
		{ "evil.test", HOST_GATEWAY, true },
	};
	char *patterns[] = { (char[]){ "*" }, (char[]){ "*.partner.test" } };
	struct policy policy = {
		.patterns = { .at = patterns, .count = 2 },
		.mx = { .at = cloud_list, .count = 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct demand demand = ask(&policy, rows[i].source,
					   rows[i].host);

		assert_true(demand.is_usable == rows[i].is_usable);
		if (!demand.is_usable) {
			assert_non_null(strstr(demand.why, "unsigned DNS"));
			continue;
		}
		assert_int_equal(demand.name_count, 1);
		assert_string_equal(demand.names[0], rows[i].host);
		assert_string_equal(demand.sni, rows[i].host);
	}
}

static void names_mx_trusts_unsigned_dns_and_says_so(void **state)
{
	struct policy policy = { .names_mx = true };
	struct demand demand = ask(&policy, HOST_MX, "evil.test");
	struct tls_facts facts = {
		.is_tls = true, .version = "TLSv1.3", .presented = 1,
		.chain = CHAIN_HOLDS, .names = presented_names,
		.name_count = 1,
	};
	struct judgement j;

	(void)state;
	assert_true(demand.is_usable);
	assert_true(demand.names_from_unsigned_dns);
	assert_non_null(strstr(demand.why, "unsigned DNS"));
	(void)snprintf(presented_names[0], 256, "evil.test");
	tls_judge(&demand, &facts, &j);
	assert_int_equal(j.verdict, JUDGE_DELIVER);
	assert_non_null(strstr(j.reason, "unsigned DNS"));
	demand = ask(&policy, HOST_MX_SECURE, "evil.test");
	assert_false(demand.names_from_unsigned_dns);
	demand = ask(&policy, HOST_GATEWAY_ADDRESS, "192.0.2.1");
	assert_false(demand.is_usable);
}

static void a_gateway_by_address_needs_names_and_gets_no_sni(void **state)
{
	struct policy policy = { 0 };
	struct demand demand = ask(&policy, HOST_GATEWAY_ADDRESS, "::1");

	(void)state;
	assert_false(demand.is_usable);
	assert_non_null(strstr(demand.why, "names"));
	policy.names = (struct strings){ .at = mx5_list, .count = 1 };
	demand = ask(&policy, HOST_GATEWAY_ADDRESS, "::1");
	assert_true(demand.is_usable);
	assert_string_equal(demand.sni, "");
	policy.sni = name_mx5;
	demand = ask(&policy, HOST_GATEWAY_ADDRESS, "::1");
	assert_string_equal(demand.sni, name_mx5);
}

static void reasons_name_what_was_expected_and_presented(void **state)
{
	char *expected[] = { (char[]){ "mx5.de.tuv.com" } };
	char *ca[] = { (char[]){ "D-TRUST SSL Class 3 CA 1 2009" } };
	struct policy policy = {
		.names = { .at = expected, .count = 1 },
		.issuer = { .at = ca, .count = 1 },
	};
	struct demand demand = ask(&policy, HOST_GATEWAY, "mx6.de.tuv.com");
	struct facts_certificate verified = { .subject = "Some CA" };
	struct tls_facts facts = {
		.is_tls = true, .version = "TLSv1.3", .presented = 2,
		.chain = CHAIN_HOLDS, .names = presented_names,
		.name_count = 1, .verified = &verified, .verified_count = 1,
		.leaf = { .issuer = "Some CA" },
	};
	struct judgement j;

	(void)state;
	(void)snprintf(presented_names[0], 256, "mx6.de.tuv.com");
	tls_judge(&demand, &facts, &j);
	assert_string_equal(j.code, "4.7.5");
	assert_string_equal(j.reason_code, "issuer-mismatch");
	assert_string_equal(j.reason,
			    "certificate of mx6.de.tuv.com is issued by "
			    "\"Some CA\", expected \"D-TRUST SSL Class 3 CA 1 "
			    "2009\"");
	(void)snprintf(verified.subject, FACTS_TEXT_MAX,
		       "D-Trust SSL Class 3 CA 1 2009");
	tls_judge(&demand, &facts, &j);
	assert_string_equal(j.reason,
			    "certificate of mx6.de.tuv.com bears "
			    "mx6.de.tuv.com, expected mx5.de.tuv.com");
	(void)snprintf(facts.cn, sizeof(facts.cn), "mx5.de.tuv.com");
	facts.names_refused = 1;
	tls_judge(&demand, &facts, &j);
	assert_non_null(strstr(j.reason, "(and 1 that are no host names)"));
	assert_non_null(strstr(j.reason, "its CN mx5.de.tuv.com would match"));
	facts.chain = CHAIN_EXPIRED;
	(void)snprintf(facts.chain_reason, FACTS_TEXT_MAX,
		       "certificate \"a\" expired on 2026-03-01");
	tls_judge(&demand, &facts, &j);
	assert_string_equal(j.reason, "certificate of mx6.de.tuv.com: "
				      "certificate \"a\" expired on "
				      "2026-03-01");
	facts.chain = CHAIN_WEAK_KEY;
	tls_judge(&demand, &facts, &j);
	assert_string_equal(j.code, "4.7.6");
	tls_judge_trouble(&demand, TROUBLE_NOT_OFFERED, "", &j);
	assert_string_equal(j.code, "4.7.4");
	assert_non_null(strstr(j.reason, "does not offer STARTTLS"));
}

static void chains_have_their_reason_codes(void **state)
{
	static const struct {
		enum chain_verdict chain;
		const char *reason_code;
	} rows[] = {
		{ CHAIN_HOLDS, "certificate-host-mismatch" },
		{ CHAIN_UNREADABLE, "validation-failure" },
		{ CHAIN_SELF_SIGNED, "certificate-not-trusted" },
		{ CHAIN_UNKNOWN_CA, "certificate-not-trusted" },
		{ CHAIN_BAD_SIGNATURE, "certificate-not-trusted" },
		{ CHAIN_EXPIRED, "certificate-expired" },
		{ CHAIN_NOT_YET_VALID, "certificate-not-yet-valid" },
		{ CHAIN_NOT_A_CA, "certificate-not-trusted" },
		{ CHAIN_WRONG_PURPOSE, "certificate-not-trusted" },
		{ CHAIN_WEAK_KEY, "weak-algorithm" },
		{ CHAIN_WEAK_SIGNATURE, "weak-algorithm" },
		{ CHAIN_NAME_CONSTRAINT, "certificate-not-trusted" },
	};
	struct policy policy = { 0 };
	struct demand demand = ask(&policy, HOST_GATEWAY, "a.test");
	struct tls_facts facts = {
		.is_tls = true, .version = "TLSv1.3", .presented = 1,
	};
	struct judgement j;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		facts.chain = rows[i].chain;
		tls_judge(&demand, &facts, &j);
		assert_string_equal(j.reason_code, rows[i].reason_code);
	}
	facts.presented = 0;
	tls_judge(&demand, &facts, &j);
	assert_string_equal(j.reason_code, "certificate-missing");
	facts.is_tls = false;
	tls_judge(&demand, &facts, &j);
	assert_string_equal(j.reason_code, "starttls-not-supported");
	tls_judge_trouble(&demand, TROUBLE_HANDSHAKE, "", &j);
	assert_string_equal(j.reason_code, "validation-failure");
	demand = ask(&policy, HOST_MX, "evil.test");
	tls_judge(&demand, &facts, &j);
	assert_string_equal(j.reason_code, "host-not-usable");
}

static void an_expired_certificate_with_the_right_pin_is_noted(void **state)
{
	struct policy policy = { .pins = pins, .pin_count = 2 };
	struct demand demand = ask(&policy, HOST_MX, "anything.test");
	struct tls_facts facts = {
		.is_tls = true, .version = "TLSv1.2", .presented = 1,
		.chain = CHAIN_EXPIRED, .leaf_is_expired = true,
		.leaf = { .spki_sha256 = { 2 } },
	};
	struct judgement j;

	(void)state;
	tls_judge(&demand, &facts, &j);
	assert_int_equal(j.verdict, JUDGE_DELIVER);
	assert_int_equal(j.matched_pin, 1);
	assert_true(j.is_verified);
	assert_non_null(strstr(j.reason, "expired"));
	facts.leaf.spki_sha256[1] = 7;
	tls_judge(&demand, &facts, &j);
	assert_int_equal(j.verdict, JUDGE_NEXT_HOST);
	assert_non_null(strstr(j.reason, "sha256:0207"));
	assert_string_equal(j.reason_code, "pin-mismatch");
}

static void a_dry_run_asks_what_verify_would(void **state)
{
	struct policy policy = {
		.names = { .at = mx5_list, .count = 1 }, .would = TLS_VERIFY,
	};
	struct demand_question question = {
		.policy = &policy, .domain = "example.test",
		.source = HOST_GATEWAY, .host = "mx6.example.test",
		.conf = &with_roots,
	};
	struct tls_facts facts = {
		.is_tls = true, .version = "TLSv1.2", .presented = 1,
		.chain = CHAIN_HOLDS, .names = presented_names,
		.name_count = 1,
	};
	struct demand real, would;
	struct judgement j;

	(void)state;
	policy.tls = TLS_MAY;
	tls_demand(&question, &real);
	assert_int_equal(real.level, TLS_MAY);
	assert_int_equal(real.name_count, 0);
	question.is_dry_run = true;
	tls_demand(&question, &would);
	assert_int_equal(would.level, TLS_VERIFY);
	assert_string_equal(would.names[0], "mx5.example.test");
	assert_non_null(strstr(would.why, "would = verify"));
	(void)snprintf(presented_names[0], 256, "mx5.example.test");
	tls_judge(&would, &facts, &j);
	assert_int_equal(j.verdict, JUDGE_DELIVER);
	/* what verify would not even offer */
	(void)snprintf(facts.cipher, sizeof(facts.cipher),
		       "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256");
	tls_judge(&would, &facts, &j);
	assert_string_equal(j.reason_code, "weak-algorithm");
	tls_judge(&real, &facts, &j);
	assert_int_equal(j.verdict, JUDGE_DELIVER);
}

static void a_changed_demand_is_not_the_same_connection(void **state)
{
	struct policy policy = { .names_mx = true }, other = policy;
	struct demand a = ask(&policy, HOST_GATEWAY, "a.test");
	struct demand b = ask(&policy, HOST_GATEWAY, "a.test");

	(void)state;
	assert_true(demand_equal(&a, &b));
	b.generation++;
	assert_false(demand_equal(&a, &b));
	b = ask(&other, HOST_GATEWAY, "a.test");
	assert_false(demand_equal(&a, &b));
	b = ask(&policy, HOST_GATEWAY, "b.test");
	assert_false(demand_equal(&a, &b));
	b = a;
	b.level = TLS_MAY;
	assert_false(demand_equal(&a, &b));
}

static void long_names_fit_into_the_reason(void **state)
{
	struct policy policy = { .names_mx = true };
	char host[254];
	struct tls_facts facts = {
		.is_tls = true, .version = "TLSv1.3", .presented = 1,
		.chain = CHAIN_HOLDS, .names = presented_names,
		.name_count = 1,
	};
	struct demand demand;
	struct judgement j;

	(void)state;
	memset(host, 'a', 253);
	host[253] = '\0';
	demand = ask(&policy, HOST_GATEWAY, host);
	(void)snprintf(presented_names[0], 256, "b%s", host);
	tls_judge(&demand, &facts, &j);
	assert_int_equal(j.verdict, JUDGE_NEXT_HOST);
	assert_true(strlen(j.reason) < sizeof(j.reason));
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
		cmocka_unit_test(
			an_mx_host_of_unsigned_dns_needs_somebody_to_vouch),
		cmocka_unit_test(names_mx_trusts_unsigned_dns_and_says_so),
		cmocka_unit_test(
			a_gateway_by_address_needs_names_and_gets_no_sni),
		cmocka_unit_test(reasons_name_what_was_expected_and_presented),
		cmocka_unit_test(chains_have_their_reason_codes),
		cmocka_unit_test(
			an_expired_certificate_with_the_right_pin_is_noted),
		cmocka_unit_test(a_dry_run_asks_what_verify_would),
		cmocka_unit_test(a_changed_demand_is_not_the_same_connection),
		cmocka_unit_test(long_names_fit_into_the_reason),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
