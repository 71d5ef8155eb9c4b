/*
 * Two connections on one loop, for tests.
 */
#include "tests/unit/pair.h"

#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void hear(struct conn *conn, enum conn_event event, void *arg)
{
	static const char *const words[] = {
		[CONN_OPEN] = "open ",       [CONN_SECURE] = "secure ",
		[CONN_INPUT] = "input ",     [CONN_DRAINED] = "drained ",
		[CONN_CLOSED] = "closed ",   [CONN_TIMEOUT] = "timeout ",
		[CONN_FAILED] = "failed ",
	};
	struct side *side = arg;
	size_t len = strlen(side->told);

	side->conn = conn;
	(void)snprintf(side->told + len, sizeof(side->told) - len, "%s",
		       words[event]);
	if (event == CONN_INPUT && !side->keeps_input) {
		struct view input = conn_input(conn);

		buffer_append(&side->got, input);
		conn_consume(conn, input.len);
	}
	if (event == CONN_FAILED)
		(void)snprintf(side->error, sizeof(side->error), "%s",
			       conn_error(conn));
	if (side->also)
		side->also(side, event);
	if (side->frees_on_end &&
	    (event == CONN_CLOSED || event == CONN_FAILED)) {
		conn_free(conn);
		side->conn = NULL;
	}
}

int pair_listen(struct net_address *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(at->sa.v4);

	*at = (struct net_address){ 0 };
	at->sa.v4.sin_family = AF_INET;
	at->sa.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, &at->sa.any, len) < 0 || listen(fd, 5) < 0 ||
	    getsockname(fd, &at->sa.any, &len) < 0)
		perror("listen");
	return fd;
}

static int accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		perror("accept");
	close(listener);
	return fd;
}

static void begin(struct pair *pair)
{
	*pair = (struct pair){ .socket = -1 };
	pair->loop = ev_loop_new(EVFLAG_AUTO);
	tls_start();
}

static void unblock(int fd)
{
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

void pair_open_client(struct pair *pair)
{
	struct net_address at;
	int listener = pair_listen(&at);

	begin(pair);
	pair->client.conn = conn_connect(pair->loop, &at, NULL, hear,
					 &pair->client);
	pair->socket = accept_one(listener);
}

void pair_reconnect(struct pair *pair, const struct net_address *at)
{
	conn_free(pair->client.conn);
	pair->client.told[0] = '\0';
	pair->client.conn = conn_connect(pair->loop, at, NULL, hear,
					 &pair->client);
}

void pair_open_server(struct pair *pair)
{
	struct net_address at;
	int listener = pair_listen(&at), fd;

	begin(pair);
	pair->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(pair->socket, &at.sa.any, sizeof(at.sa.v4)) < 0)
		perror("connect");
	fd = accept_one(listener);
	unblock(fd);
	pair->server.conn = conn_accept(pair->loop, fd, NULL, hear, &pair->server);
}

void pair_open_accept(struct pair *pair, int listener)
{
	int fd;

	begin(pair);
	fd = accept_one(listener);
	unblock(fd);
	pair->server.conn = conn_accept(pair->loop, fd, NULL, hear, &pair->server);
}

void pair_open(struct pair *pair)
{
	pair_open_client(pair);
	unblock(pair->socket);
	pair->server.conn = conn_accept(pair->loop, pair->socket, NULL, hear,
					&pair->server);
	pair->socket = -1;
	(void)pair_until(pair, &pair->client, "open");
}

static void stop(struct ev_loop *loop, struct ev_timer *w, int events)
{
	(void)w;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

void pair_run(struct pair *pair, double seconds)
{
	struct ev_timer timer;

	ev_timer_init(&timer, stop, seconds, 0.);
	ev_now_update(pair->loop);
	ev_timer_start(pair->loop, &timer);
	ev_run(pair->loop, 0);
	ev_timer_stop(pair->loop, &timer);
}

bool pair_until(struct pair *pair, struct side *side, const char *word)
{
	int i;

	for (i = 0; i < 2500 && !strstr(side->told, word); i++)
		pair_run(pair, 0.002);
	return strstr(side->told, word) != NULL;
}

bool pair_until_got(struct pair *pair, struct side *side, size_t len)
{
	int i;

	for (i = 0; i < 2500 && buffer_len(&side->got) < len; i++)
		pair_run(pair, 0.002);
	return buffer_len(&side->got) >= len;
}

void pair_close(struct pair *pair)
{
	conn_free(pair->client.conn);
	conn_free(pair->server.conn);
	buffer_clear(&pair->client.got);
	buffer_clear(&pair->server.got);
	if (pair->socket >= 0)
		close(pair->socket);
	/* those that finish wait for the peer's end */
	pair_run(pair, 0.02);
	ev_loop_destroy(pair->loop);
}
