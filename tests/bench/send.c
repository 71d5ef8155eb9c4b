/*
 * The client side: sends messages in so many sessions side by side, each
 * carrying so many per connection, or only shakes hands, or opens sessions
 * and holds them.  Commands of one transaction leave together (RFC 2920).
 */
#include "tests/bench/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPENING_AT_ONCE = 50 }; /* sessions that are held */

enum step {
	STEP_GREETING,
	STEP_EHLO,
	STEP_STARTTLS,
	STEP_READY,    /* may send */
	STEP_ENVELOPE, /* MAIL, RCPT, DATA are out */
	STEP_DOT,
	STEP_QUIT,
	STEP_ECHO,
};

struct run {
	struct ev_loop *loop;
	struct bench_options options;
	void *context;
	struct buffer payload;
	bool is_shake, is_hold;
	uint32_t begun, done, failed, opened, shaken, resumed;
	uint32_t ready;          /* held sessions */
	uint32_t *times;         /* us, by message */
	uint64_t first, last;
	ev_timer tick;
	ev_io input;
	struct session *sessions;
};

struct session {
	struct run *run;
	struct peer *peer;
	enum step step;
	unsigned expected;       /* replies */
	unsigned carried;        /* on this connection */
	uint32_t serial;         /* of the message under way */
	uint64_t dot_at;
	void *resumption;
	bool is_secure;
};

static void on_peer(struct peer *peer, enum peer_event event);

static void open_session(struct session *s)
{
	s->step = STEP_GREETING;
	s->expected = 1;
	s->carried = 0;
	s->is_secure = false;
	s->run->opened++;
	s->peer = peer_connect(s->run->loop, &s->run->options.address, on_peer,
			       s);
	if (!s->peer) {
		perror("load: no connection");
		exit(1);
	}
}

static bool is_over(const struct run *run)
{
	return run->done + run->failed >= run->options.messages;
}

/* Messages that may have begun by now. */
static bool may_begin(const struct run *run)
{
	double since = (double)(bench_ns() - run->first) / 1e9;

	return run->begun < run->options.messages &&
	       (run->options.rate <= 0 ||
		run->begun < since * run->options.rate);
}

/* As many connections as the messages need, and no more. */
static bool may_open(const struct run *run)
{
	uint64_t most = run->options.per_connection;

	return run->options.rate <= 0 &&
	       run->opened * most < run->options.messages;
}

static void end_session(struct session *s)
{
	peer_close(s->peer);
	s->peer = NULL;
	if (is_over(s->run))
		ev_break(s->run->loop, EVBREAK_ALL);
	else if (may_open(s->run))
		open_session(s);
}

static void give_up(struct session *s, const char *why, struct view said)
{
	if (s->run->failed == 0)
		fprintf(stderr, "load: %s: %.*s\n", why, (int)said.len,
			said.at ? (const char *)said.at : "");
	if (s->step == STEP_ENVELOPE || s->step == STEP_DOT ||
	    s->step == STEP_ECHO || s->run->is_hold) {
		s->run->failed++;
	} else if (s->step != STEP_QUIT) {
		s->run->begun++;
		s->run->failed++;
	}
	end_session(s);
}

/* --- what is said ---------------------------------------------------- */

static void say_ehlo(struct session *s)
{
	buffer_append(&s->peer->out, VIEW("EHLO bench.example\r\n"));
	s->step = STEP_EHLO;
	s->expected = 1;
}

static void say_quit(struct session *s)
{
	buffer_append(&s->peer->out, VIEW("QUIT\r\n"));
	s->step = STEP_QUIT;
	s->expected = 1;
}

static void begin_message(struct session *s)
{
	const struct bench_options *o = &s->run->options;

	s->serial = s->run->begun++;
	s->carried++;
	buffer_printf(&s->peer->out,
		      "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", o->sender,
		      o->recipient);
	s->step = STEP_ENVELOPE;
	s->expected = 3;
}

static void go_on(struct session *s)
{
	unsigned most = s->run->options.per_connection;

	s->step = STEP_READY;
	s->expected = 0;
	if (s->run->is_hold) {
		uint32_t ready = ++s->run->ready;

		if (s->run->opened < s->run->options.sessions)
			open_session(&s->run->sessions[s->run->opened]);
		if (ready == s->run->options.sessions)
			printf("held %" PRIu32 "\n", ready);
	} else if (s->run->begun >= s->run->options.messages ||
		   s->carried >= most) {
		say_quit(s);
	} else if (may_begin(s->run)) {
		begin_message(s);
	}
}

static void send_body(struct session *s)
{
	bench_compose(&s->peer->out, &s->run->options, s->serial,
		      &s->run->payload);
	s->dot_at = bench_ns();
	s->step = STEP_DOT;
	s->expected = 1;
}

static void note_done(struct session *s)
{
	s->run->last = bench_ns();
	s->run->times[s->run->done++] = (uint32_t)((s->run->last - s->dot_at) /
						   1000);
}

static void begin_tls(struct session *s)
{
	peer_secure(s->peer, s->run->context, s->resumption);
}

/* --- what is heard --------------------------------------------------- */

/* All replies of the step are there, the last one being `code`. */
static void advance(struct session *s)
{
	switch (s->step) {
	case STEP_GREETING: say_ehlo(s); break;
	case STEP_EHLO:
		if (s->run->options.tls == BENCH_STARTTLS && !s->is_secure) {
			buffer_append(&s->peer->out, VIEW("STARTTLS\r\n"));
			s->step = STEP_STARTTLS;
			s->expected = 1;
		} else {
			go_on(s);
		}
		break;
	case STEP_STARTTLS: begin_tls(s); break;
	case STEP_ENVELOPE: send_body(s); break;
	case STEP_DOT:
		note_done(s);
		go_on(s);
		break;
	case STEP_QUIT: end_session(s); break;
	case STEP_READY:
	case STEP_ECHO: break;
	}
}

