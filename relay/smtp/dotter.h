/*
 * Writes a message as the octets of DATA (RFC 5321 4.5.2): a dot is put in
 * front of every line that begins with one, every line ends in CRLF, and
 * CRLF.CRLF stands at the end and nowhere else.  Pure; fed in any pieces.
 */
#ifndef RELAY_SMTP_DOTTER_H
#define RELAY_SMTP_DOTTER_H

#include "conf/bytes.h"

/* Zeroed it stands before the first byte. */
struct dotter {
	bool in_line;  /* at least one byte of a line was written */
	bool after_cr; /* the last byte was a CR, not yet written */
};

void dotter_write(struct dotter *dotter, struct buffer *out,
		  struct view bytes);
/* Ends the last line if need be and writes the final dot. */
void dotter_end(struct dotter *dotter, struct buffer *out);

#endif
