/*
 * libunbound contexts made from a snapshot: where they ask and what they
 * trust.
 */
#ifndef RELAY_RESOLVER_CONTEXT_H
#define RELAY_RESOLVER_CONTEXT_H

#include "conf/conf.h"
#include "relay/resolver_upstream.h"

struct ub_ctx;

/* Asynchronous, finished: options can no longer be set.  To be freed with
 * ub_ctx_delete().  NULL with the reason. */
struct ub_ctx *context_new(const struct conf *conf, enum upstream_path path,
			   enum upstream_trust trust, struct error *error);
/* Whether the library can use this anchor (DS or DNSKEY records in
 * zone-file form); for the checks of a configuration. */
int context_check_anchor(struct view anchor, struct error *error);

#endif
