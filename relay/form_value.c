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

/* "CN=", "O = ", "2.5.4.3=": the attribute's length with its '=', or 0. */
static size_t attribute(struct view text)
{
	size_t equals = view_index(text, '=');
	struct view name = view_trim(view_first(text, equals));

	if (equals == text.len || !name.len)
		return 0;
	for (size_t i = 0; i < name.len; i++)
		if (!is_attribute_byte(name.at[i]))
			return 0;
	return equals + 1;
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
	struct view word;

	text = view_trim(text);
	word = view_first(text, view_index(text, ' '));
	word = view_first(word, view_index(word, ','));
	for (size_t i = 0; i < COUNT(forms); i++)
		if (view_equal_fold(word, view_of(forms[i])))
			return true;
	return false;
}

static size_t cell_length(struct view text)
{
	size_t len = view_index(text, ';');
	size_t pipe = view_index(text, '|'), tab = view_index(text, '\t');

	len = pipe < len ? pipe : len;
	return tab < len ? tab : len;
}

static struct view unquote(struct view text)
{
	text = view_trim(text);
	if (text.len > 1 && text.at[0] == '"' && text.at[text.len - 1] == '"')
		return view_trim(view_first(view_from(text, 1), text.len - 2));
	return text;
}

bool form_value_issuer(struct view *rest, struct view *name, bool *is_split)
{
	struct view cell;
	size_t comma = 0;

	do {
		if (!rest->len)
			return false;
		cell = view_first(*rest, cell_length(*rest));
		if (attribute(cell) &&
		    (find_attribute(cell, VIEW("CN"), name) ||
		     find_attribute(cell, VIEW("O"), name))) {
			*name = unquote(*name);
			*rest = view_from(*rest, cell.len + 1);
			continue;
		}
		for (comma = view_index(cell, ',');
		     comma < cell.len &&
		     is_company_form(view_from(cell, comma + 1));)
			comma += 1 +
				 view_index(view_from(cell, comma + 1), ',');
		*is_split = *is_split || comma < cell.len;
		*name = unquote(view_first(cell, comma));
		*rest = view_from(*rest,
				  (comma < cell.len ? comma : cell.len) + 1);
	} while (!name->len);
	return true;
}
