/*
 * The stage of the server's tests.
 */
#include "tests/unit/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf/log.h"

/* --- the store -------------------------------------------------------- */

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

void stage_answer(struct memory *m, enum intake_event event)
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
		stage_answer(m, INTAKE_STORED);
}

static void memory_abort(void *message)
{
	struct memory *m = message;

	m->aborted++;
	m->call = NULL;
}

static const struct store_verbs verbs = {
	memory_has_room, memory_begin,  memory_id,   memory_append,
	memory_is_full,  memory_commit, memory_abort,  NULL,
};

/* --- the world -------------------------------------------------------- */

static char hostname[] = "mx.example.org";

void stage_tls(struct stage *w)
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

/* Conf defaults that a test changes before stage_start(). */
struct stage *stage_new(void)
{
	struct stage *w = must_alloc(sizeof(*w));
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

void stage_turn(struct stage *w)
{
	struct timespec pause = { 0, 200000 };

	ev_run(w->loop, EVRUN_NOWAIT);
	nanosleep(&pause, NULL);
}

void stage_turns(struct stage *w, double seconds)
{
	double until = ev_time() + seconds;

	do
		stage_turn(w);
	while (ev_time() < until);
}

static int listening(struct stage *w)
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

void stage_start(struct stage *w)
{
	struct server_settings settings = {
		.conf = &w->conf, .verbs = &verbs, .store = &w->memory
	};
	struct error error;

	w->server = server_new(w->loop, &settings, &error);
	assert_non_null(w->server);
	server_listen(w->server, listening(w), &w->listener, w->tls);
}

void stage_free(struct stage *w)
{
	server_free(w->server);
	stage_turns(w, 0.03); /* connections that are ending */
	tls_context_free(w->tls);
	ev_loop_destroy(w->loop);
	buffer_clear(&w->memory.body);
	free(w);
}

int stage_dial(struct stage *w)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&w->at, sizeof(w->at)),
			 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	w->seen_len = 0;
	w->seen[0] = '\0';
	return fd;
}

bool stage_sees(struct stage *w, int fd, const char *text, double seconds)
{
	double until = ev_time() + seconds;

	while (ev_time() < until) {
		ssize_t n;

		stage_turn(w);
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


void stage_say(struct stage *w, int fd, const char *text)
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
		stage_turn(w);
	}
}


int stage_dial_data(struct stage *w)
{
	int fd = stage_dial(w);

	SEES(w, fd, "220 ");
	stage_say(w, fd, ENVELOPE "DATA\r\n");
	SEES(w, fd, "354 ");
	return fd;
}

int stage_begin(void **state)
{
	(void)state;
	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TEXT, LOG_INFO,
		 "test");
	tls_start();
	return 0;
}

int stage_end(void **state)
{
	(void)state;
	log_close();
	return 0;
}

