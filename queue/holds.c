/*
 * Rules that hold mail.  See holds.h.
 */
#include "queue/holds.h"

#include <stdlib.h>
#include <string.h>

#include "queue/pack.h"

void holds_clear(struct holds *holds)
{
	free(holds->at);
	*holds = (struct holds){ NULL, 0 };
}

static size_t find(const struct holds *holds, const struct selector *rule)
{
	size_t i = 0;

	while (i < holds->count && !selector_equal(&holds->at[i].rule, rule))
		i++;
	return i;
}

bool holds_has(const struct holds *holds, const struct selector *rule)
{
	return find(holds, rule) < holds->count;
}

bool holds_add(struct holds *holds, const struct hold *hold)
{
	if (holds_has(holds, &hold->rule))
		return false;
	holds->at = must_realloc(holds->at,
				 (holds->count + 1) * sizeof(*holds->at));
	holds->at[holds->count++] = *hold;
	return true;
}

bool holds_remove(struct holds *holds, const struct selector *rule)
{
	size_t i = find(holds, rule);

	if (i == holds->count)
		return false;
	holds->at[i] = holds->at[--holds->count];
	return true;
}

bool holds_has_all(const struct holds *holds)
{
	return holds_has(holds, &(struct selector){ .kind = SELECT_ALL });
}

bool holds_has_domain(const struct holds *holds, const char *domain)
{
	for (size_t i = 0; i < holds->count; i++)
		if (holds->at[i].rule.kind == SELECT_DOMAIN &&
		    !strcmp(holds->at[i].rule.value, domain))
			return true;
	return false;
}

bool holds_take(const struct holds *holds, const struct envelope *envelope,
		const struct recipient *recipient)
{
	for (size_t i = 0; i < holds->count; i++) {
		const struct selector *rule = &holds->at[i].rule;

		if (selector_takes_message(rule, envelope) &&
		    selector_takes_recipient(rule, recipient))
			return true;
	}
	return false;
}

/* --- records --------------------------------------------------------- */

bool hold_is_possible(const struct selector *rule)
{
	return strlen(rule->value) <= LANE_NAME_MAX;
}

struct key key_hold(const struct selector *rule)
{
	struct key key = key_kind(RECORD_HOLD);
	size_t len = strnlen(rule->value, LANE_NAME_MAX);

	key.at[key.len++] = (unsigned char)*selector_kind_word(rule->kind);
	memcpy(key.at + key.len, rule->value, len);
	key.len += len;
	return key;
}

void hold_pack(struct buffer *out, const struct hold *hold)
{
	record_begin(out);
	pack_text(out, selector_kind_word(hold->rule.kind));
	pack_text(out, hold->rule.value);
	pack_u64(out, (uint64_t)hold->since);
	record_seal(out, RECORD_HOLD, NULL, 0);
}

int hold_unpack(struct view raw, struct hold *out)
{
	struct unpack in = { .is_bad = false };
	char kind[16], value[SELECTOR_MAX];

	memset(out, 0, sizeof(*out));
	if (record_open(raw, RECORD_HOLD, NULL, NULL, &in.rest))
		return -1;
	unpack_field(&in, kind, sizeof(kind));
	unpack_field(&in, value, sizeof(value));
	out->since = (int64_t)unpack_u64(&in);
	if (!unpack_is_whole(&in) ||
	    selector_from_words(kind, value, &out->rule))
		return -1;
	return hold_is_possible(&out->rule) ? 0 : -1;
}

int holds_read(struct holds *holds, struct store_txn *txn, unsigned *bad)
{
	struct key from = key_kind(RECORD_HOLD);
	struct store_cursor *cursor;
	struct view key, value;
	struct hold hold;
	int rc = store_walk(txn, &cursor);

	if (rc)
		return rc;
	for (rc = store_seek(cursor, key_view(&from), &key, &value);
	     !rc && key.at[0] == RECORD_HOLD;
	     rc = store_next(cursor, &key, &value))
		if (!hold_unpack(value, &hold))
			holds_add(holds, &hold);
		else
			++*bad;
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
}
