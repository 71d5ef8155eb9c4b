/*
 * One section of a form as one `policy` block, option by option, each with a
 * comment that says where on the form it stood.  Hosts and domains are
 * canonical already; all other text goes through form_print.  What the form
 * demands of a certificate and cannot be written down makes the block fail:
 * without it the block would accept more than the partner agreed to.
 */
#include "relay/form_block.h"

#include "relay/form_print.h"
#include "relay/form_value.h"

#include <string.h>

enum { REASON_MAX = 120, ISSUER_BYTES_MAX = 256 };

/* What is known while one block is written. */
struct block {
	const struct form_section *section;
	unsigned number;
	struct buffer *out;
	struct error *error;
};

static const struct form_list *list_of(const struct block *b,
				       enum form_field field)
{
	return &b->section->fields[field];
}

/* Refuses the section: what, and which text of the form it is about. */
static int refuse(const struct block *b, unsigned line, const char *text,
		  const char *what)
{
	struct buffer reason = { 0 };
	struct view shown;

	if (b->number)
		buffer_printf(&reason, "section %u of the form: ", b->number);
	else
		buffer_append(&reason, VIEW("the form: "));
	if (text) {
		buffer_printf(&reason, "line %u, \"", line);
		bytes_escape(&reason, view_of(text), REASON_MAX);
		buffer_append(&reason, VIEW("\": "));
	}
	shown = buffer_view(&reason);
	error_set(b->error, "%.*s%s", (int)shown.len, (const char *)shown.at,
		  what);
	buffer_clear(&reason);
	return -1;
}

/* Refuses a field of which nothing was understood. */
static int refuse_unread(const struct block *b, enum form_field field,
			 const char *what)
{
	for (size_t i = 0; i < b->section->note_count; i++) {
		const struct form_note *note = &b->section->notes[i];

		if (note->field == field && note->remark == FORM_UNREAD)
			return refuse(b, note->line, note->text, what);
	}
	return refuse(b, 0, NULL, what);
}

static void put_notes(const struct block *b, enum form_field field)
{
	static const char *const remarks[] = {
		[FORM_UNREAD] = "not understood and not used",
		[FORM_TWICE] = "written twice, used once",
		[FORM_SPLIT] = "read as several names, cut at the commas",
		[FORM_SELF] = "read as self-signed",
		[FORM_BESIDE] = "an address beside named gateways, not used",
	};

	for (size_t i = 0; i < b->section->note_count; i++) {
		const struct form_note *note = &b->section->notes[i];

		if (note->field != field)
			continue;
		buffer_printf(b->out, "\t# Line %u, %s:\n", note->line,
			      remarks[note->remark]);
		form_print_comment(b->out, "\t#     ", view_of(note->text));
	}
}

/* "Line 41: " or "Lines 41 to 44: " */
static void put_lines(const struct block *b, const struct form_list *list)
{
	unsigned first = list->at[0].line;
	unsigned last = list->at[list->count - 1].line;

	if (first == last)
		buffer_printf(b->out, "\n\t# Line %u: ", first);
	else
		buffer_printf(b->out, "\n\t# Lines %u to %u: ", first, last);
}

static void put_gateway(struct buffer *out, const struct form_value *gateway)
{
	bool is_v6 = strchr(gateway->text, ':') != NULL;

	buffer_printf(out, "\"%s%s%s%s:%u\"",
		      form_value_is_tls_first(gateway) ? "smtps://" : "",
		      is_v6 ? "[" : "", gateway->text, is_v6 ? "]" : "",
		      (unsigned)form_value_port(gateway));
}

/* `option = { ... }` with the values from `from` on, which can be written. */
static void put_list(const struct block *b, const char *option,
		     enum form_field field, size_t from)
{
	const struct form_list *list = list_of(b, field);
	bool is_long = list->count - from > 1;

	buffer_printf(b->out, "\t%s = {", option);
	for (size_t i = from; i < list->count; i++) {
		const struct form_value *value = &list->at[i];

		buffer_printf(b->out, "%s%s", i > from ? "," : "",
			      is_long ? "\n\t\t" : " ");
		if (field == FORM_GATEWAYS)
			put_gateway(b->out, value);
		else
			(void)form_print_quoted(b->out, view_of(value->text));
	}
	buffer_printf(b->out, "%s}\n", is_long ? "\n\t" : " ");
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* What is compared is in A-labels; what people compare is not. */
static void put_written(const struct block *b, enum form_field field)
{
	const struct form_list *list = list_of(b, field);

	for (size_t i = 0; i < list->count; i++) {
		const struct form_value *value = &list->at[i];

		if (is_ascii(value->written))
			continue;
		buffer_printf(b->out, "\t# %s is on the form\n", value->text);
		form_print_comment(b->out, "\t#     ", view_of(value->written));
	}
}

static int put_domains(const struct block *b)
{
	const struct form_list *list = list_of(b, FORM_DOMAINS);

	if (!list->count)
		return refuse_unread(b, FORM_DOMAINS,
				     "no e-mail domain was found "
				     "under \"List of E-Mail-Domains\"");
	buffer_printf(b->out, "policy \"%s\" {\n\ttls = verify\n",
		      list->at[0].text);
	if (list->count > 1) {
		put_lines(b, list);
		buffer_append(b->out, VIEW("the domains; the first is the "
					   "title.\n"));
		put_list(b, "domains", FORM_DOMAINS, 1);
	}
	put_written(b, FORM_DOMAINS);
	put_notes(b, FORM_DOMAINS);
	return 0;
}

static bool has_wildcard(const struct form_list *names)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->at[i].text[0] == '*')
			return true;
	return false;
}

