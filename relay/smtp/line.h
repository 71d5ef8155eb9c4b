/*
 * Lines out of a stream of bytes (RFC 5321 2.3.8).  Pure.  Only CRLF ends
 * a line; a lone CR or LF is never an end and never part of a line.  The
 * bytes stay where they are: a line is a view into the input, and what is
 * not used is offered again with more behind it.  An endless line is
 * dropped as it comes, up to a bound.
 */
#ifndef RELAY_SMTP_LINE_H
#define RELAY_SMTP_LINE_H

#include "conf/bytes.h"

enum { LINE_SKIP_MAX = 64 * 1024 }; /* dropped before LINE_ENDLESS */

enum line_verdict {
	LINE_MORE,    /* no end yet */
	LINE_GOT,
	LINE_LONG,    /* its end was reached, the line was over `max` */
	LINE_BARE,    /* a lone CR or LF; nothing behind it can be trusted */
	LINE_ENDLESS, /* over LINE_SKIP_MAX without an end */
};

/* Zeroed but for max it is ready. */
struct line_reader {
	size_t max;     /* longest line, its CRLF included */
	size_t skipped; /* bytes of an over-long line dropped so far */
};

/* With LINE_GOT *text is the line without its CRLF.  *used bytes are done
 * with, also with LINE_MORE. */
enum line_verdict line_next(struct line_reader *reader, struct view input,
			    struct view *text, size_t *used);

#endif
