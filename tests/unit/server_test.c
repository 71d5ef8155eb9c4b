/*
 * The carrier on real sockets and a real loop, with a store of memory
 * whose every answer the test decides: what a client sees, and what
 * reaches the store when it leaves, stalls, or the store falls behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf/log.h"
#include "relay/clients.h"
#include "relay/pace.h"
#include "relay/server.h"
#include "tls/conn.h"

/* --- the store -------------------------------------------------------- */

struct memory {
	bool holds;            /* answers come by memory_answer() */
	bool is_immediate;     /* answers come within commit */
	size_t full_at;        /* bytes until it is behind; 0: never */
	struct buffer body;    /* of the last message */
	unsigned begun, committed, aborted;
	bool was_tls;
	char sender[64];
	intake_callback *call; /* of the message that is open */
	void *arg;
};

static bool memory_has_room(void *store, uint64_t size)
{
	(void)store;
	(void)size;
	return true;
}

static void *memory_begin(void *store, intake_callback *call, void *arg)
{
	struct memory *m = store;

	m->begun++;
	m->call = call;
	m->arg = arg;
	buffer_reset(&m->body);
	return m;
}

static const char *memory_id(void *message)
{
	(void)message;
	return "01TEST";
}

static void memory_append(void *message, struct view bytes)
{
	struct memory *m = message;

	buffer_append(&m->body, bytes);
}

static bool memory_is_full(void *message)
{
	struct memory *m = message;

	return m->full_at > 0 && buffer_len(&m->body) >= m->full_at;
}

static void memory_answer(struct memory *m, enum intake_event event)
{
	intake_callback *call = m->call;

	if (event != INTAKE_ROOM)
		m->call = NULL;
	assert_non_null(call);
	call(m->arg, event);
}

static void memory_commit(void *message, struct envelope *envelope,
			  const struct tls_facts *facts)
{
	struct memory *m = message;

	m->committed++;
	m->was_tls = facts->is_tls;
	snprintf(m->sender, sizeof(m->sender), "%s", envelope->sender);
	envelope_free(envelope);
	if (m->is_immediate)
		memory_answer(m, INTAKE_STORED);
}

static void memory_abort(void *message)
{
	struct memory *m = message;

	m->aborted++;
	m->call = NULL;
}

static const struct store_verbs verbs = {
	memory_has_room, memory_begin,  memory_id,   memory_append,
	memory_is_full,  memory_commit, memory_abort,
};

/* --- the world -------------------------------------------------------- */

struct world {
	struct ev_loop *loop;
	struct conf conf;
	struct listener listener;
	struct net_block from;
	struct memory memory;
	struct server *server;
	struct tls_context *tls;
	struct sockaddr_in at;
	char seen[8192];
	size_t seen_len;
};

static char hostname[] = "mx.example.org";

static void make_tls(struct world *w)
{
	struct buffer chain = { 0 }, key = { 0 };
	struct error error;

	assert_int_equal(tls_self_signed(hostname, &chain, &key, &error), 0);
	w->tls = tls_server_context(buffer_view(&chain), buffer_view(&key),
				    &error);
	assert_non_null(w->tls);
	buffer_clear(&chain);
	buffer_clear(&key);
}

/* Conf defaults that a test changes before start(). */
static struct world *world_new(void)
{
	struct world *w = must_alloc(sizeof(*w));
	struct error error;

	assert_int_equal(net_block_parse(VIEW("127.0.0.0/8"), &w->from, &error),
			 0);
	w->loop = ev_loop_new(0);
	w->conf = (struct conf){
		.hostname = hostname,
		.workers = 1,
		.relay_from = &w->from,
		.relay_from_count = 1,
		.max_message = 10000000,
		.max_recipients = 100,
		.max_line = 1000,
		.max_hops = 100,
		.max_errors = 20,
		.max_sessions = 100,
		.max_sessions_per_client = 100,
		.timeout_block = 60,
		.timeout_idle = 60,
		.timeout_starttls = 60,
	};
	w->memory.is_immediate = true;
	return w;
}

static void turn(struct world *w)
{
	struct timespec pause = { 0, 200000 };

	ev_run(w->loop, EVRUN_NOWAIT);
	nanosleep(&pause, NULL);
}

static void turns(struct world *w, double seconds)
{
	double until = ev_time() + seconds;

	do
		turn(w);
	while (ev_time() < until);
}

static int listening(struct world *w)
{
	socklen_t len = sizeof(w->at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	w->at.sin_family = AF_INET;
	w->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&w->at, len), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&w->at, &len), 0);
	return fd;
}

