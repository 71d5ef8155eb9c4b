/*
 * What a form says is only used in canonical form, never as written: a word
 * that does not survive domain_canonical() or net_parse() is no value.
 * Nothing is completed or corrected, apart from the decorations with which
 * people write domains ("@tuv.com") and names ("CN=mx5.de.tuv.com").
 */
#include "relay/form_value.h"

#include "conf/addr.h"
#include "conf/net.h"

#include <stdlib.h>
#include <string.h>

enum { PORT_SMTP = 25, PORT_SMTPS = 465 };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool drop(struct view *word, struct view prefix)
{
	if (!view_starts_fold(*word, prefix))
		return false;
	*word = view_from(*word, prefix.len);
	return true;
}

/* A top-level domain is nobody's, and "1.2.3" is a number: two labels at
 * least, the last of which is no number. */
static bool is_full_name(const char *host)
{
	const char *dot = strrchr(host, '.');
	uint64_t number;

	return dot && view_number(view_of(dot + 1), UINT64_MAX, &number);
}

static int read_host(struct view word, char host[ADDR_DOMAIN_MAX + 1])
{
	struct error error;

	if (domain_canonical(word, host, &error) || !is_full_name(host))
		return -1;
	return 0;
}

static int read_pattern(struct view word, struct form_value *out)
{
	char host[ADDR_DOMAIN_MAX + 1];
	struct buffer text = { 0 };
	bool is_wild = drop(&word, VIEW("*."));

	if (read_host(word, host))
		return -1;
	buffer_printf(&text, "%s%s", is_wild ? "*." : "", host);
	out->text = view_string(buffer_view(&text));
	buffer_clear(&text);
	return 0;
}

static int read_domain(struct view word, struct form_value *out)
{
	if (!drop(&word, VIEW("*@")))
		drop(&word, VIEW("@"));
	return read_pattern(word, out);
}

static int read_name(struct view word, struct form_value *out)
{
	static const char *const marks[] = { "CN=", "CN:", "DNS:", "DNS=" };

	for (size_t i = 0; i < COUNT(marks); i++)
		if (drop(&word, view_of(marks[i])))
			break;
	return read_pattern(word, out);
}

static int read_gateway(struct view word, struct form_value *out)
{
	char host[ADDR_DOMAIN_MAX + 1], text[NET_TEXT_MAX];
	struct net_address address;
	struct view name;
	uint16_t port = 0;

	out->is_tls_first = drop(&word, VIEW("smtps://"));
	if (!out->is_tls_first)
		drop(&word, VIEW("smtp://"));
	if (net_split_port(word, &name, &port) ||
	    (name.len < word.len && !port))
		return -1;
	out->port = port;
	if (!net_parse(name, &address)) {
		net_text(&address, text);
		out->is_address = true;
		out->text = must_strdup(text);
		return 0;
	}
	if (read_host(name, host))
		return -1;
	out->text = must_strdup(host);
	return 0;
}

int form_value_read(enum form_field field, struct view word,
		    struct form_value *out)
{
	static int (*const readers[])(struct view, struct form_value *) = {
		[FORM_DOMAINS] = read_domain,
		[FORM_GATEWAYS] = read_gateway,
		[FORM_NAMES] = read_name,
	};

	*out = (struct form_value){ 0 };
	if (field >= COUNT(readers) || readers[field](word, out))
		return -1;
	out->written = view_string(word);
	return 0;
}

void form_value_clear(struct form_value *value)
{
	free(value->text);
	free(value->written);
	*value = (struct form_value){ 0 };
}

uint16_t form_value_port(const struct form_value *gateway)
{
	if (gateway->port)
		return gateway->port;
	return gateway->is_tls_first ? PORT_SMTPS : PORT_SMTP;
}

bool form_value_is_tls_first(const struct form_value *gateway)
{
	return form_value_port(gateway) == PORT_SMTPS || gateway->is_tls_first;
}

