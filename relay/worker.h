/*
 * A worker: one event loop that accepts mail, spools it and delivers it.
 * It shares nothing with other workers but the listening sockets.
 */
#ifndef RELAY_WORKER_H
#define RELAY_WORKER_H

#include "conf/conf.h"

struct conf_files;

struct worker_settings {
	const struct conf *conf;
	struct conf_files *files; /* holds the self-signed certificate */
	unsigned number;
	int channel; /* to the supervisor */
	int dead_pid, dead_signal; /* our forerunner, if a signal ended it */
};

/* Runs until told to stop or left alone; returns the exit status. */
int worker_run(const struct worker_settings *settings);

#endif
