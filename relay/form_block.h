/*
 * One section of a form as one commented `policy` block.  Pure.
 */
#ifndef RELAY_FORM_BLOCK_H
#define RELAY_FORM_BLOCK_H

#include "relay/form.h"

/* Appends the block of section `number`; -1 with the reason, and perhaps
 * part of it appended, when none can be made. */
int form_block(const struct form *form, unsigned number, struct buffer *out,
	       struct error *error);

#endif
