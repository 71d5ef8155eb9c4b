/*
 * Second file of the room matrix: what each gateway presented, and what
 * would have to change.  Texts of certificates and replies were escaped and
 * bounded where they came in.
 */
#include "relay/matrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "relay/advice.h"
#include "tls/chain.h"

enum { NAMES_SHOWN = 10 };

static void detail_names(const struct tls_facts *facts, struct buffer *out)
{
	size_t i;

	buffer_printf(out, "  names    ");
	for (i = 0; i < facts->name_count && i < NAMES_SHOWN; i++)
		buffer_printf(out, "%s%s", i > 0 ? ", " : "",
			      facts->names[i]);
	if (facts->name_count > NAMES_SHOWN)
		buffer_printf(out, " and %zu more",
			      facts->name_count - NAMES_SHOWN);
	if (facts->name_count == 0)
		buffer_printf(out, "none that is a host name");
	else if (facts->names_from_cn)
		buffer_printf(out, " (the CN: there is no subject "
				   "alternative name)");
	if (facts->names_refused > 0)
		buffer_printf(out, " (%zu that are no host names left out)",
			      facts->names_refused);
	buffer_printf(out, "\n");
}

static void detail_dates(const struct matrix *matrix,
			 const struct facts_certificate *certificate,
			 struct buffer *out)
{
	int64_t days = matrix_days_left(matrix, certificate);
	char from[16], to[16];

	chain_date(certificate->not_before, from);
	chain_date(certificate->not_after, to);
	if (days < 0)
		buffer_printf(out, "%s to %s, ended", from, to);
	else
		buffer_printf(out, "%s to %s, %" PRId64 " day%s left", from,
			      to, days, days == 1 ? "" : "s");
}

static void detail_chain(const struct matrix *matrix,
			 const struct matrix_row *row, struct buffer *out)
{
	const struct tls_facts *facts = &row->facts;
	size_t i;

	buffer_printf(out, "  chain    %zu certificate%s sent\n",
		      facts->presented, facts->presented == 1 ? "" : "s");
	for (i = 0; i < facts->other_count; i++) {
		buffer_printf(out, "           \"%s\" by \"%s\", %s, ",
			      facts->others[i].subject,
			      facts->others[i].issuer, facts->others[i].key);
		detail_dates(matrix, &facts->others[i], out);
		buffer_printf(out, "\n");
	}
	if (facts->verified_count == 0)
		return;
	buffer_printf(out, "  verified");
	for (i = 0; i < facts->verified_count; i++)
		buffer_printf(out, "%s \"%s\"", i > 0 ? "," : "",
			      facts->verified[i].subject);
	buffer_printf(out, "\n");
}

static void detail_certificate(const struct matrix *matrix,
			       const struct matrix_row *row,
			       struct buffer *out)
{
	const struct facts_certificate *leaf = &row->facts.leaf;
	char pin[FACTS_PIN_MAX];

	if (row->facts.presented == 0 ||
	    row->facts.chain == CHAIN_UNREADABLE) {
		buffer_printf(out, "  certificate: %s\n",
			      row->facts.presented == 0
				      ? "none was presented"
				      : "it cannot be read");
		return;
	}
	facts_pin_text(leaf->spki_sha256, pin);
	detail_names(&row->facts, out);
	buffer_printf(out, "  subject  \"%s\"\n  issuer   \"%s\"\n",
		      leaf->subject, leaf->issuer);
	buffer_printf(out, "  key      %s, %s\n", leaf->key, pin);
	buffer_printf(out, "  dates    ");
	detail_dates(matrix, leaf, out);
	buffer_printf(out, "\n");
	detail_chain(matrix, row, out);
}

/* Which certificates are why matrix_is_ending() holds. */
static void detail_ending(const struct matrix *matrix,
			  const struct matrix_row *row, struct buffer *out)
{
	const struct tls_facts *facts = &row->facts;
	int64_t days = matrix_days_left(matrix, &facts->leaf);
	size_t i;

	if (!matrix_is_ending(matrix, row))
		return;
	if (days < matrix->warn_days)
		buffer_printf(out, "  warning  its certificate %s %" PRId64
				   " day%s%s\n",
			      days < 0 ? "ended" : "ends in",
			      days < 0 ? -days : days,
			      days == 1 || days == -1 ? "" : "s",
			      days < 0 ? " ago" : "");
	for (i = 0; i + 1 < facts->verified_count; i++) {
		days = matrix_days_left(matrix, &facts->verified[i]);
		if (days < matrix->warn_days)
			buffer_printf(out, "  warning  the certificate of the "
					   "CA \"%s\" ends in %" PRId64
					   " day%s\n",
				      facts->verified[i].subject, days,
				      days == 1 ? "" : "s");
	}
}

