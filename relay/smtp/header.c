/*
 * A byte machine over the header's lines: the name of a field, its value,
 * the start of the next line.  A blank before the colon is suffered (the
 * obsolete syntax of RFC 5322 4.5).  Whatever a message hides behind its
 * header, the trace lines of earlier hops stand in front and are counted.
 */
#include "relay/smtp/header.h"

#include <string.h>

enum state {
	START,    /* of a line */
	NAME,     /* in a field's name */
	BLANK,    /* between name and colon */
	VALUE,
};

static const char received[] = "received";

enum { RECEIVED_LEN = sizeof(received) - 1, NO_MATCH = 255 };

static void match(struct header *h, unsigned char byte)
{
	unsigned char lower = byte;

	if (byte >= 'A' && byte <= 'Z')
		lower = (unsigned char)(byte + ('a' - 'A'));
	if (h->matched < RECEIVED_LEN &&
	    lower == (unsigned char)received[h->matched])
		h->matched++;
	else
		h->matched = NO_MATCH;
}

static bool is_name(unsigned char byte)
{
	return byte > ' ' && byte < 0x7f && byte != ':';
}

/* The start of a line and a field's name; the rest of a line is VALUE. */
static void scan_byte(struct header *h, unsigned char byte)
{
	if (h->state == START) {
		h->matched = 0;
		if (byte == ' ' || byte == '\t')
			h->state = VALUE;
		else if (byte == '\r' || !is_name(byte))
			h->is_over = true;
		else
			h->state = NAME;
		if (h->state == NAME)
			match(h, byte);
		return;
	}
	if (byte == ':') {
		if (h->matched == RECEIVED_LEN)
			h->hops++;
		h->state = VALUE;
	} else if (byte == ' ' || byte == '\t') {
		h->state = BLANK;
	} else if (h->state == BLANK || !is_name(byte)) {
		h->is_over = true;
	} else {
		match(h, byte);
	}
}

void header_scan(struct header *h, struct view piece)
{
	size_t i = 0;

	while (i < piece.len && !h->is_over) {
		const unsigned char *end;
		size_t stop, k;

		if (h->state != VALUE) {
			scan_byte(h, piece.at[i++]);
			continue;
		}
		end = memchr(piece.at + i, '\n', piece.len - i);
		stop = end ? (size_t)(end - piece.at) + 1 : piece.len;
		for (k = i; k < stop && !h->has_8bit; k++)
			h->has_8bit = piece.at[k] > 0x7f;
		i = stop;
		if (end)
			h->state = START;
	}
}
