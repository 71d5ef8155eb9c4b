/*
 * A list, newest first: idle connections live for seconds, so it is short,
 * and the newest is the one that is least likely to have been closed.
 */
#include "relay/pool.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	struct entry *next;
	struct pool_key key;
	void *item;
};

struct pool {
	struct entry *first;
	size_t count;
};

struct pool *pool_new(void)
{
	return must_alloc(sizeof(struct pool));
}

void pool_free(struct pool *pool)
{
	struct entry *entry;

	if (pool == NULL)
		return;
	while ((entry = pool->first) != NULL) {
		pool->first = entry->next;
		free(entry);
	}
	free(pool);
}

void pool_put(struct pool *pool, const struct pool_key *key, void *item)
{
	struct entry *entry = must_alloc(sizeof(*entry));

	entry->key = *key;
	entry->item = item;
	entry->next = pool->first;
	pool->first = entry;
	pool->count++;
}

static void *take_out(struct pool *pool, struct entry **at)
{
	struct entry *entry = *at;
	void *item = entry->item;

	*at = entry->next;
	free(entry);
	pool->count--;
	return item;
}

bool pool_remove(struct pool *pool, const void *item)
{
	struct entry **at;

	for (at = &pool->first; *at != NULL; at = &(*at)->next)
		if ((*at)->item == item) {
			take_out(pool, at);
			return true;
		}
	return false;
}

/* Behind one policy with gateways all its domains are one destination. */
static bool serves(const struct pool_key *key, uint64_t generation,
		   const struct policy *policy, const char *domain)
{
	return key->generation == generation && key->demand->policy == policy &&
	       (policy->gateway_count > 0 || strcmp(key->domain, domain) == 0);
}

void *pool_take_for(struct pool *pool, uint64_t generation,
		    const struct policy *policy, const char *domain)
{
	struct entry **at;

	for (at = &pool->first; *at != NULL; at = &(*at)->next)
		if (serves(&(*at)->key, generation, policy, domain))
			return take_out(pool, at);
	return NULL;
}

/* demand_equal() holds level, names and anchors together; the policy
 * itself stands for source address and credentials. */
static bool is_same(const struct pool_key *a, const struct pool_key *b)
{
	return a->generation == b->generation &&
	       a->demand->policy == b->demand->policy &&
	       a->candidate->is_tls_first == b->candidate->is_tls_first &&
	       strcmp(a->candidate->host, b->candidate->host) == 0 &&
	       net_equal_host(&a->candidate->address, &b->candidate->address) &&
	       net_port(&a->candidate->address) ==
		       net_port(&b->candidate->address) &&
	       demand_equal(a->demand, b->demand);
}

void *pool_take(struct pool *pool, const struct pool_key *key)
{
	struct entry **at;

	for (at = &pool->first; *at != NULL; at = &(*at)->next)
		if (is_same(&(*at)->key, key))
			return take_out(pool, at);
	return NULL;
}

void *pool_oldest(const struct pool *pool)
{
	const struct entry *entry = pool->first;

	while (entry != NULL && entry->next != NULL)
		entry = entry->next;
	return entry != NULL ? entry->item : NULL;
}

size_t pool_count(const struct pool *pool)
{
	return pool->count;
}
