/*
 * The server side: a next hop that takes every message and judges it by
 * its stamp, and a bare TLS server that echoes.  The sink is told on its
 * standard input what to expect:
 *
 *	expect RUN COUNT	forget the rest; `done NS` once all are answered
 *	report			what came of it, as JSON
 *
 * and ends with it.
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS_A_TURN = 16, HEADER_MAX = 16 * 1024 };

struct tally {
	uint32_t run, expected, taken, repeated, damaged, strange;
	uint32_t *times;
	unsigned char *seen;
};

struct sink {
	struct ev_loop *loop;
	enum bench_tls tls;
	void *context;
	ev_io listening, input;
	struct buffer orders;
	struct tally tally;
	uint64_t connections;
	bool echoes;
};

enum phase { PHASE_COMMAND, PHASE_HEADER, PHASE_BODY };

struct guest {
	struct sink *sink;
	enum phase phase;
	struct bench_stamp stamp;
	bool has_stamp, is_secure;
	uint32_t crc;
};

/* --- counting -------------------------------------------------------- */

static void expect(struct tally *t, uint32_t run, uint32_t count)
{
	free(t->times);
	free(t->seen);
	*t = (struct tally){ .run = run, .expected = count };
	t->times = must_alloc(count * sizeof(*t->times));
	t->seen = must_alloc(count);
}

static void count(struct tally *t, const struct guest *g)
{
	uint64_t now = bench_ns();

	if (!g->has_stamp || g->stamp.run != t->run ||
	    g->stamp.serial >= t->expected) {
		t->strange++;
	} else if (t->seen[g->stamp.serial]) {
		t->repeated++;
	} else {
		t->damaged += g->crc != g->stamp.crc;
		t->seen[g->stamp.serial] = 1;
		t->times[t->taken++] = (uint32_t)((now - g->stamp.ns) / 1000);
		if (t->taken == t->expected)
			printf("done %" PRIu64 "\n", now);
	}
}

static void report(struct sink *sink)
{
	struct tally *t = &sink->tally;

	printf("{\"taken\": %" PRIu32 ", \"repeated\": %" PRIu32
	       ", \"damaged\": %" PRIu32 ", \"strange\": %" PRIu32
	       ", \"connections\": %" PRIu64 ", ", t->taken, t->repeated,
	       t->damaged, t->strange, sink->connections);
	bench_percentiles(t->times, t->taken);
	printf("}\n");
}

/* --- a message ------------------------------------------------------- */

/* False when the end of the header is not there yet. */
static bool take_header(struct guest *g, struct peer *peer)
{
	struct view in = buffer_view(&peer->in);
	const unsigned char *end = memmem(in.at, in.len, "\r\n\r\n", 4);
	struct view header = in;

	if (!end && in.len < HEADER_MAX)
		return false;
	if (end)
		header.len = (size_t)(end - in.at) + 4;
	g->has_stamp = bench_read_stamp(header, &g->stamp);
	g->crc = 0;
	g->phase = PHASE_BODY;
	buffer_consume(&peer->in, header.len);
	return true;
}

/* No line of a body of ours begins with a dot. */
static bool take_body(struct guest *g, struct peer *peer)
{
	struct view in = buffer_view(&peer->in);
	const unsigned char *end = memmem(in.at, in.len, "\r\n.\r\n", 5);
	size_t len = end ? (size_t)(end - in.at) + 2 : in.len > 4 ? in.len - 4
								  : 0;

	g->crc = bytes_crc32c(g->crc, in.at, len);
	buffer_consume(&peer->in, end ? len + 3 : len);
	if (!end)
		return false;
	g->phase = PHASE_COMMAND;
	buffer_append(&peer->out, VIEW("250 2.0.0 Ok\r\n"));
	count(&g->sink->tally, g);
	return true;
}

/* --- commands -------------------------------------------------------- */

static void say_extensions(struct guest *g, struct peer *peer)
{
	buffer_append(&peer->out,
		      VIEW("250-sink.example\r\n250-PIPELINING\r\n"
			   "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"));
	if (g->sink->tls == BENCH_STARTTLS && !g->is_secure)
		buffer_append(&peer->out, VIEW("250-STARTTLS\r\n"));
	buffer_append(&peer->out, VIEW("250 SIZE 1000000000\r\n"));
}

/* False when the guest is gone or speaks TLS from now on. */
static bool obey(struct guest *g, struct peer *peer, struct view line)
{
	if (view_starts_fold(line, VIEW("EHLO"))) {
		say_extensions(g, peer);
	} else if (view_starts_fold(line, VIEW("DATA"))) {
		buffer_append(&peer->out, VIEW("354 Go on\r\n"));
		g->phase = PHASE_HEADER;
	} else if (view_starts_fold(line, VIEW("STARTTLS"))) {
		buffer_append(&peer->out, VIEW("220 2.0.0 Go on\r\n"));
		peer_secure(peer, g->sink->context, NULL);
		return false;
	} else if (view_starts_fold(line, VIEW("QUIT"))) {
		buffer_append(&peer->out, VIEW("221 2.0.0 Bye\r\n"));
		peer_push(peer);
		peer_close(peer);
		free(g);
		return false;
	} else {
		buffer_append(&peer->out, VIEW("250 2.0.0 Ok\r\n"));
	}
	return true;
}

