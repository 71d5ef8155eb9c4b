/*
 * A worker.  Listeners and the socket to the resolver come over the
 * channel; the queue's lanes go to dispatch, accepted mail to the queue.
 * Told to stop it takes no more, finishes what is in hand within the
 * limit, and leaves the rest in the spool.  When the store fails, or the
 * supervisor is gone, it ends: the spool makes that safe.
 */
#include "relay/worker.h"

#include "conf/files.h"
#include "relay/certwatch.h"
#include "relay/channel.h"
#include "relay/control.h"
#include "relay/dispatch.h"
#include "relay/drain.h"
#include "relay/server.h"
#include "relay/spool.h"
#include "relay/steady.h"
#include "relay/store.h"

#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum phase { RUNNING, SESSIONS, DELIVERIES };

#define CHECK_EVERY  0.02 /* s, while stopping */
#define LAST_WORDS   0.5  /* s, for what connections still have to send */
#define BROKEN_LIMIT 2.0  /* s for the last replies of a broken store */

struct worker {
	const struct worker_settings *settings;
	struct ev_loop *loop;
	struct dns *dns;
	struct dispatch *dispatch;
	struct certwatch *certwatch;
	struct queue *queue;
	struct server *server;
	struct control *control;
	double started;
	struct tls_context *client;
	struct tls_context **contexts; /* by certificate; the last one is the
	                                * self-signed one */
	ev_io channel;
	ev_signal sigterm, sigint;
	ev_timer check;
	enum phase phase;
	double sessions_until, deadline;
	int status;
};

static void on_check(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct worker *w = watcher->data;

	(void)events;
	if (w->phase == SESSIONS && (server_sessions(w->server) == 0 ||
				     steady_now() >= w->sessions_until)) {
		w->phase = DELIVERIES;
		dispatch_stop(w->dispatch);
	}
	if ((w->phase == DELIVERIES && dispatch_active(w->dispatch) == 0 &&
	     server_sessions(w->server) == 0) ||
	    steady_now() >= w->deadline)
		ev_break(loop, EVBREAK_ALL);
}

/* Sessions get half of the limit at most before deliveries stop, too. */
static void begin_stop(struct worker *w, double limit)
{
	double now = steady_now();

	if (w->phase == RUNNING) {
		w->phase = SESSIONS;
		w->sessions_until = now + limit / 2;
		w->deadline = now + limit;
		server_stop(w->server);
		ev_timer_start(w->loop, &w->check);
	} else if (now + limit < w->deadline) {
		w->deadline = now + limit;
	}
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct worker *w = watcher->data;

	(void)loop;
	(void)events;
	/* A terminal sends SIGINT to us as well; the supervisor decides. */
	if (watcher->signum == SIGTERM)
		begin_stop(w, w->settings->conf->stop_limit);
}

static struct tls_context *listener_context(const struct worker *w,
					    const struct listener *listener)
{
	const struct conf *conf = w->settings->conf;
	size_t index = 0;

	if (listener->tls == LISTEN_NONE)
		return NULL;
	if (listener->certificate)
		index = (size_t)(listener->certificate - conf->certificates);
	return w->contexts[index];
}

static void add_listener(struct worker *w, const struct channel_message *m)
{
	const struct conf *conf = w->settings->conf;
	const struct listener *listener;

	if (m->fd < 0)
		return;
	if (m->number >= conf->listener_count || w->phase != RUNNING) {
		close(m->fd);
		return;
	}
	listener = &conf->listeners[m->number];
	server_listen(w->server, m->fd, listener,
		      listener_context(w, listener));
}

static void obey(struct worker *w, const struct channel_message *m)
{
	const struct channel_message serving = { CHANNEL_SERVING, 0, -1 };

	switch (m->kind) {
	case CHANNEL_LISTENER: add_listener(w, m); return;
	case CHANNEL_RESOLVER:
		if (m->fd >= 0)
			dns_reconnect(w->dns, m->fd);
		return;
	case CHANNEL_START: channel_send(w->channel.fd, &serving); break;
	case CHANNEL_STOP: begin_stop(w, w->settings->conf->stop_limit); break;
	case CHANNEL_STOP_NOW: begin_stop(w, 0); break;
	case CHANNEL_BUNDLE:
	case CHANNEL_CLIENT:
	case CHANNEL_SERVING: break;
	}
	if (m->fd >= 0)
		close(m->fd);
}

static void on_channel(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct worker *w = watcher->data;
	struct channel_message message;
	int got;

	(void)events;
	while ((got = channel_receive(watcher->fd, &message)) > 0)
		obey(w, &message);
	if (got == 0)
		return;
	ev_io_stop(loop, watcher);
	log_say(LOG_ERROR, "warning", "the supervisor is gone");
	begin_stop(w, 0);
}

static void on_ready(void *arg, struct lane *lane)
{
	const struct worker *w = arg;

	dispatch_ready(w->dispatch, lane);
}

static void on_gone(void *arg, struct lane *lane)
{
	const struct worker *w = arg;

	dispatch_gone(w->dispatch, lane);
}

/* Those who wait have their 4xx from the queue; they get a moment to read
 * it. */
static void on_broken(void *arg, const char *why)
{
	struct worker *w = arg;

	log_say(LOG_ERROR, "warning", "spool: %s", why);
	w->status = EX_IOERR;
	if (w->server)
		begin_stop(w, BROKEN_LIMIT);
}

static int make_self_signed(struct worker *w, struct tls_context **out,
			    struct error *error)
{
	char *path = spool_certificate_path(w->settings->conf->spool);
	struct view pem;

	if (files_get(w->settings->files, path, &pem, error) == 0)
		*out = tls_server_context(pem, pem, error);
	free(path);
	return *out ? 0 : -1;
}

