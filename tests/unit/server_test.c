/*
 * The carrier on real sockets: what a client sees, and what reaches the
 * store when it leaves, stalls, or the store falls behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/clients.h"
#include "relay/pace.h"
#include "tests/unit/stage.h"
#include "tls/conn.h"

/* --- mail ------------------------------------------------------------- */

static void mail_is_stored(void **state)
{
	struct stage *w = stage_new();
	struct view body;
	int fd;

	(void)state;
	stage_start(w);
	fd = stage_dial_data(w);
	stage_say(w, fd, "Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n");
	SEES(w, fd, "250 2.0.0 01TEST stored\r\n221 ");
	SEES(w, fd, "");
	assert_string_equal(w->memory.sender, "a@b.example");
	assert_int_equal(w->memory.committed, 1);
	body = buffer_view(&w->memory.body);
	assert_true(view_starts_fold(body, VIEW("Received: from c ([127.0")));
	assert_true(view_equal(view_from(body, body.len - 21),
			       VIEW("Subject: x\r\n\r\nhello\r\n")));
	close(fd);
	stage_turns(w, 0.05);
	assert_int_equal(server_sessions(w->server), 0);
	stage_free(w);
}

static void reply_waits_for_the_store(void **state)
{
	struct stage *w = stage_new();
	int fd;

	(void)state;
	w->memory.is_immediate = false;
	stage_start(w);
	fd = stage_dial_data(w);
	stage_say(w, fd, "x\r\n.\r\nNOOP\r\n");
	assert_false(stage_sees(w, fd, "250", 0.1));
	assert_int_equal(w->memory.committed, 1);
	stage_answer(&w->memory, INTAKE_STORED);
	SEES(w, fd, "250 2.0.0 01TEST stored\r\n250 2.0.0 Ok");
	stage_say(w, fd, "RSET\r\n" ENVELOPE "DATA\r\n.\r\n");
	SEES(w, fd, "354 ");
	stage_turns(w, 0.05);
	stage_answer(&w->memory, INTAKE_NO_ROOM);
	SEES(w, fd, "452 4.3.1");
	close(fd);
	stage_free(w);
}

static void half_closed_client_gets_its_reply(void **state)
{
	struct stage *w = stage_new();
	int fd;

	(void)state;
	w->memory.is_immediate = false;
	stage_start(w);
	fd = stage_dial_data(w);
	stage_say(w, fd, "x\r\n.\r\nQUIT\r\n");
	shutdown(fd, SHUT_WR);
	stage_turns(w, 0.05);
	stage_answer(&w->memory, INTAKE_STORED);
	SEES(w, fd, "stored\r\n221 ");
	SEES(w, fd, "");
	close(fd);
	stage_free(w);
}