static void start(struct world *w)
{
	struct server_settings settings = {
		.conf = &w->conf, .verbs = &verbs, .store = &w->memory
	};
	struct error error;

	w->server = server_new(w->loop, &settings, &error);
	assert_non_null(w->server);
	server_listen(w->server, listening(w), &w->listener, w->tls);
}

static void world_free(struct world *w)
{
	server_free(w->server);
	turns(w, 0.03); /* connections that are ending */
	tls_context_free(w->tls);
	ev_loop_destroy(w->loop);
	buffer_clear(&w->memory.body);
	free(w);
}

static int dial(struct world *w)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&w->at, sizeof(w->at)),
			 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	w->seen_len = 0;
	w->seen[0] = '\0';
	return fd;
}

/* What the peer sent until `text` stands in it; "" waits for the end. */
static bool sees(struct world *w, int fd, const char *text, double seconds)
{
	double until = ev_time() + seconds;

	while (ev_time() < until) {
		ssize_t n;

		turn(w);
		n = recv(fd, w->seen + w->seen_len,
			 sizeof(w->seen) - 1 - w->seen_len, 0);
		if (n > 0)
			w->seen_len += (size_t)n;
		w->seen[w->seen_len] = '\0';
		if (text[0] != '\0' && strstr(w->seen, text))
			return true;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return text[0] == '\0';
	}
	return false;
}

#define SEES(w, fd, text) \
	do { \
		if (!sees(w, fd, text, 5)) \
			fail_msg("no \"%s\" in \"%s\"", text, (w)->seen); \
	} while (0)

/* Sends all, turning the loop when the socket is full. */
static void say(struct world *w, int fd, const char *text)
{
	size_t len = strlen(text);

	w->seen_len = 0;
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
		turn(w);
	}
}

#define ENVELOPE \
	"EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"

static int dial_data(struct world *w)
{
	int fd = dial(w);

	SEES(w, fd, "220 ");
	say(w, fd, ENVELOPE "DATA\r\n");
	SEES(w, fd, "354 ");
	return fd;
}

/* --- mail ------------------------------------------------------------- */

static void mail_is_stored(void **state)
{
	struct world *w = world_new();
	struct view body;
	int fd;

	(void)state;
	start(w);
	fd = dial_data(w);
	say(w, fd, "Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n");
	SEES(w, fd, "250 2.0.0 01TEST stored\r\n221 ");
	SEES(w, fd, "");
	assert_string_equal(w->memory.sender, "a@b.example");
	assert_int_equal(w->memory.committed, 1);
	body = buffer_view(&w->memory.body);
	assert_true(view_starts_fold(body, VIEW("Received: from c ([127.0")));
	assert_true(view_equal(view_from(body, body.len - 21),
			       VIEW("Subject: x\r\n\r\nhello\r\n")));
	close(fd);
	turns(w, 0.05);
	assert_int_equal(server_sessions(w->server), 0);
	world_free(w);
}

static void reply_waits_for_the_store(void **state)
{
	struct world *w = world_new();
	int fd;

	(void)state;
	w->memory.is_immediate = false;
	start(w);
	fd = dial_data(w);
	say(w, fd, "x\r\n.\r\nNOOP\r\n");
	assert_false(sees(w, fd, "250", 0.1));
	assert_int_equal(w->memory.committed, 1);
	memory_answer(&w->memory, INTAKE_STORED);
	SEES(w, fd, "250 2.0.0 01TEST stored\r\n250 2.0.0 Ok");
	say(w, fd, "RSET\r\n" ENVELOPE "DATA\r\n.\r\n");
	SEES(w, fd, "354 ");
	turns(w, 0.05);
	memory_answer(&w->memory, INTAKE_NO_ROOM);
	SEES(w, fd, "452 4.3.1");
	close(fd);
	world_free(w);
}

static void half_closed_client_gets_its_reply(void **state)
{
	struct world *w = world_new();
	int fd;

	(void)state;
	w->memory.is_immediate = false;
	start(w);
	fd = dial_data(w);
	say(w, fd, "x\r\n.\r\nQUIT\r\n");
	shutdown(fd, SHUT_WR);
	turns(w, 0.05);
	memory_answer(&w->memory, INTAKE_STORED);
	SEES(w, fd, "stored\r\n221 ");
	SEES(w, fd, "");
	close(fd);
	world_free(w);
}