static bool asks_clients(const struct conf *conf)
{
	for (size_t i = 0; i < conf->policy_count; i++)
		if (conf->policies[i].inbound == INBOUND_TLS_VERIFY)
			return true;
	return false;
}

static int make_contexts(struct worker *w, struct error *error)
{
	const struct conf *conf = w->settings->conf;

	w->contexts = must_alloc((conf->certificate_count + 1) *
				 sizeof(struct tls_context *));
	w->client = tls_client_context(error);
	if (!w->client)
		return -1;
	for (size_t i = 0; i < conf->certificate_count; i++) {
		const struct certificate *c = &conf->certificates[i];

		w->contexts[i] = tls_server_context(c->chain.bytes,
						    c->key.bytes, error);
		if (!w->contexts[i])
			return -1;
	}
	if (spool_needs_certificate(conf) &&
	    make_self_signed(w, &w->contexts[0], error))
		return -1;
	for (size_t i = 0; asks_clients(conf) && i <= conf->certificate_count;
	     i++)
		if (w->contexts[i])
			tls_context_ask_clients(w->contexts[i]);
	return 0;
}

static bool judges_partners(const struct conf *conf)
{
	for (size_t i = 0; i < conf->policy_count; i++)
		if (conf->policies[i].tls == TLS_VERIFY ||
		    conf->policies[i].would == TLS_VERIFY)
			return true;
	return false;
}

static void say_status(void *arg, struct buffer *out)
{
	const struct worker *w = arg;
	struct control_numbers numbers = {
		.queue = w->queue,
		.sessions = server_sessions(w->server),
		.deliveries = dispatch_active(w->dispatch),
		.uptime = (int64_t)(ev_now(w->loop) - w->started),
	};

	control_status(out, &numbers);
}

/* Without it mail goes its way all the same. */
static void open_control(struct worker *w)
{
	struct control_settings settings = {
		.loop = w->loop,
		.conf = w->settings->conf,
		.queue = w->queue,
		.status = say_status,
		.arg = w,
	};
	struct error error;

	w->started = ev_now(w->loop);
	w->control = control_new(&settings);
	if (control_listen(w->control, queue_folder(w->queue), &error))
		log_say(LOG_WARNING, "warning", "no control socket: %s",
			error.text);
}

static int open_rooms(struct worker *w, struct error *error)
{
	const struct conf *conf = w->settings->conf;
	struct dispatch_settings dispatch = {
		.conf = conf,
		.dns = w->dns,
		.tls = w->client,
		.workers = conf->workers,
	};
	struct queue_settings queue = {
		.spool = conf->spool,
		.worker = w->settings->number,
		.workers = conf->workers,
		.conf = conf,
		.events = {on_ready, on_gone, on_broken, w},
		.dead_pid = w->settings->dead_pid,
		.dead_signal = w->settings->dead_signal,
	};
	struct server_settings server = {
		.conf = conf,
		.verbs = &store_queue,
	};

	if (judges_partners(conf))
		w->certwatch = certwatch_new(w->loop, conf->spool);
	dispatch.certwatch = w->certwatch;
	w->dispatch = dispatch_new(w->loop, &dispatch);
	w->queue = queue_open(w->loop, &queue, error);
	if (!w->queue)
		return -1;
	dispatch_attach(w->dispatch, w->queue);
	server.store = w->queue;
	w->server = server_new(w->loop, &server, error);
	if (!w->server)
		return -1;
	open_control(w);
	return 0;
}

static void watch(struct worker *w)
{
	ev_io_init(&w->channel, on_channel, w->settings->channel, EV_READ);
	ev_signal_init(&w->sigterm, on_signal, SIGTERM);
	ev_signal_init(&w->sigint, on_signal, SIGINT);
	ev_timer_init(&w->check, on_check, CHECK_EVERY, CHECK_EVERY);
	w->channel.data = w->sigterm.data = w->sigint.data = w->check.data = w;
	ev_io_start(w->loop, &w->channel);
	ev_signal_start(w->loop, &w->sigterm);
	ev_signal_start(w->loop, &w->sigint);
}

/* In the order of who uses whom; contexts last, for connections that still
 * have something to send hold them. */
static void close_rooms(struct worker *w)
{
	size_t contexts = w->settings->conf->certificate_count + 1;

	control_free(w->control);
	if (w->server)
		server_free(w->server);
	if (w->dispatch)
		dispatch_free(w->dispatch);
	certwatch_free(w->certwatch);
	/* The queue may still speak of lanes while it closes. */
	w->dispatch = NULL;
	if (w->queue)
		queue_close(w->queue);
	dns_free(w->dns);
	ev_io_stop(w->loop, &w->channel);
	ev_signal_stop(w->loop, &w->sigterm);
	ev_signal_stop(w->loop, &w->sigint);
	ev_timer_stop(w->loop, &w->check);
	drain_loop(w->loop, LAST_WORDS);
	for (size_t i = 0; w->contexts && i < contexts; i++)
		tls_context_free(w->contexts[i]);
	free(w->contexts);
	tls_context_free(w->client);
}

int worker_run(const struct worker_settings *settings)
{
	struct worker worker = { .settings = settings, .status = EX_OK };
	struct error error = { .text = "" };

	signal(SIGPIPE, SIG_IGN);
	tls_start();
	worker.loop = ev_default_loop(EVFLAG_AUTO);
	worker.dns = dns_new(worker.loop, -1);
	watch(&worker);
	if (make_contexts(&worker, &error) || open_rooms(&worker, &error)) {
		log_say(LOG_ERROR, "warning", "%s", error.text);
		worker.status = EX_CONFIG;
	} else if (worker.status == EX_OK) {
		ev_run(worker.loop, 0);
	}
	close_rooms(&worker);
	return worker.status;
}
