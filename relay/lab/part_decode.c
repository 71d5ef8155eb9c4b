/*
 * See part_decode.h.
 */
#include "relay/lab/part_decode.h"

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

static int base64_digit(unsigned char byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return byte - 'A';
	if (byte >= 'a' && byte <= 'z')
		return byte - 'a' + 26;
	if (byte >= '0' && byte <= '9')
		return byte - '0' + 52;
	return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

void part_decode_base64(struct view in, struct buffer *out)
{
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < in.len; i++) {
		int digit = base64_digit(in.at[i]);

		if (digit < 0)
			continue;
		bits = bits << 6 | (uint32_t)digit;
		count += 6;
		if (count >= 8) {
			count -= 8;
			buffer_append_byte(out, (unsigned char)(bits >> count));
		}
	}
}

/* The byte that =XX at `i` stands for, or -1. */
static int quoted_byte(struct view in, size_t i)
{
	int high, low;

	if (in.len - i < 3)
		return -1;
	high = hex_digit(in.at[i + 1]);
	low = hex_digit(in.at[i + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* How long the soft line break at `i` is; 0: it is none. */
static size_t soft_break(struct view in, size_t i)
{
	size_t at = i + 1;

	while (at < in.len && (in.at[at] == ' ' || in.at[at] == '\t' ||
			       in.at[at] == '\r'))
		at++;
	return at < in.len && in.at[at] == '\n' ? at + 1 - i : 0;
}

void part_decode_quoted(struct view in, struct buffer *out)
{
	for (size_t i = 0; i < in.len;) {
		int byte = in.at[i] == '=' ? quoted_byte(in, i) : -1;
		size_t gap = in.at[i] == '=' ? soft_break(in, i) : 0;

		if (byte >= 0)
			buffer_append_byte(out, (unsigned char)byte);
		else if (gap == 0)
			buffer_append_byte(out, in.at[i]);
		i += byte >= 0 ? 3 : gap ? gap : 1;
	}
}

static void append_point(struct buffer *out, uint32_t point)
{
	if (point < 0x80) {
		buffer_append_byte(out, (unsigned char)point);
	} else if (point < 0x800) {
		buffer_append_byte(out, (unsigned char)(0xc0 | point >> 6));
		buffer_append_byte(out, (unsigned char)(0x80 | (point & 0x3f)));
	} else {
		buffer_append_byte(out, (unsigned char)(0xe0 | point >> 12));
		buffer_append_byte(out, (unsigned char)(0x80 |
							(point >> 6 & 0x3f)));
		buffer_append_byte(out, (unsigned char)(0x80 | (point & 0x3f)));
	}
}

void part_decode_charset(struct view in, struct view charset,
			 struct buffer *out)
{
	/* Of what Windows has where ISO has control characters. */
	static const uint16_t windows[32] = {
		0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
		0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd,
		0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
		0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178,
	};

	if (!view_starts_fold(charset, VIEW("iso-8859-1")) &&
	    !view_equal_fold(charset, VIEW("latin1")) &&
	    !view_equal_fold(charset, VIEW("windows-1252"))) {
		buffer_append(out, in);
		return;
	}
	for (size_t i = 0; i < in.len; i++) {
		unsigned char byte = in.at[i];

		append_point(out, byte >= 0x80 && byte < 0xa0 ?
					  windows[byte - 0x80] :
					  byte);
	}
}

/* RFC 2047 4.2: as quoted-printable, but that _ is a blank. */
static void decode_q(struct view in, struct buffer *out)
{
	struct buffer text = { 0 };

	for (size_t i = 0; i < in.len; i++)
		buffer_append_byte(&text, in.at[i] == '_' ? ' ' : in.at[i]);
	part_decode_quoted(buffer_view(&text), out);
	buffer_clear(&text);
}

/* =?charset?B?text?= at the front of `in`: its length, 0 when it is none. */
static size_t take_word(struct view in, struct buffer *out)
{
	struct view charset, encoding, text;
	struct buffer bytes = { 0 };
	size_t i;

	if (in.len < 8 || in.at[0] != '=' || in.at[1] != '?')
		return 0;
	text = view_from(in, 2);
	charset = view_cut(&text, '?');
	encoding = view_cut(&text, '?');
	i = view_index(text, '?');
	if (encoding.len != 1 || view_index(VIEW("bBqQ"), encoding.at[0]) == 4 ||
	    i + 1 >= text.len || text.at[i + 1] != '=')
		return 0;
	if ((encoding.at[0] | 0x20) == 'b')
		part_decode_base64(view_first(text, i), &bytes);
	else
		decode_q(view_first(text, i), &bytes);
	/* A language behind the charset, RFC 2231 5. */
	charset = view_first(charset, view_index(charset, '*'));
	part_decode_charset(buffer_view(&bytes), charset, out);
	buffer_clear(&bytes);
	return (size_t)(text.at - in.at) + i + 2;
}

/* Blanks between two encoded words are none (RFC 2047 6.2). */
void part_decode_words(struct view in, struct buffer *out)
{
	bool after_word = false;

	while (in.len > 0) {
		struct buffer word = { 0 };
		size_t blanks = 0, len;

		while (blanks < in.len && in.at[blanks] == ' ')
			blanks++;
		len = take_word(view_from(in, blanks), &word);
		if (!len || !after_word)
			buffer_append(out, view_first(in, blanks));
		in = view_from(in, blanks);
		after_word = len > 0;
		buffer_append(out, buffer_view(&word));
		buffer_clear(&word);
		if (!after_word) {
			len = view_index(in, ' ');
			buffer_append(out, view_first(in, len));
		}
		in = view_from(in, len);
	}
}
