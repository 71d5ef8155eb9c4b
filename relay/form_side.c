/*
 * Each field stands on one line behind a tab, as on the form; a list's words
 * are parted by blanks.  What people need beyond the form's fields
 * (preferences, dates, pins, roots) follows below under words that are no
 * headings.  In the end our own reader reads it all back: what it does not
 * understand is remarked.
 */
#include "relay/form_side.h"

#include "relay/form.h"
#include "relay/form_remarks.h"
#include "tls/chain.h"
#include "tls/pem.h"

#include <stdlib.h>
#include <string.h>

/* --- domains and gateways -------------------------------------------- */

static int by_preference(const void *left, const void *right)
{
	const struct side_gateway *a = left, *b = right;
	int order;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	order = strcmp(a->host, b->host);
	if (order != 0 || a->port != b->port)
		return order != 0 ? order : (a->port < b->port ? -1 : 1);
	return a->domain && b->domain ? strcmp(a->domain, b->domain) : 0;
}

static void put_domains(const struct form_writer *w)
{
	size_t i;

	buffer_append(w->out, VIEW("List of E-Mail-Domains\t"));
	for (i = 0; i < w->side->domain_count; i++)
		buffer_printf(w->out, "%s%s", i ? " " : "",
			      w->side->domains[i]);
	buffer_append_byte(w->out, '\n');
}

static void put_gateways(const struct form_writer *w)
{
	const char *gap = "";
	size_t i;

	buffer_append(w->out, VIEW("Gateways\t"));
	for (i = 0; i < w->side->gateway_count; i++) {
		const struct side_gateway *one = &w->side->gateways[i];

		if (form_is_repeated(w->side, i))
			continue;
		buffer_printf(w->out, "%s%s%s:%u", gap,
			      one->is_tls_first ? "smtps://" : "", one->host,
			      (unsigned)one->port);
		gap = " ";
	}
	buffer_append_byte(w->out, '\n');
}

static void put_preferences(const struct form_writer *w)
{
	bool has_heading = false;
	size_t i;

	for (i = 0; i < w->side->gateway_count; i++) {
		const struct side_gateway *one = &w->side->gateways[i];

		if (!one->domain)
			continue;
		if (!has_heading)
			buffer_append(w->out, VIEW("\nMX Server\tPref\t"
						   "E-Mail-Domain\n"));
		has_heading = true;
		buffer_printf(w->out, "%s\t%u\t%s\n", one->host,
			      (unsigned)one->preference, one->domain);
	}
}

/* --- names ----------------------------------------------------------- */

static bool is_useful_cn(const struct form_writer *w, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (form_has_cn(&w->facts[i]) &&
		    strcmp(w->facts[i].cn, name) == 0)
			return true;
	return false;
}

static void put_common_names(const struct form_writer *w)
{
	const char *gap = "";
	size_t i;

	buffer_append(w->out, VIEW("CN of the TLS Certificates\t"));
	for (i = 0; i < w->side->certificate_count; i++) {
		const char *cn = w->facts[i].cn;

		if (!form_has_cn(&w->facts[i]) || is_useful_cn(w, i, cn))
			continue;
		buffer_printf(w->out, "%s%s", gap, cn);
		gap = " ";
	}
	buffer_append_byte(w->out, '\n');
}

static bool is_borne_before(const struct form_writer *w, size_t at, const char *name)
{
	size_t i;

	for (i = 0; i < at; i++)
		if (form_bears(&w->facts[i], name))
			return true;
	return false;
}

/* Without those that stand above as CN. */
static void put_alternative_names(const struct form_writer *w)
{
	size_t count = w->side->certificate_count, i, k;
	const char *gap = "Subject Alternative Names\t";

	for (i = 0; i < count; i++)
		for (k = 0; k < w->facts[i].name_count; k++) {
			const char *name = w->facts[i].names[k];

			if (is_useful_cn(w, count, name) ||
			    is_borne_before(w, i, name))
				continue;
			buffer_printf(w->out, "%s%s", gap, name);
			gap = " ";
		}
	if (*gap == ' ')
		buffer_append_byte(w->out, '\n');
}

