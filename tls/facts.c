/*
 * What the wire proved: clearing, copying, and its verdicts in words.
 */
#include "tls/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void facts_clear(struct tls_facts *facts)
{
	free(facts->others);
	free(facts->names);
	free(facts->verified);
	*facts = (struct tls_facts){ 0 };
}

/* Memory of nothing is nothing. */
static void *copy(const void *from, size_t size)
{
	return size > 0 ? memcpy(must_alloc(size), from, size) : NULL;
}

void facts_copy(struct tls_facts *to, const struct tls_facts *from)
{
	*to = *from;
	to->others = copy(from->others,
			  from->other_count * sizeof(*from->others));
	to->names = copy(from->names,
			 from->name_count * sizeof(*from->names));
	to->verified = copy(from->verified,
			    from->verified_count * sizeof(*from->verified));
}

void facts_pin_text(const unsigned char spki[32], char out[FACTS_PIN_MAX])
{
	size_t i;

	memcpy(out, "sha256:", sizeof("sha256:"));
	for (i = 0; i < 32; i++)
		(void)snprintf(out + 7 + i * 2, 3, "%02x", spki[i]);
}

const char *chain_verdict_text(enum chain_verdict verdict)
{
	static const char *const texts[] = {
		[CHAIN_NOT_ASKED] = "not asked",
		[CHAIN_HOLDS] = "holds",
		[CHAIN_NO_CERTIFICATE] = "no certificate was presented",
		[CHAIN_UNREADABLE] = "a certificate cannot be read",
		[CHAIN_SELF_SIGNED] = "self-signed and not trusted",
		[CHAIN_UNKNOWN_CA] = "issued by no trusted CA",
		[CHAIN_BAD_SIGNATURE] = "a signature is wrong",
		[CHAIN_EXPIRED] = "expired",
		[CHAIN_NOT_YET_VALID] = "not yet valid",
		[CHAIN_NOT_A_CA] = "issued by what is no CA",
		[CHAIN_PATH_TOO_LONG] = "more CAs below a CA than it allows",
		[CHAIN_WRONG_PURPOSE] = "not meant for servers",
		[CHAIN_WEAK_KEY] = "a key is too weak",
		[CHAIN_WEAK_SIGNATURE] = "a signature algorithm is too weak",
		[CHAIN_NAME_CONSTRAINT] = "outside of what the CA may name",
	};
	size_t i = (size_t)verdict;

	return i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : "unknown";
}
