/*
 * See html.h.
 */
#include "relay/lab/html.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tab, line ends and all that is not a control character.  Those that turn
 * the direction of reading would let one text pass as another. */
static bool is_shown(uint32_t point)
{
	if (point < 0x20)
		return point == '\t' || point == '\n' || point == '\r';
	return !(point >= 0x7f && point < 0xa0) &&
	       !(point >= 0x202a && point <= 0x202e) &&
	       !(point >= 0x2066 && point <= 0x2069) && point != 0x200e &&
	       point != 0x200f && point != 0x061c && point != 0xfeff &&
	       !(point >= 0xfff9 && point <= 0xfffb) &&
	       (point & 0xfffe) != 0xfffe;
}

static void put_ascii(struct buffer *out, unsigned char byte)
{
	switch (byte) {
	case '&': buffer_append(out, VIEW("&amp;")); break;
	case '<': buffer_append(out, VIEW("&lt;")); break;
	case '>': buffer_append(out, VIEW("&gt;")); break;
	case '"': buffer_append(out, VIEW("&quot;")); break;
	case '\'': buffer_append(out, VIEW("&#39;")); break;
	default: buffer_append_byte(out, byte);
	}
}

void html_text(struct buffer *out, struct view text)
{
	while (text.len > 0) {
		uint32_t point = 0;
		size_t len = bytes_utf8(text, &point);

		if (len == 0 || !is_shown(point))
			buffer_append(out, VIEW("\xef\xbf\xbd"));
		else if (len == 1)
			put_ascii(out, text.at[0]);
		else
			buffer_append(out, view_first(text, len));
		text = view_from(text, len ? len : 1);
	}
}

void html_path(struct buffer *out, struct view text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = text.at[i];

		if (byte < 0x80 && (isalnum(byte) || strchr("-._~", byte)) &&
		    byte)
			buffer_append_byte(out, byte);
		else
			buffer_printf(out, "%%%02X", byte);
	}
}

void html_add(struct buffer *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	while (*format) {
		size_t len = strcspn(format, "%");

		buffer_append(out, view_make(format, len));
		format += len;
		if (strncmp(format, "%s", 2) == 0)
			html_text(out, view_of(va_arg(args, const char *)));
		else if (strncmp(format, "%u", 2) == 0)
			buffer_printf(out, "%u", va_arg(args, unsigned));
		else if (strncmp(format, "%llu", 4) == 0)
			buffer_printf(out, "%llu",
				      va_arg(args, unsigned long long));
		else if (strncmp(format, "%%", 2) == 0)
			buffer_append_byte(out, '%');
		else if (*format)
			abort();
		if (*format)
			format += strncmp(format, "%llu", 4) == 0 ? 4 : 2;
	}
	va_end(args);
}