/* --- who issued them ------------------------------------------------- */

/* True when the reader takes the text for this CA, and for nothing else. */
static bool reads_as(struct view text, struct view name)
{
	struct buffer line = { 0 };
	struct form form;
	struct error ignored;
	bool is_same = false;

	buffer_append(&line, VIEW("Name of issuing CA\t"));
	buffer_append(&line, text);
	if (form_parse(buffer_view(&line), &form, &ignored) == 0) {
		const struct form_section *section = &form.sections[0];
		const struct form_list *list = &section->fields[FORM_ISSUERS];

		is_same = list->count == 1 && section->note_count == 0 &&
			  view_equal(view_of(list->at[0].text), name);
		form_clear(&form);
	}
	buffer_clear(&line);
	return is_same;
}

static bool is_printable(struct view text)
{
	struct buffer shown = { 0 };
	bool is_same;

	bytes_escape(&shown, text, text.len * 4 + 1);
	is_same = view_equal(buffer_view(&shown), text);
	buffer_clear(&shown);
	return is_same;
}

/* As it is, or as a distinguished name, in which commas do not part; -1
 * when it is neither way read as what it is. */
static int put_issuer_name(struct view name, struct buffer *out)
{
	struct buffer text = { 0 };
	int rc = -1;

	if (!is_printable(name))
		return -1;
	buffer_append(&text, name);
	if (!reads_as(name, name)) {
		buffer_reset(&text);
		buffer_append(&text, VIEW("CN="));
		buffer_append(&text, name);
	}
	if (reads_as(buffer_view(&text), name)) {
		buffer_append(out, buffer_view(&text));
		rc = 0;
	}
	buffer_clear(&text);
	return rc;
}

static void add_line(struct buffer *lines, struct view line)
{
	struct view rest = buffer_view(lines);

	while (rest.len > 0)
		if (view_equal(view_cut(&rest, '\n'), line))
			return;
	buffer_append(lines, line);
	buffer_append_byte(lines, '\n');
}

static void put_issuer(const struct form_writer *w, size_t at, struct buffer *lines)
{
	struct buffer name = { 0 }, line = { 0 };

	buffer_append(&line, VIEW("Name of issuing CA\t"));
	if (form_is_self_signed(w, at)) {
		buffer_append(&line, VIEW("self-signed"));
	} else if (!cert_name(w->leaves[at].issuer, true, &name)) {
		buffer_printf(w->remarks, "the certificate of %s names its CA "
			      "neither by CN nor by O\n", form_title(w, at));
		goto out;
	} else if (put_issuer_name(buffer_view(&name), &line)) {
		buffer_printf(w->remarks, "the name of the CA of %s, \"%s\", "
			      "cannot stand on a form\n", form_title(w, at),
			      w->facts[at].leaf.issuer);
		goto out;
	}
	add_line(lines, buffer_view(&line));
out:
	buffer_clear(&name);
	buffer_clear(&line);
}

static void put_issuers(const struct form_writer *w)
{
	struct buffer lines = { 0 };
	size_t i;

	for (i = 0; i < w->side->certificate_count; i++)
		put_issuer(w, i, &lines);
	if (buffer_len(&lines) == 0)
		buffer_append(&lines, VIEW("Name of issuing CA\t\n"));
	buffer_append(w->out, buffer_view(&lines));
	buffer_clear(&lines);
}

static bool is_url(struct view text)
{
	size_t i;

	for (i = 0; i < text.len; i++)
		if (text.at[i] <= ' ' || text.at[i] >= 0x7f)
			return false;
	return view_starts_fold(text, VIEW("http://")) ||
	       view_starts_fold(text, VIEW("https://")) ||
	       view_starts_fold(text, VIEW("ldap://"));
}

