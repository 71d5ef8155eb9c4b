/*
 * Escapes for comments, quotes for values.  A comment may show anything; a
 * value is passed on exactly or not at all, so what is invisible, ends a
 * line or would be expanded is refused there.
 */
#include "relay/form_print.h"

/* "${" would look like a variable, even in a comment. */
void form_print_comment(struct buffer *out, const char *before,
			struct view text)
{
	struct buffer escaped = { 0 };
	struct view rest;

	bytes_escape(&escaped, text, FORM_COMMENT_MAX);
	rest = buffer_view(&escaped);
	buffer_printf(out, "%s", before);
	for (size_t i = 0; i < rest.len; i++) {
		if (rest.at[i] == '{' && i && rest.at[i - 1] == '$')
			buffer_append(out, VIEW("\\x7b"));
		else
			buffer_append_byte(out, rest.at[i]);
	}
	buffer_append_byte(out, '\n');
	buffer_clear(&escaped);
}

int form_print_quoted(struct buffer *out, struct view text)
{
	int rc = 0;

	buffer_append_byte(out, '"');
	while (text.len && !rc) {
		uint32_t point;
		size_t len = bytes_utf8(text, &point);
		struct view one = view_first(text, len ? len : 1);
		struct buffer shown = { 0 };

		bytes_escape(&shown, one, 8);
		if (one.at[0] == '"' || one.at[0] == '\\')
			buffer_append_byte(out, '\\');
		else if (!view_equal(buffer_view(&shown), one) ||
			 (one.at[0] == '{' && out->data[out->end - 1] == '$'))
			rc = -1;
		buffer_append(out, one);
		buffer_clear(&shown);
		text = view_from(text, one.len);
	}
	buffer_append_byte(out, '"');
	return rc;
}
