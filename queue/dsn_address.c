/*
 * Addresses of type utf-8.  See dsn_address.h.
 */
#include "queue/dsn_address.h"

#include <inttypes.h>
#include <string.h>

/* RFC 6533 3: two to six digits; 0 when there is none at the front. */
static size_t embedded(struct view text, uint32_t *point)
{
	size_t i = 3;

	*point = 0;
	if (text.len < 3 || memcmp(text.at, "\\x{", 3) != 0)
		return 0;
	for (; i < text.len && i < 9; i++) {
		const char *digits = "0123456789ABCDEF";
		unsigned char c = text.at[i];
		const char *at = c ? strchr(digits, c >= 'a' && c <= 'f' ?
							    c - 32 :
							    c) :
				     NULL;

		if (!at)
			break;
		*point = *point << 4 | (uint32_t)(at - digits);
	}
	return i > 4 && i < text.len && text.at[i] == '}' ? i + 1 : 0;
}

static bool is_control(uint32_t point)
{
	return point < 32 || (point >= 127 && point < 160) || point == 0x2028 ||
	       point == 0x2029;
}

static void put_utf8(struct buffer *out, uint32_t point)
{
	unsigned char text[4];
	size_t len = 0;

	if (point < 0x80) {
		text[len++] = (unsigned char)point;
	} else if (point < 0x800) {
		text[len++] = (unsigned char)(0xc0 | point >> 6);
	} else if (point < 0x10000) {
		text[len++] = (unsigned char)(0xe0 | point >> 12);
		text[len++] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
	} else {
		text[len++] = (unsigned char)(0xf0 | point >> 18);
		text[len++] = (unsigned char)(0x80 | (point >> 12 & 0x3f));
		text[len++] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
	}
	if (point >= 0x80)
		text[len++] = (unsigned char)(0x80 | (point & 0x3f));
	buffer_append(out, view_make(text, len));
}

static void put_point(struct buffer *out, uint32_t point, bool utf8,
		      bool was_embedded)
{
	bool is_none = point > 0x10ffff || (point >= 0xd800 && point < 0xe000);

	if (is_control(point) || is_none)
		buffer_append_byte(out, '?');
	else if (utf8 || (point < 0x80 && !was_embedded))
		put_utf8(out, point);
	else
		buffer_printf(out, "\\x{%02" PRIX32 "}", point);
}

void dsn_address(struct buffer *out, const char *address, bool utf8)
{
	struct view rest = view_of(address);

	while (rest.len) {
		uint32_t point;
		size_t len = embedded(rest, &point);
		bool was_embedded = len > 0;

		if (!len)
			len = bytes_utf8(rest, &point);
		if (!len) {
			point = '?';
			len = 1;
		}
		put_point(out, point, utf8, was_embedded);
		rest = view_from(rest, len);
	}
}
