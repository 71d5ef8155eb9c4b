/*
 * Names in certificates (RFC 6125, RFC 9525): which ones a certificate
 * bears, and whether one of them is the name that was expected.  Pure.
 */
#ifndef TLS_NAMES_H
#define TLS_NAMES_H

#include "tls/cert.h"

/* A presented name in canonical form: A-labels, lower case, no trailing
 * dot; a left-most label may be "*".  -1 when it is no host name: NUL,
 * control bytes, blanks, an address, anything that is not letter, digit,
 * hyphen or (for what exists) underscore. */
int names_canonical(struct view presented, char out[256]);

/* True when the canonical presented name is the reference name. "*." in
 * front stands for exactly one label, and only above at least two. */
bool names_match(const char *presented, const char *reference);

/* Fills names, name_count, names_refused, names_from_cn and cn. */
void names_fill(const struct cert *leaf, struct tls_facts *facts);

#endif
