/*
 * What context.c and secure.c know of each other.
 */
#ifndef TLS_INNER_H
#define TLS_INNER_H

#include "tls/anchors.h"
#include "tls/context.h"
#include "tls/policy.h"
#include "tls/proven.h"
#include "tls/wolf.h"

struct kept_anchors;
struct kept_identity;

struct tls_context {
	WOLFSSL_CTX *strict;  /* a server has only this one */
	WOLFSSL_CTX *lenient; /* client: for level may */
	struct kept_anchors *kept;
	struct kept_identity *identities;
	struct proven *proven; /* a client's */
	unsigned holds;
};

/* The anchors that a demand is verified against, held; NULL: none. Parsed
 * once for each file and configuration snapshot. */
struct anchors *context_anchors(struct tls_context *context,
				const struct demand *demand);

/* What a client's session for that demand is made from: the level's, and
 * with the demand's own certificate; NULL with the reason. */
WOLFSSL_CTX *context_client(struct tls_context *context,
			    const struct demand *demand, struct error *error);

/* One of the library's, with the rules for both sides. */
WOLFSSL_CTX *context_make(WOLFSSL_METHOD *method, bool is_lenient,
			  struct error *error);
/* A server's that speaks nothing newer than TLS 1.2. */
WOLFSSL_CTX *context_make_1_2_server(struct error *error);
int context_use_pair(WOLFSSL_CTX *ctx, struct view chain, struct view key,
		     struct error *error);

/* Lets sessions of this context read and write through memory. */
void secure_attach(WOLFSSL_CTX *ctx);
/* Verify callback: keeps what the peer presented and lets it pass. */
int secure_note_chain(int preverify, WOLFSSL_X509_STORE_CTX *store);

#endif
