/*
 * A connection in the clear: what is told and in which order, one send per
 * turn, bounded input, pausing, and every way of ending.
 */
#include "tests/unit/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void bytes_go_both_ways(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	conn_write(pair.client.conn, VIEW("EHLO there\r\n"));
	assert_true(pair_until_got(&pair, &pair.server, 12));
	conn_write(pair.server.conn, VIEW("250 "));
	conn_write(pair.server.conn, VIEW("here\r\n"));
	assert_true(pair_until_got(&pair, &pair.client, 10));
	assert_memory_equal(buffer_view(&pair.client.got).at, "250 here\r\n",
			    10);
	assert_string_equal(pair.client.told, "open drained input ");
	assert_string_equal(pair.server.told, "input drained ");
	pair_close(&pair);
}

static void what_one_turn_writes_leaves_at_once(void **state)
{
	struct pair pair;
	char got[32];
	int i;

	(void)state;
	pair_open_server(&pair);
	for (i = 0; i < 8; i++)
		conn_write(pair.server.conn, VIEW("ok\r\n"));
	assert_int_equal(conn_pending(pair.server.conn), 32);
	assert_int_equal(recv(pair.socket, got, sizeof(got), MSG_DONTWAIT), -1);
	pair_run(&pair, 0.001);
	assert_int_equal(recv(pair.socket, got, sizeof(got), MSG_DONTWAIT), 32);
	assert_int_equal(conn_pending(pair.server.conn), 0);
	assert_string_equal(pair.server.told, "drained ");
	pair_close(&pair);
}

static void a_flush_leaves_before_the_turn_ends(void **state)
{
	struct pair pair;
	char got[8];

	(void)state;
	pair_open_server(&pair);
	conn_write(pair.server.conn, VIEW("now"));
	conn_flush(pair.server.conn);
	assert_int_equal(recv(pair.socket, got, sizeof(got), MSG_DONTWAIT), 3);
	assert_string_equal(pair.server.told, "");
	assert_true(pair_until(&pair, &pair.server, "drained"));
	pair_close(&pair);
}

static void a_closed_peer_is_told_after_its_last_bytes(void **state)
{
	struct pair pair;

	(void)state;
	pair_open_server(&pair);
	assert_int_equal(send(pair.socket, "QUIT\r\n", 6, 0), 6);
	close(pair.socket);
	pair.socket = -1;
	assert_true(pair_until(&pair, &pair.server, "closed"));
	assert_string_equal(pair.server.told, "input closed ");
	pair_close(&pair);
}

static void a_reset_is_a_failure_with_its_reason(void **state)
{
	struct pair pair;
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)state;
	pair_open_server(&pair);
	setsockopt(pair.socket, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(pair.socket);
	pair.socket = -1;
	pair.server.frees_on_end = true;
	assert_true(pair_until(&pair, &pair.server, "failed"));
	assert_non_null(strstr(pair.server.error, "connection lost"));
	pair_close(&pair);
}

static void nobody_listening_is_told_later_as_a_failure(void **state)
{
	struct pair pair;
	struct net_address at;

	(void)state;
	pair_open_client(&pair);
	at = *conn_peer(pair.client.conn); /* its listener is closed */
	pair_reconnect(&pair, &at);
	assert_string_equal(pair.client.told, "");
	assert_true(pair_until(&pair, &pair.client, "failed"));
	assert_string_equal(pair.client.told, "failed ");
	assert_non_null(strstr(pair.client.error, "refused"));
	pair_close(&pair);
}

static void an_impossible_connect_is_told_later_too(void **state)
{
	struct pair pair;
	struct net_address at;

	(void)state;
	pair_open_client(&pair);
	assert_int_equal(net_parse(VIEW("255.255.255.255"), &at), 0);
	net_set_port(&at, 25);
	pair_reconnect(&pair, &at);
	assert_string_equal(pair.client.told, "");
	assert_true(pair_until(&pair, &pair.client, "failed"));
	assert_non_null(strstr(pair.client.error, "cannot connect"));
	pair_close(&pair);
}

/* More than the bound is never held, and nothing is lost. */
static void input_is_bounded_and_the_sender_waits(void **state)
{
	struct pair pair;
	static char block[64 * 1024];
	size_t sent = 0, got = 0;

	(void)state;
	pair_open_server(&pair);
	pair.server.keeps_input = true;
	(void)fcntl(pair.socket, F_SETFL, O_NONBLOCK);
	while (sent < 8u << 20) {
		ssize_t n = send(pair.socket, block, sizeof(block), 0);

		if (n < 0) {
			pair_run(&pair, 0.005);
			n = send(pair.socket, block, sizeof(block), 0);
			if (n < 0)
				break;
		}
		sent += (size_t)n;
	}
	assert_int_equal(conn_input(pair.server.conn).len, CONN_INPUT_MAX);
	while (got < sent) {
		size_t len = conn_input(pair.server.conn).len;

		assert_true(len <= CONN_INPUT_MAX);
		got += len;
		conn_consume(pair.server.conn, len);
		pair_run(&pair, 0.001);
	}
	assert_int_equal(got, sent);
	pair_close(&pair);
}

static void pause_on_input(struct side *side, enum conn_event event)
{
	if (event == CONN_INPUT)
		conn_pause(side->conn);
}

static void nothing_is_told_while_paused(void **state)
{
	struct pair pair;

	(void)state;
	pair_open_server(&pair);
	pair.server.also = pause_on_input;
	assert_int_equal(send(pair.socket, "one", 3, 0), 3);
	assert_true(pair_until(&pair, &pair.server, "input"));
	assert_int_equal(send(pair.socket, "two", 3, 0), 3);
	shutdown(pair.socket, SHUT_WR);
	pair_run(&pair, 0.02);
	assert_string_equal(pair.server.told, "input ");
	pair.server.also = NULL;
	conn_resume(pair.server.conn);
	assert_true(pair_until(&pair, &pair.server, "closed"));
	assert_string_equal(pair.server.told, "input input closed ");
	pair_close(&pair);
}

