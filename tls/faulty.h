/*
 * A server's TLS with what no server should have: a key that is another
 * certificate's, weak keys, TLS 1.2 alone.  Only the lab links it; a relay has
 * tls_server_context(), which proves what it is given.
 */
#ifndef TLS_FAULTY_H
#define TLS_FAULTY_H

#include "tls/context.h"

/* As tls_server_context(), and nothing is proven. */
struct tls_context *tls_faulty_context(struct view chain_pem,
				       struct view key_pem, bool is_1_2_only,
				       struct error *error);

#endif
