/*
 * A form as configuration: commented `policy` blocks that conf_read()
 * accepts.  Pure.
 */
#ifndef RELAY_FORM_POLICY_H
#define RELAY_FORM_POLICY_H

#include "relay/form.h"

/*
 * Appends a block for each section that is filled, or for section `only`
 * (FORM_TO_ISSUER, FORM_TO_PARTNER) alone when it is not 0.  Comments say
 * where on the form each option stood, what was missing and what was not
 * understood.  Nothing that the form says leaves its quotes or comments.
 * -1 with the reason when no block can be made, or only one that would say
 * less than the form does; *out is unchanged then.
 */
int form_policy(const struct form *form, unsigned only, struct buffer *out,
		struct error *error);

#endif
