/*
 * Walking DER.
 */
#include "tls/der.h"

int der_next(struct view *rest, struct der *out)
{
	size_t head = 2, len, i, octets;

	if (rest->len == 0)
		return 0;
	/* a tag number of 31 would go on in further bytes */
	if (rest->len < 2 || (rest->at[0] & 0x1f) == 0x1f)
		return -1;
	len = rest->at[1];
	if (len >= 0x80) {
		octets = len & 0x7f;
		if (octets == 0 || octets > 4 || rest->len < 2 + octets ||
		    rest->at[2] == 0)
			return -1;
		len = 0;
		for (i = 0; i < octets; i++)
			len = len << 8 | rest->at[2 + i];
		if (len < 0x80)
			return -1;
		head += octets;
	}
	if (len > rest->len - head)
		return -1;
	out->tag = rest->at[0];
	out->whole = view_first(*rest, head + len);
	out->content = view_from(out->whole, head);
	*rest = view_from(*rest, head + len);
	return 1;
}

int der_expect(struct view *rest, unsigned tag, struct der *out)
{
	return der_next(rest, out) == 1 && out->tag == tag ? 0 : -1;
}

int der_optional(struct view *rest, unsigned tag, struct der *out)
{
	if (rest->len == 0 || rest->at[0] != tag)
		return 0;
	return der_next(rest, out);
}

int der_number(struct view content, uint32_t max, uint32_t *value)
{
	uint64_t n = 0;
	size_t i;

	if (content.len == 0 || content.len > 5 || content.at[0] & 0x80)
		return -1;
	if (content.len > 1 && content.at[0] == 0 && !(content.at[1] & 0x80))
		return -1;
	for (i = 0; i < content.len; i++)
		n = n << 8 | content.at[i];
	if (n > max)
		return -1;
	*value = (uint32_t)n;
	return 0;
}

int der_boolean(struct view content, bool *value)
{
	if (content.len != 1 ||
	    (content.at[0] != 0x00 && content.at[0] != 0xff))
		return -1;
	*value = content.at[0] == 0xff;
	return 0;
}

static int two_digits(const unsigned char *at, int64_t *value)
{
	if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
		return -1;
	*value = (at[0] - '0') * 10 + (at[1] - '0');
	return 0;
}

/* Days since 1970-01-01 of a day in the Gregorian calendar. */
static int64_t days(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	/* from 0000-03-01: 365 a year, leap days, and months of 30.6 days
	 * that begin in March */
	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 +
	       (day - 1) - 719468;
}

int der_time(const struct der *element, int64_t *seconds)
{
	struct view text = element->content;
	const unsigned char *at = text.at;
	int64_t century = 0, year, field[5];
	size_t i;

	if (element->tag == DER_TIME) {
		if (text.len != 15 || two_digits(at, &century) < 0)
			return -1;
		at += 2;
	} else if (element->tag != DER_UTC_TIME || text.len != 13) {
		return -1;
	}
	if (two_digits(at, &year) < 0 || at[12] != 'Z')
		return -1;
	for (i = 0; i < 5; i++)
		if (two_digits(at + 2 + 2 * i, &field[i]) < 0)
			return -1;
	if (field[0] < 1 || field[0] > 12 || field[1] < 1 || field[1] > 31 ||
	    field[2] > 23 || field[3] > 59 || field[4] > 60)
		return -1;
	if (element->tag == DER_UTC_TIME)
		century = year >= 50 ? 19 : 20;
	year += century * 100;
	*seconds = days(year, field[0], field[1]) * 86400 + field[2] * 3600 +
		   field[3] * 60 + field[4];
	return 0;
}

int der_bits(struct view content, struct view *bytes)
{
	if (content.len < 1 || content.at[0] != 0)
		return -1;
	*bytes = view_from(content, 1);
	return 0;
}

static void append_utf8(struct buffer *out, uint32_t c)
{
	if (c < 0x80) {
		buffer_append_byte(out, (unsigned char)c);
		return;
	}
	if (c >= 0x10000)
		buffer_append_byte(out, (unsigned char)(0xf0 | (c >> 18 & 7)));
	if (c >= 0x800)
		buffer_append_byte(out, (unsigned char)(
			c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f)
				     : 0xe0 | c >> 12));
	buffer_append_byte(out, (unsigned char)(c >= 0x800
							? 0x80 | (c >> 6 & 0x3f)
							: 0xc0 | c >> 6));
	buffer_append_byte(out, (unsigned char)(0x80 | (c & 0x3f)));
}

int der_text(const struct der *element, struct buffer *out)
{
	struct view text = element->content;
	size_t width = 1, i, k;

	switch (element->tag) {
	case DER_UTF8:
	case DER_PRINTABLE:
	case DER_IA5:
		buffer_append(out, text);
		return 0;
	case DER_TELETEX: break; /* Latin-1 by all who still use it */
	case DER_BMP: width = 2; break;
	case DER_UNIVERSAL: width = 4; break;
	default: return -1;
	}
	if (text.len % width != 0)
		return -1;
	for (i = 0; i < text.len; i += width) {
		uint32_t c = 0;

		for (k = 0; k < width; k++)
			c = c << 8 | text.at[i + k];
		append_utf8(out, c);
	}
	return 0;
}
