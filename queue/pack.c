/*
 * Numbers and texts as bytes.  See pack.h.
 */
#include "queue/pack.h"

#include <string.h>

static void pack_number(struct buffer *out, uint64_t value, size_t width)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (unsigned char)(value >> (8 * i));
	buffer_append(out, view_make(bytes, width));
}

void pack_u8(struct buffer *out, uint8_t value)
{
	buffer_append_byte(out, value);
}

void pack_u16(struct buffer *out, uint16_t value)
{
	pack_number(out, value, 2);
}

void pack_u32(struct buffer *out, uint32_t value)
{
	pack_number(out, value, 4);
}

void pack_u64(struct buffer *out, uint64_t value)
{
	pack_number(out, value, 8);
}

void pack_view(struct buffer *out, struct view text)
{
	pack_u32(out, (uint32_t)text.len);
	buffer_append(out, text);
}

void pack_text(struct buffer *out, const char *text)
{
	pack_view(out, view_of(text ? text : ""));
}

static uint64_t unpack_number(struct unpack *in, size_t width)
{
	uint64_t value = 0;

	if (in->is_bad || in->rest.len < width) {
		in->is_bad = true;
		return 0;
	}
	for (size_t i = 0; i < width; i++)
		value |= (uint64_t)in->rest.at[i] << (8 * i);
	in->rest = view_from(in->rest, width);
	return value;
}

uint8_t unpack_u8(struct unpack *in)
{
	return (uint8_t)unpack_number(in, 1);
}

uint16_t unpack_u16(struct unpack *in)
{
	return (uint16_t)unpack_number(in, 2);
}

uint32_t unpack_u32(struct unpack *in)
{
	return (uint32_t)unpack_number(in, 4);
}

uint64_t unpack_u64(struct unpack *in)
{
	return unpack_number(in, 8);
}

struct view unpack_view(struct unpack *in)
{
	uint32_t len = unpack_u32(in);
	struct view text;

	if (in->is_bad || len > in->rest.len) {
		in->is_bad = true;
		return view_make("", 0);
	}
	text = view_first(in->rest, len);
	in->rest = view_from(in->rest, len);
	return text;
}

static struct view unpack_printable(struct unpack *in)
{
	struct view text = unpack_view(in);

	if (text.len && memchr(text.at, 0, text.len)) {
		in->is_bad = true;
		return view_make("", 0);
	}
	return text;
}

char *unpack_text(struct unpack *in)
{
	return view_string(unpack_printable(in));
}

void unpack_field(struct unpack *in, char *out, size_t room)
{
	struct view text = unpack_printable(in);

	if (text.len >= room) {
		in->is_bad = true;
		text.len = 0;
	}
	if (text.len)
		memcpy(out, text.at, text.len);
	out[text.len] = '\0';
}

uint32_t unpack_count(struct unpack *in, size_t least)
{
	uint32_t count = unpack_u32(in);

	if (in->is_bad || count > in->rest.len / least) {
		in->is_bad = true;
		return 0;
	}
	return count;
}

bool unpack_is_whole(const struct unpack *in)
{
	return !in->is_bad && in->rest.len == 0;
}
