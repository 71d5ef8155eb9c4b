/*
 * Comes in: facts and their judgement.  Goes out: one bounded line; all of
 * the peer's text in it was escaped when the facts were made.
 */
#include "relay/smtp/proof.h"

#include <stdio.h>
#include <string.h>

enum { SPKI_LEN = sizeof(((struct facts_certificate *)0)->spki_sha256) };

const char *proof_issuer(const struct tls_facts *facts)
{
	if (facts->verified_count > 0)
		return facts->verified[0].subject;
	return facts->leaf.issuer;
}

void proof_text(const struct tls_facts *facts,
		const struct judgement *judgement, char *out, size_t room)
{
	char spki[SPKI_LEN * 2 + 1];
	size_t i;

	out[0] = '\0';
	if (!facts->is_tls)
		return;
	for (i = 0; i < SPKI_LEN; i++)
		snprintf(spki + i * 2, 3, "%02x", facts->leaf.spki_sha256[i]);
	snprintf(out, room, "%s %s %s name=%s issuer='%s' spki=sha256:%s",
		 facts->version, facts->cipher,
		 judgement->is_verified ? "verified" : "unverified",
		 judgement->matched_name[0] != '\0' ? judgement->matched_name
		 : facts->name_count > 0	    ? facts->names[0]
						    : "-",
		 proof_issuer(facts), spki);
}
