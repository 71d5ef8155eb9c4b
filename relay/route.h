/*
 * Where mail for a domain may go, and in which order: from the policy, DNS
 * answers, our own addresses and a random seed to candidates, or to a
 * verdict when there are none.  Pure; relay/lookup.h asks the questions.
 * RFC 5321 5.1 (MX, implicit MX, own host), RFC 7505 (null MX).
 *
 *   route_new -> route_take_mx (if route_asks_mx) -> route_take_address
 *   for each route_ask() -> route_finish
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include "queue/result.h"
#include "relay/dns.h"
#include "tls/policy.h"

enum {
	ROUTE_CANDIDATES_MAX = 5, /* addresses an attempt */
	ROUTE_HOST_ADDRESSES_MAX = 16, /* of one family of one host */
};

/* Ourselves, as others may name or reach us. */
struct route_own {
	const char *hostname;                /* canonical */
	const struct net_address *addresses; /* port 0: any port */
	size_t count;
};

/* True when this host at this address lately failed; it goes last. */
typedef bool route_is_bad(void *arg, const char *host,
			  const struct net_address *address);

/* One address of one host to connect to. */
struct candidate {
	char host[ADDR_DOMAIN_MAX + 1]; /* canonical name, or address text */
	struct net_address address;     /* with its port */
	enum host_source source;
	bool is_tls_first;
};

/* What became of one DNS question. */
struct route_answer {
	bool is_asked;
	enum dns_kind kind;
	bool is_secure, is_bogus;
	char why[160]; /* DNS_ERROR */
};

struct route_host;

/* All that the route was made of, and what it came to; for those who explain
 * it. Borrowed for the call. */
struct route_view {
	const struct route_answer *mx;
	const struct route_host *hosts; /* relay/order.h; in their order */
	size_t host_count;
	const struct candidate *candidates;
	size_t count;
	const struct result *verdict;   /* when there is no candidate */
};
typedef void route_witness(void *arg, const struct route_view *view);

/* All borrowed; must outlive the route. */
struct route_question {
	const struct conf *conf;
	const struct policy *policy;
	const char *domain;           /* canonical, or an address literal */
	const struct route_own *own;
	route_is_bad *is_bad;         /* may be NULL */
	void *is_bad_arg;
	uint64_t seed;                /* shuffles what is equal */
	route_witness *witness;       /* called once, by route_finish(); may */
	void *witness_arg;            /* be NULL */
};

struct route;

struct route *route_new(const struct route_question *question);
void route_free(struct route *route);

/* True when the domain's MX records must be known first. */
bool route_asks_mx(const struct route *route);
void route_take_mx(struct route *route, const struct dns_answer *answer);

/* The next address question: of which host (an index for
 * route_take_address()), which type, which name. False: no more. The
 * questions can be asked all at once. */
bool route_ask(struct route *route, size_t *host, enum dns_type *type,
	       const char **name);
void route_take_address(struct route *route, size_t host, enum dns_type type,
			const struct dns_answer *answer);

/*
 * All is answered.  The number of candidates, in the order in which they
 * are to be tried; 0: none, and *verdict says why (DEFERRED or FAILED).
 */
size_t route_finish(struct route *route,
		    struct candidate out[ROUTE_CANDIDATES_MAX],
		    struct result *verdict);

#endif
