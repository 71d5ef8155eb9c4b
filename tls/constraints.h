/*
 * Name constraints (RFC 5280 4.2.1.10): may this CA vouch for that
 * certificate's names?  Pure.
 */
#ifndef TLS_CONSTRAINTS_H
#define TLS_CONSTRAINTS_H

#include "tls/cert.h"

/* True when every name of `below` lies inside what `ca` may name. A kind
 * of name that `ca` constrains, `below` bears and nobody here understands
 * counts as outside. */
bool constraints_allow(const struct cert *ca, const struct cert *below);

#endif
