/*
 * The supervisor's children.  What a child needs reaches it through its
 * channel, so that a first start and a restart are the same thing: a new
 * worker gets the listeners and a socket to the resolver; a new resolver
 * gets a socket from every worker.  A child that does not read its channel
 * is killed: it would be of no use.
 */
#include "relay/children.h"

#include "relay/backoff.h"
#include "relay/spawn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void children_init(struct children *all, unsigned workers,
		   const struct privs *privs,
		   const struct listen_sockets *sockets, int bundle)
{
	all->count = 1 + workers;
	all->at = must_alloc(all->count * sizeof(*all->at));
	all->privs = privs;
	all->sockets = sockets;
	all->bundle = bundle;
	for (unsigned i = 0; i < all->count; i++) {
		all->at[i].is_resolver = i == 0;
		all->at[i].number = i == 0 ? 0 : i - 1;
		all->at[i].channel = -1;
	}
}

static void close_channel(struct child *child)
{
	if (child->channel >= 0)
		close(child->channel);
	child->channel = -1;
}

void children_clear(struct children *all)
{
	for (size_t i = 0; i < all->count; i++)
		close_channel(&all->at[i]);
	free(all->at);
	all->at = NULL;
	all->count = 0;
}

void child_name(const struct child *child, char *out, size_t room)
{
	if (child->is_resolver)
		snprintf(out, room, "resolver");
	else
		snprintf(out, room, "worker-%u", child->number);
}

static void tell(struct child *child, enum channel_kind kind, unsigned number,
		 int fd)
{
	struct channel_message message = { kind, number, fd };

	if (child->pid && child->channel >= 0 &&
	    channel_send(child->channel, &message))
		kill(child->pid, SIGKILL);
}

static int connect_to_resolver(struct child *resolver, struct child *worker,
			       struct error *error)
{
	int ends[2];

	if (!resolver->pid || !worker->pid)
		return 0;
	if (channel_pair(ends, error))
		return -1;
	tell(resolver, CHANNEL_CLIENT, worker->number, ends[0]);
	tell(worker, CHANNEL_RESOLVER, 0, ends[1]);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static int equip(struct children *all, struct child *child, struct error *error)
{
	struct child *resolver = &all->at[0];

	if (child->is_resolver) {
		for (size_t i = 1; i < all->count; i++)
			if (connect_to_resolver(resolver, &all->at[i], error))
				return -1;
		return 0;
	}
	for (size_t i = 0; i < all->sockets->count; i++)
		tell(child, CHANNEL_LISTENER, all->sockets->at[i].listener,
		     all->sockets->at[i].fd);
	if (connect_to_resolver(resolver, child, error))
		return -1;
	tell(child, CHANNEL_START, 0, -1);
	return 0;
}

int children_start(struct children *all, struct child *child, double now,
		   struct error *error)
{
	char argument[64];
	struct spawn spawn = {
		.role = child->is_resolver ? "resolver" : "worker",
		.argument = child->is_resolver ? NULL : argument,
		.bundle = all->bundle,
		.privs = all->privs,
	};
	int ends[2];

	/* A worker hears of what its forerunner died. */
	snprintf(argument, sizeof(argument), "%u %ld %d", child->number,
		 (long)child->dead_pid, child->dead_signal);
	if (channel_pair(ends, error))
		return -1;
	spawn.channel = ends[1];
	child->pid = spawn_child(&spawn, error);
	close(ends[1]);
	if (child->pid < 0) {
		child->pid = 0;
		close(ends[0]);
		return -1;
	}
	child->channel = ends[0];
	child->started = now;
	child->is_planned = false;
	child->is_serving = false;
	if (equip(all, child, error) == 0)
		return 0;
	/* Half equipped it is of no use; its death is seen as any other. */
	kill(child->pid, SIGKILL);
	return -1;
}

struct child *children_find(struct children *all, pid_t pid)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->at[i].pid == pid)
			return &all->at[i];
	return NULL;
}

unsigned children_died(struct child *child, double now)
{
	close_channel(child);
	child->pid = 0;
	child->is_serving = false;
	return backoff_pause(&child->deaths, (now - child->started) * 1000);
}

void children_tell_workers(struct children *all, enum channel_kind kind)
{
	for (size_t i = 1; i < all->count; i++)
		tell(&all->at[i], kind, 0, -1);
}

void children_kill(struct children *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->at[i].pid)
			kill(all->at[i].pid, SIGKILL);
}

void children_release_resolver(struct children *all)
{
	close_channel(&all->at[0]);
}

size_t children_running(const struct children *all, bool workers_only)
{
	size_t count = 0;

	for (size_t i = workers_only ? 1 : 0; i < all->count; i++)
		count += all->at[i].pid != 0;
	return count;
}
