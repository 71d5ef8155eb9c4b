/*
 * What must be known of a message's header while it passes: how often it
 * was received before (RFC 5321 6.3) and whether its fields hold bytes
 * above 127 (RFC 6532).  Pure; pieces of the body go in, in any cut, and
 * are only looked at.  Ends at the empty line or at the first line that is
 * no field.
 */
#ifndef RELAY_SMTP_HEADER_H
#define RELAY_SMTP_HEADER_H

#include "conf/bytes.h"

struct header {
	uint32_t hops;    /* Received: fields */
	bool has_8bit;
	bool is_over;     /* the body has begun: nothing is looked at */
	/* where it stands */
	unsigned char state;
	unsigned char matched;   /* bytes of "received" that fitted */
};

/* Zeroed it is ready. */
void header_scan(struct header *header, struct view piece);

#endif
