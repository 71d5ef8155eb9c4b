/*
 * One TLS session over memory: records that came in, records that are to
 * go out, plaintext either way.  It knows no socket and no clock but the
 * wall's (for certificates); conn.c moves the bytes.  The library never
 * hears "would block" when it writes, for its TLS 1.3 handshake forgets
 * that answer; what it writes is bounded instead.
 */
#ifndef TLS_SECURE_H
#define TLS_SECURE_H

#include "tls/context.h"
#include "tls/facts.h"
#include "tls/policy.h"

struct secure;

enum secure_step {
	SECURE_MORE,    /* needs more records */
	SECURE_DONE,    /* handshake: done; read: no room for more */
	SECURE_CLOSED,  /* close_notify came */
	SECURE_BROKEN,  /* secure_error() says why */
};

/* Both buffers are borrowed for the session's life. */
struct secure *secure_client(struct tls_context *context,
			     const struct demand *demand, struct buffer *raw,
			     struct buffer *wire, struct error *error);
struct secure *secure_server(struct tls_context *context, struct buffer *raw,
			     struct buffer *wire, struct error *error);
void secure_free(struct secure *secure);

/* One step with what lies in `raw`. */
enum secure_step secure_handshake(struct secure *secure);
/* Appends at most `room` bytes of plaintext. */
enum secure_step secure_read(struct secure *secure, struct buffer *plain,
			     size_t room);
/* Decrypted bytes that the library holds and no record will announce. */
size_t secure_pending(const struct secure *secure);
/* Appends records to `wire`; -1 when the session is broken. */
int secure_write(struct secure *secure, struct view plain);
/* Appends close_notify. */
void secure_close(struct secure *secure);

/* The handshake is done: a copy of what it proved, to be cleared.  On the
 * server's side with what the client presented (tls_context_ask_clients())
 * and its chain verified against the demand's anchors, which `context`
 * keeps; as often as there are demands. */
void secure_prove(const struct secure *secure, struct tls_context *context,
		  const struct demand *demand, struct tls_facts *out);

const char *secure_error(const struct secure *secure);
const struct tls_facts *secure_facts(const struct secure *secure);

/* What may wait in `wire` before the session counts as abused: a peer
 * that makes us answer and takes no answers. */
enum { SECURE_WIRE_MAX = 256 * 1024 };
/* All that a peer may send before its handshake is done. */
enum { SECURE_HANDSHAKE_MAX = 256 * 1024 };

#endif
