/*
 * Comes in: lines of an EHLO reply.  Goes out: flags.  Unknown keywords and
 * malformed parameters are passed over: an extension that is not understood
 * is not used.
 */
#include "relay/smtp/offer.h"

#include <stddef.h>

#include "relay/smtp/auth.h"

/* clang-format off */
static const struct keyword {
	const char *name;
	size_t flag;
} keywords[] = {
	{ "STARTTLS",   offsetof(struct offer, starttls) },
	{ "PIPELINING", offsetof(struct offer, pipelining) },
	{ "8BITMIME",   offsetof(struct offer, eightbitmime) },
	{ "SMTPUTF8",   offsetof(struct offer, smtputf8) },
	{ "CHUNKING",   offsetof(struct offer, chunking) },
	{ "DSN",        offsetof(struct offer, dsn) },
	{ "SIZE",       offsetof(struct offer, has_size) },
};
/* clang-format on */

void offer_line(struct offer *offer, struct view line)
{
	struct view rest = view_trim(line), word;
	uint64_t size;
	size_t i;

	/* Some servers write AUTH=LOGIN for clients of the last century. */
	if (view_starts_fold(rest, VIEW("AUTH="))) {
		offer->auth |= auth_offered(view_from(rest, 5));
		return;
	}
	word = view_cut(&rest, ' ');
	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (view_equal_fold(word, view_of(keywords[i].name)))
			*((bool *)((char *)offer + keywords[i].flag)) = true;
	if (view_equal_fold(word, VIEW("AUTH")))
		offer->auth |= auth_offered(rest);
	if (view_equal_fold(word, VIEW("SIZE")) &&
	    view_number(view_trim(rest), UINT64_MAX / 2, &size) == 0)
		offer->size = size;
}
