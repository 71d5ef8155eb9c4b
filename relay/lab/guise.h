/*
 * How a gateway shows itself: the TLS contexts of its certificate and of
 * each fault, made when they are first asked for and kept.
 */
#ifndef RELAY_LAB_GUISE_H
#define RELAY_LAB_GUISE_H

#include "relay/lab/mint.h"
#include "tls/context.h"

struct guises;

/* Of a gateway whose certificates `mint` issues; both outlive it. */
struct guises *guises_new(const struct lab_gateway *gateway, struct mint *mint);
void guises_free(struct guises *guises);

/*
 * The context with this fault of the certificate and this one of TLS (NULL:
 * none), borrowed.  Without a fault of the certificate that is the
 * configured one where there is one, else what the lab's CA issues.  NULL
 * with the reason.
 */
struct tls_context *guises_context(struct guises *guises,
				   const struct fault *certificate,
				   const struct fault *tls,
				   struct error *error);
/* The chain that is presented without a fault, PEM; for TLSA records.
 * Borrowed; empty before the first guises_context() without one. */
struct view guises_chain(const struct guises *guises);

#endif
