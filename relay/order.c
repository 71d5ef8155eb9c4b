/*
 * Comes in: hosts with their addresses.  Goes out: at most
 * ROUTE_CANDIDATES_MAX candidates.  Nothing is kept.
 */
#include "relay/order.h"

#include <stdio.h>
#include <stdlib.h>

/* A place in the order. */
struct place {
	const struct route_host *host;
	const struct net_address *address;
};

/* splitmix64. */
uint64_t order_lot(uint64_t seed, uint64_t number)
{
	uint64_t z = seed + (number + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static int compare_hosts(const void *left, const void *right)
{
	const struct route_host *a = left, *b = right;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return a->lot < b->lot ? -1 : a->lot > b->lot;
}

static size_t addresses(const struct route_host *host)
{
	return host->is_left_out ? 0 : host->v4_count + host->v6_count;
}

static size_t list_family(const struct route_host *hosts, size_t count,
			  bool is_v4, struct place *out)
{
	const struct route_host *host;
	size_t i, j, n = 0;

	for (i = 0; i < count; i++) {
		host = &hosts[i];
		if (host->is_left_out)
			continue;
		for (j = 0; j < (is_v4 ? host->v4_count : host->v6_count); j++)
			out[n++] = (struct place){ host, is_v4 ? &host->v4[j]
							       : &host->v6[j] };
	}
	return n;
}

/* The addresses of hosts of one preference, IPv6 first, then by turns, so
 * that a family that leads nowhere costs one attempt and not all. */
static size_t alternate(const struct route_host *hosts, size_t count,
			struct place *scratch, struct place *out)
{
	size_t v6 = list_family(hosts, count, false, scratch);
	size_t v4 = list_family(hosts, count, true, scratch + v6);
	size_t i, n = 0;

	for (i = 0; i < v6 || i < v4; i++) {
		if (i < v6)
			out[n++] = scratch[i];
		if (i < v4)
			out[n++] = scratch[v6 + i];
	}
	return n;
}

static bool is_bad(const struct route_question *question,
		   const struct place *place)
{
	return question->is_bad != NULL &&
	       question->is_bad(question->is_bad_arg, place->host->name,
				place->address);
}

/* Those that lately failed go last, in unchanged order among themselves. */
static void bad_last(const struct route_question *question,
		     struct place *places, size_t count, struct place *scratch)
{
	size_t i, good = 0, bad = 0;

	for (i = 0; i < count; i++) {
		if (is_bad(question, &places[i]))
			scratch[bad++] = places[i];
		else
			places[good++] = places[i];
	}
	for (i = 0; i < bad; i++)
		places[good + i] = scratch[i];
}

/* Where the cut would leave one family alone, the last place before it
 * goes to the first address of the other. */
static void keep_both_families(struct place *places, size_t count)
{
	size_t i;

	for (i = 1; i < count; i++) {
		if (places[i].address->sa.any.sa_family ==
		    places[0].address->sa.any.sa_family)
			continue;
		if (i >= ROUTE_CANDIDATES_MAX)
			places[ROUTE_CANDIDATES_MAX - 1] = places[i];
		return;
	}
}

static void set_candidate(const struct place *place, struct candidate *out)
{
	snprintf(out->host, sizeof(out->host), "%s", place->host->name);
	out->address = *place->address;
	out->source = place->host->source;
	out->is_tls_first = place->host->is_tls_first;
}

size_t order_candidates(struct route_host *hosts, size_t count,
			const struct route_question *question,
			struct candidate out[ROUTE_CANDIDATES_MAX])
{
	size_t from, to, i, n = 0, total = 0;
	struct place *places, *scratch;

	qsort(hosts, count, sizeof(*hosts), compare_hosts);
	for (i = 0; i < count; i++)
		total += addresses(&hosts[i]);
	if (total == 0)
		return 0;
	places = must_alloc(total * 2 * sizeof(*places));
	scratch = places + total;
	for (from = 0; from < count; from = to) {
		for (to = from + 1; to < count; to++)
			if (hosts[to].preference != hosts[from].preference)
				break;
		n += alternate(hosts + from, to - from, scratch, places + n);
	}
	bad_last(question, places, n, scratch);
	keep_both_families(places, n);
	if (n > ROUTE_CANDIDATES_MAX)
		n = ROUTE_CANDIDATES_MAX;
	for (i = 0; i < n; i++)
		set_candidate(&places[i], &out[i]);
	free(places);
	return n;
}
