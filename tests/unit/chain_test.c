/*
 * The judging of chains: each row is what a peer presents, against which
 * anchors, and what is said of it.
 */
#include "tests/unit/certs.h"
#include "tls/chain.h"
#include "tls/pem.h"
#include "tls/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const int64_t now = 1780000000; /* 2026-05-28 */

struct row {
	const char *presented; /* names, leaf first */
	const char *trust;     /* one file */
	enum chain_verdict verdict;
	const char *reason;    /* occurs in the reason */
};

static void ask_with(struct chain_question question, const char *presented,
		     const char *trust, struct tls_facts *facts)
{
	struct view ders[16];
	struct anchors *anchors = NULL;
	struct view rest = view_of(presented), word;
	struct error error;
	char file[64];

	*facts = (struct tls_facts){ 0 };
	question.presented = ders;
	question.now = now;
	while ((word = view_cut(&rest, ' ')).len) {
		(void)snprintf(file, sizeof(file), "%.*s.der", (int)word.len,
			       (const char *)word.at);
		ders[question.count++] = certs_get(file);
	}
	if (trust) {
		anchors = anchors_read(certs_get(trust), &error);
		assert_non_null(anchors);
	}
	question.anchors = anchors;
	if (chain_present(&question, facts) == 0)
		chain_verify(&question, facts);
	anchors_free(anchors);
}

static void ask_as(const char *presented, const char *trust, bool is_client,
		   struct tls_facts *facts)
{
	ask_with((struct chain_question){ .is_client = is_client }, presented,
		 trust, facts);
}

static void ask(const char *presented, const char *trust,
		struct tls_facts *facts)
{
	ask_as(presented, trust, false, facts);
}

static void check_with(struct proven *proven, const struct row *rows,
		       size_t count)
{
	struct chain_question question = { .proven = proven };
	struct tls_facts facts;
	size_t i;

	for (i = 0; i < count; i++) {
		const struct row *row = &rows[i];

		ask_with(question, row->presented, row->trust, &facts);
		if (facts.chain != row->verdict ||
		    !strstr(facts.chain_reason, row->reason ? row->reason
							    : ""))
			fail_msg("%s against %s: %s (%s), expected %s",
				 row->presented, row->trust ? row->trust : "-",
				 chain_verdict_text(facts.chain),
				 facts.chain_reason,
				 chain_verdict_text(row->verdict));
		if (facts.chain != CHAIN_HOLDS) {
			assert_int_equal(facts.verified_count, 0);
			assert_false(facts.leaf_is_anchor);
		}
		facts_clear(&facts);
	}
}

