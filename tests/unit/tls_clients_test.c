/*
 * Clients that are asked for a certificate: what they show is let pass by
 * the handshake and judged afterwards, by any partner's record.
 */
#include "tests/unit/certs.h"
#include "tests/unit/pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct tls_context *client, *asking;
static char mx5[] = "mx5.example.test", other[] = "other.test";
static char issuer_inter[] = "Test Inter";
static char *mx5_list[] = { mx5 };
static char *other_list[] = { other };
static char *inter_list[] = { issuer_inter };
static char path[] = "root.pem";

struct row {
	const char *chain, *key; /* NULL: the client has none */
	enum tls_version version;
	bool is_partner;
	const char *reason_code;
};

static struct policy partner(void)
{
	return (struct policy){
		.title = mx5,
		.inbound = INBOUND_TLS_VERIFY,
		.names = { .at = mx5_list, .count = 1 },
		.trust = { .path = path, .bytes = certs_get("root.pem") },
	};
}

static void secure(struct pair *pair, const struct row *row)
{
	const struct certificate own = {
		.chain = { .bytes = row->chain ? certs_get(row->chain)
					       : VIEW("") },
		.key = { .bytes = row->key ? certs_get(row->key) : VIEW("") },
	};
	struct demand demand = {
		.level = TLS_ENCRYPT, .is_usable = true,
		.min_tls = row->version,
		.certificate = row->chain ? &own : NULL,
	};
	struct error error;
	static uint64_t generation;

	demand.generation = ++generation;
	pair_open(pair);
	assert_int_equal(conn_start_server(pair->server.conn, asking, &error),
			 0);
	assert_int_equal(conn_start_client(pair->client.conn, client, &demand,
					   &error), 0);
	assert_true(pair_until(pair, &pair->client, "secure"));
	assert_true(pair_until(pair, &pair->server, "secure"));
}

static void judge(struct pair *pair, const struct policy *policy,
		  struct judgement *out)
{
	struct demand_question question = {
		.policy = policy, .domain = "", .source = HOST_CLIENT,
		.host = "192.0.2.1",
	};
	struct tls_facts facts;
	struct demand demand;

	tls_demand(&question, &demand);
	conn_prove(pair->server.conn, asking, &demand, &facts);
	assert_true(facts.is_tls && facts.is_server);
	tls_judge(&demand, &facts, out);
	facts_clear(&facts);
}

static void a_client_is_whom_its_certificate_proves(void **state)
{
	static const struct row rows[] = {
		{ "chain.pem", "good.key", TLS_1_3, true, "" },
		{ "chain.pem", "good.key", TLS_1_2, true, "" },
		{ "byroot.pem", "byroot.key", TLS_1_3, true, "" },
		{ "client.pem", "client.key", TLS_1_3, true, "" },
		{ "rsa.pem", "rsa.key", TLS_1_3, true, "" },
		{ NULL, NULL, TLS_1_3, false, "certificate-missing" },
		{ NULL, NULL, TLS_1_2, false, "certificate-missing" },
		{ "expired.pem", "expired.key", TLS_1_3, false,
		  "certificate-expired" },
		{ "self.pem", "self.key", TLS_1_3, false,
		  "certificate-not-trusted" },
		{ "good.pem", "good.key", TLS_1_3, false,
		  "certificate-not-trusted" },
	};
	struct policy policy = partner();
	struct judgement j;
	struct pair pair;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		secure(&pair, &rows[i]);
		judge(&pair, &policy, &j);
		if ((j.verdict == JUDGE_DELIVER) != rows[i].is_partner ||
		    strcmp(j.reason_code, rows[i].reason_code) != 0)
			fail_msg("row %zu: %s %s", i, j.reason_code, j.reason);
		pair_close(&pair);
	}
}

static void one_client_is_judged_by_every_record(void **state)
{
	static const struct row good = { "chain.pem", "good.key", TLS_1_3,
					 true, "" };
	struct policy policy = partner();
	unsigned char pin[1][32] = { { 1 } };
	struct judgement j;
	struct pair pair;

	(void)state;
	secure(&pair, &good);
	judge(&pair, &policy, &j);
	assert_int_equal(j.verdict, JUDGE_DELIVER);
	assert_string_equal(j.matched_name, mx5);
	/* the names of clients, where they are given, and no others */
	policy.inbound_names = (struct strings){ .at = other_list, .count = 1 };
	judge(&pair, &policy, &j);
	assert_string_equal(j.reason_code, "certificate-host-mismatch");
	assert_string_equal(j.reason, "certificate of 192.0.2.1 bears "
				      "mx5.example.test, expected other.test");
	policy = partner();
	policy.issuer = (struct strings){ .at = inter_list, .count = 1 };
	judge(&pair, &policy, &j);
	assert_int_equal(j.verdict, JUDGE_DELIVER);
	policy.issuer.at = other_list;
	judge(&pair, &policy, &j);
	assert_string_equal(j.reason_code, "issuer-mismatch");
	policy = partner();
	policy.pins = pin;
	policy.pin_count = 1;
	judge(&pair, &policy, &j);
	assert_string_equal(j.reason_code, "pin-mismatch");
	policy = partner();
	policy.trust.bytes = certs_get("root2.pem");
	judge(&pair, &policy, &j);
	assert_string_equal(j.reason_code, "certificate-not-trusted");
	policy.inbound = INBOUND_TLS_REQUIRED;
	judge(&pair, &policy, &j);
	assert_int_equal(j.verdict, JUDGE_DELIVER);
	pair_close(&pair);
}

static void min_tls_holds_for_clients_too(void **state)
{
	static const struct row good = { "chain.pem", "good.key", TLS_1_3,
					 true, "" };
	struct policy policy = partner();
	struct tls_facts facts = { .is_tls = true, .is_server = true,
				   .version = "TLSv1.2" };
	struct demand_question question = {
		.policy = &policy, .source = HOST_CLIENT, .domain = "",
		.host = "192.0.2.1",
	};
	struct demand demand;
	struct judgement j;
	struct pair pair;

	(void)state;
	policy.min_tls = TLS_1_3;
	secure(&pair, &good);
	judge(&pair, &policy, &j);
	assert_int_equal(j.verdict, JUDGE_DELIVER);
	pair_close(&pair);
	tls_demand(&question, &demand);
	tls_judge(&demand, &facts, &j);
	assert_string_equal(j.reason_code, "tls-version-too-old");
}

static int set_up(void **state)
{
	struct error error;

	(void)state;
	tls_start();
	if (certs_make(true) < 0)
		return -1;
	client = tls_client_context(&error);
	asking = tls_server_context(certs_get("chain.pem"),
				    certs_get("good.key"), &error);
	if (!client || !asking)
		return -1;
	tls_context_ask_clients(asking);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tls_context_free(client);
	tls_context_free(asking);
	certs_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_is_whom_its_certificate_proves),
		cmocka_unit_test(one_client_is_judged_by_every_record),
		cmocka_unit_test(min_tls_holds_for_clients_too),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
