/*
 * A command that works the way a worker does and then ends: it reads the
 * configuration, starts a resolver process of its own, and runs a loop
 * until it is done.
 */
#ifndef RELAY_ERRAND_H
#define RELAY_ERRAND_H

#include <sys/types.h>

#include "conf/conf.h"
#include "relay/dns.h"

struct ev_loop;

struct errand {
	struct conf_files *files;
	struct conf *conf;
	struct ev_loop *loop;
	struct dns *dns;
	/* its own */
	pid_t resolver;
	int channel;
};

/* 0, or an exit status and the reason; then there is nothing to end. */
int errand_begin(struct errand *errand, const char *conf_path,
		 struct error *error);
/* Runs the loop until errand_done(). */
void errand_run(struct errand *errand);
void errand_done(struct errand *errand);
/* Lets connections say goodbye, stops the resolver, frees everything. */
void errand_end(struct errand *errand);

#endif
