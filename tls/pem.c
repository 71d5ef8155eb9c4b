/*
 * PEM is read leniently as to what stands around and between the blocks,
 * for people write there, and strictly inside of them.
 */
#include "tls/pem.h"

#include <string.h>

enum {
	DER_MAX = 1024 * 1024, /* one block, decoded */
	LINE_BYTES = 48,       /* 64 characters, RFC 7468 2 */
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz"
			       "0123456789+/";

static int base64_value(unsigned char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* Decodes what stands between the dashes; -1 on anything foreign. */
static int decode(struct view text, struct buffer *out)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t i;

	for (i = 0; i < text.len; i++) {
		unsigned char c = text.at[i];
		int value = base64_value(c);

		if (c == '=')
			break;
		if (c == '\n' || c == '\r' || c == ' ' || c == '\t')
			continue;
		if (value < 0 || buffer_len(out) > DER_MAX)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buffer_append_byte(out, (unsigned char)(bits >> have));
		}
	}
	return 0;
}

/* Cuts what stands before the text, and the text, from the front of *rest;
 * false when the text is not there. */
static bool cut(struct view *rest, const char *text, struct view *before)
{
	size_t len = strlen(text);
	const unsigned char *at = memmem(rest->at, rest->len, text, len);

	if (!at)
		return false;
	*before = view_first(*rest, (size_t)(at - rest->at));
	*rest = view_from(*rest, before->len + len);
	return true;
}

static bool is_about_certificates(struct view label)
{
	static const char *const labels[] = {
		"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE",
		"PKCS7", "CMS", NULL,
	};
	size_t i;

	for (i = 0; labels[i]; i++)
		if (view_equal(label, view_of(labels[i])))
			return true;
	return false;
}

int pem_next(struct view *rest, struct buffer *der)
{
	struct view label, text;

	buffer_reset(der);
	do {
		if (!cut(rest, "-----BEGIN ", &text) ||
		    !cut(rest, "-----", &label) ||
		    !cut(rest, "-----END ", &text))
			return 0;
	} while (!is_about_certificates(label));
	return decode(text, der) < 0 ? -1 : 1;
}

static void encode(struct buffer *out, struct view bytes)
{
	size_t i;

	for (i = 0; i < bytes.len; i += 3) {
		struct view part = view_first(view_from(bytes, i), 3);
		uint32_t bits = (uint32_t)part.at[0] << 16;

		if (part.len > 1)
			bits |= (uint32_t)part.at[1] << 8;
		if (part.len > 2)
			bits |= part.at[2];
		buffer_printf(out, "%c%c%c%c", alphabet[bits >> 18],
			      alphabet[bits >> 12 & 63],
			      part.len > 1 ? alphabet[bits >> 6 & 63] : '=',
			      part.len > 2 ? alphabet[bits & 63] : '=');
	}
}

void pem_append(struct buffer *out, struct view der)
{
	size_t i;

	buffer_append(out, VIEW("-----BEGIN CERTIFICATE-----\n"));
	for (i = 0; i < der.len; i += LINE_BYTES) {
		encode(out, view_first(view_from(der, i), LINE_BYTES));
		buffer_append_byte(out, '\n');
	}
	buffer_append(out, VIEW("-----END CERTIFICATE-----\n"));
}
