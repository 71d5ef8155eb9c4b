/*
 * Agreements with partners, whole: a policy, real certificates as a gateway
 * would present them, and what is judged of them.  One test for each
 * sentence of such an agreement.
 */
#include "conf/addr.h"
#include "tests/unit/certs.h"
#include "tls/chain.h"
#include "tls/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const int64_t now = 1780000000; /* 2026-05-28 */

/* What is agreed; NULL and 0: nothing of that kind. */
struct agreement {
	const char *names[3], *issuers[3];
	const char *trust;      /* a file in place of the system's roots */
	const char *pins[2];    /* files whose keys they are */
};

struct row {
	const char *host, *presented; /* leaf first, blanks between */
	const char *reason_code;      /* "": it holds */
	const char *reason;           /* stands in the reason */
};

static struct conf roots;
static char path[] = "roots";

static void fill(struct strings *to, const char *const from[3], char *at[3])
{
	to->at = at;
	for (to->count = 0; to->count < 3 && from[to->count]; to->count++)
		at[to->count] = (char *)from[to->count];
}

static void present(const struct demand *demand, const char *presented,
		    struct tls_facts *facts)
{
	struct view ders[FACTS_CHAIN_MAX], rest = view_of(presented);
	struct chain_question question = { .presented = ders, .now = now };
	struct error error;
	struct anchors *anchors = demand->trust
		? anchors_read(demand->trust->bytes, &error) : NULL;
	char file[64];

	*facts = (struct tls_facts){ .is_tls = true, .version = "TLSv1.3" };
	while (rest.len) {
		struct view word = view_cut(&rest, ' ');

		(void)snprintf(file, sizeof(file), "%.*s.der", (int)word.len,
			       (const char *)word.at);
		ders[question.count++] = certs_get(file);
	}
	question.anchors = anchors;
	if (chain_present(&question, facts) == 0 && anchors)
		chain_verify(&question, facts);
	anchors_free(anchors);
}

static void pin_of(const char *name, unsigned char pin[32])
{
	char file[64];
	struct cert cert;

	(void)snprintf(file, sizeof(file), "%s.der", name);
	assert_int_equal(cert_parse(certs_get(file), &cert), 0);
	cert_pin(&cert, pin);
}

static void judge(const struct agreement *agreed, const struct row *row,
		  struct judgement *out)
{
	char *names[3], *issuers[3];
	unsigned char pins[2][32];
	struct policy policy = { .tls = TLS_VERIFY, .pins = pins };
	struct demand_question question = {
		.policy = &policy, .domain = "example.test",
		.source = HOST_GATEWAY, .host = row->host, .conf = &roots,
	};
	struct tls_facts facts;
	struct demand demand;

	fill(&policy.names, agreed->names, names);
	fill(&policy.issuer, agreed->issuers, issuers);
	if (agreed->trust)
		policy.trust = (struct conf_blob){
			.path = path, .bytes = certs_get(agreed->trust),
		};
	while (policy.pin_count < 2 && agreed->pins[policy.pin_count]) {
		pin_of(agreed->pins[policy.pin_count],
		       pins[policy.pin_count]);
		policy.pin_count++;
	}
	tls_demand(&question, &demand);
	present(&demand, row->presented, &facts);
	tls_judge(&demand, &facts, out);
	facts_clear(&facts);
}

static void check(const struct agreement *agreed, const struct row *rows,
		  size_t count)
{
	struct judgement j;
	size_t i;

	for (i = 0; i < count; i++) {
		judge(agreed, &rows[i], &j);
		if (strcmp(j.reason_code, rows[i].reason_code) != 0 ||
		    (j.verdict == JUDGE_DELIVER) != !rows[i].reason_code[0] ||
		    (rows[i].reason && !strstr(j.reason, rows[i].reason)))
			fail_msg("%s with %s: %s (%s)", rows[i].host,
				 rows[i].presented, j.reason_code, j.reason);
	}
}

#define CHECK(agreed, rows) \
	check(&(agreed), rows, sizeof(rows) / sizeof((rows)[0]))

static void all_gateways_may_share_one_name_and_nothing_else(void **state)
{
	static const struct agreement form = {
		.names = { "mx5.de.tuv.com" }, .issuers = { "Test Inter" },
	};
	static const struct row rows[] = {
		{ "mx5.de.tuv.com", "tuv5 inter", "", "bears mx5.de.tuv.com" },
		{ "mx6.de.tuv.com", "tuv5 inter", "", NULL },
		{ "mx1.amer.tuv.com", "tuv5 inter", "", NULL },
		{ "mx1.asia.tuv.com", "tuv5san inter", "", NULL },
		{ "mx6.de.tuv.com", "tuvwild inter", "", "*.de.tuv.com" },
		/* not even a gateway's own name */
		{ "mx6.de.tuv.com", "tuv inter", "certificate-host-mismatch",
		  "bears mx6.de.tuv.com, expected mx5.de.tuv.com" },
		{ "mx5.de.tuv.com", "tuv inter", "certificate-host-mismatch",
		  NULL },
		{ "mx5.de.tuv.com", "good inter", "certificate-host-mismatch",
		  NULL },
	};

	(void)state;
	CHECK(form, rows);
}

