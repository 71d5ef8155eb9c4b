/*
 * The two doors by which a form's text reaches a configuration.  Pure.
 */
#ifndef RELAY_FORM_PRINT_H
#define RELAY_FORM_PRINT_H

#include "conf/bytes.h"

/* A whole line: `before`, which begins the comment, and the text, escaped
 * and cut at FORM_COMMENT_MAX bytes with "..." behind it. */
void form_print_comment(struct buffer *out, const char *before,
			struct view text);

/* A quoted string of the configuration language.  -1, with half of it
 * written, when the text has bytes that must not or cannot stand in one. */
int form_print_quoted(struct buffer *out, struct view text);

enum { FORM_COMMENT_MAX = 240 };

#endif
