/*
 * See part.h.  A part that is not what it says it is comes out as it came.
 */
#include "relay/lab/part.h"

#include "relay/lab/part_decode.h"

#include <stdlib.h>
#include <string.h>

enum { BOUNDARY_MAX = 70 }; /* RFC 2046 5.1.1 */

struct walk {
	struct part_texts *out;
	unsigned parts;
};

static struct view take_line(struct view *rest)
{
	size_t len = view_index(*rest, '\n');
	struct view line = view_first(*rest, len);

	*rest = view_from(*rest, len < rest->len ? len + 1 : len);
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

struct view part_header(struct view message)
{
	struct view rest = message;

	while (rest.len > 0 && take_line(&rest).len > 0)
		;
	return view_first(message, message.len - rest.len);
}

/* The raw value of a field, unfolded; false: there is none. */
static bool raw_field(struct view message, const char *name,
		      struct buffer *out)
{
	struct view rest = part_header(message);
	struct view wanted = view_of(name);
	bool found = false;

	while (rest.len > 0) {
		struct view line = take_line(&rest);
		bool is_more = line.len > 0 && (line.at[0] == ' ' ||
						line.at[0] == '\t');

		if (found && !is_more)
			break;
		if (!found && view_starts_fold(line, wanted) &&
		    line.len > wanted.len && line.at[wanted.len] == ':') {
			found = true;
			line = view_from(line, wanted.len + 1);
		}
		if (found && buffer_len(out) < PART_FIELD_MAX) {
			if (is_more)
				buffer_append_byte(out, ' ');
			buffer_append(out, view_first(view_trim(line),
						      PART_FIELD_MAX));
		}
	}
	return found;
}

void part_field(struct view message, const char *name, struct buffer *out)
{
	struct buffer raw = { 0 };

	if (raw_field(message, name, &raw))
		part_decode_words(buffer_view(&raw), out);
	buffer_clear(&raw);
}

/* --- Content-Type ------------------------------------------------------ */

struct type {
	bool is_multipart, is_text, is_html, is_attachment;
	char boundary[BOUNDARY_MAX + 1];
	char charset[40];
};

static void copy_value(struct view value, char *out, size_t room)
{
	if (value.len >= room)
		value.len = 0;
	if (value.len)
		memcpy(out, value.at, value.len);
	out[value.len] = '\0';
}

/* name=token or name="text"; without backslashes, which no one writes. */
static struct view parameter(struct view text, const char *name)
{
	struct view wanted = view_of(name);

	while (text.len > 0) {
		struct view one = view_trim(view_cut(&text, ';'));

		if (!view_starts_fold(one, wanted))
			continue;
		one = view_trim(view_from(one, wanted.len));
		if (one.len == 0 || one.at[0] != '=')
			continue;
		one = view_trim(view_from(one, 1));
		if (one.len > 0 && one.at[0] == '"') {
			one = view_from(one, 1);
			return view_first(one, view_index(one, '"'));
		}
		return one;
	}
	return VIEW("");
}

static void read_type(struct view part, struct type *out)
{
	struct buffer field = { 0 };
	struct view text, kind;

	memset(out, 0, sizeof(*out));
	raw_field(part, "Content-Disposition", &field);
	out->is_attachment = view_starts_fold(buffer_view(&field),
					      VIEW("attachment"));
	buffer_reset(&field);
	out->is_text = !raw_field(part, "Content-Type", &field);
	text = buffer_view(&field);
	kind = view_trim(view_cut(&text, ';'));
	out->is_multipart = view_starts_fold(kind, VIEW("multipart/"));
	out->is_html = view_equal_fold(kind, VIEW("text/html"));
	if (view_starts_fold(kind, VIEW("text/")) && !out->is_html)
		out->is_text = true;
	copy_value(parameter(text, "boundary"), out->boundary,
		   sizeof(out->boundary));
	copy_value(parameter(text, "charset"), out->charset,
		   sizeof(out->charset));
	buffer_clear(&field);
}

/* --- parts -------------------------------------------------------------- */

static void take_text(struct view part, const struct type *type,
		      struct buffer *out)
{
	struct buffer encoding = { 0 }, bytes = { 0 };
	struct view body = view_from(part, part_header(part).len);

	raw_field(part, "Content-Transfer-Encoding", &encoding);
	if (view_equal_fold(buffer_view(&encoding), VIEW("base64")))
		part_decode_base64(body, &bytes);
	else if (view_equal_fold(buffer_view(&encoding),
				 VIEW("quoted-printable")))
		part_decode_quoted(body, &bytes);
	else
		buffer_append(&bytes, body);
	part_decode_charset(buffer_view(&bytes), view_of(type->charset), out);
	buffer_clear(&bytes);
	buffer_clear(&encoding);
}

static void walk_part(struct walk *walk, struct view part, unsigned depth);

/* -1: no delimiter; 0: one; 1: the last one. */
static int delimiter(struct view line, const char *boundary)
{
	struct view wanted = view_of(boundary), rest;

	if (line.len < wanted.len + 2 || line.at[0] != '-' ||
	    line.at[1] != '-' ||
	    !view_equal(view_first(view_from(line, 2), wanted.len), wanted))
		return -1;
	rest = view_from(line, 2 + wanted.len);
	if (rest.len >= 2 && rest.at[0] == '-' && rest.at[1] == '-')
		return 1;
	return view_trim(rest).len == 0 ? 0 : -1;
}

static void walk_multipart(struct walk *walk, struct view part,
			   const struct type *type, unsigned depth)
{
	struct view rest = view_from(part, part_header(part).len);
	const unsigned char *begin = NULL;

	while (rest.len > 0) {
		const unsigned char *at = rest.at;
		int kind = delimiter(take_line(&rest), type->boundary);

		if (kind < 0)
			continue;
		if (begin)
			walk_part(walk, view_make(begin, (size_t)(at - begin)),
				  depth + 1);
		begin = rest.at;
		if (kind == 1)
			return;
	}
	/* The last delimiter is missing. */
	if (begin && begin < part.at + part.len)
		walk_part(walk,
			  view_make(begin,
				    (size_t)(part.at + part.len - begin)),
			  depth + 1);
}

static void walk_part(struct walk *walk, struct view part, unsigned depth)
{
	struct part_texts *out = walk->out;
	struct type type;

	if (walk->parts >= PART_COUNT_MAX || depth > PART_DEPTH_MAX)
		return;
	walk->parts++;
	read_type(part, &type);
	if (type.is_multipart && type.boundary[0]) {
		walk_multipart(walk, part, &type, depth);
	} else if (type.is_html && !out->has_html && !type.is_attachment) {
		out->has_html = true;
		take_text(part, &type, &out->html);
	} else if (type.is_text && !out->has_text && !type.is_attachment) {
		out->has_text = true;
		take_text(part, &type, &out->text);
	} else {
		out->others++;
	}
}

void part_texts(struct view message, struct part_texts *out)
{
	struct walk walk = { .out = out };

	memset(out, 0, sizeof(*out));
	walk_part(&walk, message, 0);
}

void part_texts_clear(struct part_texts *texts)
{
	buffer_clear(&texts->text);
	buffer_clear(&texts->html);
}
