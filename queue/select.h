/*
 * Which mail somebody means who steers the queue: all, one message, all to
 * a domain, or all from a sender.  Pure.
 */
#ifndef QUEUE_SELECT_H
#define QUEUE_SELECT_H

#include "conf/addr.h"
#include "conf/conf.h"
#include "queue/envelope.h"

enum select_kind { SELECT_ALL, SELECT_ID, SELECT_DOMAIN, SELECT_SENDER };

enum { SELECTOR_MAX = sizeof(((struct address *)NULL)->text) };

struct selector {
	enum select_kind kind;
	/* an id, a canonical domain, or a sender in small ASCII letters ("" is
	 * the null path) */
	char value[SELECTOR_MAX];
};

/* "all", an id, a domain, an address (then it is the sender) or "<>". */
int selector_parse(const char *text, struct selector *out, struct error *error);
/* As selector_parse() takes it; "domain example.org" for people is made of
 * the two. */
const char *selector_kind_word(enum select_kind kind);
int selector_from_words(const char *kind, const char *value,
			struct selector *out);
bool selector_equal(const struct selector *a, const struct selector *b);

/*
 * May mail that is meant lie in that lane?  A lane is a recipient's domain,
 * or a policy's title, of this snapshot or of an earlier one.
 */
bool selector_wants_lane(const struct selector *selector,
			 const struct conf *conf, const char *lane);
/* By what is said of the whole message. */
bool selector_takes_message(const struct selector *selector,
			    const struct envelope *envelope);
/* And of one of its recipients. */
bool selector_takes_recipient(const struct selector *selector,
			      const struct recipient *recipient);

#endif
