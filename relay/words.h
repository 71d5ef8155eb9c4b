/*
 * The words behind a verb: options as a table, and one thing that the
 * command is about.  Pure.
 */
#ifndef RELAY_WORDS_H
#define RELAY_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/error.h"

/* One of these three says what the option takes: nothing, a text (borrowed
 * from argv), a number up to `max`. */
struct words_option {
	const char *name; /* "--from" */
	bool *flag;
	const char **text;
	unsigned *number;
	unsigned max;
};

/* `--name VALUE` or `--name=VALUE`; "--" ends the options. *target stays
 * NULL when there is none. -1 with the reason. */
int words_parse(int argc, char **argv, const struct words_option *options,
		size_t count, const char **target, struct error *error);

#endif