static void put_urls(const struct form_writer *w)
{
	struct buffer lines = { 0 };
	size_t i, at;
	struct view url;

	for (i = 0; i < w->side->certificate_count; i++) {
		bool has_url = false;

		for (at = 0; cert_issuer_url(&w->leaves[i], &at, &url);) {
			if (!is_url(url))
				continue;
			has_url = true;
			add_line(&lines, url);
		}
		if (!has_url && !form_is_self_signed(w, i))
			buffer_printf(w->remarks, "the certificate of %s does "
				      "not say where its CA's certificate "
				      "lies (AIA): fill in the URL\n",
				      form_title(w, i));
	}
	buffer_append(w->out, VIEW("URL (public key of the CA)\t"));
	buffer_append(w->out, buffer_view(&lines));
	if (buffer_len(&lines) == 0)
		buffer_append_byte(w->out, '\n');
	buffer_clear(&lines);
}

/* --- beyond the fields ----------------------------------------------- */

static void put_certificate(const struct form_writer *w, size_t at)
{
	const struct facts_certificate *leaf = &w->facts[at].leaf;
	char from[16], to[16], pin[FACTS_PIN_MAX];

	chain_date(leaf->not_before, from);
	chain_date(leaf->not_after, to);
	facts_pin_text(leaf->spki_sha256, pin);
	buffer_printf(w->out,
		      "\nCertificate\t%s\n"
		      "Valid\t%s to %s\n"
		      "Key\t%s\n"
		      "Pin (SPKI)\t%s\n",
		      form_title(w, at), from, to, leaf->key, pin);
}

/* The form: "For self-signed certificates, please add the root
 * certificates."  So it is where a CA is known to few. */
static void put_root(const struct form_writer *w, size_t at)
{
	const struct side_certificate *one = &w->side->certificates[at];
	struct view last = one->chain[one->count - 1];
	struct cert root;

	if (form_is_self_signed(w, at))
		last = one->chain[0];
	else if (one->verdict != CHAIN_UNKNOWN_CA)
		return;
	if (cert_parse(last, &root) || !cert_is_self_issued(&root)) {
		buffer_printf(w->remarks, "the system's roots do not know the "
			      "CA of %s, and the chain holds no root: add it "
			      "to the form\n", form_title(w, at));
		return;
	}
	buffer_printf(w->out, "\nRoot certificate of %s:%s\n", form_title(w, at),
		      form_is_self_signed(w, at)
			      ? " it is self-signed, so this or its pin is "
				"all that can prove it"
			      : "");
	pem_append(w->out, last);
}

/* --- the whole ------------------------------------------------------- */

static void take_apart(struct form_writer *w)
{
	size_t count = w->side->certificate_count, i;

	w->leaves = must_alloc((count + 1) * sizeof(*w->leaves));
	w->facts = must_alloc((count + 1) * sizeof(*w->facts));
	for (i = 0; i < count; i++) {
		struct chain_question question = {
			.presented = w->side->certificates[i].chain,
			.count = w->side->certificates[i].count,
			.now = w->side->now,
		};

		(void)chain_present(&question, &w->facts[i]);
		(void)cert_parse(question.presented[0], &w->leaves[i]);
	}
}

static void put_fields(const struct form_writer *w)
{
	buffer_append(w->out,
		      VIEW("SMTP - Transport Layer Security (TLS)\n\n"
			   "3. TLS from business partner to us\n\n"
			   "TLS Information\n"));
	put_domains(w);
	put_gateways(w);
	put_common_names(w);
	put_alternative_names(w);
	put_issuers(w);
	put_urls(w);
}

void form_side(struct side *side, struct buffer *form, struct buffer *remarks)
{
	struct form_writer w = { .side = side, .out = form, .remarks = remarks };
	size_t i;

	take_apart(&w);
	if (side->gateway_count > 0)
		qsort(side->gateways, side->gateway_count,
		      sizeof(*side->gateways), by_preference);
	put_fields(&w);
	put_preferences(&w);
	for (i = 0; i < side->certificate_count; i++)
		put_certificate(&w, i);
	for (i = 0; i < side->certificate_count; i++)
		put_root(&w, i);
	form_remarks(&w);
	for (i = 0; i < side->certificate_count; i++)
		facts_clear(&w.facts[i]);
	free(w.facts);
	free(w.leaves);
}