/* What was met before is judged as it was. */
static void check(const struct row *rows, size_t count)
{
	struct proven *proven = proven_new();

	check_with(NULL, rows, count);
	check_with(proven, rows, count);
	check_with(proven, rows, count);
	proven_free(proven);
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void good_chains_hold(void **state)
{
	static const struct row rows[] = {
		{ "good inter", "root.pem", CHAIN_HOLDS, "Test Inter" },
		{ "good inter root", "root.pem", CHAIN_HOLDS, NULL },
		{ "good root inter", "root.pem", CHAIN_HOLDS, NULL },
		{ "good root2 self inter", "root.pem", CHAIN_HOLDS, NULL },
		{ "good inter inter", "root.pem", CHAIN_HOLDS, NULL },
		{ "good", "inter.pem", CHAIN_HOLDS, NULL },
		{ "good inter", "inter.pem", CHAIN_HOLDS, NULL },
		{ "byroot", "root.pem", CHAIN_HOLDS, "Test Root" },
		{ "byroot", "roots.pem", CHAIN_HOLDS, NULL },
		{ "byroot", "root.der", CHAIN_HOLDS, NULL },
		{ "byroot", "roots.p7", CHAIN_HOLDS, NULL },
		{ "byroot", "roots.p7b", CHAIN_HOLDS, NULL },
		{ "byorg orgca", "root.pem", CHAIN_HOLDS,
		  "Only An Organisation" },
		{ "noeku", "root.pem", CHAIN_HOLDS, NULL },
		{ "anyeku", "root.pem", CHAIN_HOLDS, NULL },
		{ "good cross inter", "root.pem", CHAIN_HOLDS, NULL },
		{ "good inter cross", "unknown.pem", CHAIN_HOLDS,
		  "Unknown Root" },
		{ "good inter cross unknown", "root.pem", CHAIN_HOLDS, NULL },
		{ "underplen plen", "root.pem", CHAIN_HOLDS, NULL },
		{ "many", "root.pem", CHAIN_HOLDS, NULL },
	};

	(void)state;
	CHECK(rows);
}

static void bad_leaves_are_refused(void **state)
{
	static const struct row rows[] = {
		{ "expired", "root.pem", CHAIN_EXPIRED,
		  "\"mx5.example.test\" expired on 2026-03-01" },
		{ "future", "root.pem", CHAIN_NOT_YET_VALID, "2050-01-01" },
		{ "client", "root.pem", CHAIN_WRONG_PURPOSE, "serverAuth" },
		{ "critical", "root.pem", CHAIN_UNREADABLE, "critical" },
		{ "badleaf", "root.pem", CHAIN_BAD_SIGNATURE,
		  "was not made by \"Test Root\"" },
		{ "self", "root.pem", CHAIN_SELF_SIGNED, "self-signed" },
		{ "selfca", "root.pem", CHAIN_SELF_SIGNED, NULL },
		{ "self", NULL, CHAIN_SELF_SIGNED, NULL },
		{ "byroot", "root2.pem", CHAIN_UNKNOWN_CA, "Test Root" },
		{ "byroot root", "root2.pem", CHAIN_UNKNOWN_CA, "Test Root" },
		{ "good", "root.pem", CHAIN_UNKNOWN_CA, "Test Inter" },
		{ "good", NULL, CHAIN_UNKNOWN_CA, NULL },
		{ "", "root.pem", CHAIN_NO_CERTIFICATE, NULL },
	};

	(void)state;
	CHECK(rows);
}

static void clients_may_be_servers_or_clients_but_not_both(void **state)
{
	static const struct {
		const char *presented;
		enum chain_verdict verdict;
	} rows[] = {
		{ "good inter", CHAIN_HOLDS },
		{ "client", CHAIN_HOLDS },
		{ "noeku", CHAIN_HOLDS },
		{ "anyeku", CHAIN_HOLDS },
		{ "expired", CHAIN_EXPIRED },
		/* for servers, by a CA for clients */
		{ "underclientca clientca", CHAIN_WRONG_PURPOSE },
	};
	struct tls_facts facts;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask_as(rows[i].presented, "root.pem", true, &facts);
		if (facts.chain != rows[i].verdict)
			fail_msg("%s: %s", rows[i].presented,
				 facts.chain_reason);
		facts_clear(&facts);
	}
}

static void bad_issuers_are_refused(void **state)
{
	static const struct row rows[] = {
		{ "good badinter", "root.pem", CHAIN_BAD_SIGNATURE,
		  "Test Inter" },
		{ "underold oldinter", "root.pem", CHAIN_EXPIRED,
		  "Old Inter" },
		{ "undernotca notca", "root.pem", CHAIN_NOT_A_CA,
		  "Not A CA" },
		{ "undernotca", "notca.pem", CHAIN_NOT_A_CA, NULL },
		{ "undernoku noku", "root.pem", CHAIN_NOT_A_CA, NULL },
		{ "undernoku", "noku.pem", CHAIN_NOT_A_CA, NULL },
		{ "underbare bare", "root.pem", CHAIN_NOT_A_CA, NULL },
		{ "underplenca plenca plen", "root.pem", CHAIN_PATH_TOO_LONG,
		  "Path Zero" },
		{ "underplenca plenca", "plen.pem", CHAIN_PATH_TOO_LONG,
		  NULL },
		{ "underclientca clientca", "root.pem", CHAIN_WRONG_PURPOSE,
		  "Client CA" },
	};

	(void)state;
	CHECK(rows);
}

