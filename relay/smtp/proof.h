/*
 * From demand, facts and judgement to the proof that log lines, records and
 * reports carry (queue/proof.h).  Pure.
 */
#ifndef RELAY_SMTP_PROOF_H
#define RELAY_SMTP_PROOF_H

#include "queue/proof.h"
#include "tls/facts.h"
#include "tls/policy.h"

void proof_make(const struct demand *demand, const struct tls_facts *facts,
		const struct judgement *judgement, struct proof *out);
/* Verdict and reason code alone, when the judgement was changed later. */
void proof_verdict(const struct judgement *judgement, struct proof *out);
/* What the stricter rule of a dry run says. */
void proof_would(const struct judgement *judgement, struct proof *out);
/* "sha256:..." */
void proof_pin(const unsigned char pin[32], char out[72]);

#endif
