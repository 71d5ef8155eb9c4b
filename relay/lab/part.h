/*
 * What a message has to show: some header fields, and the first text and the
 * first HTML in it, decoded.  Pure.  It reads what MIME (RFC 2045, 2046,
 * 2047) says and makes the best of what is broken; depth, parts and sizes
 * are bounded.
 */
#ifndef RELAY_LAB_PART_H
#define RELAY_LAB_PART_H

#include "conf/bytes.h"

enum {
	PART_DEPTH_MAX = 8,
	PART_COUNT_MAX = 100,
	PART_FIELD_MAX = 1000, /* bytes of a header field that are read */
};

/* Decoded, as UTF-8 where the charset is known; to be cleared. */
struct part_texts {
	struct buffer text, html;
	bool has_text, has_html;
	unsigned others; /* parts that are neither, or further ones */
};

/* `message` begins with its header. */
void part_texts(struct view message, struct part_texts *out);
void part_texts_clear(struct part_texts *texts);

/* The first field of that name, unfolded, its encoded words decoded (RFC
 * 2047); appends nothing when there is none. */
void part_field(struct view message, const char *name, struct buffer *out);
/* The header with the empty line behind it. */
struct view part_header(struct view message);

#endif