static const struct form_value *find_address(const struct form_list *gateways)
{
	for (size_t i = 0; i < gateways->count; i++)
		if (gateways->at[i].is_address)
			return &gateways->at[i];
	return NULL;
}

static int put_gateways(const struct block *b)
{
	const struct form_list *list = list_of(b, FORM_GATEWAYS);
	const struct form_list *names = list_of(b, FORM_NAMES);
	const struct form_value *address = find_address(list);

	if (!list->count && list->is_filled)
		return refuse_unread(b, FORM_GATEWAYS,
				     "no gateway could be read "
				     "under \"Gateways\"");
	if (address && (!names->count || has_wildcard(names)))
		return refuse(
			b, address->line, address->text,
			"a gateway without a name needs the name that its "
			"certificate bears under \"CN of the TLS "
			"Certificates\"");
	if (list->count) {
		put_lines(b, list);
		buffer_append(b->out, VIEW("the gateways, tried in the form's "
					   "order.\n"));
		put_list(b, "gateways", FORM_GATEWAYS, 0);
	} else {
		buffer_append(
			b->out,
			VIEW("\n\t# The form names no gateways: mail goes to the MX "
			     "hosts of the domain. Of\n\t# these only hosts in the "
			     "domain itself are used; `mx = { ... }` allows more.\n"));
	}
	put_written(b, FORM_GATEWAYS);
	put_notes(b, FORM_GATEWAYS);
	return 0;
}

/* RFC 6125 6.4.3: the star is one label, the left-most. */
static bool covers(const struct form_value *name, const char *host)
{
	const char *dot = strchr(host, '.');

	if (name->text[0] != '*')
		return !strcmp(name->text, host);
	return dot && !strcmp(name->text + 1, dot);
}

static void put_uncovered(const struct block *b)
{
	const struct form_list *gateways = list_of(b, FORM_GATEWAYS);
	const struct form_list *names = list_of(b, FORM_NAMES);

	for (size_t i = 0; i < gateways->count; i++) {
		const char *host = gateways->at[i].text;
		bool is_covered = false;

		for (size_t k = 0; k < names->count; k++)
			is_covered |= covers(&names->at[k], host);
		if (!is_covered)
			buffer_printf(b->out,
				      "\t# Ask the partner: none of "
				      "these is the name of\n\t#     %s\n",
				      host);
	}
}

static void put_wildcards(const struct block *b)
{
	const struct form_list *names = list_of(b, FORM_NAMES);

	put_lines(b, names);
	buffer_append(b->out, VIEW("the CN of the certificates has a wildcard, "
				   "so no `names`:\n\t# each gateway must bear "
				   "its own name. The form says\n"));
	for (size_t i = 0; i < names->count; i++)
		buffer_printf(b->out, "\t#     %s\n", names->at[i].text);
	put_uncovered(b);
}

static int put_names(const struct block *b)
{
	const struct form_list *list = list_of(b, FORM_NAMES);

	if (!list->count && list->is_filled)
		buffer_append(b->out, VIEW("\n\t# The CN of the certificates "
					   "could not be read:"));
	else if (!list->count)
		buffer_append(b->out, VIEW("\n\t# The form names no CN of the "
					   "certificates:"));
	if (!list->count) {
		buffer_append(b->out, VIEW(" each gateway must bear\n\t# its "
					   "own name.\n"));
	} else if (has_wildcard(list)) {
		put_wildcards(b);
	} else {
		put_lines(b, list);
		buffer_append(b->out, VIEW("what each gateway's certificate "
					   "must bear.\n"));
		put_list(b, "names", FORM_NAMES, 0);
	}
	put_written(b, FORM_NAMES);
	put_notes(b, FORM_NAMES);
	return 0;
}

/* All of them can be written down, or the form demands more than we would. */
static int check_issuers(const struct block *b, const struct form_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct form_value *issuer = &list->at[i];
		struct buffer text = { 0 };
		int rc = form_print_quoted(&text, view_of(issuer->text));

		buffer_clear(&text);
		if (rc)
			return refuse(b, issuer->line, issuer->text,
				      "the CA's name has characters that "
				      "cannot stand in a configuration");
		if (strlen(issuer->text) > ISSUER_BYTES_MAX)
			return refuse(b, issuer->line, issuer->text,
				      "this is too long for the name of a CA");
	}
	return 0;
}

