/*
 * TLS contexts: one for all outbound connections, one per certificate for
 * inbound ones.  Immutable once in use; shared by reference count.
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include "conf/conf.h"

struct tls_context;

/* Once per process, before anything else of tls/. */
void tls_start(void);

struct tls_context *tls_client_context(struct error *error);
/* From PEM, leaf first. That key and certificate belong together is
 * proven by a handshake with ourselves. */
struct tls_context *tls_server_context(struct view chain_pem,
				       struct view key_pem,
				       struct error *error);
/* From now on clients are asked for a certificate; none is demanded and
 * whatever comes is let pass, to be judged by conn_prove(). Before the
 * first connection. */
void tls_context_ask_clients(struct tls_context *context);
/* A self-signed certificate and key for a host name, as PEM: ECDSA P-256,
 * ten years. Wipe the key's buffer after use. */
int tls_self_signed(const char *hostname, struct buffer *chain_pem,
		    struct buffer *key_pem, struct error *error);
struct tls_context *tls_context_hold(struct tls_context *context);
void tls_context_free(struct tls_context *context);

/* Checks without using: certificate and key belong together, a trust file
 * holds at least one certificate. Used when the configuration is read. */
int tls_check_pair(struct view chain_pem, struct view key_pem,
		   struct error *error);
int tls_check_trust(struct view bytes, size_t *count, struct error *error);

#endif
