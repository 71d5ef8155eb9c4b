/*
 * What context.c and secure.c know of each other.
 */
#ifndef TLS_INNER_H
#define TLS_INNER_H

#include "tls/context.h"
#include "tls/wolf.h"

struct tls_context {
	WOLFSSL_CTX *strict;  /* a server has only this one */
	WOLFSSL_CTX *lenient; /* client: for level may */
	unsigned holds;
};

/* Lets sessions of this context read and write through memory. */
void secure_attach(WOLFSSL_CTX *ctx);
/* Verify callback: keeps what the peer presented and lets it pass. */
int secure_note_chain(int preverify, WOLFSSL_X509_STORE_CTX *store);

#endif
