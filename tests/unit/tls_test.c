/*
 * Connections that speak TLS: with each other, with peers that send
 * garbage, stop half-way or say something behind STARTTLS.
 */
#include "tests/unit/certs.h"
#include "tests/unit/pair.h"
#include "tls/secure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct tls_context *client, *server;

static const struct demand *any(void)
{
	static struct demand demand = { .level = TLS_MAY, .is_usable = true };

	return &demand;
}

static void move_byte(struct buffer *from, struct buffer *to)
{
	if (buffer_len(from) == 0)
		return;
	buffer_append_byte(to, buffer_view(from).at[0]);
	buffer_consume(from, 1);
}

/* Both sides secure, or the test ends. */
static void shake(struct pair *pair, struct tls_context *with,
		  const struct demand *demand)
{
	struct error error;

	assert_int_equal(conn_start_server(pair->server.conn, with, &error),
			 0);
	assert_int_equal(conn_start_client(pair->client.conn, client, demand,
					   &error), 0);
	assert_true(pair_until(pair, &pair->client, "secure"));
	assert_true(pair_until(pair, &pair->server, "secure"));
}

static void a_handshake_proves_version_cipher_and_name(void **state)
{
	struct pair pair;
	struct demand demand = *any();
	const struct tls_facts *facts;

	(void)state;
	(void)snprintf(demand.sni, sizeof(demand.sni), "mx5.example.test");
	pair_open(&pair);
	assert_false(conn_facts(pair.client.conn)->is_tls);
	shake(&pair, server, &demand);
	facts = conn_facts(pair.client.conn);
	assert_true(facts->is_tls);
	assert_false(facts->is_server);
	assert_string_equal(facts->version, "TLSv1.3");
	assert_non_null(strstr(facts->cipher, "TLS_"));
	assert_true(facts->bits >= 128);
	assert_string_equal(facts->group, "X25519");
	facts = conn_facts(pair.server.conn);
	assert_true(facts->is_server);
	assert_string_equal(facts->sni, "mx5.example.test");
	conn_write(pair.client.conn, VIEW("EHLO a\r\n"));
	assert_true(pair_until_got(&pair, &pair.server, 8));
	conn_write(pair.server.conn, VIEW("250 b\r\n"));
	assert_true(pair_until_got(&pair, &pair.client, 7));
	pair_close(&pair);
}

static void what_was_written_before_leaves_in_the_clear_first(void **state)
{
	struct pair pair;
	struct error error;
	char got[64];

	(void)state;
	pair_open_server(&pair);
	conn_write(pair.server.conn, VIEW("220 go ahead\r\n"));
	assert_int_equal(conn_start_server(pair.server.conn, server, &error),
			 0);
	conn_write(pair.server.conn, VIEW("250 secret\r\n"));
	pair_run(&pair, 0.02);
	assert_int_equal(recv(pair.socket, got, sizeof(got), MSG_DONTWAIT), 14);
	assert_memory_equal(got, "220 go ahead\r\n", 14);
	pair_close(&pair);
}

static void plaintext_that_was_not_read_forbids_tls(void **state)
{
	struct pair pair;
	struct error error;

	(void)state;
	pair_open_server(&pair);
	pair.server.keeps_input = true;
	assert_int_equal(send(pair.socket, "STARTTLS\r\nNOOP\r\n", 16, 0), 16);
	assert_true(pair_until(&pair, &pair.server, "input"));
	conn_consume(pair.server.conn, 10);
	assert_int_equal(conn_start_server(pair.server.conn, server, &error),
			 -1);
	assert_non_null(strstr(error.text, "6 bytes of plaintext"));
	pair_close(&pair);
}

/* Injected after the server's own look, before ClientHello. */
static void plaintext_behind_starttls_never_becomes_input(void **state)
{
	struct pair pair;
	struct error error;

	(void)state;
	pair_open_server(&pair);
	assert_int_equal(conn_start_server(pair.server.conn, server, &error),
			 0);
	assert_int_equal(send(pair.socket, "MAIL FROM:<>\r\n", 14, 0), 14);
	assert_true(pair_until(&pair, &pair.server, "failed"));
	assert_string_equal(pair.server.told, "failed ");
	assert_string_equal(pair.server.error, "the peer spoke no TLS");
	assert_int_equal(conn_input(pair.server.conn).len, 0);
	pair_close(&pair);
}

