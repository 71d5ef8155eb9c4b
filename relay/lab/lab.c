/*
 * The lab: opens the gateways of all `lab` sections on one loop, plays them
 * until it is told to stop, and ends them.
 */
#include "relay/lab/lab.h"

#include "conf/files.h"
#include "relay/drain.h"
#include "relay/lab/announce.h"
#include "relay/lab/desk.h"
#include "relay/lab/example.h"
#include "relay/lab/gateway.h"
#include "relay/lab/journal.h"
#include "relay/lab/mint.h"
#include "relay/lab/services.h"
#include "relay/server.h"
#include "relay/steady.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define LAST_WORDS  0.5 /* s, for what connections still have to send */
#define CHECK_EVERY 0.02 /* s, while stopping */

struct play {
	struct lab_at_work lab;
	ev_signal sigterm, sigint;
	ev_timer check;
	double deadline;
};

static int open_lab(struct lab_at_work *lab, size_t number,
		    struct error *error)
{
	const struct lab *section = &lab->conf->labs[number];

	lab->desks[number] = desk_open(section, error);
	if (!lab->desks[number])
		return error_prefix(error, "%s", section->where);
	lab->mints[number] = mint_new(section->store, section->title,
				      section->ca, error);
	if (!lab->mints[number])
		return error_prefix(error, "%s", section->where);
	for (size_t i = 0; i < section->gateway_count; i++) {
		struct gateway_at_work *g = &lab->gateways[lab->count++];

		g->lab = lab;
		g->section = section;
		g->desk = lab->desks[number];
		g->mint = lab->mints[number];
		g->as_written = &section->gateways[i];
		if (gateway_open(g, error))
			return error_prefix(error, "%s: gateway \"%s\"",
					    g->as_written->where,
					    g->as_written->name);
	}
	lab->services[number] = services_open(lab, section, error);
	return lab->services[number] ? 0 :
				       error_prefix(error, "%s",
						    section->where);
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
	lab->desks = must_alloc(lab->conf->lab_count * sizeof(*lab->desks));
	lab->services = must_alloc(lab->conf->lab_count *
				   sizeof(*lab->services));
	lab->mints = must_alloc(lab->conf->lab_count * sizeof(*lab->mints));
	lab->journal = journal_new(JOURNAL_KEPT);
	for (size_t i = 0; i < lab->conf->lab_count; i++)
		if (open_lab(lab, i, error))
			return -1;
	for (size_t i = 0; i < lab->conf->lab_count; i++)
		if (desk_answer(lab->desks[i], lab, error))
			return -1;
	return 0;
}

static void on_check(struct ev_loop *loop, ev_timer *watcher, int events)
{
	const struct play *play = watcher->data;
	size_t sessions = 0;

	(void)events;
	for (size_t i = 0; i < play->lab.count; i++)
		sessions += server_sessions(play->lab.gateways[i].server);
	if (sessions == 0 || steady_now() >= play->deadline)
		ev_break(loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
	struct play *play = watcher->data;

	(void)events;
	if (ev_is_active(&play->check)) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	play->deadline = steady_now() + play->lab.conf->stop_limit;
	for (size_t i = 0; i < play->lab.count; i++)
		server_stop(play->lab.gateways[i].server);
	ev_timer_start(loop, &play->check);
}

static void watch(struct play *play)
{
	ev_signal_init(&play->sigterm, on_signal, SIGTERM);
	ev_signal_init(&play->sigint, on_signal, SIGINT);
	ev_timer_init(&play->check, on_check, CHECK_EVERY, CHECK_EVERY);
	play->sigterm.data = play->sigint.data = play->check.data = play;
	ev_signal_start(play->lab.loop, &play->sigterm);
	ev_signal_start(play->lab.loop, &play->sigint);
}

static void unwatch(struct play *play)
{
	ev_signal_stop(play->lab.loop, &play->sigterm);
	ev_signal_stop(play->lab.loop, &play->sigint);
	ev_timer_stop(play->lab.loop, &play->check);
}

static void close_gateways(struct lab_at_work *lab)
{
	for (size_t i = 0; lab->desks && i < lab->conf->lab_count; i++)
		desk_fall_silent(lab->desks[i]);
	for (size_t i = 0; lab->services && i < lab->conf->lab_count; i++)
		services_close(lab->services[i]);
	free(lab->services);
	for (size_t i = 0; i < lab->count; i++)
		gateway_close(&lab->gateways[i]);
	drain_loop(lab->loop, LAST_WORDS);
	for (size_t i = 0; i < lab->count; i++)
		gateway_clear(&lab->gateways[i]);
	for (size_t i = 0; lab->desks && i < lab->conf->lab_count; i++) {
		desk_close(lab->desks[i]);
		mint_free(lab->mints[i]);
	}
	journal_free(lab->journal);
	free(lab->desks);
	free(lab->mints);
	free(lab->gateways);
}

static int run(const struct conf *conf, struct error *error)
{
	struct play play = { .lab = { .conf = conf } };
	struct log_line line;
	int status = EX_CONFIG;

	play.lab.loop = ev_default_loop(EVFLAG_AUTO);
	if (open_gateways(&play.lab, error) == 0) {
		watch(&play);
		log_begin(&line, LOG_NOTICE, "serving");
		log_num(&line, "gateways", (int64_t)play.lab.count);
		log_end(&line);
		announce(&play.lab, stdout);
		ev_run(play.lab.loop, 0);
		unwatch(&play);
		status = EX_OK;
	}
	close_gateways(&play.lab);
	return status;
}

int lab_run(const char *conf_path)
{
	struct conf_files *files = files_disk();
	struct error error = { .text = "" };
	struct conf *conf = example_read(conf_path, files, &error);
	int status = EX_CONFIG;

	signal(SIGPIPE, SIG_IGN);
	tls_start();
	if (conf) {
		log_open(STDERR_FILENO, conf->log_format, conf->log_level,
			 "lab");
		status = run(conf, &error);
		log_close();
	}
	if (status != EX_OK)
		fprintf(stderr, "postern-lab: %s\n", error.text);
	conf_free(conf);
	files_free(files);
	return status;
}
