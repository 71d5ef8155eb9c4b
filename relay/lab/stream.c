/*
 * See stream.h.  A client that does not take its answers is not read from;
 * one that is silent for too long, or says more than a question may have, is
 * let go.
 */
#include "relay/lab/stream.h"

#include "relay/lab/answer.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE 0.1 /* s */

enum { PREFIX = 2, READ_PIECE = 2048 };

struct client {
	struct client *next;
	struct streams *streams;
	ev_io reading, writing;
	ev_timer patience;
	struct buffer in, out;
};

struct streams {
	struct ev_loop *loop;
	ev_io listening;
	ev_timer pause; /* while no descriptor is to be had */
	stream_answer *answer;
	void *arg;
	struct client *clients; /* the one heard last in front */
	size_t count;
};

static void unlink_client(struct client *c)
{
	struct client **at = &c->streams->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

static void link_client(struct client *c)
{
	c->next = c->streams->clients;
	c->streams->clients = c;
}

static void client_free(struct client *c)
{
	struct ev_loop *loop = c->streams->loop;

	unlink_client(c);
	c->streams->count--;
	ev_io_stop(loop, &c->reading);
	ev_io_stop(loop, &c->writing);
	ev_timer_stop(loop, &c->patience);
	close(c->reading.fd);
	buffer_clear(&c->in);
	buffer_clear(&c->out);
	free(c);
}

static void put_length(struct buffer *out, size_t at)
{
	size_t len = buffer_len(out) - at - PREFIX;
	unsigned char *prefix = out->data + out->start + at;

	prefix[0] = (unsigned char)(len >> 8);
	prefix[1] = (unsigned char)len;
}

static void answer_one(struct client *c, struct view question)
{
	size_t at = buffer_len(&c->out);

	buffer_append(&c->out, VIEW("\0\0"));
	c->streams->answer(c->streams->arg, question, &c->out);
	if (buffer_len(&c->out) == at + PREFIX)
		c->out.end -= PREFIX;
	else
		put_length(&c->out, at);
}

/* False: there is no whole question, or not yet the turn of one. */
static bool take_question(struct client *c)
{
	struct view all = buffer_view(&c->in);
	size_t len;

	if (all.len < PREFIX)
		return false;
	len = (size_t)all.at[0] << 8 | all.at[1];
	if (all.len < PREFIX + len)
		return false;
	answer_one(c, view_first(view_from(all, PREFIX), len));
	buffer_consume(&c->in, PREFIX + len);
	return true;
}

static bool is_too_long(const struct client *c)
{
	struct view all = buffer_view(&c->in);

	return all.len >= PREFIX &&
	       ((size_t)all.at[0] << 8 | all.at[1]) > ANSWER_QUERY_MAX;
}

/* All that was asked in one turn: no more than fits into a question. */
static void serve(struct client *c)
{
	struct ev_loop *loop = c->streams->loop;

	while (take_question(c))
		;
	if (is_too_long(c)) {
		client_free(c);
	} else if (buffer_len(&c->out)) {
		ev_io_stop(loop, &c->reading);
		ev_io_start(loop, &c->writing);
	}
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct client *c = watcher->data;
	struct view text = buffer_view(&c->out);
	ssize_t n = send(watcher->fd, text.at, text.len, MSG_NOSIGNAL);

	(void)events;
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			client_free(c);
		return;
	}
	buffer_consume(&c->out, (size_t)n);
	if (buffer_len(&c->out))
		return;
	ev_timer_again(loop, &c->patience);
	ev_io_stop(loop, watcher);
	ev_io_start(loop, &c->reading);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct client *c = watcher->data;
	ssize_t n = recv(watcher->fd, buffer_reserve(&c->in, READ_PIECE),
			 READ_PIECE, 0);

	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		client_free(c);
		return;
	}
	if (n < 0)
		return;
	buffer_added(&c->in, (size_t)n);
	unlink_client(c);
	link_client(c);
	/* Single bytes buy no time. */
	if (buffer_len(&c->in) == (size_t)n)
		ev_timer_again(loop, &c->patience);
	serve(c);
}

static void on_impatience(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	client_free(watcher->data);
}

static void drop_idlest(struct streams *streams)
{
	struct client *c = streams->clients;

	while (c->next)
		c = c->next;
	client_free(c);
}

static void on_client(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct streams *streams = watcher->data;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;

	(void)events;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		ev_io_stop(loop, watcher);
		ev_timer_start(loop, &streams->pause);
	}
	if (fd < 0)
		return;
	if (streams->count == STREAM_CLIENTS)
		drop_idlest(streams);
	c = must_alloc(sizeof(*c));
	c->streams = streams;
	link_client(c);
	streams->count++;
	ev_io_init(&c->reading, on_readable, fd, EV_READ);
	ev_io_init(&c->writing, on_writable, fd, EV_WRITE);
	ev_timer_init(&c->patience, on_impatience, 0., STREAM_IDLE);
	c->reading.data = c->writing.data = c->patience.data = c;
	ev_io_start(loop, &c->reading);
	ev_timer_again(loop, &c->patience);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct streams *streams = watcher->data;

	(void)events;
	ev_io_start(loop, &streams->listening);
}

struct streams *streams_new(struct ev_loop *loop, int fd,
			    stream_answer *answer, void *arg)
{
	struct streams *streams = must_alloc(sizeof(*streams));

	streams->loop = loop;
	streams->answer = answer;
	streams->arg = arg;
	ev_io_init(&streams->listening, on_client, fd, EV_READ);
	ev_timer_init(&streams->pause, on_pause_over, PAUSE, 0.);
	streams->listening.data = streams->pause.data = streams;
	ev_io_start(loop, &streams->listening);
	return streams;
}

void streams_free(struct streams *streams)
{
	if (!streams)
		return;
	ev_io_stop(streams->loop, &streams->listening);
	ev_timer_stop(streams->loop, &streams->pause);
	close(streams->listening.fd);
	while (streams->clients)
		client_free(streams->clients);
	free(streams);
}