static void a_server_without_tls_is_named_as_such(void **state)
{
	struct pair pair;
	struct error error;

	(void)state;
	pair_open_client(&pair);
	assert_true(pair_until(&pair, &pair.client, "open"));
	assert_int_equal(conn_start_client(pair.client.conn, client, any(),
					   &error), 0);
	assert_int_equal(send(pair.socket, "220 hello\r\n", 11, 0), 11);
	assert_true(pair_until(&pair, &pair.client, "failed"));
	assert_string_equal(pair.client.error, "the peer spoke no TLS");
	pair_close(&pair);
}

static void garbage_in_a_record_fails_the_handshake(void **state)
{
	static const unsigned char junk[] = {
		22, 3, 1, 0, 8, 9, 9, 9, 9, 9, 9, 9, 9,
	};
	struct pair pair;
	struct error error;

	(void)state;
	pair_open_server(&pair);
	assert_int_equal(conn_start_server(pair.server.conn, server, &error),
			 0);
	assert_int_equal(send(pair.socket, junk, sizeof(junk), 0),
			 sizeof(junk));
	assert_true(pair_until(&pair, &pair.server, "failed"));
	assert_true(strlen(pair.server.error) > 0);
	pair_close(&pair);
}

static void a_peer_that_closes_half_way_fails_the_handshake(void **state)
{
	struct pair pair;
	struct error error;
	unsigned char hello[512];
	ssize_t n;

	(void)state;
	pair_open_client(&pair);
	assert_true(pair_until(&pair, &pair.client, "open"));
	assert_int_equal(conn_start_client(pair.client.conn, client, any(),
					   &error), 0);
	pair_run(&pair, 0.02);
	n = recv(pair.socket, hello, sizeof(hello), MSG_DONTWAIT);
	assert_true(n > 100);
	pair_close(&pair);

	pair_open_server(&pair);
	assert_int_equal(conn_start_server(pair.server.conn, server, &error),
			 0);
	assert_int_equal(send(pair.socket, hello, (size_t)n / 2, 0), n / 2);
	close(pair.socket);
	pair.socket = -1;
	assert_true(pair_until(&pair, &pair.server, "failed"));
	assert_non_null(strstr(pair.server.error, "during the TLS handshake"));
	pair_close(&pair);
}

/* Every byte on its own, both ways; and as much as there is at once. */
static void a_handshake_in_single_bytes_is_the_same(void **state)
{
	struct buffer to_server = { 0 }, to_client = { 0 };
	struct buffer raw_server = { 0 }, raw_client = { 0 }, got = { 0 };
	enum secure_step a = SECURE_MORE, b = SECURE_MORE;
	struct secure *asks, *serves;
	struct demand demand = *any();
	struct error error;
	int minimum;

	(void)state;
	for (minimum = 0; minimum < 2; minimum++) {
		demand.min_tls = minimum ? TLS_1_3 : TLS_ANY;
		asks = secure_client(client, &demand, &raw_client, &to_server,
				     &error);
		serves = secure_server(server, &raw_server, &to_client,
				       &error);
		a = b = SECURE_MORE;
		while (a == SECURE_MORE || b == SECURE_MORE) {
			assert_true(buffer_len(&to_server) +
				    buffer_len(&to_client) > 0);
			move_byte(&to_server, &raw_server);
			move_byte(&to_client, &raw_client);
			if (b == SECURE_MORE)
				b = secure_handshake(serves);
			if (a == SECURE_MORE)
				a = secure_handshake(asks);
		}
		assert_int_equal(a, SECURE_DONE);
		assert_int_equal(b, SECURE_DONE);
		assert_int_equal(secure_write(asks, VIEW("EHLO a\r\n")), 0);
		while (buffer_len(&got) < 8) {
			assert_true(buffer_len(&to_server) > 0);
			move_byte(&to_server, &raw_server);
			assert_int_equal(secure_read(serves, &got, 100),
					 SECURE_MORE);
		}
		assert_memory_equal(buffer_view(&got).at, "EHLO a\r\n", 8);
		secure_free(asks);
		secure_free(serves);
		buffer_clear(&to_server);
		buffer_clear(&to_client);
		buffer_clear(&raw_server);
		buffer_clear(&raw_client);
		buffer_clear(&got);
	}
}

