/*
 * Message ids.  See ident.h.
 */
#include "queue/ident.h"

#include <string.h>

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

enum { TIME_DIGITS = 10 };

static void put(char *at, size_t count, uint64_t value)
{
	while (count--) {
		at[count] = digits[value & 31];
		value >>= 5;
	}
}

void ident_make(struct ident_source *source, int64_t milliseconds,
		char id[MESSAGE_ID_LEN + 1])
{
	uint64_t low = source->low++;

	put(id, TIME_DIGITS, (uint64_t)milliseconds);
	put(id + 10, 2, source->worker);
	/* 70 bits: 6 of `high`, then 64 of `low` */
	put(id + 12, 2, (uint64_t)(source->high & 63) << 4 | low >> 60);
	put(id + 14, 12, low);
	id[MESSAGE_ID_LEN] = '\0';
}

int64_t ident_time(const char *id)
{
	int64_t value = 0;

	if (strnlen(id, MESSAGE_ID_LEN + 1) != MESSAGE_ID_LEN)
		return -1;
	for (size_t i = 0; i < MESSAGE_ID_LEN; i++) {
		const char *at = strchr(digits, id[i]);

		if (!at)
			return -1;
		if (i < TIME_DIGITS)
			value = value << 5 | (at - digits);
	}
	return value;
}