static int put_issuers(const struct block *b)
{
	const struct form_list *list = list_of(b, FORM_ISSUERS);

	if (!list->count && list->is_filled && !b->section->is_self_signed)
		return refuse_unread(b, FORM_ISSUERS, "no name of a CA could "
				     "be read under \"Name of issuing CA\"");
	if (check_issuers(b, list))
		return -1;
	if (list->count) {
		put_lines(b, list);
		buffer_append(b->out, VIEW("the issuing CA, which must be in "
					   "the verified chain.\n"));
		put_list(b, "issuer", FORM_ISSUERS, 0);
	} else if (b->section->is_self_signed) {
		buffer_append(
			b->out,
			VIEW("\n\t# The certificates are self-signed, so the system's "
			     "roots do not know them:\n\t# no mail is delivered until "
			     "`trust` or `pins` is set.\n"));
	} else {
		buffer_append(
			b->out,
			VIEW("\n\t# The form names no issuing CA: any that the "
			     "system's roots vouch for will do.\n"));
	}
	put_notes(b, FORM_ISSUERS);
	return 0;
}

/* The certificate itself must come to the operator by a safe way, so that
 * `trust` is only prepared. */
static int put_trust(const struct block *b)
{
	const struct form_list *urls = list_of(b, FORM_URLS);
	const char *title = list_of(b, FORM_DOMAINS)->at[0].text;

	if (!urls->count && !b->section->is_self_signed)
		return 0;
	if (urls->count) {
		put_lines(b, urls);
		buffer_append(b->out, VIEW("the CA's certificate is said to be "
					   "at\n"));
	} else {
		buffer_append(b->out, VIEW("\n\t# The form asks for the root "
					   "certificate to be added to it.\n"));
	}
	for (size_t i = 0; i < urls->count; i++)
		form_print_comment(b->out, "\t#     ",
				   view_of(urls->at[i].text));
	buffer_printf(b->out,
		      "\t# Get it, compare its fingerprint with the partner by "
		      "phone, store it beside this\n\t# file, and with the "
		      "next line it replaces the system's roots:\n"
		      "\t# trust = \"%s-ca.pem\"\n",
		      title[0] == '*' ? title + 2 : title);
	put_notes(b, FORM_URLS);
	return 0;
}

static void put_contact(const struct form *form, const struct block *b)
{
	static const struct {
		enum form_field field;
		const char *label;
	} rows[] = {
		{FORM_COMPANY,	"#   Company:     "},
		{ FORM_DEPARTMENT, "#   Department:  "},
		{ FORM_ADDRESS,	"#   Address:     "},
		{ FORM_PERSON,     "#   Contact:     "},
		{ FORM_EMAIL,      "#   E-mail:      "},
		{ FORM_PHONE,      "#   Phone:       "},
	};
	static const unsigned contacts[FORM_SECTIONS] = {
		[FORM_TO_ISSUER] = FORM_ISSUER,
		[FORM_TO_PARTNER] = FORM_PARTNER,
	};
	const struct form_section *contact =
		&form->sections[contacts[b->number]];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct form_list *list = &contact->fields[rows[i].field];

		if (!list->count)
			list = &form->sections[FORM_UNNAMED]
					.fields[rows[i].field];
		for (size_t k = 0; k < list->count; k++)
			form_print_comment(b->out, rows[i].label,
					   view_of(list->at[k].text));
	}
}

static void put_head(const struct form *form, const struct block *b)
{
	static const char *const heads[FORM_SECTIONS] = {
		[FORM_UNNAMED] = "# From a partner's form; it does not say for "
				 "which direction.\n",
		[FORM_TO_ISSUER] = "# From section 3 of a partner's form: mail "
				   "to the company that issued it.\n",
		[FORM_TO_PARTNER] =
			"# From section 4 of a partner's form: mail "
			"to the partner who filled it in.\n",
	};

	buffer_printf(b->out, "\n%s", heads[b->number]);
	if (form->is_windows_1252)
		buffer_append(b->out, VIEW("# It is not UTF-8 and was read as "
					   "Windows-1252.\n"));
	put_contact(form, b);
}

int form_block(const struct form *form, unsigned number, struct buffer *out,
	       struct error *error)
{
	static int (*const parts[])(const struct block *) = {
		put_domains, put_gateways, put_names, put_issuers, put_trust,
	};
	struct block block = {
		.section = &form->sections[number],
		.number = number,
		.out = out,
		.error = error,
	};

	put_head(form, &block);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i](&block))
			return -1;
	buffer_append(out, VIEW("}\n"));
	return 0;
}
