/*
 * Handshakes with OpenSSL on the other side, both ways round: versions,
 * groups, suites and kinds of certificates, and the words for those that
 * have nothing in common with us.
 */
#include "tests/unit/certs.h"
#include "tests/unit/pair.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct tls_context *client;

struct peer {
	pid_t pid;
	int in, out;
};

/* Runs openssl in the folder of the certificates. */
static struct peer start(const char *arguments)
{
	struct peer peer;
	char command[600];
	int in[2], out[2];

	(void)snprintf(command, sizeof(command), "exec openssl %s",
		       arguments);
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	peer.pid = fork();
	if (peer.pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		close(in[0]);
		close(in[1]);
		close(out[0]);
		close(out[1]);
		if (chdir(certs_folder()) == 0)
			execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	peer.in = in[1];
	peer.out = out[0];
	return peer;
}

static void stop(struct peer *peer)
{
	(void)kill(peer->pid, SIGTERM);
	(void)waitpid(peer->pid, NULL, 0);
	close(peer->in);
	close(peer->out);
}

/* s_server says "ACCEPT 127.0.0.1:PORT". */
static uint16_t port_of(struct peer *peer)
{
	char text[4096] = "", *at;
	size_t len = 0;
	ssize_t n;

	while (len + 1 < sizeof(text) &&
	       (n = read(peer->out, text + len, sizeof(text) - len - 1)) > 0) {
		len += (size_t)n;
		text[len] = '\0';
		at = strstr(text, "ACCEPT 127.0.0.1:");
		if (at && strchr(at, '\n'))
			return (uint16_t)atoi(at + 17);
	}
	fail_msg("openssl: %s", text);
	return 0;
}

struct row {
	const char *server;   /* options of s_server */
	enum tls_level level;
	const char *version;  /* NULL: fails */
	const char *says;     /* in cipher, or in the error */
};

static void meet(const struct row *row)
{
	struct demand demand = { .level = row->level, .is_usable = true,
				 .sni = "mx5.example.test" };
	char options[500];
	struct net_address at;
	struct pair pair;
	struct peer peer;
	const struct tls_facts *facts;
	struct error error;

	(void)snprintf(options, sizeof(options),
		       "s_server -accept 127.0.0.1:0 -naccept 1 %s",
		       row->server);
	peer = start(options);
	assert_int_equal(net_parse(VIEW("127.0.0.1"), &at), 0);
	net_set_port(&at, port_of(&peer));
	pair_open_client(&pair);
	pair_reconnect(&pair, &at);
	assert_true(pair_until(&pair, &pair.client, "open"));
	assert_int_equal(conn_start_client(pair.client.conn, client, &demand,
					   &error), 0);
	if (!row->version) {
		if (!pair_until(&pair, &pair.client, "failed") ||
		    !strstr(pair.client.error, row->says))
			fail_msg("%s: told \"%s\", error \"%s\"", row->server,
				 pair.client.told, pair.client.error);
	} else if (!pair_until(&pair, &pair.client, "secure")) {
		fail_msg("%s: %s", row->server, pair.client.error);
	} else {
		facts = conn_facts(pair.client.conn);
		assert_string_equal(facts->version, row->version);
		if (!strstr(facts->cipher, row->says))
			fail_msg("%s: %s", row->server, facts->cipher);
		assert_int_equal(facts->presented >= 1, 1);
		assert_int_not_equal(facts->name_count, 0);
		conn_write(pair.client.conn, VIEW("hello\n"));
		assert_true(pair_until(&pair, &pair.client, "drained"));
	}
	pair_close(&pair);
	stop(&peer);
}

#define CERT(name) "-cert " name ".pem -key " name ".key "

static void servers_of_all_kinds_are_reached(void **state)
{
	static const struct row rows[] = {
		{ CERT("good") "-tls1_3", TLS_VERIFY, "TLSv1.3", "TLS_" },
		{ CERT("good") "-tls1_2", TLS_VERIFY, "TLSv1.2", "ECDSA" },
		{ CERT("rsa") "-tls1_2", TLS_VERIFY, "TLSv1.2", "RSA" },
		{ CERT("rsa") "-tls1_3", TLS_VERIFY, "TLSv1.3", "TLS_" },
		{ CERT("rsa4096"), TLS_MAY, "TLSv1.3", "TLS_" },
		{ CERT("ed25519"), TLS_MAY, "TLSv1.3", "TLS_" },
		{ CERT("many"), TLS_MAY, "TLSv1.3", "TLS_" },
		{ CERT("many") "-tls1_2", TLS_MAY, "TLSv1.2", "ECDSA" },
		{ CERT("expired"), TLS_MAY, "TLSv1.3", "TLS_" },
		{ CERT("self"), TLS_MAY, "TLSv1.3", "TLS_" },
		{ CERT("sha1") "-cipher ALL:@SECLEVEL=0", TLS_MAY, "TLSv1.3",
		  "TLS_" },
		{ CERT("weakkey") "-cipher ALL:@SECLEVEL=0", TLS_MAY,
		  "TLSv1.3", "TLS_" },
		{ CERT("good") "-groups P-256", TLS_MAY, "TLSv1.3", "TLS_" },
		{ CERT("good") "-groups P-384", TLS_MAY, "TLSv1.3", "TLS_" },
		{ CERT("rsa") "-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305",
		  TLS_ENCRYPT, "TLSv1.2", "CHACHA20" },
		{ CERT("rsa") "-tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384",
		  TLS_ENCRYPT, "TLSv1.2", "AES_256_GCM" },
		{ CERT("rsa") "-tls1_2 -cipher ECDHE-RSA-AES128-SHA", TLS_MAY,
		  "TLSv1.2", "CBC" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		meet(&rows[i]);
}

static void servers_with_nothing_in_common_are_named_as_such(void **state)
{
	static const struct row rows[] = {
		{ CERT("rsa") "-tls1_2 -cipher ECDHE-RSA-AES128-SHA",
		  TLS_ENCRYPT, NULL, "nothing in common" },
		{ CERT("rsa") "-tls1_2 -cipher AES128-SHA", TLS_MAY, NULL,
		  "nothing in common" },
		{ CERT("rsa") "-tls1_1 -cipher ALL:@SECLEVEL=0", TLS_MAY, NULL,
		  "protocol version" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		meet(&rows[i]);
}

struct client_row {
	const char *cert;    /* ours */
	const char *options; /* of s_client */
	const char *version; /* NULL: fails */
	const char *group;
	const char *says;    /* in the error */
};

static void serve(const struct client_row *row)
{
	char file[64], key[64], options[500], address[NET_TEXT_MAX];
	struct tls_context *server;
	struct net_address at;
	const struct tls_facts *facts;
	struct pair pair;
	struct peer peer;
	struct error error;
	int listener;

	(void)snprintf(file, sizeof(file), "%s.pem", row->cert);
	(void)snprintf(key, sizeof(key), "%s.key", row->cert);
	server = tls_server_context(certs_get(file), certs_get(key), &error);
	if (!server)
		fail_msg("%s: %s", row->cert, error.text);
	listener = pair_listen(&at);
	net_text_port(&at, address);
	(void)snprintf(options, sizeof(options),
		       "s_client -connect %s -servername mx5.example.test %s",
		       address, row->options);
	peer = start(options);
	pair_open_accept(&pair, listener);
	assert_int_equal(conn_start_server(pair.server.conn, server, &error),
			 0);
	if (!row->version) {
		assert_true(pair_until(&pair, &pair.server, "failed"));
		if (!strstr(pair.server.error, row->says))
			fail_msg("%s: %s", row->options, pair.server.error);
	} else if (!pair_until(&pair, &pair.server, "secure")) {
		fail_msg("%s: %s", row->options, pair.server.error);
	} else {
		facts = conn_facts(pair.server.conn);
		assert_string_equal(facts->version, row->version);
		assert_string_equal(facts->sni, "mx5.example.test");
		if (row->group)
			assert_string_equal(facts->group, row->group);
		assert_int_equal(write(peer.in, "hello\n", 6), 6);
		assert_true(pair_until_got(&pair, &pair.server, 6));
	}
	pair_close(&pair);
	stop(&peer);
	tls_context_free(server);
}

static void clients_of_all_kinds_are_served(void **state)
{
	static const struct client_row rows[] = {
		{ "good", "-tls1_3", "TLSv1.3", "X25519", NULL },
		{ "good", "-tls1_2", "TLSv1.2", "X25519", NULL },
		{ "rsa", "-tls1_2", "TLSv1.2", "X25519", NULL },
		{ "rsa", "-tls1_3", "TLSv1.3", "X25519", NULL },
		{ "good", "-groups P-256", "TLSv1.3", "SECP256R1", NULL },
		{ "good", "-groups P-384", "TLSv1.3", "SECP384R1", NULL },
		{ "good", "-groups P-384:X25519", "TLSv1.3", NULL, NULL },
		{ "rsa", "-tls1_2 -cipher ECDHE-RSA-AES128-SHA", "TLSv1.2",
		  NULL, NULL },
		{ "ed25519", "-tls1_3", "TLSv1.3", NULL, NULL },
		{ "ec384", "-tls1_3", "TLSv1.3", NULL, NULL },
		{ "many", "-tls1_2", "TLSv1.2", NULL, NULL },
		{ "rsa", "-tls1_2 -cipher AES128-SHA", NULL, NULL,
		  "no common cipher" },
		{ "rsa", "-tls1_1 -cipher ALL:@SECLEVEL=0", NULL, NULL,
		  "version" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		serve(&rows[i]);
}

static int set_up(void **state)
{
	struct error error;

	(void)state;
	tls_start();
	(void)signal(SIGPIPE, SIG_IGN);
	if (certs_make(false) < 0)
		return -1;
	client = tls_client_context(&error);
	return client ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_context_free(client);
	certs_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_of_all_kinds_are_reached),
		cmocka_unit_test(
			servers_with_nothing_in_common_are_named_as_such),
		cmocka_unit_test(clients_of_all_kinds_are_served),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