static void reset(int fd)
{
	struct linger hard = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static void client_that_leaves(void **state)
{
	struct world *w = world_new();
	int fd;

	(void)state;
	w->memory.is_immediate = false;
	start(w);
	/* within the body: no message */
	fd = dial_data(w);
	say(w, fd, "half of ");
	close(fd);
	turns(w, 0.05);
	assert_int_equal(w->memory.aborted, 1);
	fd = dial_data(w);
	reset(fd);
	turns(w, 0.05);
	assert_int_equal(w->memory.aborted, 2);
	assert_int_equal(server_sessions(w->server), 0);
	/* behind the dot: the message is ours */
	fd = dial_data(w);
	say(w, fd, "x\r\n.\r\n");
	reset(fd);
	turns(w, 0.05);
	assert_int_equal(server_sessions(w->server), 1);
	memory_answer(&w->memory, INTAKE_STORED);
	turns(w, 0.05);
	assert_int_equal(server_sessions(w->server), 0);
	assert_int_equal(w->memory.aborted, 2);
	/* the server goes while the store works */
	fd = dial_data(w);
	say(w, fd, "x\r\n.\r\n");
	turns(w, 0.05);
	close(fd);
	world_free(w);
}

static void store_that_falls_behind(void **state)
{
	struct world *w = world_new();
	static char line[1001], all[400 * 1000 + 1];
	size_t before;
	int fd, i;

	(void)state;
	memset(line, 'x', 998);
	memcpy(line + 998, "\r\n", 3);
	for (i = 0; i < 400; i++)
		memcpy(all + i * 1000, line, 1001);
	w->memory.full_at = 100000;
	start(w);
	fd = dial_data(w);
	/* Far more than all buffers on the way hold, so it must stall. */
	send(fd, all, sizeof(all) - 1, MSG_NOSIGNAL);
	turns(w, 0.1);
	before = buffer_len(&w->memory.body);
	assert_in_range(before, 100000, 100000 + CONN_INPUT_MAX);
	w->memory.full_at = 0;
	memory_answer(&w->memory, INTAKE_ROOM);
	say(w, fd, "\r\n.\r\n");
	SEES(w, fd, "stored");
	assert_true(buffer_len(&w->memory.body) > before);
	close(fd);
	world_free(w);
}

static void client_that_reads_no_replies(void **state)
{
	struct world *w = world_new();
	static char flood[60 * 1024];
	size_t sent = 0, i;
	int fd, idle = 0;

	(void)state;
	w->conf.max_errors = UINT32_MAX;
	for (i = 0; i + 6 <= sizeof(flood); i += 6)
		memcpy(flood + i, "HELP\r\n", 6);
	start(w);
	fd = dial(w);
	while (idle < 50 && sent < 64 * 1024 * 1024) {
		ssize_t n = send(fd, flood, i, MSG_NOSIGNAL);

		turn(w);
		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t)n : 0;
	}
	/* It was stopped, not served without end into memory. */
	assert_true(sent < 64 * 1024 * 1024);
	assert_int_equal(server_sessions(w->server), 1);
	close(fd);
	world_free(w);
}

/* --- limits ----------------------------------------------------------- */

static void too_many_sessions(void **state)
{
	struct world *w = world_new();
	int fd[3];

	(void)state;
	w->conf.max_sessions = 2;
	start(w);
	fd[0] = dial(w);
	SEES(w, fd[0], "220 ");
	fd[1] = dial(w);
	SEES(w, fd[1], "220 ");
	fd[2] = dial(w);
	SEES(w, fd[2], "421 4.7.0 mx.example.org Too many sessions");
	SEES(w, fd[2], "");
	close(fd[2]);
	close(fd[0]);
	turns(w, 0.05);
	fd[2] = dial(w);
	SEES(w, fd[2], "220 ");
	close(fd[2]);
	close(fd[1]);
	world_free(w);
}

static void too_many_sessions_of_one_client(void **state)
{
	struct world *w = world_new();
	int fd[2];

	(void)state;
	w->conf.max_sessions_per_client = 1;
	start(w);
	fd[0] = dial(w);
	SEES(w, fd[0], "220 ");
	fd[1] = dial(w);
	SEES(w, fd[1], "421 4.7.0 mx.example.org Too many sessions from you");
	close(fd[0]);
	close(fd[1]);
	world_free(w);
}

static void idle_client_is_told(void **state)
{
	struct world *w = world_new();
	double begun;
	int fd, i;

	(void)state;
	w->conf.timeout_idle = 1;
	start(w);
	fd = dial(w);
	SEES(w, fd, "220 ");
	begun = ev_time();
	/* bytes of one command do not renew its deadline */
	for (i = 0; i < 12 && !strstr(w->seen, "421"); i++) {
		send(fd, "N", 1, MSG_NOSIGNAL);
		(void)sees(w, fd, "421", 0.15);
	}
	SEES(w, fd, "421 4.4.2 mx.example.org Timeout");
	assert_true(ev_time() - begun < 2);
	SEES(w, fd, "");
	close(fd);
	world_free(w);
}