static void reset(int fd)
{
	struct linger hard = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static void client_that_leaves(void **state)
{
	struct stage *w = stage_new();
	int fd;

	(void)state;
	w->memory.is_immediate = false;
	stage_start(w);
	/* within the body: no message */
	fd = stage_dial_data(w);
	stage_say(w, fd, "half of ");
	close(fd);
	stage_turns(w, 0.05);
	assert_int_equal(w->memory.aborted, 1);
	fd = stage_dial_data(w);
	reset(fd);
	stage_turns(w, 0.05);
	assert_int_equal(w->memory.aborted, 2);
	assert_int_equal(server_sessions(w->server), 0);
	/* behind the dot: the message is ours */
	fd = stage_dial_data(w);
	stage_say(w, fd, "x\r\n.\r\n");
	reset(fd);
	stage_turns(w, 0.05);
	assert_int_equal(server_sessions(w->server), 1);
	stage_answer(&w->memory, INTAKE_STORED);
	stage_turns(w, 0.05);
	assert_int_equal(server_sessions(w->server), 0);
	assert_int_equal(w->memory.aborted, 2);
	/* the server goes while the store works */
	fd = stage_dial_data(w);
	stage_say(w, fd, "x\r\n.\r\n");
	stage_turns(w, 0.05);
	close(fd);
	stage_free(w);
}

static void store_that_falls_behind(void **state)
{
	struct stage *w = stage_new();
	static char line[1001], all[400 * 1000 + 1];
	size_t before;
	int fd, i;

	(void)state;
	memset(line, 'x', 998);
	memcpy(line + 998, "\r\n", 3);
	for (i = 0; i < 400; i++)
		memcpy(all + i * 1000, line, 1001);
	w->memory.full_at = 100000;
	stage_start(w);
	fd = stage_dial_data(w);
	/* Far more than all buffers on the way hold, so it must stall. */
	send(fd, all, sizeof(all) - 1, MSG_NOSIGNAL);
	stage_turns(w, 0.1);
	before = buffer_len(&w->memory.body);
	assert_in_range(before, 100000, 100000 + CONN_INPUT_MAX);
	w->memory.full_at = 0;
	stage_answer(&w->memory, INTAKE_ROOM);
	stage_say(w, fd, "\r\n.\r\n");
	SEES(w, fd, "stored");
	assert_true(buffer_len(&w->memory.body) > before);
	close(fd);
	stage_free(w);
}

static void client_that_reads_no_replies(void **state)
{
	struct stage *w = stage_new();
	static char flood[60 * 1024];
	size_t sent = 0, i;
	int fd, idle = 0;

	(void)state;
	w->conf.max_errors = UINT32_MAX;
	for (i = 0; i + 6 <= sizeof(flood); i += 6)
		memcpy(flood + i, "HELP\r\n", 6);
	stage_start(w);
	fd = stage_dial(w);
	while (idle < 50 && sent < 64 * 1024 * 1024) {
		ssize_t n = send(fd, flood, i, MSG_NOSIGNAL);

		stage_turn(w);
		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
	}
	/* It was stopped, not served without end into memory. */
	assert_true(sent < 64 * 1024 * 1024);
	assert_int_equal(server_sessions(w->server), 1);
	close(fd);
	stage_free(w);
}

/* --- limits ----------------------------------------------------------- */

static void too_many_sessions(void **state)
{
	struct stage *w = stage_new();
	int fd[3];

	(void)state;
	w->conf.max_sessions = 2;
	stage_start(w);
	fd[0] = stage_dial(w);
	SEES(w, fd[0], "220 ");
	fd[1] = stage_dial(w);
	SEES(w, fd[1], "220 ");
	fd[2] = stage_dial(w);
	SEES(w, fd[2], "421 4.7.0 mx.example.org Too many sessions");
	SEES(w, fd[2], "");
	close(fd[2]);
	close(fd[0]);
	stage_turns(w, 0.05);
	fd[2] = stage_dial(w);
	SEES(w, fd[2], "220 ");
	close(fd[2]);
	close(fd[1]);
	stage_free(w);
}

static void too_many_sessions_of_one_client(void **state)
{
	struct stage *w = stage_new();
	int fd[2];

	(void)state;
	w->conf.max_sessions_per_client = 1;
	stage_start(w);
	fd[0] = stage_dial(w);
	SEES(w, fd[0], "220 ");
	fd[1] = stage_dial(w);
	SEES(w, fd[1], "421 4.7.0 mx.example.org Too many sessions from you");
	close(fd[0]);
	close(fd[1]);
	stage_free(w);
}

static void idle_client_is_told(void **state)
{
	struct stage *w = stage_new();
	double begun;
	int fd, i;

	(void)state;
	w->conf.timeout_idle = 1;
	stage_start(w);
	fd = stage_dial(w);
	SEES(w, fd, "220 ");
	begun = ev_time();
	/* bytes of one command do not renew its deadline */
	for (i = 0; i < 12 && !strstr(w->seen, "421"); i++) {
		send(fd, "N", 1, MSG_NOSIGNAL);
		(void)stage_sees(w, fd, "421", 0.15);
	}
	SEES(w, fd, "421 4.4.2 mx.example.org Timeout");
	assert_true(ev_time() - begun < 2.5);
	SEES(w, fd, "");
	close(fd);
	stage_free(w);
}

static void dripping_body_is_ended(void **state)
{
	struct stage *w = stage_new();
	double begun;
	int fd, i;

	(void)state;
	w->conf.timeout_block = 1;
	stage_start(w);
	fd = stage_dial_data(w);
	begun = ev_time();
	for (i = 0; i < 12 && !strstr(w->seen, "421"); i++) {
		send(fd, "x", 1, MSG_NOSIGNAL);
		(void)stage_sees(w, fd, "421", 0.15);
	}
	SEES(w, fd, "421 4.4.2");
	assert_true(ev_time() - begun < 2.5);
	assert_int_equal(w->memory.aborted, 1);
	close(fd);
	stage_free(w);
}

static void pace_is_kept(void **state)
{
	struct pace pace;
	double now = 100;
	int i;

	(void)state;
	pace_start(&pace, now, 180);
	/* 1000 bytes a second for an hour pass */
	for (i = 0; i < 3600; i++)
		pace_count(&pace, ++now, 1000);
	assert_true(pace_left(&pace, now) > 179);
	/* a burst does not buy more than one pause */
	pace_count(&pace, now, 100000000);
	assert_true(pace_left(&pace, now) <= 180);
	/* 100 bytes a second do not */
	for (i = 0; i < 226; i++)
		pace_count(&pace, ++now, 100);
	assert_true(pace_left(&pace, now) < 0);
}

static void clients_are_counted(void **state)
{
	struct clients *clients = clients_new();
	struct net_address a, b;
	char text[64];
	int i;

	(void)state;
	net_parse(VIEW("2001:db8:1:2::1"), &a);
	net_parse(VIEW("2001:db8:1:2:ffff::9"), &b);
	assert_true(clients_enter(clients, &a, 2));
	assert_true(clients_enter(clients, &b, 2));
	assert_false(clients_enter(clients, &b, 2));
	clients_leave(clients, &a);
	assert_true(clients_enter(clients, &b, 2));
	net_parse(VIEW("192.0.2.1"), &a);
	net_parse(VIEW("::ffff:192.0.2.1"), &b);
	assert_true(clients_enter(clients, &a, 1));
	assert_false(clients_enter(clients, &b, 1));
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
		net_parse(view_of(text), &a);
		assert_true(clients_enter(clients, &a, 1));
	}
	assert_false(clients_enter(clients, &a, 1));
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
		net_parse(view_of(text), &a);
		clients_leave(clients, &a);
	}
	assert_true(clients_enter(clients, &a, 1));
	clients_free(clients);
}

