/*
 * Signatures that were found to fit.  Whether a key made a certificate's
 * signature never changes, so a chain that is met again costs two hashes
 * instead of the arithmetic; anchors, dates, names and what the handshake
 * itself proves are judged anew each time.  Of fixed size: a newer one takes
 * the place of an older one.
 */
#ifndef TLS_PROVEN_H
#define TLS_PROVEN_H

#include "tls/signature.h"

struct proven;

struct proven *proven_new(void);
void proven_free(struct proven *proven);
/* As signature_check(); what fits is remembered. `proven` NULL: nothing is. */
enum signature_result proven_check(struct proven *proven,
				   const struct cert *cert, struct view spki);

#endif
