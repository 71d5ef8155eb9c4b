/*
 * Forms arrive as whatever an office program saved.  What is valid UTF-8 is
 * UTF-8, all else is read as Windows-1252, in which every byte means
 * something.  Nothing is dropped here but the byte order mark: what looks
 * odd must still look odd to the rooms that judge it.
 */
#include "relay/form_text.h"

enum { SOFT_BREAK = '\v' };

/* Windows-1252 from 0x80 to 0x9f; the five holes become U+FFFD. */
static const uint16_t windows_1252[32] = {
	0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd,
	0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178,
};

static bool is_utf8(struct view text)
{
	uint32_t point;

	while (text.len) {
		size_t len = bytes_utf8(text, &point);

		if (!len)
			return false;
		text = view_from(text, len);
	}
	return true;
}

static bool starts(struct view raw, struct view mark)
{
	return view_equal(view_first(raw, mark.len), mark);
}

static int refuse_binary(struct view raw, struct error *error)
{
	if (starts(raw, VIEW("\xff\xfe")) || starts(raw, VIEW("\xfe\xff")))
		return error_set(error, "the form is UTF-16; save it as plain "
					"text in UTF-8");
	if (starts(raw, VIEW("%PDF")))
		return error_set(error, "the form is a PDF file; extract its "
					"text first (pdftotext -layout)");
	if (starts(raw, VIEW("PK\x03\x04")))
		return error_set(error, "the form is an office document; save "
					"it as plain text in UTF-8");
	if (view_index(raw, '\0') < raw.len)
		return error_set(error,
				 "the form is not text (it has a NUL "
				 "byte); save it as plain text in UTF-8");
	return 0;
}

/* Points below U+10000 only, which is all that Windows-1252 has. */
static void append_point(struct buffer *out, uint32_t point)
{
	if (point < 0x80) {
		buffer_append_byte(out, (unsigned char)point);
		return;
	}
	if (point < 0x800) {
		buffer_append_byte(out, (unsigned char)(0xc0 | point >> 6));
	} else {
		buffer_append_byte(out, (unsigned char)(0xe0 | point >> 12));
		buffer_append_byte(out,
				   (unsigned char)(0x80 | (point >> 6 & 0x3f)));
	}
	buffer_append_byte(out, (unsigned char)(0x80 | (point & 0x3f)));
}

static bool is_soft_break(uint32_t point)
{
	return point == '\v' || point == '\f' || point == 0x85 ||
	       point == 0x2028 || point == 0x2029;
}

/* Blanks that office programs put where lines or numbers may not break. */
static bool is_fixed_blank(uint32_t point)
{
	return point == 0xa0 || point == 0x2007 || point == 0x202f;
}

/* The character at the front of the text; its length. */
static size_t decode(struct view text, bool is_1252, uint32_t *point)
{
	if (!is_1252)
		return bytes_utf8(text, point);
	*point = text.at[0];
	if (*point >= 0x80 && *point < 0xa0)
		*point = windows_1252[*point - 0x80];
	return 1;
}

int form_text(struct view raw, struct buffer *out, bool *is_windows_1252,
	      struct error *error)
{
	if (refuse_binary(raw, error))
		return -1;
	if (starts(raw, VIEW("\xef\xbb\xbf")))
		raw = view_from(raw, 3);
	*is_windows_1252 = !is_utf8(raw);
	while (raw.len) {
		uint32_t point;
		size_t len = decode(raw, *is_windows_1252, &point);

		if (point == '\r') {
			if (starts(raw, VIEW("\r\n")))
				len = 2;
			buffer_append_byte(out, '\n');
		} else if (is_soft_break(point)) {
			buffer_append_byte(out, SOFT_BREAK);
		} else if (is_fixed_blank(point)) {
			buffer_append_byte(out, ' ');
		} else if (*is_windows_1252) {
			append_point(out, point);
		} else {
			buffer_append(out, view_first(raw, len));
		}
		raw = view_from(raw, len);
	}
	return 0;
}
