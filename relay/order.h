/*
 * The order in which the addresses of hosts are tried: by preference, equal
 * ones by lot, address families alternating, hosts that lately failed last;
 * then cut.  Pure.  Works for relay/route.h.
 */
#ifndef RELAY_ORDER_H
#define RELAY_ORDER_H

#include "relay/route.h"

/* A host as route.h knows it once all questions are answered. */
struct route_host {
	char name[ADDR_DOMAIN_MAX + 1];
	unsigned preference;  /* for gateways their position */
	uint64_t lot;         /* decides among equals */
	uint16_t port;
	enum host_source source;
	bool is_tls_first;
	bool is_known;        /* its address was configured: ask nothing */
	bool is_own;
	bool is_left_out;     /* cut, or the demand forbids its use */
	char why[JUDGEMENT_TEXT_MAX]; /* it is left out */
	struct net_address ignored; /* one that mx-ignore took; family 0: none */
	size_t ignored_count;
	struct net_address v4[ROUTE_HOST_ADDRESSES_MAX];
	struct net_address v6[ROUTE_HOST_ADDRESSES_MAX];
	size_t v4_count, v6_count;
	struct route_answer v4_answer, v6_answer;
	char trouble[440];    /* a question about it failed, and why */
};

/* A fair lot from a seed and a number. */
uint64_t order_lot(uint64_t seed, uint64_t number);

/* Sorts the hosts; returns the number of candidates. */
size_t order_candidates(struct route_host *hosts, size_t count,
			const struct route_question *question,
			struct candidate out[ROUTE_CANDIDATES_MAX]);

#endif
