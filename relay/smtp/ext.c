/*
 * One table of keywords serves both directions.  SIZE and AUTH are the
 * only ones whose arguments matter here.
 */
#include "relay/smtp/ext.h"

#include <inttypes.h>

struct keyword {
	enum ext ext;
	const char *name;
};

static const struct keyword keywords[] = {
	{ EXT_PIPELINING, "PIPELINING" },
	{ EXT_SIZE, "SIZE" },
	{ EXT_8BITMIME, "8BITMIME" },
	{ EXT_SMTPUTF8, "SMTPUTF8" },
	{ EXT_STATUS, "ENHANCEDSTATUSCODES" },
	{ EXT_CHUNKING, "CHUNKING" },
	{ EXT_DSN, "DSN" },
	{ EXT_STARTTLS, "STARTTLS" },
};

enum { KEYWORDS = sizeof(keywords) / sizeof(keywords[0]) };

static void learn_mechanisms(struct ext_offer *offer, struct view rest)
{
	while (rest.len > 0) {
		struct view word = view_cut(&rest, ' ');

		if (view_equal_fold(word, VIEW("PLAIN")))
			offer->set |= EXT_AUTH_PLAIN;
		else if (view_equal_fold(word, VIEW("LOGIN")))
			offer->set |= EXT_AUTH_LOGIN;
	}
}

void ext_learn(struct ext_offer *offer, struct view line)
{
	struct view rest = view_trim(line), word = view_cut(&rest, ' ');
	size_t i;

	if (view_equal_fold(word, VIEW("AUTH"))) {
		learn_mechanisms(offer, rest);
		return;
	}
	/* "AUTH=PLAIN ..." is how servers spoke to early clients. */
	if (view_starts_fold(word, VIEW("AUTH="))) {
		learn_mechanisms(offer, view_from(word, 5));
		learn_mechanisms(offer, rest);
		return;
	}
	for (i = 0; i < KEYWORDS; i++) {
		if (!view_equal_fold(word, view_of(keywords[i].name)))
			continue;
		offer->set |= keywords[i].ext;
		if (keywords[i].ext == EXT_SIZE &&
		    view_number(view_trim(rest), UINT64_MAX,
				&offer->max_size) != 0)
			offer->max_size = 0;
	}
}

void ext_write(struct buffer *out, const char *name,
	       const struct ext_offer *offer)
{
	unsigned left = offer->set;
	size_t i;

	buffer_printf(out, "250%c%s\r\n", left ? '-' : ' ', name);
	for (i = 0; i < KEYWORDS; i++) {
		if (!(left & keywords[i].ext))
			continue;
		left &= ~(unsigned)keywords[i].ext;
		buffer_printf(out, "250%c%s", left ? '-' : ' ',
			      keywords[i].name);
		if (keywords[i].ext == EXT_SIZE && offer->max_size > 0)
			buffer_printf(out, " %" PRIu64, offer->max_size);
		buffer_append(out, VIEW("\r\n"));
	}
}