/* Sentences, in lines of a letter's width. */
static void put_wrapped(const char *label, const char *text,
			struct buffer *out)
{
	enum { INDENT = 11, WIDTH = 79 };
	size_t at = INDENT, len;

	buffer_printf(out, "  %-8s ", label);
	while (*text != '\0') {
		len = strcspn(text, " ");
		if (at > INDENT && at + 1 + len > WIDTH) {
			buffer_printf(out, "\n%*s", INDENT, "");
			at = INDENT;
		} else if (at > INDENT) {
			buffer_append_byte(out, ' ');
			at++;
		}
		buffer_append(out, view_make(text, len));
		at += len;
		text += len + strspn(text + len, " ");
	}
	buffer_append_byte(out, '\n');
}

static void detail_row(const struct matrix *matrix,
		       const struct matrix_row *row, struct buffer *out)
{
	char host[RESULT_HOST_MAX], advice[ADVICE_MAX];
	char would[JUDGEMENT_TEXT_MAX + 8];

	matrix_host(row, host);
	buffer_printf(out, "\n%s\n", host);
	if (row->not_used[0] != '\0')
		buffer_printf(out, "  not used by mail from here: %s\n",
			      row->not_used);
	if (row->facts.is_tls) {
		buffer_printf(out, "  TLS      %s, %s%s%s\n",
			      row->facts.version, row->facts.cipher,
			      row->facts.group[0] != '\0' ? ", " : "",
			      row->facts.group);
		detail_certificate(matrix, row, out);
	}
	if (row->is_judged && !matrix->is_assured)
		put_wrapped("verdict", row->judgement.reason, out);
	if (row->has_would && !matrix->is_assured) {
		snprintf(would, sizeof(would), "%s: %s",
			 row->would.verdict == JUDGE_DELIVER ? "hold" : "fail",
			 row->would.reason);
		put_wrapped("would", would, out);
	}
	if (row->reason[0] != '\0' &&
	    strcmp(row->reason, row->judgement.reason) != 0)
		put_wrapped("reason", row->reason, out);
	detail_ending(matrix, row, out);
	advice_text(matrix, row, advice);
	if (advice[0] != '\0')
		put_wrapped("change", advice, out);
}

static void detail_policy(const struct policy *policy, struct buffer *out)
{
	buffer_printf(out, "\nJudged by policy \"%s\" at %s, tls = %s",
		      policy->title, policy->where,
		      tls_level_text(policy->tls));
	if (policy->would != TLS_NONE)
		buffer_printf(out, ",\nand by its dry run, would = %s, which "
				   "Cert OK is about",
			      tls_level_text(policy->would));
	else if (policy->tls < TLS_VERIFY)
		buffer_printf(out, ", which asks for no proof (--form does)");
	if (policy->certificate != NULL)
		buffer_printf(out, "\nA gateway that asks is shown our "
				   "certificate \"%s\"",
			      policy->certificate->title);
	buffer_append_byte(out, '\n');
}

static void detail_judged_by(const struct matrix *matrix, struct buffer *out)
{
	const struct policy *policy = matrix->policy;

	if (matrix->is_assured)
		buffer_printf(
			out,
			"\nAsked in plain text although TLS may be offered: "
			"MAIL, and RCPT for the\npostmaster where MAIL was "
			"taken, then RSET and QUIT. Nothing was delivered.\n");
	else if (matrix->pattern != NULL)
		detail_policy(policy, out);
	else
		buffer_printf(
			out,
			"\nJudged by the prerequisites of the form, by no "
			"policy: STARTTLS, a valid\ncertificate by %s, CN "
			"or SAN equal to the MX name\n",
			policy->trust.path != NULL ? policy->trust.path
						   : "no roots at all");
}

void matrix_details(const struct matrix *matrix, struct buffer *out)
{
	size_t i;

	detail_judged_by(matrix, out);
	for (i = 0; i < matrix->count; i++)
		detail_row(matrix, &matrix->rows[i], out);
}