static void out_of_descriptors(void **state)
{
	struct stage *w = stage_new();
	struct rlimit old, low;
	int fd, spare, i;

	(void)state;
	stage_start(w);
	fd = stage_dial(w);
	spare = dup(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)spare + 1;
	for (i = 0; i < spare; i++)
		if (fcntl(i, F_GETFD) < 0)
			(void)dup2(fd, i); /* no gap below */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_false(stage_sees(w, fd, "220", 0.3));
	assert_int_equal(server_sessions(w->server), 0);
	close(spare);
	SEES(w, fd, "220 ");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(fd);
	stage_free(w);
}

/* --- stopping --------------------------------------------------------- */

static void stop_drains(void **state)
{
	struct stage *w = stage_new();
	int idle, busy, new;

	(void)state;
	stage_start(w);
	busy = stage_dial_data(w);
	idle = stage_dial(w);
	SEES(w, idle, "220 ");
	server_stop(w->server);
	SEES(w, idle, "421 4.3.2 mx.example.org Shutting down");
	SEES(w, idle, "");
	assert_int_equal(server_sessions(w->server), 1);
	stage_say(w, busy, "x\r\n.\r\n");
	SEES(w, busy, "250 2.0.0 01TEST stored\r\n421 4.3.2");
	SEES(w, busy, "");
	assert_int_equal(server_sessions(w->server), 0);
	new = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(new, (struct sockaddr *)&w->at, sizeof(w->at)),
			 -1);
	close(new);
	close(idle);
	close(busy);
	stage_free(w);
}

static void snapshot_is_held_while_used(void **state)
{
	struct stage *w = stage_new();
	struct listener listeners[1];
	char title[] = ":25";
	struct conf second;
	int fd;

	(void)state;
	w->listener.title = title;
	stage_start(w);
	second = w->conf;
	listeners[0] = w->listener;
	second.listeners = listeners;
	second.listener_count = 1;
	second.max_message = 1234;
	fd = stage_dial(w);
	SEES(w, fd, "220 ");
	server_configure(w->server, &second);
	assert_true(server_uses(w->server, &w->conf));
	stage_say(w, fd, "EHLO c\r\n");
	SEES(w, fd, "250-SIZE 10000000\r\n");
	close(fd);
	stage_turns(w, 0.05);
	assert_false(server_uses(w->server, &w->conf));
	assert_true(server_uses(w->server, &second));
	fd = stage_dial(w);
	stage_say(w, fd, "EHLO c\r\n");
	SEES(w, fd, "250-SIZE 1234\r\n");
	close(fd);
	stage_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_is_stored),
		cmocka_unit_test(reply_waits_for_the_store),
		cmocka_unit_test(half_closed_client_gets_its_reply),
		cmocka_unit_test(client_that_leaves),
		cmocka_unit_test(store_that_falls_behind),
		cmocka_unit_test(client_that_reads_no_replies),
		cmocka_unit_test(too_many_sessions),
		cmocka_unit_test(too_many_sessions_of_one_client),
		cmocka_unit_test(idle_client_is_told),
		cmocka_unit_test(dripping_body_is_ended),
		cmocka_unit_test(pace_is_kept),
		cmocka_unit_test(clients_are_counted),
		cmocka_unit_test(out_of_descriptors),
		cmocka_unit_test(stop_drains),
		cmocka_unit_test(snapshot_is_held_while_used),
	};

	return cmocka_run_group_tests(tests, stage_begin, stage_end);
}
