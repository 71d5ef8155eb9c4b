/*
 * Does what the peer presented hold against the anchors?  Our own path
 * building: any order, superfluous and cross-signed certificates are fine,
 * an anchor may be a root, an intermediate or the leaf itself.  Pure but
 * for the arithmetic of signatures; the clock is an argument.
 */
#ifndef TLS_CHAIN_H
#define TLS_CHAIN_H

#include "tls/anchors.h"
#include "tls/proven.h"

struct chain_question {
	const struct view *presented; /* DER, leaf first */
	size_t count;
	const struct anchors *anchors; /* NULL: none */
	struct proven *proven;        /* NULL: each signature is computed */
	int64_t now;                  /* UTC seconds */
	bool is_client;               /* the peer is a client: a certificate
	                               * for servers or for clients will do,
	                               * for public CAs issue no others */
};

/* What the peer presented: leaf, others, names, cn. Nothing is asked of it.
 * -1 when there is no leaf that can be read: chain and chain_reason say
 * so. */
int chain_present(const struct chain_question *question,
		  struct tls_facts *facts);
/* Fills chain, chain_reason, verified, leaf_is_anchor. */
void chain_verify(const struct chain_question *question,
		  struct tls_facts *facts);

/* "2026-03-01", UTC. */
void chain_date(int64_t seconds, char out[16]);

#endif