bool form_value_equal(const struct form_value *a, const struct form_value *b)
{
	return !strcmp(a->text, b->text) &&
	       form_value_port(a) == form_value_port(b) &&
	       form_value_is_tls_first(a) == form_value_is_tls_first(b);
}

/* A type by its name or by its number (RFC 4514 3). */
static bool is_attribute_byte(unsigned char byte)
{
	return byte == '.' || (byte >= '0' && byte <= '9') ||
	       (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static size_t skip_blanks(struct view text, size_t at)
{
	while (at < text.len && text.at[at] == ' ')
		at++;
	return at;
}

/* "CN=", "O = ", "2.5.4.3=": the attribute's length with its '=', or 0. */
static size_t attribute(struct view text)
{
	size_t begin = skip_blanks(text, 0), at = begin;

	while (at < text.len && is_attribute_byte(text.at[at]))
		at++;
	if (at == begin)
		return 0;
	at = skip_blanks(text, at);
	return at < text.len && text.at[at] == '=' ? at + 1 : 0;
}

/* Up to the comma before the next attribute: a value may hold commas. */
static struct view attribute_value(struct view text)
{
	size_t end = 0;

	while (end < text.len) {
		end += view_index(view_from(text, end), ',');
		if (end < text.len && attribute(view_from(text, end + 1)))
			break;
		end += end < text.len;
	}
	return view_first(text, end);
}

/* The value of CN or O in a distinguished name (RFC 4514). */
static bool find_attribute(struct view dn, struct view wanted,
			   struct view *value)
{
	while (dn.len) {
		size_t len = attribute(dn);
		struct view name = view_trim(view_first(dn, len ? len - 1 : 0));

		*value = attribute_value(view_from(dn, len));
		if (view_equal_fold(name, wanted))
			return true;
		dn = view_from(dn, len + value->len + 1);
	}
	return false;
}

/* What stands behind a comma as part of a company's name. */
static bool is_company_form(struct view text)
{
	static const char *const forms[] = { "Inc",  "Inc.",  "Ltd", "Ltd.",
					     "LLC",  "GmbH",  "AG",  "S.A.",
					     "Corp", "Corp.", "Co.", "Limited",
					     "B.V.", "L.P.",  "SA",  "Co" };

	text = view_from(text, skip_blanks(text, 0));
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct view form = view_of(forms[i]);

		if (view_starts_fold(text, form) &&
		    (text.len == form.len ||
		     memchr(" ,;|\t", text.at[form.len], 5)))
			return true;
	}
	return false;
}

static bool ends_cell(unsigned char byte)
{
	return byte == ';' || byte == '|' || byte == '\t';
}

static struct view unquote(struct view text)
{
	text = view_trim(text);
	if (text.len > 1 && text.at[0] == '"' && text.at[text.len - 1] == '"')
		return view_trim(view_first(view_from(text, 1), text.len - 2));
	return text;
}

/* Without CN and O it is still one name, which no certificate bears. */
static struct view name_of(struct view dn)
{
	struct view name;

	if (find_attribute(dn, VIEW("CN"), &name) ||
	    find_attribute(dn, VIEW("O"), &name))
		return name;
	return dn;
}

/* Costs no more than what it cuts off, for the text may be long. */
bool form_value_issuer(struct view *rest, struct view *name, bool *is_split)
{
	do {
		bool is_dn = attribute(*rest);
		size_t end = 0;

		if (!rest->len)
			return false;
		while (end < rest->len && !ends_cell(rest->at[end]) &&
		       (is_dn || rest->at[end] != ',' ||
			is_company_form(view_from(*rest, end + 1))))
			end++;
		*is_split = *is_split ||
			    (end < rest->len && rest->at[end] == ',');
		*name = view_first(*rest, end);
		*name = unquote(is_dn ? name_of(*name) : *name);
		*rest = view_from(*rest, end + 1);
	} while (!name->len);
	return true;
}
