/*
 * The lab.  Each gateway is the relay's own server under another name: it
 * takes everything and stores it as files.  Certificates are read at the
 * start.
 */
#include "relay/lab/lab.h"

#include "conf/files.h"
#include "relay/drain.h"
#include "relay/lab/maildir.h"
#include "relay/listen.h"
#include "relay/steady.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define LAST_WORDS  0.5 /* s, for what connections still have to send */
#define CHECK_EVERY 0.02 /* s, while stopping */

struct gateway_at_work {
	struct conf conf; /* the snapshot under the gateway's name */
	struct maildir *store;
	struct server *server;
	struct tls_context *tls;
};

struct lab_at_work {
	struct ev_loop *loop;
	const struct conf *conf;
	struct gateway_at_work *gateways;
	size_t count;
	ev_signal sigterm, sigint;
	ev_timer check;
	double deadline;
};

static struct tls_context *make_context(const struct lab_gateway *gateway,
					struct error *error)
{
	const struct certificate *c = gateway->listener.certificate;
	struct buffer chain = { 0 }, key = { 0 };
	struct tls_context *made = NULL;

	if (c)
		return tls_server_context(c->chain.bytes, c->key.bytes, error);
	if (tls_self_signed(gateway->name, &chain, &key, error) == 0)
		made = tls_server_context(buffer_view(&chain),
					  buffer_view(&key), error);
	buffer_clear(&chain);
	buffer_wipe(&key);
	return made;
}

static int listen_all(struct gateway_at_work *g,
		      const struct lab_gateway *gateway, struct error *error)
{
	const struct listener *listener = &gateway->listener;

	for (size_t i = 0; i < listener->address_count; i++) {
		int fd = listen_bind(&listener->addresses[i], error);

		if (fd < 0)
			return -1;
		listen_say(fd, listener->tls, gateway->name);
		server_listen(g->server, fd, listener, g->tls);
	}
	return 0;
}

static int open_gateway(struct lab_at_work *lab, const struct lab *section,
			const struct lab_gateway *gateway, struct error *error)
{
	struct gateway_at_work *g = &lab->gateways[lab->count++];
	struct server_settings settings = {
		.conf = &g->conf,
		.verbs = &maildir_verbs,
		.accepts_everything = true,
	};

	g->conf = *lab->conf;
	g->conf.hostname = gateway->name;
	g->store = maildir_new(lab->loop, section->store, gateway->name, error);
	if (!g->store)
		return -1;
	if (gateway->listener.tls != LISTEN_NONE) {
		g->tls = make_context(gateway, error);
		if (!g->tls)
			return -1;
	}
	settings.store = g->store;
	g->server = server_new(lab->loop, &settings, error);
	return g->server ? listen_all(g, gateway, error) : -1;
}

static int open_gateways(struct lab_at_work *lab, struct error *error)
{
	size_t count = 0;

	for (size_t i = 0; i < lab->conf->lab_count; i++)
		count += lab->conf->labs[i].gateway_count;
	if (count == 0)
		return error_set(error, "%s: no `lab` section with a `gateway`",
				 lab->conf->path);
	lab->gateways = must_alloc(count * sizeof(*lab->gateways));
	for (size_t i = 0; i < lab->conf->lab_count; i++) {
		const struct lab *section = &lab->conf->labs[i];

		for (size_t k = 0; k < section->gateway_count; k++)
			if (open_gateway(lab, section, &section->gateways[k],
					 error))
				return error_prefix(error, "%s: gateway \"%s\"",
						    section->where,
						    section->gateways[k].name);
	}
	return 0;
}

static void on_check(struct ev_loop *loop, ev_timer *watcher, int events)
{
	const struct lab_at_work *lab = watcher->data;
	size_t sessions = 0;

	(void)events;
	for (size_t i = 0; i < lab->count; i++)
		sessions += server_sessions(lab->gateways[i].server);
	if (sessions == 0 || steady_now() >= lab->deadline)
		ev_break(loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct lab_at_work *lab = watcher->data;

	(void)events;
	if (ev_is_active(&lab->check)) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	lab->deadline = steady_now() + lab->conf->stop_limit;
	for (size_t i = 0; i < lab->count; i++)
		server_stop(lab->gateways[i].server);
	ev_timer_start(loop, &lab->check);
}

static void watch(struct lab_at_work *lab)
{
	ev_signal_init(&lab->sigterm, on_signal, SIGTERM);
	ev_signal_init(&lab->sigint, on_signal, SIGINT);
	ev_timer_init(&lab->check, on_check, CHECK_EVERY, CHECK_EVERY);
	lab->sigterm.data = lab->sigint.data = lab->check.data = lab;
	ev_signal_start(lab->loop, &lab->sigterm);
	ev_signal_start(lab->loop, &lab->sigint);
}

static void close_gateways(struct lab_at_work *lab)
{
	for (size_t i = 0; i < lab->count; i++)
		if (lab->gateways[i].server)
			server_free(lab->gateways[i].server);
	drain_loop(lab->loop, LAST_WORDS);
	for (size_t i = 0; i < lab->count; i++) {
		struct gateway_at_work *g = &lab->gateways[i];

		maildir_free(g->store);
		tls_context_free(g->tls);
	}
	free(lab->gateways);
}

static int play(const struct conf *conf, struct error *error)
{
	struct lab_at_work lab = { .conf = conf };
	struct log_line line;
	int status = EX_CONFIG;

	lab.loop = ev_default_loop(EVFLAG_AUTO);
	if (open_gateways(&lab, error) == 0) {
		watch(&lab);
		log_begin(&line, LOG_NOTICE, "serving");
		log_num(&line, "gateways", (int64_t)lab.count);
		log_end(&line);
		ev_run(lab.loop, 0);
		ev_signal_stop(lab.loop, &lab.sigterm);
		ev_signal_stop(lab.loop, &lab.sigint);
		ev_timer_stop(lab.loop, &lab.check);
		status = EX_OK;
	}
	close_gateways(&lab);
	return status;
}

int lab_run(const char *conf_path)
{
	struct conf_files *files = files_disk();
	struct error error = { .text = "" };
	struct conf *conf = conf_read(conf_path, files, &error);
	int status = EX_CONFIG;

	signal(SIGPIPE, SIG_IGN);
	tls_start();
	if (conf) {
		log_open(STDERR_FILENO, conf->log_format, conf->log_level,
			 "lab");
		status = play(conf, &error);
		log_close();
	}
	if (status != EX_OK)
		fprintf(stderr, "postern-lab: %s\n", error.text);
	conf_free(conf);
	files_free(files);
	return status;
}
