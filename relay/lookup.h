/*
 * Asks DNS all that a route needs (relay/route.h), side by side, and gives
 * back its candidates or its verdict.
 */
#ifndef RELAY_LOOKUP_H
#define RELAY_LOOKUP_H

#include "relay/route.h"

struct lookup;

/* count 0: none, and the verdict says why. All borrowed for the call. */
typedef void lookup_callback(void *arg, const struct candidate *candidates,
			     size_t count, const struct result *verdict);

/*
 * The question's pointers must live until the callback, which comes once:
 * before this returns, and then NULL is returned, when nothing has to be
 * asked; else later, on the loop.
 */
struct lookup *lookup_start(struct dns *dns,
			    const struct route_question *question,
			    lookup_callback *call, void *arg);
/* No callback comes any more. */
void lookup_cancel(struct lookup *lookup);

#endif
