/*
 * Writing HTML so that nothing foreign can become markup: what is put in by
 * %s, or as a view, is escaped for text and for quoted attributes alike, and
 * what is not UTF-8 or could not be shown becomes U+FFFD.  Pure.
 */
#ifndef RELAY_LAB_HTML_H
#define RELAY_LAB_HTML_H

#include "conf/bytes.h"

/* The format is markup; of conversions it knows %s (escaped), %u, %llu and
 * %%. */
void html_add(struct buffer *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Escaped. */
void html_text(struct buffer *out, struct view text);
/* For a part of a path or a query in an attribute: what is not a letter, a
 * digit or one of -._~ as %XX. */
void html_path(struct buffer *out, struct view text);

#endif
