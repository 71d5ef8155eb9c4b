/*
 * The next hop.  See sink.h.
 */
#include "tests/unit/sink.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct guest {
	struct sink *sink;
	struct conn *conn;
	bool in_data, is_held;
	struct guest *next, **at;
};

static void leave(struct guest *g)
{
	conn_finish(g->conn);
	*g->at = g->next;
	if (g->next != NULL)
		g->next->at = g->at;
	g->sink->now--;
	free(g);
}

static void say(struct guest *g, const char *text)
{
	conn_write(g->conn, view_of(text));
}

static const char *or(const char *reply, const char *otherwise)
{
	return reply != NULL ? reply : otherwise;
}

/* False when the guest is gone. */
static bool end_message(struct guest *g)
{
	struct sink *s = g->sink;

	g->in_data = false;
	s->messages++;
	if (s->closes_at_dot) {
		leave(g);
		return false;
	}
	g->is_held = s->holds;
	if (s->holds)
		return true;
	say(g, or(s->dot, "250 2.0.0 taken\r\n"));
	if (!s->closes_after)
		return true;
	leave(g);
	return false;
}

static bool take_data(struct guest *g)
{
	struct view input = conn_input(g->conn);
	struct buffer *body = &g->sink->body;
	const unsigned char *end;
	struct view all;

	buffer_append(body, input);
	conn_consume(g->conn, input.len);
	all = buffer_view(body);
	if (all.len < 5)
		return true;
	end = all.at + all.len - 5;
	if (memcmp(end, "\r\n.\r\n", 5) != 0)
		return true;
	body->end -= 3;
	return end_message(g);
}

static bool start_tls(struct guest *g)
{
	struct sink *s = g->sink;
	struct error error;

	say(g, or(s->starttls, "220 go\r\n"));
	if (s->starttls != NULL)
		return true;
	conn_flush(g->conn);
	if (s->breaks_tls) {
		/* a fatal alert */
		conn_write(g->conn, VIEW("\x15\x03\x03\x00\x02\x02\x28"));
		return true;
	}
	assert_int_equal(conn_start_server(g->conn, s->tls, &error), 0);
	return true;
}

static bool obey(struct guest *g, struct view line)
{
	struct sink *s = g->sink;
	bool is_tls = conn_facts(g->conn)->is_tls;

	if (view_starts_fold(line, VIEW("EHLO"))) {
		say(g, "250-sink.example\r\n");
		if (s->tls != NULL && !is_tls)
			say(g, "250-STARTTLS\r\n");
		say(g, or(s->ehlo, "250 HELP\r\n"));
	} else if (view_starts_fold(line, VIEW("STARTTLS"))) {
		return start_tls(g);
	} else if (view_starts_fold(line, VIEW("MAIL"))) {
		s->mails++;
		s->has_clear_mail |= !is_tls;
		say(g, or(s->mail, "250 2.1.0 ok\r\n"));
	} else if (view_starts_fold(line, VIEW("RCPT"))) {
		say(g, or(s->rcpt, "250 2.1.5 ok\r\n"));
	} else if (view_starts_fold(line, VIEW("DATA"))) {
		say(g, or(s->data, "354 go\r\n"));
		g->in_data = s->data == NULL;
		buffer_reset(&s->body);
		buffer_append(&s->body, VIEW("\r\n"));
		buffer_consume(&s->body, 2);
	} else if (view_starts_fold(line, VIEW("QUIT"))) {
		say(g, "221 bye\r\n");
		leave(g);
		return false;
	} else {
		say(g, "250 ok\r\n");
	}
	return true;
}

static void on_guest(struct conn *conn, enum conn_event event, void *arg)
{
	struct guest *g = arg;
	struct view input, line;
	size_t len;

	if (event == CONN_CLOSED || event == CONN_FAILED) {
		leave(g);
		return;
	}
	for (;;) {
		if (g->in_data && conn_input(conn).len > 0) {
			if (!take_data(g))
				return;
			if (g->in_data)
				return;
		}
		input = conn_input(conn);
		len = view_index(input, '\n');
		if (g->in_data || len == input.len)
			return;
		line = view_first(input, len);
		if (view_starts_fold(line, VIEW("STARTTLS"))) {
			conn_consume(conn, len + 1);
			line = VIEW("STARTTLS");
			if (!obey(g, line))
				return;
			continue;
		}
		if (!obey(g, line))
			return;
		conn_consume(conn, len + 1);
	}
}

static void on_accept(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct sink *s = watcher->data;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK);
	struct guest *g;

	(void)events;
	if (fd < 0)
		return;
	g = calloc(1, sizeof(*g));
	g->sink = s;
	g->at = &s->guests;
	g->next = s->guests;
	if (s->guests != NULL)
		s->guests->at = &g->next;
	s->guests = g;
	s->connections++;
	if (++s->now > s->peak)
		s->peak = s->now;
	g->conn = conn_accept(loop, fd, NULL, on_guest, g);
	if (s->places > 0 && s->now > s->places) {
		say(g, "421 4.3.2 no place\r\n");
		leave(g);
	} else if (s->greeting != NULL) {
		say(g, s->greeting);
	}
}

void sink_open(struct sink *s, struct ev_loop *loop)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	ev_io *watcher = calloc(1, sizeof(*watcher));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	memset(s, 0, sizeof(*s));
	s->greeting = "220 sink.example\r\n";
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 128), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
	s->loop = loop;
	s->listening = watcher;
	ev_io_init(watcher, on_accept, fd, EV_READ);
	watcher->data = s;
	ev_io_start(loop, watcher);
}

void sink_release(struct sink *s)
{
	struct guest *g, *next;

	for (g = s->guests; g != NULL; g = next) {
		next = g->next;
		if (!g->is_held)
			continue;
		g->is_held = false;
		say(g, "250 2.0.0 taken at last\r\n");
	}
}

void sink_greet(struct sink *s, const char *greeting)
{
	struct guest *g;

	s->greeting = greeting;
	for (g = s->guests; g != NULL; g = g->next)
		say(g, greeting);
}

void sink_close(struct sink *s)
{
	ev_io *watcher = s->listening;
	struct guest *g;

	ev_io_stop(s->loop, watcher);
	close(watcher->fd);
	free(watcher);
	while ((g = s->guests) != NULL) {
		s->guests = g->next;
		conn_free(g->conn);
		free(g);
	}
	buffer_clear(&s->body);
}
