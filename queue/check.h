/*
 * Is a store's file sound?  A walk over every page, node and record that
 * LMDB takes no part in: it can be done to a file of which nothing is
 * known, and beside whoever reads it.
 */
#ifndef QUEUE_CHECK_H
#define QUEUE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/error.h"

/*
 * Sound: both meta pages, all pages of both trees and the order of all keys
 * are right, no page is in use twice or both free and in use, every key
 * belongs to the record under it, and every job has the one due time that it
 * says.  A record that does not check out in a sound store is only counted:
 * it is put aside when it is met.
 */
struct check_result {
	bool is_sound;
	struct error why;
	uint64_t records, bad;
};

/* `has_dues`: it is a held store. 0, or -1 when it cannot be opened. */
int check_file(const char *file, bool has_dues, struct check_result *out);

#endif
