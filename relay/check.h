/*
 * Tries all gateways of one domain and fills in the matrix of the form: what
 * `postern check` does, and what other commands do with a policy that no
 * configuration has yet.
 */
#ifndef RELAY_CHECK_H
#define RELAY_CHECK_H

#include <stdio.h>

#include "conf/rules.h"
#include "relay/errand.h"

enum {
	CHECK_LIMIT_DEFAULT = 120,
	CHECK_LIMIT_MOST = 3600,
	CHECK_DAYS_MOST = 3650,
	CHECK_FACTOR_MOST = 100,
};

/* As the options say; all borrowed. */
struct check_order {
	const char *from;  /* NULL: postmaster and our host name */
	const char *trust; /* roots in place of the system's; NULL */
	bool is_json, is_csv, is_assured, explains_score, by_form;
	unsigned fail_under, warn_days, limit;
};

/*
 * Asks, and prints to `out`.  `by` is the policy that judges and routes, and
 * whose `trust` the order's may set; NULL: the one of the errand's
 * configuration that applies, or the prerequisites of the form.  The exit
 * status of `check`, with a reason where there is one.
 */
int check_run(struct errand *errand, const struct check_order *order,
	      const struct address *recipient, const struct rules_answer *by,
	      FILE *out, struct error *error);

#endif
