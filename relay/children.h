/*
 * The supervisor's children: one resolver and the workers, each with its
 * channel; every worker has a socket of its own to the resolver.
 */
#ifndef RELAY_CHILDREN_H
#define RELAY_CHILDREN_H

#include "conf/conf.h"
#include "relay/channel.h"
#include "relay/listen.h"
#include "relay/privs.h"

struct child {
	unsigned number; /* of a worker */
	bool is_resolver;
	pid_t pid;	 /* 0: not running */
	pid_t dead_pid;	 /* the one before, when a signal ended it */
	int dead_signal;
	int channel;	 /* -1: none */
	double started;	 /* seconds, monotonic */
	bool is_planned; /* to be started again at ... */
	double restart;
	unsigned deaths; /* in a row */
	bool is_serving;
};

struct children {
	struct child *at; /* the resolver first, then the workers */
	size_t count;
	const struct privs *privs;
	const struct listen_sockets *sockets;
	int bundle;
};

/* Everything behind `all` is borrowed for life. */
void children_init(struct children *all, unsigned workers,
		   const struct privs *privs,
		   const struct listen_sockets *sockets, int bundle);
void children_clear(struct children *all);

/* Starts one and connects it with the others. */
int children_start(struct children *all, struct child *child, double now,
		   struct error *error);
struct child *children_find(struct children *all, pid_t pid);
/* Notes a death; returns the pause in milliseconds before a restart. */
unsigned children_died(struct child *child, double now);
/* To every worker that runs. */
void children_tell_workers(struct children *all, enum channel_kind kind);
void children_kill(struct children *all);
/* The resolver ends when its channel does. */
void children_release_resolver(struct children *all);
size_t children_running(const struct children *all, bool workers_only);
/* "worker-0", "resolver" */
void child_name(const struct child *child, char *out, size_t room);

#endif
