/*
 * Does an agreement hold that is not configured yet?
 */
#ifndef RELAY_PARTNER_CHECK_H
#define RELAY_PARTNER_CHECK_H

#include "relay/check.h"

/*
 * Probes every domain of the policies in the text, in the way of `check`, and
 * prints a matrix for each to `out`.  The configuration says how (resolver,
 * zones, timeouts), its own policies have no say.  The exit status of
 * `check`; of several domains the worst.
 */
int partner_check(const char *conf_path, struct view policies,
		  const struct check_order *order, FILE *out);

#endif