static void the_cn_counts_where_no_dns_name_stands(void **state)
{
	static const struct agreement any = { .names = { NULL } };
	static const struct row rows[] = {
		{ "mx5.example.test", "cnonly", "", NULL },
		{ "mx5.example.test", "iponly", "", NULL },
		{ "mx5.example.test", "cnnot", "certificate-host-mismatch",
		  "its CN mx5.example.test would match" },
		{ "second.example.test", "twocn", "", NULL },
		{ "mx5.example.test", "twocn", "certificate-host-mismatch",
		  NULL },
		/* an address is no name, not even beside names */
		{ "other.example.test", "ipsan", "", NULL },
		{ "mx5.example.test", "ipsan", "certificate-host-mismatch",
		  NULL },
		{ "192.0.2.1", "ipsan", "host-not-usable", "is an address" },
		{ "mx5.example.test", "nul", "certificate-host-mismatch",
		  "1 that are no host names" },
	};

	(void)state;
	CHECK(any, rows);
}

static void one_of_a_hundred_names_is_enough(void **state)
{
	static const struct agreement any = { .names = { NULL } };
	static const struct row rows[] = {
		{ "mx5.example.test", "hundred", "", NULL },
		{ "host-000.example.test", "hundred", "", NULL },
		{ "host-098.example.test", "hundred", "", NULL },
		{ "host-099.example.test", "hundred",
		  "certificate-host-mismatch", "and 97 more" },
		{ "a.b.example.test", "wild", "certificate-host-mismatch",
		  NULL },
		{ "a.example.test", "wild", "", NULL },
		{ "example.test", "wild", "certificate-host-mismatch", NULL },
	};

	(void)state;
	CHECK(any, rows);
}

static void umlauts_are_the_same_in_every_spelling(void **state)
{
	static const char *const written[] = {
		"b\xc3\xbc" "cher.example.test", "B\xc3\x9c" "CHER.Example.test.",
		"xn--bcher-kva.example.test", "XN--BCHER-KVA.example.test",
	};
	char name[ADDR_DOMAIN_MAX + 1];
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		const struct agreement agreed = { .names = { name } };
		const struct row rows[] = {
			{ "mx5.example.test", "idn", "", NULL },
		};

		/* as the configuration reads it */
		assert_int_equal(domain_canonical(view_of(written[i]), name,
						  &error), 0);
		CHECK(agreed, rows);
	}
}

static void the_issuer_is_of_the_verified_chain_only(void **state)
{
	static const struct agreement other = { .issuers = { "Other Root" } };
	static const struct agreement inter = { .issuers = { "test INTER" } };
	static const struct agreement anchor = { .issuers = { "Test Root" } };
	static const struct agreement either = {
		.issuers = { "Old CA", "Test Inter" },
	};
	static const struct agreement leaf = {
		.issuers = { "mx5.example.test" },
	};
	static const struct agreement by_o = {
		.issuers = { "Only An Organisation" },
	};
	static const struct agreement wrong_o = { .issuers = { "Postern Test" } };
	static const struct row extra[] = {
		/* it is sent along, and trusted even, but issued nothing */
		{ "mx5.example.test", "byroot root2", "issuer-mismatch",
		  "expected \"Other Root\"" },
		{ "mx5.example.test", "good inter root2", "issuer-mismatch",
		  "is issued by \"Test Inter\" under \"Test Root\"" },
		{ "mx5.example.test", "good root2 inter", "issuer-mismatch",
		  NULL },
	};
	static const struct row good[] = {
		{ "mx5.example.test", "good inter", "", NULL },
	};
	static const struct row unnamed[] = {
		{ "mx5.example.test", "byorg orgca", "", NULL },
	};
	static const struct row not_itself[] = {
		{ "mx5.example.test", "good inter", "issuer-mismatch", NULL },
	};

	(void)state;
	CHECK(other, extra);
	CHECK(inter, good);
	CHECK(anchor, good);
	CHECK(either, good);
	CHECK(leaf, not_itself);
	CHECK(by_o, unnamed);
	/* O counts only where there is no CN */
	CHECK(wrong_o, not_itself);
}

