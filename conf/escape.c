/*
 * Foreign bytes as text for people: strict UTF-8 and the escaping of all
 * that could move a cursor, end a line or turn the reading direction.
 * Second file of the room bytes.
 */
#include "conf/bytes.h"

#include <stdio.h>

struct utf8_form {
	unsigned char mask, lead;
	size_t len;
	uint32_t least; /* shorter forms exist below this: overlong */
};

static const struct utf8_form forms[] = {
	{ 0x80, 0x00, 1, 0       },
	{ 0xe0, 0xc0, 2, 0x80    },
	{ 0xf0, 0xe0, 3, 0x800   },
	{ 0xf8, 0xf0, 4, 0x10000 },
};

static uint32_t decode(const unsigned char *at, const struct utf8_form *form)
{
	uint32_t point = at[0] & (unsigned char)~form->mask;

	for (size_t i = 1; i < form->len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		point = point << 6 | (at[i] & 0x3fu);
	}
	return point;
}

size_t bytes_utf8(struct view text, uint32_t *point)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		const struct utf8_form *form = &forms[i];

		if (text.len < form->len ||
		    (text.at[0] & form->mask) != form->lead)
			continue;
		*point = decode(text.at, form);
		/* RFC 3629 3: no surrogates, no overlong forms. */
		if (*point < form->least || *point > 0x10ffff ||
		    (*point >= 0xd800 && *point <= 0xdfff))
			return 0;
		return form->len;
	}
	return 0;
}

/* C1 controls, line and paragraph separators, changes of direction. */
static bool is_shown(uint32_t point)
{
	if (point < 0x80)
		return point >= 0x20 && point < 0x7f && point != '\\';
	return point >= 0xa0 && !(point >= 0x2028 && point <= 0x202e) &&
	       !(point >= 0x2066 && point <= 0x2069) && point != 0xfeff;
}

/* How many bytes of ASCII at its beginning are shown as they are. */
static size_t plain_run(struct view text)
{
	size_t len = 0;

	while (len < text.len && text.at[len] < 0x80 &&
	       is_shown(text.at[len]))
		len++;
	return len;
}

void bytes_escape(struct buffer *out, struct view text, size_t max)
{
	size_t written = 0;

	while (text.len) {
		struct view plain = view_first(text, plain_run(text));
		uint32_t point;
		size_t len, cost;
		bool shown;

		/* nearly all text is nothing else */
		plain = view_first(plain, max - written);
		buffer_append(out, plain);
		written += plain.len;
		text = view_from(text, plain.len);
		if (!text.len)
			return;
		len = bytes_utf8(text, &point);
		shown = len && is_shown(point);
		cost = shown ? len : 4;
		if (cost > max - written) {
			buffer_append(out, VIEW("..."));
			return;
		}
		if (shown)
			buffer_append(out, view_first(text, len));
		else
			buffer_printf(out, "\\x%02x", text.at[0]);
		written += cost;
		text = view_from(text, shown ? len : 1);
	}
}