static void weak_keys_and_digests_are_refused(void **state)
{
	static const struct row rows[] = {
		{ "weakkey", "root.pem", CHAIN_WEAK_KEY, "RSA 1024" },
		{ "underweakca weakca", "root.pem", CHAIN_WEAK_KEY,
		  "Weak CA" },
		{ "underweakca", "weakca.pem", CHAIN_WEAK_KEY, NULL },
		{ "sha1", "root.pem", CHAIN_WEAK_SIGNATURE, NULL },
		{ "md5", "rsaroot.pem", CHAIN_WEAK_SIGNATURE, NULL },
		{ "undersha1 sha1inter", "root.pem", CHAIN_WEAK_SIGNATURE,
		  "SHA-1 Inter" },
		/* an anchor's own signature proves nothing and asks nothing */
		{ "undersha1", "sha1inter.pem", CHAIN_HOLDS, NULL },
		{ "byrsa", "sha1root.pem", CHAIN_HOLDS, NULL },
	};

	(void)state;
	CHECK(rows);
}

static void all_kinds_of_signatures_are_checked(void **state)
{
	static const struct row rows[] = {
		{ "byrsa", "rsaroot.pem", CHAIN_HOLDS, NULL },
		{ "sha384", "rsaroot.pem", CHAIN_HOLDS, NULL },
		{ "sha512", "rsaroot.pem", CHAIN_HOLDS, NULL },
		{ "pss", "rsaroot.pem", CHAIN_HOLDS, NULL },
		{ "badpss", "rsaroot.pem", CHAIN_BAD_SIGNATURE, NULL },
		{ "badrsa", "rsaroot.pem", CHAIN_BAD_SIGNATURE, NULL },
		{ "rsa4096", "root.pem", CHAIN_HOLDS, NULL },
		{ "ed25519", "root.pem", CHAIN_HOLDS, NULL },
		{ "bydroot", "edroot.pem", CHAIN_HOLDS, NULL },
		{ "badbyed", "edroot.pem", CHAIN_BAD_SIGNATURE, NULL },
		{ "underec384 ec384", "root.pem", CHAIN_HOLDS, NULL },
	};

	(void)state;
	CHECK(rows);
}

static void name_constraints_bind(void **state)
{
	static const struct row rows[] = {
		{ "underncgood ncgood", "root.pem", CHAIN_HOLDS, NULL },
		{ "underncother ncother", "root.pem", CHAIN_NAME_CONSTRAINT,
		  "ncother" },
		{ "underncnot ncnot", "root.pem", CHAIN_NAME_CONSTRAINT,
		  NULL },
		{ "underncnotother ncnotother", "root.pem", CHAIN_HOLDS,
		  NULL },
		{ "underncmail ncmail", "root.pem", CHAIN_HOLDS, NULL },
		{ "underncip ncip", "root.pem", CHAIN_HOLDS, NULL },
		{ "underncip2 ncip", "root.pem", CHAIN_NAME_CONSTRAINT, NULL },
		{ "underncgoodcn ncgood", "root.pem", CHAIN_NAME_CONSTRAINT,
		  NULL },
		{ "underncother", "ncother.pem", CHAIN_NAME_CONSTRAINT, NULL },
	};

	(void)state;
	CHECK(rows);
}

static void an_anchor_may_be_the_leaf_or_expired(void **state)
{
	static const struct row rows[] = {
		{ "self", "self.pem", CHAIN_HOLDS, "itself" },
		{ "byroot", "byroot.pem", CHAIN_HOLDS, "itself" },
		{ "selfold", "selfold.pem", CHAIN_EXPIRED, "2026-03-01" },
		{ "self", "selfca.pem", CHAIN_SELF_SIGNED, NULL },
		{ "weakkey", "weakkey.pem", CHAIN_WEAK_KEY, NULL },
		{ "client", "client.pem", CHAIN_WRONG_PURPOSE, NULL },
		{ "underoldroot", "oldroot.pem", CHAIN_HOLDS, NULL },
		{ "sha1", "sha1.pem", CHAIN_HOLDS, NULL },
	};

	(void)state;
	CHECK(rows);
}

