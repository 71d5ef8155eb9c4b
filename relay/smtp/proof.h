/*
 * What was proven about a next hop, as one line for logs and reports:
 * "TLSv1.3 TLS_AES_128_GCM_SHA256 verified name=mx5.example.org
 * issuer='Example CA' spki=sha256:...".  Pure.
 */
#ifndef RELAY_SMTP_PROOF_H
#define RELAY_SMTP_PROOF_H

#include "tls/facts.h"
#include "tls/policy.h"

/* "" without TLS. */
void proof_text(const struct tls_facts *facts,
		const struct judgement *judgement, char *out, size_t room);
/* The CN (or O) of who issued the leaf: as verified, else as claimed. */
const char *proof_issuer(const struct tls_facts *facts);

#endif
