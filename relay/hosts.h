/*
 * Hosts that lately failed to connect or to meet their demand: they are
 * tried last for 5 minutes, doubling to an hour with each further failure.
 * Only the order of attempts depends on it, never whether mail is sent.
 * Pure: the time is an argument, in seconds of any clock that only rises.
 */
#ifndef RELAY_HOSTS_H
#define RELAY_HOSTS_H

#include "conf/net.h"

enum {
	HOSTS_FIRST = 300,
	HOSTS_LONGEST = 3600,
	HOSTS_MAX = 1024, /* the one that is forgotten first makes room */
};

struct hosts;

struct hosts *hosts_new(void);
void hosts_free(struct hosts *hosts);

/* A host is its name at one address and port. */
void hosts_failed(struct hosts *hosts, const char *name,
		  const struct net_address *address, double now);
/* It met all that was asked: forgotten. */
void hosts_worked(struct hosts *hosts, const char *name,
		  const struct net_address *address);
bool hosts_is_bad(const struct hosts *hosts, const char *name,
		  const struct net_address *address, double now);

#endif