static void dripping_body_is_ended(void **state)
{
	struct world *w = world_new();
	double begun;
	int fd, i;

	(void)state;
	w->conf.timeout_block = 1;
	start(w);
	fd = dial_data(w);
	begun = ev_time();
	for (i = 0; i < 12 && !strstr(w->seen, "421"); i++) {
		send(fd, "x", 1, MSG_NOSIGNAL);
		(void)sees(w, fd, "421", 0.15);
	}
	SEES(w, fd, "421 4.4.2");
	assert_true(ev_time() - begun < 2);
	assert_int_equal(w->memory.aborted, 1);
	close(fd);
	world_free(w);
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
	struct world *w = world_new();
	struct rlimit old, low;
	int fd, spare, i;

	(void)state;
	start(w);
	fd = dial(w);
	spare = dup(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)spare + 1;
	for (i = 0; i < spare; i++)
		if (fcntl(i, F_GETFD) < 0)
			(void)dup2(fd, i); /* no gap below */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_false(sees(w, fd, "220", 0.3));
	assert_int_equal(server_sessions(w->server), 0);
	close(spare);
	SEES(w, fd, "220 ");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(fd);
	world_free(w);
}

/* --- stopping --------------------------------------------------------- */

static void stop_drains(void **state)
{
	struct world *w = world_new();
	int idle, busy, new;

	(void)state;
	start(w);
	busy = dial_data(w);
	idle = dial(w);
	SEES(w, idle, "220 ");
	server_stop(w->server);
	SEES(w, idle, "421 4.3.2 mx.example.org Shutting down");
	SEES(w, idle, "");
	assert_int_equal(server_sessions(w->server), 1);
	say(w, busy, "x\r\n.\r\n");
	SEES(w, busy, "250 2.0.0 01TEST stored\r\n421 4.3.2");
	SEES(w, busy, "");
	assert_int_equal(server_sessions(w->server), 0);
	new = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(new, (struct sockaddr *)&w->at, sizeof(w->at)),
			 -1);
	close(new);
	close(idle);
	close(busy);
	world_free(w);
}

static void snapshot_is_held_while_used(void **state)
{
	struct world *w = world_new();
	struct listener listeners[1];
	char title[] = ":25";
	struct conf second;
	int fd;

	(void)state;
	w->listener.title = title;
	start(w);
	second = w->conf;
	listeners[0] = w->listener;
	second.listeners = listeners;
	second.listener_count = 1;
	second.max_message = 1234;
	fd = dial(w);
	SEES(w, fd, "220 ");
	server_configure(w->server, &second);
	assert_true(server_uses(w->server, &w->conf));
	say(w, fd, "EHLO c\r\n");
	SEES(w, fd, "250-SIZE 10000000\r\n");
	close(fd);
	turns(w, 0.05);
	assert_false(server_uses(w->server, &w->conf));
	assert_true(server_uses(w->server, &second));
	fd = dial(w);
	say(w, fd, "EHLO c\r\n");
	SEES(w, fd, "250-SIZE 1234\r\n");
	close(fd);
	world_free(w);
}

/* --- TLS -------------------------------------------------------------- */

struct client {
	struct conn *conn;
	struct buffer seen;
	bool is_secure, is_over;
};

static void on_client(struct conn *conn, enum conn_event event, void *arg)
{
	struct client *c = arg;

	if (event == CONN_SECURE)
		c->is_secure = true;
	if (event == CONN_CLOSED || event == CONN_FAILED)
		c->is_over = true;
	buffer_append(&c->seen, conn_input(conn));
	conn_consume(conn, conn_input(conn).len);
}

static bool client_sees(struct world *w, struct client *c, const char *text)
{
	double until = ev_time() + 5;
	bool is_there = false;

	while (!is_there && ev_time() < until && !c->is_over) {
		turn(w);
		buffer_append_byte(&c->seen, '\0');
		is_there = strstr((char *)c->seen.data + c->seen.start, text);
		c->seen.end--;
	}
	return is_there;
}

static void client_says(struct client *c, const char *text)
{
	buffer_reset(&c->seen);
	conn_write(c->conn, view_of(text));
}

