/*
 * Connections that are open, judged and idle, found again by what they are
 * good for.  Pure bookkeeping: whoever owns a connection takes it out when
 * it ends.  A connection is only ever given out for the very demand that
 * it was judged by, under the same configuration.
 */
#ifndef RELAY_POOL_H
#define RELAY_POOL_H

#include "relay/route.h"

/* What a connection is good for. All borrowed while it is in the pool. */
struct pool_key {
	uint64_t generation;            /* of the configuration */
	const char *domain;             /* whose mail led to it */
	const struct candidate *candidate;
	const struct demand *demand;    /* with the policy: source, user */
};

struct pool;

struct pool *pool_new(void);
/* Its connections are the owner's to close first. */
void pool_free(struct pool *pool);
void pool_put(struct pool *pool, const struct pool_key *key, void *item);
/* False when it was not there. */
bool pool_remove(struct pool *pool, const void *item);

/* The one put last among those that serve mail for this domain under this
 * policy, so that no question has to be asked; taken out, or NULL. */
void *pool_take_for(struct pool *pool, uint64_t generation,
		    const struct policy *policy, const char *domain);
/* The same host, address and demand, whoever led to it. */
void *pool_take(struct pool *pool, const struct pool_key *key);
/* The one that is idle for longest; stays in. */
void *pool_oldest(const struct pool *pool);
size_t pool_count(const struct pool *pool);

#endif
