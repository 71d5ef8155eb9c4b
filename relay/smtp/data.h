/*
 * A message's body as it comes over the wire, by DATA (RFC 5321 4.5.2) or
 * by BDAT (RFC 3030 2).  Pure.  Dots are unstuffed, line endings are
 * judged, lengths are counted; pieces of the body come out as views into
 * the input.  Only CRLF ends a line and only CRLF.CRLF ends DATA, whatever
 * else is wrong with the body: a fault is remembered and the rest is read
 * to its true end.
 */
#ifndef RELAY_SMTP_DATA_H
#define RELAY_SMTP_DATA_H

#include "conf/bytes.h"

enum data_outcome {
	DATA_MORE,  /* needs more bytes; the unused ones are to come again */
	DATA_PIECE, /* *piece belongs to the body */
	DATA_END,   /* the end of the message, or of the chunk */
};

enum data_fault {
	DATA_FINE,
	DATA_BARE_CR,
	DATA_BARE_LF,
	DATA_NUL,
	DATA_LONG_LINE,
};

struct data {
	bool is_bdat;
	bool normalises;     /* a lone CR or LF becomes CRLF */
	bool is_8bit;        /* bytes above 127 came */
	bool at_start;       /* of a line, behind a CRLF */
	bool holds_cr;       /* BDAT: the last octet of a chunk was a CR */
	bool is_last;        /* BDAT: this chunk is */
	enum data_fault fault; /* the first one */
	uint32_t max_line;   /* its CRLF included */
	uint32_t line;       /* bytes of the current line so far */
	uint32_t longest;    /* line, its CRLF included */
	uint64_t chunk;      /* BDAT: octets of the chunk */
	uint64_t left;       /* of them still to come */
};

void data_init(struct data *data, uint32_t max_line, bool normalises);
/* Another chunk; makes the body one that comes by BDAT. */
void data_chunk(struct data *data, uint64_t octets, bool is_last);
/* One step. *used bytes of the input are done with, and no more than that
 * even where more were looked at. */
enum data_outcome data_next(struct data *data, struct view input,
			    struct view *piece, size_t *used);

#endif