static void what_is_verified_is_the_path_and_nothing_else(void **state)
{
	struct tls_facts facts;

	(void)state;
	ask("good root2 inter selfca", "root.pem", &facts);
	assert_int_equal(facts.presented, 4);
	assert_int_equal(facts.verified_count, 2);
	assert_string_equal(facts.verified[0].subject, "Test Inter");
	assert_string_equal(facts.verified[1].subject, "Test Root");
	assert_string_equal(facts.leaf.issuer, "Test Inter");
	facts_clear(&facts);

	ask("byroot", "byroot.pem", &facts);
	assert_true(facts.leaf_is_anchor);
	assert_int_equal(facts.verified_count, 0);
	facts_clear(&facts);

	ask("self", "self.pem", &facts);
	assert_true(facts.leaf_is_anchor);
	assert_int_equal(facts.verified_count, 1);
	assert_string_equal(facts.verified[0].subject, "mx5.example.test");
	facts_clear(&facts);
}

static void what_was_presented_is_kept_whether_it_holds_or_not(void **state)
{
	struct tls_facts facts, copy;

	(void)state;
	ask("good root2 inter", NULL, &facts);
	facts_copy(&copy, &facts);
	facts_clear(&facts);
	assert_int_equal(copy.chain, CHAIN_UNKNOWN_CA);
	assert_int_equal(copy.other_count, 2);
	assert_string_equal(copy.others[1].subject, "Test Inter");
	assert_true(copy.name_count > 0);
	assert_string_equal(copy.leaf.key, "ECDSA P-256");
	facts_clear(&copy);

	ask("rsa4096", NULL, &facts);
	assert_string_equal(facts.leaf.key, "RSA 4096");
	assert_null(facts.others);
	facts_clear(&facts);

	ask("ed25519", NULL, &facts);
	assert_string_equal(facts.leaf.key, "Ed25519");
	facts_clear(&facts);
}

/* Ten that all bear one name and one key: every order is a path. */
static void a_maze_of_cross_certificates_ends(void **state)
{
	struct tls_facts facts;

	(void)state;
	ask("good inter cross inter cross inter cross inter cross inter",
	    "root2.pem", &facts);
	assert_int_equal(facts.chain, CHAIN_UNKNOWN_CA);
	facts_clear(&facts);
}

static void the_pin_is_the_hash_of_the_key_as_presented(void **state)
{
	static const char *const certs[] = { "good", "rsa4096", "ed25519" };
	struct tls_facts facts;
	char command[512], hex[65], expected[65];
	size_t i, k;
	FILE *out;

	(void)state;
	for (i = 0; i < 3; i++) {
		ask(certs[i], NULL, &facts);
		(void)snprintf(command, sizeof(command),
			       "openssl x509 -in %s/%s.pem -noout -pubkey | "
			       "openssl pkey -pubin -outform DER | "
			       "openssl dgst -sha256 -r", certs_folder(),
			       certs[i]);
		out = popen(command, "r");
		assert_non_null(out);
		assert_non_null(fgets(expected, sizeof(expected), out));
		(void)pclose(out);
		for (k = 0; k < 32; k++)
			(void)snprintf(hex + 2 * k, 3, "%02x",
				       facts.leaf.spki_sha256[k]);
		assert_string_equal(hex, expected);
		facts_clear(&facts);
	}
}

