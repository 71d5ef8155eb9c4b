/*
 * Whether what the wire proved meets the demand.  Every way through here
 * ends in a reason that says what was expected and what was presented.
 * Plaintext is an answer in one place only, and only at level may.
 */
#include "tls/policy.h"

#include "tls/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* RFC 3463 3.8 and its registry (RFC 5248). */
static const char code_other[] = "4.7.0";
static const char code_no_tls[] = "4.7.4";   /* features not supported */
static const char code_unproven[] = "4.7.5"; /* cryptographic failure */
static const char code_weak[] = "4.7.6";     /* algorithm not supported */

static void say(struct judgement *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void say(struct judgement *out, const char *format, ...)
{
	size_t len = strlen(out->reason);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(out->reason + len, sizeof(out->reason) - len, format,
			args);
	va_end(args);
}

/* RFC 8460 4.3 has the first four and validation-failure; its
 * certificate-not-trusted covers all that is wrong with a chain. */
static const char *reason_code(enum judgement_fault fault)
{
	static const char *const codes[] = {
		[FAULT_NONE] = "",
		[FAULT_NOT_OFFERED] = "starttls-not-supported",
		[FAULT_NAME] = "certificate-host-mismatch",
		[FAULT_CHAIN] = "certificate-not-trusted",
		[FAULT_HANDSHAKE] = "validation-failure",
		[FAULT_NOTHING_ASKED] = "validation-failure",
		[FAULT_HOST] = "host-not-usable",
		[FAULT_VERSION] = "tls-version-too-old",
		[FAULT_NO_CERTIFICATE] = "certificate-missing",
		[FAULT_PIN] = "pin-mismatch",
		[FAULT_ISSUER] = "issuer-mismatch",
		[FAULT_CIPHER] = "weak-algorithm",
	};

	return codes[fault];
}

static const char *chain_code(enum chain_verdict chain)
{
	switch (chain) {
	case CHAIN_EXPIRED: return "certificate-expired";
	case CHAIN_NOT_YET_VALID: return "certificate-not-yet-valid";
	case CHAIN_WEAK_KEY:
	case CHAIN_WEAK_SIGNATURE: return "weak-algorithm";
	case CHAIN_UNREADABLE: return "validation-failure";
	default: return reason_code(FAULT_CHAIN);
	}
}

static void unmet(struct judgement *out, enum judgement_fault fault,
		  const char *code)
{
	out->reason_code = reason_code(fault);
	out->verdict = JUDGE_NEXT_HOST;
	out->fault = fault;
	out->code = code;
}

/* "a, b, c and 12 more" */
static void say_names(struct judgement *out, const char (*names)[256],
		      size_t count)
{
	enum { SHOWN = 3 };
	size_t i;

	for (i = 0; i < count && i < SHOWN; i++)
		say(out, "%s%.80s", i ? ", " : "", names[i]);
	if (count > SHOWN)
		say(out, " and %zu more", count - SHOWN);
}

static bool meets_version(const struct demand *demand,
			  const struct tls_facts *facts,
			  struct judgement *out)
{
	bool is_enough = demand->min_tls == TLS_ANY ||
			 strcmp(facts->version, "TLSv1.3") == 0 ||
			 (demand->min_tls == TLS_1_2 &&
			  strcmp(facts->version, "TLSv1.2") == 0);

	if (is_enough)
		return true;
	unmet(out, FAULT_VERSION, code_weak);
	say(out, "%s speaks %s, expected TLS %s", demand->host,
	    facts->version, demand->min_tls == TLS_1_3 ? "1.3" : "1.2");
	return false;
}

/* Above may a connection of ours does not even offer these, so that this
 * is for dry runs: the handshake would have failed. Clients may use them. */
static bool meets_cipher(const struct demand *demand,
			 const struct tls_facts *facts, struct judgement *out)
{
	if (demand->level <= TLS_MAY || facts->is_server ||
	    !strstr(facts->cipher, "_CBC_"))
		return true;
	unmet(out, FAULT_CIPHER, code_weak);
	say(out, "%s speaks %s only, which tls = may alone accepts",
	    demand->host, facts->cipher);
	return false;
}

static bool meets_pins(const struct demand *demand,
		       const struct tls_facts *facts, struct judgement *out)
{
	const struct policy *policy = demand->policy;
	size_t i, k;

	if (policy->pin_count == 0)
		return true;
	for (i = 0; i < policy->pin_count && facts->presented > 0; i++)
		if (memcmp(policy->pins[i], facts->leaf.spki_sha256, 32) == 0) {
			out->matched_pin = (int)i;
			return true;
		}
	unmet(out, FAULT_PIN, code_unproven);
	say(out, "the key of %s is sha256:", demand->host);
	for (k = 0; k < 32; k++)
		say(out, "%02x", facts->leaf.spki_sha256[k]);
	say(out, ", expected %s", policy->pin_count == 1
					  ? "the pinned one"
					  : "one of those pinned");
	return false;
}

static bool meets_chain(const struct demand *demand,
			const struct tls_facts *facts, struct judgement *out)
{
	bool is_weak = facts->chain == CHAIN_WEAK_KEY ||
		       facts->chain == CHAIN_WEAK_SIGNATURE;

	if (!demand->asks_chain || facts->chain == CHAIN_HOLDS)
		return true;
	unmet(out, FAULT_CHAIN, is_weak ? code_weak : code_unproven);
	out->reason_code = chain_code(facts->chain);
	say(out, "certificate of %s: %s", demand->host,
	    facts->chain_reason[0] ? facts->chain_reason
				   : chain_verdict_text(facts->chain));
	return false;
}

/* Both as people read them; X.520 compares names without case. */
static bool is_issuer(const char *subject, const char *expected)
{
	struct buffer text = { 0 };
	bool same;

	bytes_escape(&text, view_of(expected), FACTS_TEXT_MAX - 4);
	same = view_equal_fold(view_of(subject), buffer_view(&text));
	buffer_clear(&text);
	return same;
}

static bool meets_issuer(const struct demand *demand,
			 const struct tls_facts *facts, struct judgement *out)
{
	const struct strings *issuer = &demand->policy->issuer;
	size_t i, k;

	if (issuer->count == 0)
		return true;
	for (i = 0; i < facts->verified_count; i++)
		for (k = 0; k < issuer->count; k++)
			if (is_issuer(facts->verified[i].subject,
				      issuer->at[k]))
				return true;
	unmet(out, FAULT_ISSUER, code_unproven);
	say(out, "certificate of %s is issued by \"%.80s\"", demand->host,
	    facts->leaf.issuer);
	for (i = 1; i < facts->verified_count; i++)
		say(out, "%s\"%.60s\"", i == 1 ? " under " : ", ",
		    facts->verified[i].subject);
	say(out, ", expected \"%.80s\"", issuer->at[0]);
	for (k = 1; k < issuer->count; k++)
		say(out, " or \"%.80s\"", issuer->at[k]);
	return false;
}

/* The presented name that is one of the reference names, or NULL. */
static const char *find_name(const struct demand *demand,
			     const struct tls_facts *facts)
{
	size_t i, k;

	for (i = 0; i < demand->name_count; i++)
		for (k = 0; k < facts->name_count; k++)
			if (names_match(facts->names[k], demand->names[i]))
				return facts->names[k];
	return NULL;
}

static bool cn_would_match(const struct demand *demand,
			   const struct tls_facts *facts)
{
	size_t i;

	for (i = 0; i < demand->name_count && !facts->names_from_cn; i++)
		if (facts->cn[0] && names_match(facts->cn, demand->names[i]))
			return true;
	return false;
}

static void explain_names(const struct demand *demand,
			  const struct tls_facts *facts, struct judgement *out)
{
	const char(*names)[256] = (const char(*)[256])facts->names;

	say(out, "certificate of %s bears ", demand->host);
	if (facts->name_count == 0)
		say(out, "no host name");
	else
		say_names(out, names, facts->name_count);
	if (facts->names_refused > 0)
		say(out, " (and %zu that are no host names)",
		    facts->names_refused);
	say(out, ", expected ");
	say_names(out, demand->names, demand->name_count);
	if (cn_would_match(demand, facts))
		say(out, "; its CN %.80s would match, but where there are "
		    "subject alternative names only they count", facts->cn);
}

static bool meets_name(const struct demand *demand,
		       const struct tls_facts *facts, struct judgement *out)
{
	const char *name = find_name(demand, facts);

	if (name)
		(void)snprintf(out->matched_name, sizeof(out->matched_name),
			       "%s", name);
	if (name || !demand->asks_name)
		return true;
	unmet(out, FAULT_NAME, code_unproven);
	explain_names(demand, facts, out);
	return false;
}

static void verify(const struct demand *demand, const struct tls_facts *facts,
		   struct judgement *out)
{
	if (facts->presented == 0) {
		unmet(out, FAULT_NO_CERTIFICATE, code_unproven);
		say(out, "%s presented no certificate", demand->host);
		return;
	}
	if (!meets_pins(demand, facts, out) ||
	    !meets_chain(demand, facts, out) ||
	    !meets_issuer(demand, facts, out) ||
	    !meets_name(demand, facts, out))
		return;
	/* a demand that asks nothing proves nothing */
	if (!demand->asks_chain && out->matched_pin < 0) {
		unmet(out, FAULT_NOTHING_ASKED, code_other);
		say(out, "nothing is demanded of %s that could be verified",
		    demand->host);
		return;
	}
	out->is_verified = true;
	out->verdict = JUDGE_DELIVER;
	say(out, "verified: ");
	if (out->matched_pin >= 0)
		say(out, "pinned key %d; ", out->matched_pin + 1);
	if (demand->asks_chain)
		say(out, "%s; ", facts->chain_reason);
	else
		say(out, "the pin alone counts, no chain is asked%s; ",
		    facts->leaf_is_expired
			    ? " and no date: the certificate has expired"
			    : "");
	if (!out->matched_name[0])
		say(out, "name not asked");
	else
		say(out, "bears %s%s", out->matched_name,
		    demand->names_from_unsigned_dns
			    ? ", a name that unsigned DNS gave" : "");
}

/* What a certificate is worth below verify is told, never held against
 * anybody. */
static void report(const struct tls_facts *facts, struct judgement *out)
{
	out->verdict = JUDGE_DELIVER;
	say(out, "encrypted, not verified");
	if (facts->chain != CHAIN_NOT_ASKED && facts->chain != CHAIN_HOLDS)
		say(out, " (%s)", facts->chain_reason[0]
					  ? facts->chain_reason
					  : chain_verdict_text(facts->chain));
}

static bool is_possible(const struct demand *demand, struct judgement *out)
{
	*out = (struct judgement){
		.verdict = JUDGE_NEXT_HOST, .code = "", .reason_code = "",
		.matched_pin = -1,
	};
	if (demand->is_usable)
		return true;
	unmet(out, FAULT_HOST, code_other);
	say(out, "%s", demand->why);
	return false;
}

void tls_judge(const struct demand *demand, const struct tls_facts *facts,
	       struct judgement *out)
{
	if (!is_possible(demand, out))
		return;
	if (!facts->is_tls) {
		if (demand->level == TLS_NONE || demand->level == TLS_MAY) {
			out->verdict = JUDGE_DELIVER;
			say(out, "in the clear");
			return;
		}
		unmet(out, FAULT_NOT_OFFERED, code_no_tls);
		say(out, "%s: TLS is demanded and not spoken", demand->host);
		return;
	}
	if (!meets_version(demand, facts, out) ||
	    !meets_cipher(demand, facts, out))
		return;
	if (demand->level == TLS_VERIFY)
		verify(demand, facts, out);
	else
		report(facts, out);
}

void tls_judge_trouble(const struct demand *demand, enum tls_trouble trouble,
		       const char *detail, struct judgement *out)
{
	static const char *const texts[] = {
		[TROUBLE_NOT_OFFERED] = "does not offer STARTTLS",
		[TROUBLE_REFUSED] = "refused STARTTLS",
		[TROUBLE_HANDSHAKE] = "the TLS handshake failed",
	};
	size_t i = (size_t)trouble;

	if (!is_possible(demand, out))
		return;
	if (trouble == TROUBLE_HANDSHAKE)
		unmet(out, FAULT_HANDSHAKE, code_unproven);
	else
		unmet(out, FAULT_NOT_OFFERED, code_no_tls);
	say(out, "%s%s%s", demand->host,
	    trouble == TROUBLE_HANDSHAKE ? ": " : " ",
	    i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : "no TLS");
	if (detail && *detail)
		say(out, ": %.200s", detail);
	if (demand->level == TLS_MAY)
		out->verdict = JUDGE_PLAINTEXT_RETRY;
	else if (demand->level > TLS_MAY)
		say(out, "; TLS is demanded (%s)", demand->why);
}
