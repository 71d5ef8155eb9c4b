/*
 * Looks at our own side of a form with the partner's eyes: what would not
 * verify, what is not this host's to say, and what our own reader of forms
 * does not understand.
 */
#include "relay/form_remarks.h"

#include "relay/form_policy.h"
#include "tls/names.h"

#include <string.h>

enum { TEXT_SHOWN = 240 };

bool form_is_self_signed(const struct form_writer *w, size_t at)
{
	return cert_is_self_issued(&w->leaves[at]);
}

const char *form_title(const struct form_writer *w, size_t at)
{
	const struct tls_facts *facts = &w->facts[at];

	return facts->name_count > 0 ? facts->names[0] : facts->leaf.subject;
}

bool form_is_repeated(const struct side *side, size_t at)
{
	const struct side_gateway *one = &side->gateways[at];
	size_t i;

	for (i = 0; i < at; i++)
		if (strcmp(side->gateways[i].host, one->host) == 0 &&
		    side->gateways[i].port == one->port)
			return true;
	return false;
}

bool form_bears(const struct tls_facts *facts, const char *name)
{
	size_t i;

	for (i = 0; i < facts->name_count; i++)
		if (strcmp(facts->names[i], name) == 0)
			return true;
	return false;
}

bool form_has_cn(const struct tls_facts *facts)
{
	return facts->cn[0] != '\0' && form_bears(facts, facts->cn);
}

static void remark_certificate(const struct form_writer *w, size_t at)
{
	const struct side_certificate *one = &w->side->certificates[at];
	const struct tls_facts *facts = &w->facts[at];

	if (facts->name_count == 0)
		buffer_printf(w->remarks, "the certificate of %s bears no host "
			      "name\n", form_title(w, at));
	if (facts->names_refused > 0)
		buffer_printf(w->remarks, "left out as no host names: %zu of "
			      "the names of the certificate of %s\n",
			      facts->names_refused, form_title(w, at));
	if (facts->cn[0] != '\0' && !form_has_cn(facts))
		buffer_printf(w->remarks, "the CN %s is left out: it is not "
			      "among the subject alternative names, which "
			      "alone count\n", facts->cn);
	if (form_is_self_signed(w, at))
		buffer_printf(w->remarks, "the certificate of %s is "
			      "self-signed: partners who verify need its root, "
			      "which is added, or its pin\n", form_title(w, at));
	else if (one->verdict != CHAIN_HOLDS)
		buffer_printf(w->remarks, "the certificate of %s does not hold "
			      "by this system's roots: %s\n", form_title(w, at),
			      one->reason);
	if (form_is_self_signed(w, at) && facts->leaf_is_expired)
		buffer_printf(w->remarks, "the certificate of %s has "
			      "expired\n", form_title(w, at));
}

static bool is_named(const struct form_writer *w, const char *host)
{
	size_t i, k;

	for (i = 0; i < w->side->certificate_count; i++)
		for (k = 0; k < w->facts[i].name_count; k++)
			if (names_match(w->facts[i].names[k], host))
				return true;
	return false;
}

static void remark_gateways(const struct form_writer *w)
{
	size_t others = 0, i;

	for (i = 0; i < w->side->gateway_count; i++) {
		const char *host = w->side->gateways[i].host;

		if (form_is_repeated(w->side, i))
			continue;
		others += strcmp(host, w->side->hostname) != 0;
		if (w->side->certificate_count > 0 && !is_named(w, host))
			buffer_printf(w->remarks, "no certificate bears the "
				      "name of the gateway %s\n", host);
	}
	if (others > 0)
		buffer_printf(w->remarks, "%zu of the gateways %s not named %s "
			      "as this host is: what %s presents was not "
			      "looked at (`postern check --form` does)\n",
			      others, others == 1 ? "is" : "are",
			      w->side->hostname,
			      others == 1 ? "it" : "each of them");
}

/* Do domains share all gateways?  A form says so by its shape. */
static void remark_shares(const struct form_writer *w)
{
	const struct side *side = w->side;
	size_t hosts = 0, pairs = 0, domains = 0, i, k;

	for (i = 0; i < side->gateway_count; i++) {
		hosts += !form_is_repeated(side, i);
		pairs += side->gateways[i].domain != NULL;
		for (k = 0; k < i; k++)
			if (side->gateways[k].domain ==
			    side->gateways[i].domain)
				break;
		domains += k == i;
	}
	if (pairs > 0 && pairs != hosts * domains)
		buffer_append(w->remarks,
			      VIEW("the domains have different gateways, and "
				   "the form lists all of them for all: see "
				   "the table below it\n"));
}

static void remark_unread(const struct form_writer *w, const struct form *form)
{
	const struct form_section *section = &form->sections[FORM_TO_ISSUER];
	size_t i;

	for (i = 0; i < section->note_count; i++) {
		if (section->notes[i].remark == FORM_SELF)
			continue;
		buffer_append(w->remarks, VIEW("`postern partner import` will "
					       "not use \""));
		bytes_escape(w->remarks, view_of(section->notes[i].text),
			     TEXT_SHOWN);
		buffer_append(w->remarks, VIEW("\"\n"));
	}
}

/* A partner with this very program is the first to try. */
static void read_back(const struct form_writer *w)
{
	struct buffer policy = { 0 };
	struct error error = { .text = "" };
	struct form form;

	if (form_parse(buffer_view(w->out), &form, &error) == 0) {
		remark_unread(w, &form);
		(void)form_policy(&form, FORM_TO_ISSUER, &policy, &error);
		form_clear(&form);
	}
	if (error.text[0] != '\0')
		buffer_printf(w->remarks, "`postern partner import` will refuse "
			      "this form: %s\n", error.text);
	buffer_clear(&policy);
}

void form_remarks(const struct form_writer *w)
{
	size_t count = w->side->certificate_count, i;

	for (i = 0; i < count; i++)
		remark_certificate(w, i);
	if (count > 1)
		buffer_printf(w->remarks, "the listeners present %zu different "
			      "certificates, and the form lists all of them "
			      "for all gateways: --listen chooses one\n",
			      count);
	remark_gateways(w);
	remark_shares(w);
	read_back(w);
}
