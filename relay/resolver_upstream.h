/*
 * One way to the DNS: a libunbound context with its own cache, thread and
 * trust, made from a snapshot.  Only the resolver process has any.
 */
#ifndef RELAY_RESOLVER_UPSTREAM_H
#define RELAY_RESOLVER_UPSTREAM_H

#include "conf/conf.h"
#include "relay/dns.h"

struct upstream;

enum upstream_path {
	UPSTREAM_FORWARD, /* ask the snapshot's resolvers */
	UPSTREAM_RECURSE, /* ask the root servers and on from there */
};

enum upstream_trust {
	UPSTREAM_TRUSTS_ROOT,	 /* the root's anchors and the zones' */
	UPSTREAM_TRUSTS_ZONES,	 /* only the anchors of configured zones */
	UPSTREAM_TRUSTS_NOTHING, /* no answer is secure */
};

/* The snapshot is only read here.  NULL with the reason. */
struct upstream *upstream_new(const struct conf *conf, enum upstream_path path,
			      enum upstream_trust trust, struct error *error);
/* Blocks for a moment; open questions are forgotten. */
void upstream_free(struct upstream *upstream);

/* Readable when there is something for upstream_process(). */
int upstream_fd(const struct upstream *upstream);
/* Calls back for each question answered.  -1 when the library is broken. */
int upstream_process(struct upstream *upstream, struct error *error);

/* The records are borrowed until the callback returns. */
typedef void upstream_callback(void *arg, const struct dns_answer *answer);
/* 0 and the number to cancel by, or -1 with the reason. */
int upstream_ask(struct upstream *upstream, enum dns_type type,
		 const char *name, upstream_callback *call, void *arg,
		 int *number, struct error *error);
/* As upstream_ask(), for the root's SOA: what a probe asks. */
int upstream_ask_root(struct upstream *upstream, upstream_callback *call,
		      void *arg, int *number, struct error *error);
/* The callback does not come any more. */
void upstream_cancel(struct upstream *upstream, int number);

#endif