static void client_dials(struct world *w, struct client *c)
{
	struct net_address to = { 0 };

	to.sa.v4 = w->at;
	c->conn = conn_connect(w->loop, &to, NULL, on_client, c);
}

static void client_secures(struct world *w, struct client *c,
			   struct tls_context *context)
{
	struct demand demand = { .level = TLS_MAY };
	struct error error;
	double until = ev_time() + 5;

	assert_int_equal(conn_start_client(c->conn, context, &demand, &error),
			 0);
	while (!c->is_secure && ev_time() < until)
		turn(w);
	assert_true(c->is_secure);
}

static void mail_over_starttls(void **state)
{
	struct world *w = world_new();
	struct client c = { 0 };
	struct error error;
	struct tls_context *context = tls_client_context(&error);

	(void)state;
	w->listener.tls = LISTEN_REQUIRED;
	make_tls(w);
	start(w);
	client_dials(w, &c);
	assert_true(client_sees(w, &c, "220 "));
	client_says(&c, "EHLO c\r\nMAIL FROM:<>\r\n");
	assert_true(client_sees(w, &c, "250 STARTTLS\r\n530 5.7.0"));
	client_says(&c, "STARTTLS\r\n");
	assert_true(client_sees(w, &c, "220 2.0.0"));
	client_secures(w, &c, context);
	client_says(&c, ENVELOPE "DATA\r\n");
	assert_true(client_sees(w, &c, "354 "));
	client_says(&c, "x\r\n.\r\nQUIT\r\n");
	assert_true(client_sees(w, &c, "stored\r\n221 "));
	assert_true(w->memory.was_tls);
	buffer_append_byte(&w->memory.body, '\0');
	assert_non_null(strstr((char *)w->memory.body.data,
			       ") with ESMTPS id 01TEST"));
	assert_non_null(strstr((char *)w->memory.body.data, "(using TLSv1."));
	conn_free(c.conn);
	buffer_clear(&c.seen);
	tls_context_free(context);
	world_free(w);
}

static void truncated_tls_is_no_message(void **state)
{
	struct world *w = world_new();
	struct client c = { 0 };
	struct error error;
	struct tls_context *context = tls_client_context(&error);

	(void)state;
	w->listener.tls = LISTEN_IMPLICIT;
	make_tls(w);
	start(w);
	client_dials(w, &c);
	turns(w, 0.02);
	client_secures(w, &c, context);
	assert_true(client_sees(w, &c, "220 "));
	client_says(&c, ENVELOPE "DATA\r\n");
	assert_true(client_sees(w, &c, "354 "));
	client_says(&c, "x\r\n");
	turns(w, 0.05);
	conn_free(c.conn); /* no close_notify */
	turns(w, 0.1);
	assert_int_equal(w->memory.aborted, 1);
	assert_int_equal(w->memory.committed, 0);
	assert_int_equal(server_sessions(w->server), 0);
	buffer_clear(&c.seen);
	tls_context_free(context);
	world_free(w);
}

static void handshake_that_never_is(void **state)
{
	struct world *w = world_new();
	int fd;

	(void)state;
	w->listener.tls = LISTEN_MAY;
	w->conf.timeout_starttls = 1;
	make_tls(w);
	start(w);
	/* plaintext in a packet of its own, where a handshake should be */
	fd = dial(w);
	SEES(w, fd, "220 ");
	say(w, fd, "EHLO c\r\nSTARTTLS\r\n");
	SEES(w, fd, "220 2.0.0");
	say(w, fd, "MAIL FROM:<evil@x.example>\r\n");
	(void)sees(w, fd, "", 2);
	assert_null(strstr(w->seen, "250"));
	close(fd);
	turns(w, 0.05);
	assert_int_equal(server_sessions(w->server), 0);
	/* silence */
	fd = dial(w);
	SEES(w, fd, "220 ");
	say(w, fd, "EHLO c\r\nSTARTTLS\r\n");
	SEES(w, fd, "220 2.0.0");
	w->seen_len = 0;
	assert_true(sees(w, fd, "", 3));
	assert_null(strstr(w->seen, "421"));
	close(fd);
	world_free(w);
}

static int begin(void **state)
{
	(void)state;
	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TEXT, LOG_INFO,
		 "test");
	tls_start();
	return 0;
}

static int finish(void **state)
{
	(void)state;
	log_close();
	return 0;
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
		cmocka_unit_test(mail_over_starttls),
		cmocka_unit_test(truncated_tls_is_no_message),
		cmocka_unit_test(handshake_that_never_is),
	};

	return cmocka_run_group_tests(tests, begin, finish);
}
