/*
 * Comes in: what was demanded, proved and judged.  Goes out: the words for
 * it; all of the peer's text was escaped when the facts were made.
 */
#include "relay/smtp/proof.h"

#include <stdio.h>

#define SET(field, text) proof_field(field, sizeof(field), text)

void proof_pin(const unsigned char pin[32], char out[72])
{
	size_t at = (size_t)snprintf(out, 72, "sha256:");
	size_t i;

	for (i = 0; i < 32; i++)
		at += (size_t)snprintf(out + at, 72 - at, "%02x", pin[i]);
}

void proof_verdict(const struct judgement *judgement, struct proof *out)
{
	SET(out->verdict, judgement->verdict == JUDGE_NEXT_HOST ? "next-host"
			  : out->version[0]			? "deliver"
								: "plaintext");
	SET(out->reason_code, judgement->reason_code);
}

void proof_would(const struct judgement *judgement, struct proof *out)
{
	SET(out->would, judgement->verdict == JUDGE_DELIVER
				? "deliver"
				: judgement->reason_code);
}

/* The CN (or O) of who issued the leaf: as verified, else as claimed. */
static const char *issuer(const struct tls_facts *facts)
{
	if (facts->verified_count > 0)
		return facts->verified[0].subject;
	return facts->leaf.issuer;
}

static const char *name(const struct tls_facts *facts,
			const struct judgement *judgement)
{
	if (judgement->matched_name[0] != '\0')
		return judgement->matched_name;
	return facts->name_count > 0 ? facts->names[0] : "";
}

void proof_make(const struct demand *demand, const struct tls_facts *facts,
		const struct judgement *judgement, struct proof *out)
{
	*out = (struct proof){ .is_verified = judgement->is_verified };
	SET(out->level, tls_level_text(demand->level));
	if (facts->is_tls) {
		SET(out->version, facts->version);
		SET(out->cipher, facts->cipher);
	}
	if (facts->is_tls && facts->presented > 0) {
		SET(out->name, name(facts, judgement));
		SET(out->issuer, issuer(facts));
		proof_pin(facts->leaf.spki_sha256, out->pin);
		out->pinned = (unsigned char)(judgement->matched_pin + 1);
	}
	proof_verdict(judgement, out);
}