static void trust_replaces_the_systems_roots(void **state)
{
	static const struct agreement other = { .trust = "root2.pem" };
	static const struct agreement inter = { .trust = "inter.pem" };
	static const struct row refused[] = {
		{ "mx5.example.test", "byroot", "certificate-not-trusted",
		  "leads to no trusted CA" },
		{ "mx5.example.test", "byroot root", "certificate-not-trusted",
		  NULL },
	};
	static const struct row held[] = {
		{ "mx5.example.test", "good inter", "", NULL },
		{ "mx5.example.test", "good", "", NULL },
		{ "mx5.example.test", "byroot", "certificate-not-trusted",
		  NULL },
	};

	(void)state;
	CHECK(other, refused);
	CHECK(inter, held);
}

static void a_self_signed_certificate_works_by_trust_or_by_pin(void **state)
{
	static const struct agreement nothing = { .names = { NULL } };
	static const struct agreement trust = { .trust = "self.pem" };
	static const struct agreement own_issuer = {
		.trust = "self.pem", .issuers = { "mx5.example.test" },
	};
	static const struct agreement old = { .trust = "selfold.pem" };
	static const struct agreement pin = { .pins = { "self" } };
	static const struct agreement old_pin = { .pins = { "selfold" } };
	static const struct row self[] = {
		{ "mx5.example.test", "self", "", NULL },
	};
	static const struct row untrusted[] = {
		{ "mx5.example.test", "self", "certificate-not-trusted",
		  "self-signed" },
	};
	static const struct row trusted[] = {
		{ "mx5.example.test", "self", "", "itself is trusted" },
		{ "other.example.test", "self", "certificate-host-mismatch",
		  NULL },
		{ "mx5.example.test", "selfca", "certificate-not-trusted",
		  NULL },
	};
	static const struct row expired[] = {
		{ "mx5.example.test", "selfold", "certificate-expired", NULL },
	};
	static const struct row pinned[] = {
		{ "any.example.test", "self", "", "the pin alone counts" },
	};
	static const struct row pinned_old[] = {
		{ "any.example.test", "selfold", "", "has expired" },
	};

	(void)state;
	CHECK(nothing, untrusted);
	CHECK(trust, trusted);
	CHECK(own_issuer, self);
	CHECK(old, expired);
	CHECK(pin, pinned);
	CHECK(old_pin, pinned_old);
}

static void a_second_pin_waits_for_the_renewal(void **state)
{
	static const struct agreement both = { .pins = { "byroot", "good" } };
	static const struct agreement beside = {
		.pins = { "byroot", "good" }, .names = { "mx5.example.test" },
		.issuers = { "Test Inter" },
	};
	static const struct row today = { "any.test", "byroot", "", NULL };
	static const struct row later = { "any.test", "good inter", "", NULL };
	static const struct row stranger[] = {
		{ "any.test", "rsa", "pin-mismatch",
		  "expected one of those pinned" },
	};
	static const struct row holding[] = {
		{ "any.test", "good inter", "", "pinned key 2; issued by" },
		/* what is given beside the pins must hold, too */
		{ "any.test", "byroot", "issuer-mismatch", NULL },
		{ "any.test", "good", "certificate-not-trusted", NULL },
	};
	struct judgement j;

	(void)state;
	judge(&both, &today, &j);
	assert_int_equal(j.verdict, JUDGE_DELIVER);
	assert_int_equal(j.matched_pin, 0);
	assert_non_null(strstr(j.reason, "pinned key 1; the pin alone counts"));
	judge(&both, &later, &j);
	assert_int_equal(j.verdict, JUDGE_DELIVER);
	assert_int_equal(j.matched_pin, 1);
	assert_true(j.is_verified);
	CHECK(both, stranger);
	CHECK(beside, holding);
}

static int set_up(void **state)
{
	(void)state;
	if (certs_make(false))
		return -1;
	roots.system_trust = (struct conf_blob){
		.path = path, .bytes = certs_get("roots.pem"),
	};
	roots.generation = 1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	certs_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			all_gateways_may_share_one_name_and_nothing_else),
		cmocka_unit_test(the_cn_counts_where_no_dns_name_stands),
		cmocka_unit_test(one_of_a_hundred_names_is_enough),
		cmocka_unit_test(umlauts_are_the_same_in_every_spelling),
		cmocka_unit_test(the_issuer_is_of_the_verified_chain_only),
		cmocka_unit_test(trust_replaces_the_systems_roots),
		cmocka_unit_test(
			a_self_signed_certificate_works_by_trust_or_by_pin),
		cmocka_unit_test(a_second_pin_waits_for_the_renewal),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
