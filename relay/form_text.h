/*
 * A form's bytes as clean text: UTF-8, one kind of line end.  Pure.
 */
#ifndef RELAY_FORM_TEXT_H
#define RELAY_FORM_TEXT_H

#include "conf/bytes.h"
#include "conf/error.h"

/*
 * Takes UTF-8 with or without a byte order mark, or Windows-1252 (what is
 * not valid UTF-8), with LF, CRLF or CR.  Lines of the output end in '\n';
 * '\v' is a break inside a line (form feed, soft break), which does not
 * count as a line.  Blanks that do not break come out as blanks; control
 * bytes stay as they are.  -1 with the reason when this is no text (NUL,
 * UTF-16, PDF, an archive); then *out is untouched.
 */
int form_text(struct view raw, struct buffer *out, bool *is_windows_1252,
	      struct error *error);

#endif
