/*
 * The closings in front of libconfuse: raw bytes of a configuration file
 * in, text out that libconfuse reads exactly as the operator meant it, or
 * an error.  Pure.  Private to the reader.
 */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include "conf/bytes.h"
#include "conf/error.h"

/* The one name and value that no operator can write: `MARK=x` is the first
 * statement of each section and tells its line, `{"MARK"}` is what is left
 * of an empty list. */
#define SCAN_MARK "\x01"

/*
 * Appends the text to *out, line for line.  Comments are gone, empty lists
 * and sections carry marks.  -1 with `path:line: ...`.
 */
int scan_text(struct view raw, const char *path, struct buffer *out,
	      struct error *error);

#endif