static void close_notify_is_a_clean_end(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	shake(&pair, server, any());
	conn_write(pair.client.conn, VIEW("QUIT\r\n"));
	conn_finish(pair.client.conn);
	pair.client.conn = NULL;
	assert_true(pair_until(&pair, &pair.server, "closed"));
	assert_int_equal(buffer_len(&pair.server.got), 6);
	pair_close(&pair);
}

static void an_end_without_close_notify_is_a_failure(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	shake(&pair, server, any());
	conn_write(pair.client.conn, VIEW(".\r\n"));
	assert_true(pair_until(&pair, &pair.client, "drained"));
	assert_true(pair_until_got(&pair, &pair.server, 3));
	conn_free(pair.client.conn);
	pair.client.conn = NULL;
	assert_true(pair_until(&pair, &pair.server, "failed"));
	assert_non_null(strstr(pair.server.error, "truncated"));
	pair_close(&pair);
}

static void much_data_arrives_whole_and_bounded(void **state)
{
	struct pair pair;
	size_t size = 4u << 20, i, got = 0;
	unsigned char *block = must_alloc(size);

	(void)state;
	for (i = 0; i < size; i++)
		block[i] = (unsigned char)(i * 2654435761u >> 13);
	pair_open(&pair);
	shake(&pair, server, any());
	pair.server.keeps_input = true;
	conn_write(pair.client.conn, view_make(block, size));
	while (got < size) {
		struct view input = conn_input(pair.server.conn);

		assert_true(input.len <= CONN_INPUT_MAX);
		assert_memory_equal(input.at, block + got, input.len);
		got += input.len;
		conn_consume(pair.server.conn, input.len);
		pair_run(&pair, 0.0005);
	}
	assert_int_equal(conn_pending(pair.client.conn), 0);
	free(block);
	pair_close(&pair);
}

static void nothing_is_told_while_paused_inside_tls(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	shake(&pair, server, any());
	conn_pause(pair.server.conn);
	pair.server.told[0] = '\0';
	conn_write(pair.client.conn, VIEW("data"));
	conn_finish(pair.client.conn);
	pair.client.conn = NULL;
	pair_run(&pair, 0.02);
	assert_string_equal(pair.server.told, "");
	conn_resume(pair.server.conn);
	assert_true(pair_until(&pair, &pair.server, "closed"));
	assert_string_equal(pair.server.told, "input closed ");
	pair_close(&pair);
}

static void a_demand_for_tls_1_3_is_kept_to(void **state)
{
	struct pair pair;
	struct demand demand = *any();

	(void)state;
	demand.level = TLS_ENCRYPT;
	demand.min_tls = TLS_1_3;
	pair_open(&pair);
	shake(&pair, server, &demand);
	assert_string_equal(conn_facts(pair.client.conn)->version, "TLSv1.3");
	pair_close(&pair);
}

static void a_pair_that_does_not_fit_is_refused(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(tls_check_pair(certs_get("chain.pem"),
					certs_get("good.key"), &error), 0);
	assert_int_equal(tls_check_pair(certs_get("rsa.pem"),
					certs_get("rsa.key"), &error), 0);
	assert_int_equal(tls_check_pair(certs_get("good.pem"),
					certs_get("byroot.key"), &error), -1);
	assert_non_null(strstr(error.text, "does not belong"));
	assert_int_equal(tls_check_pair(certs_get("rsa.pem"),
					certs_get("good.key"), &error), -1);
	assert_int_equal(tls_check_pair(certs_get("good.pem"),
					certs_get("locked.key"), &error), -1);
	assert_non_null(strstr(error.text, "encrypted"));
	assert_int_equal(tls_check_pair(VIEW("nothing"), VIEW("none"), &error),
			 -1);
}

