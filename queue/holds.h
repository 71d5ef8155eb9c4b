/*
 * What is on hold: all mail, or rules by id, recipient's domain or sender,
 * judged when mail falls due.  Setting one rewrites no message; mail that a rule takes
 * when it is its turn gets a due time of TIME_NEVER, until it is released.
 * The table in memory and the records (H) under which it is stored.
 */
#ifndef QUEUE_HOLDS_H
#define QUEUE_HOLDS_H

#include "queue/record.h"
#include "queue/select.h"
#include "queue/store.h"

struct hold {
	struct selector rule;
	int64_t since;    /* UTC seconds */
};

struct holds {
	struct hold *at;
	size_t count;
};

void holds_clear(struct holds *holds);
/* False when it was there already. */
bool holds_add(struct holds *holds, const struct hold *hold);
bool holds_remove(struct holds *holds, const struct selector *rule);
bool holds_has(const struct holds *holds, const struct selector *rule);
/* Everything is on hold. */
bool holds_has_all(const struct holds *holds);
bool holds_has_domain(const struct holds *holds, const char *domain);
/* Is this recipient of this message on hold? */
bool holds_take(const struct holds *holds, const struct envelope *envelope,
		const struct recipient *recipient);

/* Adds the rules that are stored there. 0 or the store's code; *bad counts
 * those that do not check out. */
int holds_read(struct holds *holds, struct store_txn *txn, unsigned *bad);

/* Rules are for what is of a length that makes a key. */
bool hold_is_possible(const struct selector *rule);
struct key key_hold(const struct selector *rule);
void hold_pack(struct buffer *out, const struct hold *hold);
int hold_unpack(struct view raw, struct hold *out);

#endif