static void take_replies(struct session *s)
{
	struct peer *peer = s->peer;

	while (s->peer == peer && buffer_len(&peer->in)) {
		struct view in = buffer_view(&peer->in);
		size_t end = view_index(in, '\n');

		if (end == in.len)
			return;
		if (in.at[0] != '2' && in.at[0] != '3') {
			give_up(s, "refused", view_first(in, end));
			return;
		}
		if (end < 4 || in.at[3] == '-' || --s->expected > 0) {
			buffer_consume(&peer->in, end + 1);
			continue;
		}
		buffer_consume(&peer->in, end + 1);
		advance(s);
	}
}

static void take_echo(struct session *s)
{
	buffer_reset(&s->peer->in);
	note_done(s);
	end_session(s);
}

static void secured(struct session *s)
{
	s->is_secure = true;
	s->run->shaken++;
	s->run->resumed += peer_is_resumed(s->peer);
	if (s->run->is_shake) {
		buffer_append(&s->peer->out, VIEW("x\r\n"));
		s->dot_at = bench_ns();
		s->run->begun++;
		s->step = STEP_ECHO;
	} else if (s->run->options.tls == BENCH_STARTTLS) {
		say_ehlo(s);
	}
}

static void on_peer(struct peer *peer, enum peer_event event)
{
	struct session *s = peer->arg;

	switch (event) {
	case PEER_OPEN:
		if (s->run->options.tls == BENCH_IMPLICIT)
			begin_tls(s);
		break;
	case PEER_SECURE: secured(s); break;
	case PEER_INPUT:
		if (s->run->options.resumes && s->is_secure && !s->resumption)
			s->resumption = peer_session(peer);
		if (s->step == STEP_ECHO)
			take_echo(s);
		else
			take_replies(s);
		break;
	case PEER_ENDED: give_up(s, "connection ended", VIEW("")); break;
	}
}

/* --- a run ----------------------------------------------------------- */

static void on_tick(struct ev_loop *loop, ev_timer *tick, int events)
{
	struct run *run = tick->data;
	unsigned i;

	(void)loop, (void)events;
	for (i = 0; i < run->options.sessions && may_begin(run); i++) {
		struct session *s = &run->sessions[i];

		if (!s->peer && run->opened <= run->begun) {
			open_session(s);
		} else if (s->peer && s->step == STEP_READY) {
			begin_message(s);
			peer_push(s->peer);
		}
	}
}

static void on_stdin(struct ev_loop *loop, ev_io *io, int events)
{
	char waste[64];

	(void)events;
	if (read(io->fd, waste, sizeof(waste)) <= 0)
		ev_break(loop, EVBREAK_ALL);
}

static void start_sessions(struct run *run)
{
	unsigned i, count = run->options.sessions;

	if (run->is_hold) {
		ev_io_init(&run->input, on_stdin, STDIN_FILENO, EV_READ);
		run->input.data = run;
		ev_io_start(run->loop, &run->input);
		count = count < OPENING_AT_ONCE ? count : OPENING_AT_ONCE;
	} else if (count > run->options.messages) {
		count = run->options.messages;
	}
	if (run->options.rate > 0) {
		ev_timer_init(&run->tick, on_tick, 0., 0.001);
		run->tick.data = run;
		ev_timer_start(run->loop, &run->tick);
		return;
	}
	for (i = 0; i < count; i++)
		open_session(&run->sessions[i]);
}

static int go(struct run *run, const struct bench_options *options)
{
	unsigned i;

	run->options = *options;
	if (run->options.per_connection == 0)
		run->options.per_connection = options->messages;
	run->loop = ev_default_loop(0);
	run->sessions = must_alloc(options->sessions * sizeof(struct session));
	run->times = must_alloc(options->messages * sizeof(*run->times));
	for (i = 0; i < options->sessions; i++)
		run->sessions[i].run = run;
	bench_payload(&run->payload, options->length);
	if (options->tls != BENCH_PLAIN) {
		run->context = peer_client_context();
		if (!run->context)
			return 1;
	}
	run->first = bench_ns();
	start_sessions(run);
	ev_run(run->loop, 0);
	for (i = 0; i < options->sessions; i++) {
		peer_close(run->sessions[i].peer);
		peer_session_free(run->sessions[i].resumption);
	}
	if (run->is_hold)
		return run->failed > 0;
	printf("{\"messages\": %" PRIu32 ", \"failed\": %" PRIu32
	       ", \"begun_ns\": %" PRIu64 ", \"ended_ns\": %" PRIu64
	       ", \"connections\": %" PRIu32 ", \"handshakes\": %" PRIu32
	       ", \"resumed\": %" PRIu32 ", ", run->done, run->failed,
	       run->first, run->last, run->opened, run->shaken, run->resumed);
	bench_percentiles(run->times, run->done);
	printf("}\n");
	return run->failed > 0;
}

int bench_send(const struct bench_options *options)
{
	struct run run = { .is_shake = false };

	return go(&run, options);
}

int bench_shake(const struct bench_options *options)
{
	struct run run = { .is_shake = true };
	struct bench_options implicit = *options;

	implicit.tls = BENCH_IMPLICIT;
	implicit.per_connection = 1;
	return go(&run, &implicit);
}

int bench_hold(const struct bench_options *options)
{
	struct run run = { .is_hold = true };

	return go(&run, options);
}