static void a_verified_chain_is_in_the_facts(void **state)
{
	char *name = (char[]){ "mx5.example.test" };
	char *path = (char[]){ "root.pem" };
	struct policy policy = {
		.tls = TLS_VERIFY,
		.names = { .at = &name, .count = 1 },
		.trust = { .path = path, .bytes = certs_get("root.pem") },
	};
	struct demand demand = {
		.level = TLS_VERIFY, .is_usable = true, .asks_chain = true,
		.asks_name = true, .names = { "mx5.example.test" },
		.name_count = 1, .policy = &policy, .trust = &policy.trust,
		.host = "mx5.example.test", .sni = "mx5.example.test",
	};
	const struct tls_facts *facts;
	struct judgement judgement;
	struct pair pair;
	int i;

	(void)state;
	/* twice: the second time its anchors are known */
	demand.generation = 1;
	for (i = 0; i < 2; i++) {
		pair_open(&pair);
		shake(&pair, server, &demand);
		facts = conn_facts(pair.client.conn);
		assert_int_equal(facts->presented, 2);
		assert_int_equal(facts->chain, CHAIN_HOLDS);
		assert_int_equal(facts->verified_count, 2);
		assert_string_equal(facts->verified[0].subject, "Test Inter");
		assert_string_equal(facts->names[0], "mx5.example.test");
		tls_judge(&demand, facts, &judgement);
		assert_int_equal(judgement.verdict, JUDGE_DELIVER);
		assert_true(judgement.is_verified);
		pair_close(&pair);
	}
	/* a new snapshot brings other anchors under the same path */
	policy.trust.bytes = certs_get("byroot.pem");
	demand.generation = 2;
	pair_open(&pair);
	shake(&pair, server, &demand);
	tls_judge(&demand, conn_facts(pair.client.conn), &judgement);
	assert_int_equal(judgement.verdict, JUDGE_NEXT_HOST);
	assert_non_null(strstr(judgement.reason, "no trusted CA"));
	pair_close(&pair);
}

static void a_self_signed_certificate_makes_tls_work(void **state)
{
	static const char *const names[] = {
		"relay.example.org",
		"a-name-that-is-longer-than-a-common-name-may-be."
		"and-has-more-labels-than-one-would-think.example.org",
		"x123456789012345678901234567890123456789012345678901234567."
		"x123456789012345678901234567890123456789012345678901234567."
		"x123456789012345678901234567890123456789012345678901234567",
	};
	struct tls_context *own;
	struct buffer chain, key;
	struct error error;
	struct pair pair;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		const struct tls_facts *facts;

		chain = key = (struct buffer){ 0 };
		assert_int_equal(tls_self_signed(names[i], &chain, &key,
						 &error), 0);
		own = tls_server_context(buffer_view(&chain),
					 buffer_view(&key), &error);
		assert_non_null(own);
		pair_open(&pair);
		shake(&pair, own, any());
		facts = conn_facts(pair.client.conn);
		assert_int_equal(facts->name_count, 1);
		assert_false(facts->names_from_cn);
		assert_string_equal(facts->names[0], names[i]);
		assert_true(facts->leaf.not_after - facts->leaf.not_before >
			    3600ll * 24 * 3600);
		pair_close(&pair);
		tls_context_free(own);
		buffer_clear(&chain);
		buffer_clear(&key);
	}
}

static int set_up(void **state)
{
	struct error error;

	(void)state;
	tls_start();
	if (certs_make(true) < 0)
		return -1;
	client = tls_client_context(&error);
	server = tls_server_context(certs_get("chain.pem"),
				    certs_get("good.key"), &error);
	return client && server ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_context_free(client);
	tls_context_free(server);
	certs_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_proves_version_cipher_and_name),
		cmocka_unit_test(
			what_was_written_before_leaves_in_the_clear_first),
		cmocka_unit_test(plaintext_that_was_not_read_forbids_tls),
		cmocka_unit_test(plaintext_behind_starttls_never_becomes_input),
		cmocka_unit_test(a_server_without_tls_is_named_as_such),
		cmocka_unit_test(garbage_in_a_record_fails_the_handshake),
		cmocka_unit_test(
			a_peer_that_closes_half_way_fails_the_handshake),
		cmocka_unit_test(a_handshake_in_single_bytes_is_the_same),
		cmocka_unit_test(close_notify_is_a_clean_end),
		cmocka_unit_test(an_end_without_close_notify_is_a_failure),
		cmocka_unit_test(much_data_arrives_whole_and_bounded),
		cmocka_unit_test(nothing_is_told_while_paused_inside_tls),
		cmocka_unit_test(a_demand_for_tls_1_3_is_kept_to),
		cmocka_unit_test(a_verified_chain_is_in_the_facts),
		cmocka_unit_test(a_self_signed_certificate_makes_tls_work),
		cmocka_unit_test(a_pair_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
