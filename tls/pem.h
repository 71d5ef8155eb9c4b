/*
 * Certificates as text (RFC 7468): what stands between the dashes as DER,
 * and back.  Other blocks, keys above all, are passed over undecoded.  Pure.
 */
#ifndef TLS_PEM_H
#define TLS_PEM_H

#include "conf/bytes.h"

/*
 * Takes the next block with certificates (CERTIFICATE and its older names,
 * PKCS7, CMS) from the front of *rest; *der is replaced by what it holds.
 * 1: got one, 0: there is no more, -1: this one cannot be decoded, and *rest
 * is behind it.
 */
int pem_next(struct view *rest, struct buffer *der);

/* A whole CERTIFICATE block. */
void pem_append(struct buffer *out, struct view der);

#endif
