/*
 * What would have to change at a gateway, or in the policy, for a row of a
 * matrix to be OK: in words for the two postmasters.  Pure.
 */
#ifndef RELAY_ADVICE_H
#define RELAY_ADVICE_H

#include "relay/matrix.h"

enum { ADVICE_MAX = 1024 };

/* "" when nothing has to. */
void advice_text(const struct matrix *matrix, const struct matrix_row *row,
		 char out[ADVICE_MAX]);

#endif
