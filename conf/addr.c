/*
 * Addresses: one cursor walks the text from left to right, by length, so
 * that a NUL is a byte like any other bad one.  What is kept of an address
 * is its text as it is to be sent and the domain in canonical form; source
 * routes, brackets and a trailing dot are not kept.  Reasons never repeat
 * the client's bytes.
 */
#include "conf/addr.h"

#include "conf/net.h"

#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LABEL_MAX = 63,     /* RFC 1035 2.3.4 */
	NAME_MAX_BYTES = 253, /* 255 on the wire: lengths and the root */
};

static bool is_alnum(unsigned char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9');
}

/* RFC 5322 3.2.3 atext */
static bool is_atext(unsigned char byte)
{
	return is_alnum(byte) ||
	       (byte && byte < 0x80 && strchr("!#$%&'*+-/=?^_`{|}~", byte));
}

static bool is_ascii(struct view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] >= 0x80)
			return false;
	return true;
}

/* One label of letters, digits, hyphens and underscores, folded. */
static int copy_label(struct view label, char *out, struct error *error)
{
	if (!label.len)
		return error_set(error, "empty label in the domain");
	if (label.len > LABEL_MAX)
		return error_set(error, "a label of the domain is longer than "
				 "%d bytes", LABEL_MAX);
	if (label.at[0] == '-' || label.at[label.len - 1] == '-')
		return error_set(error, "a label of the domain begins or ends "
				 "with a hyphen");
	for (size_t i = 0; i < label.len; i++) {
		unsigned char byte = label.at[i];

		if (!is_alnum(byte) && byte != '-' && byte != '_')
			return error_set(error, "bad character in the domain");
		out[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
	}
	return 0;
}

static int canonical_ascii(struct view text, char out[ADDR_DOMAIN_MAX + 1],
			   struct error *error)
{
	struct view rest, label;
	size_t len = 0;

	if (text.len && text.at[text.len - 1] == '.')
		text.len--;
	if (!text.len)
		return error_set(error, "empty domain");
	if (text.len > NAME_MAX_BYTES)
		return error_set(error, "the domain is longer than %d bytes",
				 NAME_MAX_BYTES);
	rest = text;
	do {
		label = view_cut(&rest, '.');
		if (copy_label(label, out + len, error))
			return -1;
		len += label.len;
		out[len++] = '.';
	} while (len <= text.len);
	out[text.len] = '\0';
	return 0;
}

/* IDNA2008, non-transitional (RFC 5891 5): U-labels are mapped (case,
 * width) and must then be valid for lookup. */
static int canonical_idna(struct view text, char out[ADDR_DOMAIN_MAX + 1],
			  struct error *error)
{
	unsigned char copy[ADDR_PATH_MAX * 2];
	uint8_t *found = NULL;
	int rc;

	if (text.len >= sizeof(copy))
		return error_set(error, "the domain is too long");
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	rc = idn2_lookup_u8(copy, &found,
			    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return error_set(error, "the domain is no valid "
				 "internationalised name: %s",
				 idn2_strerror(rc));
	rc = canonical_ascii(view_of((char *)found), out, error);
	idn2_free(found);
	return rc;
}

int domain_canonical(struct view text, char out[ADDR_DOMAIN_MAX + 1],
		     struct error *error)
{
	uint32_t point;
	size_t len;

	if (is_ascii(text))
		return canonical_ascii(text, out, error);
	if (view_index(text, '\0') < text.len)
		return error_set(error, "bad character in the domain");
	for (struct view rest = text; rest.len; rest = view_from(rest, len)) {
		len = bytes_utf8(rest, &point);
		if (!len)
			return error_set(error, "the domain is not UTF-8");
	}
	return canonical_idna(text, out, error);
}

/* RFC 5321 4.1.3; the brackets are part of the text. */
static int parse_literal(struct view text, struct address *out,
			 struct error *error)
{
	struct view inner = view_first(view_from(text, 1), text.len - 2);
	bool v6 = view_starts_fold(inner, VIEW("IPv6:"));
	struct net_address address;
	char literal[NET_TEXT_MAX];

	if (v6)
		inner = view_from(inner, 5);
	if (!inner.len || inner.at[0] == '[' || net_parse(inner, &address) ||
	    (address.sa.any.sa_family == AF_INET6) != v6)
		return error_set(error, "bad address literal; write [1.2.3.4] "
				 "or [IPv6:2001:db8::1]");
	net_literal(&address, literal);
	snprintf(out->domain, sizeof(out->domain), "%s", literal);
	out->is_literal = true;
	return 0;
}

/* Length of one character of a local part; 0 when it may not stand there. */
static size_t local_char(struct view text, bool utf8, bool quoted)
{
	uint32_t point;
	size_t len;

	if (text.at[0] < 0x80) {
		if (!quoted)
			return is_atext(text.at[0]);
		return text.at[0] >= 0x20 && text.at[0] < 0x7f;
	}
	len = utf8 ? bytes_utf8(text, &point) : 0;
	return len && point >= 0xa0 ? len : 0; /* no C1 controls */
}

/* RFC 5321 4.1.2 Quoted-string; the quotes count. 0: broken. */
static size_t quoted_length(struct view text, bool utf8)
{
	size_t at = 1, len;

	while (at < text.len && text.at[at] != '"') {
		if (text.at[at] == '\\' && ++at == text.len)
			return 0;
		len = local_char(view_from(text, at), utf8, true);
		if (!len)
			return 0;
		at += len;
	}
	return at < text.len ? at + 1 : 0;
}

/* RFC 5321 4.1.2 Dot-string; ends where neither atom nor dot goes on. */
static size_t dotted_length(struct view text, bool utf8)
{
	size_t at = 0, len;
	bool after_dot = true;

	while (at < text.len) {
		if (text.at[at] == '.') {
			if (after_dot)
				return 0;
			after_dot = true;
			at++;
			continue;
		}
		len = local_char(view_from(text, at), utf8, false);
		if (!len)
			break;
		after_dot = false;
		at += len;
	}
	return after_dot ? 0 : at;
}

static int parse_domain(struct view text, bool utf8, struct address *out,
			struct error *error)
{
	out->has_u_label = !is_ascii(text);
	if (out->has_u_label && !utf8)
		return error_set(error, "the domain is not ASCII");
	if (text.len > 1 && text.at[0] == '[' && text.at[text.len - 1] == ']')
		return parse_literal(text, out, error);
	return domain_canonical(text, out->domain, error);
}

/* local@domain or a bare postmaster, and nothing else. */
static int parse_mailbox(struct view text, bool utf8, struct address *out,
			 struct error *error)
{
	size_t len = 0;
	struct view domain;

	if (text.len)
		len = text.at[0] == '"' ? quoted_length(text, utf8) :
					  dotted_length(text, utf8);
	if (!len)
		return error_set(error, "bad local part");
	if (len > ADDR_LOCAL_MAX)
		return error_set(error, "the local part is longer than %d "
				 "bytes", ADDR_LOCAL_MAX);
	if (len < text.len && text.at[len] != '@')
		return error_set(error, "bad character in the local part");
	domain = view_from(text, len + 1);
	/* Kept without the dot: next hops refuse it (RFC 5321 4.1.2). */
	if (domain.len > 1 && domain.at[domain.len - 1] == '.')
		domain.len--, text.len--;
	if (text.len > ADDR_PATH_MAX - 2)
		return error_set(error, "the address is longer than %d bytes",
				 ADDR_PATH_MAX - 2);
	memcpy(out->text, text.at, text.len);
	out->local_len = len;
	out->needs_utf8 = !is_ascii(view_first(text, len));
	if (len == text.len && view_equal_fold(text, VIEW("postmaster")))
		return 0;
	if (len == text.len)
		return error_set(error, "the address has no domain");
	return parse_domain(domain, utf8, out, error);
}

/* RFC 5321 4.1.2 A-d-l: length with the colon, 0 when there is none, -1 when
 * broken. Appendix C: accepted and ignored. */
static int route_length(struct view text, size_t *len, struct error *error)
{
	struct address ignored;
	size_t at = 0, end;

	*len = 0;
	while (at < text.len && text.at[at] == '@') {
		struct view rest = view_from(text, at + 1);

		end = rest.len && rest.at[0] == '[' ?
			      view_index(rest, ']') + 1 : 0;
		while (end < rest.len && rest.at[end] != ',' &&
		       rest.at[end] != ':')
			end++;
		if (end >= rest.len ||
		    parse_domain(view_first(rest, end), true, &ignored, error))
			return error_set(error, "bad source route");
		at += end + 2;
		if (rest.at[end] == ':') {
			*len = at;
			return 0;
		}
	}
	return at ? error_set(error, "bad source route") : 0;
}

/* Where the mailbox ends: at `>`, or at the first blank without brackets;
 * a quoted local part may hold either. */
static size_t mailbox_length(struct view text, bool bracketed, bool utf8)
{
	size_t at = text.len && text.at[0] == '"' ? quoted_length(text, utf8) :
						    0;

	while (at < text.len &&
	       text.at[at] != (unsigned char)(bracketed ? '>' : ' '))
		at++;
	return at;
}

int address_parse_path(struct view text, bool utf8, struct address *out,
		       size_t *used, struct error *error)
{
	bool bracketed = text.len && text.at[0] == '<';
	struct view inner = view_from(text, bracketed), mailbox;
	size_t route;

	memset(out, 0, sizeof(*out));
	if (route_length(inner, &route, error))
		return -1;
	inner = view_from(inner, route);
	mailbox = view_first(inner, mailbox_length(inner, bracketed, utf8));
	*used = bracketed + route + mailbox.len + bracketed;
	if (*used > text.len)
		return error_set(error, "the closing > is missing");
	if (*used < text.len && text.at[*used] != ' ')
		return error_set(error, "unexpected text behind the >");
	if (bracketed && !route && !mailbox.len)
		return 0;
	return parse_mailbox(mailbox, utf8, out, error);
}

int address_parse(struct view text, struct address *out, struct error *error)
{
	memset(out, 0, sizeof(*out));
	if (parse_mailbox(text, true, out, error))
		return -1;
	if (!out->domain[0])
		return error_set(error, "the address has no domain");
	return 0;
}

void address_ascii(const struct address *a, char *out, size_t room)
{
	if (a->domain[0])
		snprintf(out, room, "%.*s@%s", (int)a->local_len, a->text,
			 a->domain);
	else
		snprintf(out, room, "%s", a->text);
}

static int hex_digit(unsigned char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	if (byte >= 'A' && byte <= 'F')
		return byte - 'A' + 10;
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	return -1;
}

static bool is_xchar(unsigned char byte)
{
	return byte > ' ' && byte < 0x7f && byte != '+' && byte != '=';
}

int xtext_decode(struct view text, char *out, size_t room)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int byte = text.at[i];

		if (byte == '+') {
			if (text.len - i < 3 || hex_digit(text.at[i + 1]) < 0 ||
			    hex_digit(text.at[i + 2]) < 0)
				return -1;
			byte = hex_digit(text.at[i + 1]) * 16 +
			       hex_digit(text.at[i + 2]);
			i += 2;
		} else if (!is_xchar(text.at[i])) {
			return -1;
		}
		if (byte < ' ' || byte > '~' || len + 1 >= room)
			return -1;
		out[len++] = (char)byte;
	}
	if (!room)
		return -1;
	out[len] = '\0';
	return 0;
}

void xtext_encode(struct buffer *out, struct view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_xchar(text.at[i]))
			buffer_append_byte(out, text.at[i]);
		else
			buffer_printf(out, "+%02X", text.at[i]);
	}
}