static bool take_command(struct guest *g, struct peer *peer)
{
	struct view in = buffer_view(&peer->in);
	size_t end = view_index(in, '\n');
	char line[16] = { 0 };

	if (end == in.len)
		return false;
	memcpy(line, in.at, end < sizeof(line) - 1 ? end : sizeof(line) - 1);
	buffer_consume(&peer->in, end + 1);
	return obey(g, peer, view_of(line));
}

static void take_input(struct guest *g, struct peer *peer)
{
	bool goes_on = true;

	if (g->sink->echoes) {
		buffer_append(&peer->out, buffer_view(&peer->in));
		buffer_reset(&peer->in);
		return;
	}
	while (goes_on && buffer_len(&peer->in)) {
		if (g->phase == PHASE_COMMAND)
			goes_on = take_command(g, peer);
		else if (g->phase == PHASE_HEADER)
			goes_on = take_header(g, peer);
		else
			goes_on = take_body(g, peer);
	}
}

/* --- guests ---------------------------------------------------------- */

static void greet(struct guest *g, struct peer *peer)
{
	if (!g->sink->echoes)
		buffer_append(&peer->out, VIEW("220 sink.example ESMTP\r\n"));
}

static void on_guest(struct peer *peer, enum peer_event event)
{
	struct guest *g = peer->arg;

	switch (event) {
	case PEER_OPEN: break;
	case PEER_SECURE:
		g->is_secure = true;
		if (g->sink->tls == BENCH_IMPLICIT)
			greet(g, peer);
		break;
	case PEER_INPUT: take_input(g, peer); break;
	case PEER_ENDED:
		free(g);
		peer_close(peer);
		break;
	}
}

static void on_listening(struct ev_loop *loop, ev_io *io, int events)
{
	struct sink *sink = io->data;
	int i, fd;

	(void)events;
	for (i = 0; i < ACCEPTS_A_TURN; i++) {
		struct guest *g;
		struct peer *peer;

		fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		g = must_alloc(sizeof(*g));
		g->sink = sink;
		sink->connections++;
		peer = peer_accept(loop, fd, on_guest, g);
		if (sink->tls == BENCH_IMPLICIT)
			peer_secure(peer, sink->context, NULL);
		else
			greet(g, peer);
		peer_push(peer);
	}
}

/* --- orders ---------------------------------------------------------- */

static void order(struct sink *sink, const char *line)
{
	uint32_t run, number;

	if (sscanf(line, "expect %" SCNu32 " %" SCNu32, &run, &number) == 2)
		expect(&sink->tally, run, number);
	else if (strcmp(line, "report") == 0)
		report(sink);
}

static void on_orders(struct ev_loop *loop, ev_io *io, int events)
{
	struct sink *sink = io->data;
	ssize_t n = read(io->fd, buffer_reserve(&sink->orders, 256), 256);

	(void)events;
	if (n <= 0) {
		if (n == 0 || errno != EINTR)
			ev_break(loop, EVBREAK_ALL);
		return;
	}
	buffer_added(&sink->orders, (size_t)n);
	for (;;) {
		struct view text = buffer_view(&sink->orders);
		size_t end = view_index(text, '\n');
		char *line;

		if (end == text.len)
			return;
		line = view_string(view_first(text, end));
		order(sink, line);
		free(line);
		buffer_consume(&sink->orders, end + 1);
	}
}

static int serve(struct sink *sink, const struct bench_options *options)
{
	int fd;

	sink->loop = ev_default_loop(0);
	if (sink->tls != BENCH_PLAIN) {
		sink->context = peer_server_context(options->chain,
						    options->key);
		if (!sink->context)
			return 1;
	}
	fd = peer_listen(&options->address);
	if (fd < 0)
		return 1;
	ev_io_init(&sink->listening, on_listening, fd, EV_READ);
	ev_io_init(&sink->input, on_orders, STDIN_FILENO, EV_READ);
	sink->listening.data = sink->input.data = sink;
	ev_io_start(sink->loop, &sink->listening);
	ev_io_start(sink->loop, &sink->input);
	ev_run(sink->loop, 0);
	return 0;
}

int bench_sink(const struct bench_options *options)
{
	struct sink sink = { .tls = options->tls };

	return serve(&sink, options);
}

int bench_echo(const struct bench_options *options)
{
	struct sink sink = { .tls = BENCH_IMPLICIT, .echoes = true };

	return serve(&sink, options);
}