static void a_deadline_is_told_once(void **state)
{
	struct pair pair;

	(void)state;
	pair_open_server(&pair);
	conn_deadline(pair.server.conn, 0.01);
	assert_true(pair_until(&pair, &pair.server, "timeout"));
	pair_run(&pair, 0.03);
	assert_string_equal(pair.server.told, "timeout ");
	conn_deadline(pair.server.conn, 0.01);
	conn_deadline(pair.server.conn, 0);
	pair_run(&pair, 0.03);
	assert_string_equal(pair.server.told, "timeout ");
	pair_close(&pair);
}

static void finish_in_the_callback(struct side *side, enum conn_event event)
{
	if (event != CONN_INPUT)
		return;
	conn_write(side->conn, VIEW("221 bye\r\n"));
	conn_finish(side->conn);
	side->conn = NULL;
}

/* The peer has more to say; closing must not reset the reply away. */
static void the_last_reply_arrives_though_the_peer_goes_on(void **state)
{
	struct pair pair;
	static char block[200 * 1024];
	char got[32];

	(void)state;
	pair_open_server(&pair);
	pair.server.also = finish_in_the_callback;
	assert_int_equal(send(pair.socket, block, sizeof(block), 0),
			 sizeof(block));
	pair_run(&pair, 0.05);
	assert_int_equal(send(pair.socket, "more", 4, MSG_NOSIGNAL), 4);
	pair_run(&pair, 0.02);
	assert_int_equal(recv(pair.socket, got, sizeof(got), MSG_DONTWAIT), 9);
	assert_int_equal(recv(pair.socket, got, sizeof(got), MSG_DONTWAIT), 0);
	close(pair.socket);
	pair.socket = -1;
	pair_run(&pair, 0.02);
	pair_close(&pair);
}

static void write_into_the_void(struct side *side, enum conn_event event)
{
	static char block[128 * 1024];

	if (event == CONN_DRAINED)
		conn_write(side->conn, view_make(block, sizeof(block)));
}

/* The reason that a peer gave before it hung up is heard. */
static void a_broken_write_still_reads_what_was_said(void **state)
{
	struct pair pair;
	static char block[64 * 1024];

	(void)state;
	pair_open_server(&pair);
	conn_write(pair.server.conn, view_make(block, sizeof(block)));
	pair_run(&pair, 0.01);
	assert_int_equal(send(pair.socket, "421 no\r\n", 8, 0), 8);
	close(pair.socket); /* with unread bytes: a reset follows */
	pair.socket = -1;
	pair.server.also = write_into_the_void;
	conn_write(pair.server.conn, view_make(block, sizeof(block)));
	assert_true(pair_until(&pair, &pair.server, "failed"));
	pair_close(&pair);
}

static void a_large_output_drains_as_the_peer_reads(void **state)
{
	struct pair pair;
	size_t size = 8u << 20, got = 0;
	char *block = must_alloc(size);
	static char into[64 * 1024];

	(void)state;
	pair_open_server(&pair);
	(void)fcntl(pair.socket, F_SETFL, O_NONBLOCK);
	conn_write(pair.server.conn, view_make(block, size));
	pair_run(&pair, 0.01);
	assert_true(conn_pending(pair.server.conn) > 0);
	while (got < size) {
		ssize_t n = recv(pair.socket, into, sizeof(into), 0);

		if (n > 0)
			got += (size_t)n;
		else
			pair_run(&pair, 0.001);
	}
	assert_true(pair_until(&pair, &pair.server, "drained"));
	assert_int_equal(conn_pending(pair.server.conn), 0);
	free(block);
	pair_close(&pair);
}

static void free_the_other(struct side *side, enum conn_event event)
{
	struct side *other = side->arg;

	(void)event;
	conn_free(other->conn);
	other->conn = NULL;
	conn_free(side->conn);
	side->conn = NULL;
}

static void both_may_be_freed_inside_one_callback(void **state)
{
	struct pair pair;

	(void)state;
	pair_open(&pair);
	conn_write(pair.client.conn, VIEW("x"));
	conn_write(pair.server.conn, VIEW("y"));
	pair.server.arg = &pair.client;
	pair.client.arg = &pair.server;
	pair.client.also = pair.server.also = free_the_other;
	pair_run(&pair, 0.02);
	assert_null(pair.client.conn);
	assert_null(pair.server.conn);
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(what_one_turn_writes_leaves_at_once),
		cmocka_unit_test(a_flush_leaves_before_the_turn_ends),
		cmocka_unit_test(a_closed_peer_is_told_after_its_last_bytes),
		cmocka_unit_test(a_reset_is_a_failure_with_its_reason),
		cmocka_unit_test(nobody_listening_is_told_later_as_a_failure),
		cmocka_unit_test(an_impossible_connect_is_told_later_too),
		cmocka_unit_test(input_is_bounded_and_the_sender_waits),
		cmocka_unit_test(nothing_is_told_while_paused),
		cmocka_unit_test(a_deadline_is_told_once),
		cmocka_unit_test(
			the_last_reply_arrives_though_the_peer_goes_on),
		cmocka_unit_test(a_broken_write_still_reads_what_was_said),
		cmocka_unit_test(a_large_output_drains_as_the_peer_reads),
		cmocka_unit_test(both_may_be_freed_inside_one_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
