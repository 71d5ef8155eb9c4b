/*
 * One certificate: described by a plan, signed by an identity.  Private to
 * the mint.
 */
#ifndef RELAY_LAB_ISSUE_H
#define RELAY_LAB_ISSUE_H

#include "conf/bytes.h"
#include "conf/error.h"

#include <openssl/x509.h>

enum { ISSUE_CN_MAX = 64 /* X.520 ub-common-name */ };

/* A certificate and the key that belongs to it. */
struct identity {
	X509 *cert;
	EVP_PKEY *key;
};

/* What a certificate says. */
struct plan {
	struct view cn;
	const struct view *names; /* SAN; count 0: none */
	size_t name_count;
	long from, until;	 /* seconds from now */
	const char *constraints; /* as in openssl's configuration */
	const char *usage;
	const char *purpose; /* extended; NULL: none */
	const EVP_MD *digest;
};

/* ECDSA P-256; NULL: there is none to be had. */
EVP_PKEY *issue_key(void);
/* `issuer` NULL: it signs itself.  Takes `key`, which may be NULL; on failure
 * all is freed. */
int issue_identity(const struct plan *plan, EVP_PKEY *key,
		   const struct identity *issuer, struct identity *out,
		   struct error *error);
void issue_clear(struct identity *identity);
/* Appends the certificate, or where that is NULL the key. */
int issue_pem(struct buffer *out, X509 *cert, EVP_PKEY *key);
/* Says what libcrypto could not make; returns -1. */
int issue_fail(struct error *error, const char *what);

#endif
