/*
 * Delivers what is due: for each lane that is ready it takes jobs, looks
 * up policy and route afresh, finds or makes a connection whose judged
 * TLS meets the demand, and runs client sessions on it.  Destinations
 * ramp up and back off by themselves; nothing here is stored.
 */
#ifndef RELAY_DISPATCH_H
#define RELAY_DISPATCH_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/dns.h"
#include "tls/context.h"

struct ev_loop;
struct dispatch;
struct certwatch;

struct dispatch_settings {
	const struct conf *conf;
	struct dns *dns;
	struct tls_context *tls;   /* the client context */
	struct certwatch *certwatch; /* NULL: none is kept */
	unsigned workers;          /* totals are shared out among so many */
};

struct dispatch *dispatch_new(struct ev_loop *loop,
			      const struct dispatch_settings *settings);
void dispatch_attach(struct dispatch *dispatch, struct queue *queue);
/* The queue's events are given to these; NULL (no dispatch any more) is
 * fine, for a queue that closes may still speak. */
void dispatch_ready(void *dispatch, struct lane *lane);
void dispatch_gone(void *dispatch, struct lane *lane);
void dispatch_configure(struct dispatch *dispatch, const struct conf *conf);
/* No new attempts; those on their way finish. */
void dispatch_stop(struct dispatch *dispatch);
size_t dispatch_active(const struct dispatch *dispatch);
/* Aborts what is left: its jobs are given back untried. */
void dispatch_free(struct dispatch *dispatch);

#endif
