/*
 * Does this key make this certificate's signature, and is either too weak
 * to mean anything?  The only place where certificates meet cryptography.
 */
#ifndef TLS_SIGNATURE_H
#define TLS_SIGNATURE_H

#include "tls/cert.h"

enum signature_result {
	SIGNATURE_FITS,
	SIGNATURE_WRONG,
	SIGNATURE_UNKNOWN, /* an algorithm that is not spoken here */
};

/* `spki`: the issuer's key, a whole SubjectPublicKeyInfo. */
enum signature_result signature_check(const struct cert *cert,
				      struct view spki);
/* MD2, MD5, SHA-1 and their like. */
bool signature_is_weak(const struct cert *cert);
/* RSA below 2048 bits, curves below 256, DSA. `what` names it for people,
 * weak or not: "RSA 1024", "ECDSA P-256". */
bool key_is_weak(const struct cert *cert, char what[32]);

#endif
