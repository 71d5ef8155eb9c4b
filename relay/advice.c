/*
 * Comes in: the first cell that is not OK, and the judge's fault.  Goes out:
 * one or two sentences.  What happened stands in the row's reason; here
 * only stands the remedy.
 */
#include "relay/advice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tls/chain.h"

static void say(char out[ADVICE_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void say(char out[ADVICE_MAX], const char *format, ...)
{
	size_t len = strlen(out);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(out + len, ADVICE_MAX - len, format, args);
	va_end(args);
}

static void advise_name(const struct matrix *matrix,
			const struct matrix_row *row, char out[ADVICE_MAX])
{
	struct demand demand;
	size_t i;

	matrix_demand(matrix, row, &demand);
	say(out, "Its certificate must bear ");
	for (i = 0; i < demand.name_count && i < 5; i++)
		say(out, "%s%.120s", i > 0 ? " or " : "", demand.names[i]);
	if (demand.name_count > 5)
		say(out, " or one of %zu more", demand.name_count - 5);
	say(out, " as a subject alternative name (the CN counts only where "
		 "there is none).");
	if (row->facts.name_count > 0 && matrix->pattern != NULL)
		say(out, " If the agreement is about what it bears now, the "
			 "policy must say so: names = { %.120s }.",
		    row->facts.names[0]);
}

static void advise_issuer(const struct matrix *matrix,
			  const struct matrix_row *row, char out[ADVICE_MAX])
{
	const struct strings *issuer = &matrix->policy->issuer;

	say(out, "Its certificate must be issued under \"%.120s\"%s; if the "
		 "partner has changed the CA by agreement, the policy must "
		 "say issuer = \"%.120s\".",
	    issuer->count > 0 ? issuer->at[0] : "",
	    issuer->count > 1 ? " or another one that the policy names" : "",
	    row->facts.leaf.issuer);
}

static void advise_pin(const struct matrix_row *row, char out[ADVICE_MAX])
{
	char pin[FACTS_PIN_MAX];

	facts_pin_text(row->facts.leaf.spki_sha256, pin);
	say(out, "It must use a pinned key. If the partner confirms the new "
		 "one by another way, add it to pins: %s.", pin);
}

static void advise_trust(const struct matrix *matrix,
			 const struct matrix_row *row, char out[ADVICE_MAX])
{
	char pin[FACTS_PIN_MAX];

	facts_pin_text(row->facts.leaf.spki_sha256, pin);
	if (row->facts.chain == CHAIN_SELF_SIGNED)
		say(out, "It must get a certificate of a CA that is trusted "
			 "here, or the partner must send its root certificate "
			 "for trust = FILE, or confirm the pin %s.", pin);
	else
		say(out, "It must send the certificates of all intermediate "
			 "CAs (it sent %zu certificate%s in all), and their "
			 "root must be trusted here: %s.",
		    row->facts.presented,
		    row->facts.presented == 1 ? "" : "s",
		    matrix->policy->trust.path != NULL
			    ? matrix->policy->trust.path
			    : "the system's roots, or trust = FILE");
}

static void advise_dates(const struct matrix *matrix,
			 const struct matrix_row *row, char out[ADVICE_MAX])
{
	int64_t ends = row->facts.leaf.not_after;
	char date[16];

	if (row->facts.chain == CHAIN_EXPIRED) {
		chain_date(ends, date);
		if (ends < matrix->now)
			say(out, "Its certificate must be renewed: it ended "
				 "%s.", date);
		else
			say(out, "It must send a chain in which every "
				 "certificate is valid: its own must be "
				 "renewed only by %s, but one of a CA that it "
				 "sent has ended.", date);
		return;
	}
	chain_date(row->facts.leaf.not_before, date);
	say(out, "A certificate is not valid yet (that of the gateway begins "
		 "%s): wait, use another one, or set the clocks right.", date);
}

static void advise_chain(const struct matrix *matrix,
			 const struct matrix_row *row, char out[ADVICE_MAX])
{
	switch (row->facts.chain) {
	case CHAIN_SELF_SIGNED:
	case CHAIN_UNKNOWN_CA: advise_trust(matrix, row, out); return;
	case CHAIN_EXPIRED:
	case CHAIN_NOT_YET_VALID: advise_dates(matrix, row, out); return;
	case CHAIN_WEAK_KEY:
		say(out, "It must use a key of at least RSA 2048 or ECDSA "
			 "P-256 throughout the chain.");
		return;
	case CHAIN_WEAK_SIGNATURE:
		say(out, "It must use certificates signed with SHA-256 or "
			 "better.");
		return;
	case CHAIN_WRONG_PURPOSE:
		say(out, "Its certificate must be meant for servers (extended "
			 "key usage serverAuth).");
		return;
	default:
		say(out, "It must present another certificate: this chain "
			 "cannot hold anywhere (%s).",
		    chain_verdict_text(row->facts.chain));
	}
}

static void advise_host(const struct matrix_row *row, char out[ADVICE_MAX])
{
	if (row->source == HOST_MX)
		say(out, "The policy must say that this host is meant: mx = "
			 "{ %.200s }, or gateways, or names.", row->host);
	else
		say(out, "The policy must say what the certificate is to "
			 "bear and who vouches for it: names, trust.");
}

static enum judgement_fault fault_of(const struct matrix_row *row)
{
	const struct judgement *judgement = matrix_judgement(row);

	return judgement != NULL ? judgement->fault : FAULT_NONE;
}

static void advise_certificate(const struct matrix *matrix,
			       const struct matrix_row *row,
			       char out[ADVICE_MAX])
{
	switch (fault_of(row)) {
	case FAULT_HOST: advise_host(row, out); return;
	case FAULT_PIN: advise_pin(row, out); return;
	case FAULT_CHAIN: advise_chain(matrix, row, out); return;
	case FAULT_ISSUER: advise_issuer(matrix, row, out); return;
	case FAULT_NAME: advise_name(matrix, row, out); return;
	case FAULT_CIPHER:
		say(out, "It must offer a cipher with AES-GCM or "
			 "ChaCha20-Poly1305.");
		return;
	default: say(out, "It must present a certificate."); return;
	}
}

static void advise_negotiation(const struct matrix *matrix,
			       const struct matrix_row *row,
			       char out[ADVICE_MAX])
{
	say(out, "It must complete a handshake of TLS %s with a cipher that "
		 "is in use today, and answer EHLO inside.",
	    matrix->policy->min_tls == TLS_1_3 ? "1.3" : "1.2 or 1.3");
	if (fault_of(row) == FAULT_VERSION)
		say(out, " The policy says min-tls = 1.3.");
}

static void advise_refusal(const struct matrix_row *row,
			   enum matrix_state state, char out[ADVICE_MAX])
{
	if (row->is_tls_first)
		return;
	if (state == MATRIX_TEMP)
		say(out, "It answers for now only: ask again later.");
	else
		say(out, "It must answer MAIL without TLS by 530 5.7.0.");
}

static void advise_stage(const struct matrix *matrix,
			 const struct matrix_row *row, enum matrix_stage stage,
			 char out[ADVICE_MAX])
{
	switch (stage) {
	case MATRIX_CONNECT:
		say(out, "It must be reachable at port %u from here, or leave "
			 "the list of gateways.", (unsigned)row->port);
		return;
	case MATRIX_ALLOWED:
		say(out, "It must greet this host with 220.");
		return;
	case MATRIX_CAN_USE:
		say(out, "It must answer EHLO with 250.");
		return;
	case MATRIX_TLS_ADV:
		say(out, "It must offer STARTTLS to this host and agree to "
			 "it.");
		return;
	case MATRIX_CERT: advise_certificate(matrix, row, out); return;
	case MATRIX_TLS_NEG: advise_negotiation(matrix, row, out); return;
	case MATRIX_SENDER:
		say(out, "It must take mail from %.256s.",
		    matrix->sender[0] != '\0' ? matrix->sender : "<>");
		return;
	case MATRIX_RECIPIENT:
		say(out, "It must take mail for %.256s.", matrix->recipient);
		return;
	case MATRIX_STAGES: break;
	}
}

void advice_text(const struct matrix *matrix, const struct matrix_row *row,
		 char out[ADVICE_MAX])
{
	enum matrix_state state;
	size_t i;

	out[0] = '\0';
	for (i = 0; i < MATRIX_STAGES; i++) {
		state = row->cells[i].state;
		if (state != MATRIX_FAIL && state != MATRIX_TEMP)
			continue;
		if (matrix->is_assured && i == MATRIX_SENDER)
			advise_refusal(row, state, out);
		else if (state == MATRIX_TEMP)
			say(out, "It puts off what it does not know "
				 "(greylisting?): ask again in some minutes.");
		else
			advise_stage(matrix, row, (enum matrix_stage)i, out);
		return;
	}
}
