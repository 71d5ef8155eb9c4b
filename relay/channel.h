/*
 * Between the supervisor and its children: small messages, each with at
 * most one descriptor, over a SOCK_SEQPACKET pair.  The end of the channel
 * means that the other side is gone.
 */
#ifndef RELAY_CHANNEL_H
#define RELAY_CHANNEL_H

#include <stdint.h>

#include "conf/error.h"

enum channel_kind {
	CHANNEL_BUNDLE = 1, /* loader: the sealed configuration */
	CHANNEL_LISTENER,   /* to a worker: number is the listener's */
	CHANNEL_RESOLVER,   /* to a worker: its socket to the resolver */
	CHANNEL_CLIENT,	    /* to the resolver: a worker's socket */
	CHANNEL_START,	    /* to a worker: that was all */
	CHANNEL_SERVING,    /* from a worker: it is */
	CHANNEL_STOP,	    /* to a worker: finish what is in hand */
	CHANNEL_STOP_NOW,   /* to a worker: leave it in the spool */
};

struct channel_message {
	enum channel_kind kind;
	uint32_t number;
	int fd; /* -1: none; the receiver owns it */
};

/* Both ends close on exec and never block. */
int channel_pair(int ends[2], struct error *error);
/* The descriptor is lent.  -1 when the other side is gone or does not
 * read. */
int channel_send(int channel, const struct channel_message *message);
/* 1 got one, 0 none now, -1 the other side is gone. */
int channel_receive(int channel, struct channel_message *message);

#endif