static void junk_is_no_certificate(void **state)
{
	struct view der;
	unsigned char *copy;
	struct cert cert;
	size_t i;

	(void)state;
	der = certs_get("many.der");
	copy = must_alloc(der.len + 1);
	memcpy(copy, der.at, der.len);
	/* cut anywhere, or with a byte behind: refused; ASan watches */
	for (i = 0; i < der.len; i++)
		assert_int_equal(cert_parse(view_make(copy, i), &cert), -1);
	assert_int_equal(cert_parse(view_make(copy, der.len + 1), &cert), -1);
	assert_int_equal(cert_parse(view_make(copy, der.len), &cert), 0);
	free(copy);
}

static void a_certificate_goes_into_pem_and_comes_back(void **state)
{
	static const char *const names[] = { "root", "many", "self" };
	struct buffer pem = { 0 }, der = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char file[32];
		struct view rest, wanted;

		snprintf(file, sizeof(file), "%s.pem", names[i]);
		buffer_reset(&pem);
		rest = certs_get(file);
		snprintf(file, sizeof(file), "%s.der", names[i]);
		wanted = certs_get(file);
		pem_append(&pem, wanted);
		assert_true(view_equal(buffer_view(&pem), rest));
		assert_int_equal(pem_next(&rest, &der), 1);
		assert_true(view_equal(buffer_view(&der), wanted));
		assert_int_equal(pem_next(&rest, &der), 0);
	}
	buffer_clear(&pem);
	buffer_clear(&der);
}

static void keys_are_passed_over_undecoded(void **state)
{
	struct buffer der = { 0 };
	struct view rest = certs_get("root.key");

	(void)state;
	assert_int_equal(pem_next(&rest, &der), 0);
	assert_int_equal(buffer_len(&der), 0);
	rest = VIEW("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----");
	assert_int_equal(pem_next(&rest, &der), -1);
	assert_int_equal(pem_next(&rest, &der), 0);
	buffer_clear(&der);
}

static void trust_files_without_certificates_are_refused(void **state)
{
	struct error error;
	size_t count;

	(void)state;
	assert_int_equal(tls_check_trust(certs_get("roots.pem"), &count,
					 &error), 0);
	assert_int_equal(count, 2);
	assert_int_equal(tls_check_trust(certs_get("roots.p7b"), &count,
					 &error), 0);
	assert_int_equal(count, 2);
	assert_int_equal(tls_check_trust(certs_get("root.key"), &count,
					 &error), -1);
	assert_int_equal(tls_check_trust(VIEW(""), &count, &error), -1);
	assert_int_equal(tls_check_trust(VIEW("0\x82zzz"), &count, &error),
			 -1);
	assert_int_equal(tls_check_trust(
		VIEW("-----BEGIN CERTIFICATE-----\nMAAx\n"
		     "-----END CERTIFICATE-----\n"), &count, &error), -1);
}

static int set_up(void **state)
{
	(void)state;
	tls_start();
	return certs_make(false);
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
		cmocka_unit_test(good_chains_hold),
		cmocka_unit_test(bad_leaves_are_refused),
		cmocka_unit_test(
			clients_may_be_servers_or_clients_but_not_both),
		cmocka_unit_test(bad_issuers_are_refused),
		cmocka_unit_test(weak_keys_and_digests_are_refused),
		cmocka_unit_test(all_kinds_of_signatures_are_checked),
		cmocka_unit_test(name_constraints_bind),
		cmocka_unit_test(an_anchor_may_be_the_leaf_or_expired),
		cmocka_unit_test(what_is_verified_is_the_path_and_nothing_else),
		cmocka_unit_test(a_maze_of_cross_certificates_ends),
		cmocka_unit_test(
			what_was_presented_is_kept_whether_it_holds_or_not),
		cmocka_unit_test(the_pin_is_the_hash_of_the_key_as_presented),
		cmocka_unit_test(junk_is_no_certificate),
		cmocka_unit_test(a_certificate_goes_into_pem_and_comes_back),
		cmocka_unit_test(keys_are_passed_over_undecoded),
		cmocka_unit_test(trust_files_without_certificates_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
