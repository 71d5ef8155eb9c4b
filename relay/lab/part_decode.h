/*
 * What MIME makes of bytes, undone: base64, quoted-printable, encoded words,
 * and the charsets that are UTF-8 or Latin-1 in disguise.  Pure; what is
 * broken comes out as far as it can be read.
 */
#ifndef RELAY_LAB_PART_DECODE_H
#define RELAY_LAB_PART_DECODE_H

#include "conf/bytes.h"

/* RFC 2045 6.8; other bytes are passed over. */
void part_decode_base64(struct view in, struct buffer *out);
/* RFC 2045 6.7 */
void part_decode_quoted(struct view in, struct buffer *out);
/* RFC 2047 */
void part_decode_words(struct view in, struct buffer *out);
/* To UTF-8 from ISO-8859-1, -15 (nearly) or Windows-1252 (nearly); from
 * others as it is. */
void part_decode_charset(struct view in, struct view charset,
			 struct buffer *out);

#endif
