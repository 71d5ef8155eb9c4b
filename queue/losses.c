/*
 * Records that do not check out.  See losses.h.
 */
#include "queue/losses.h"

#include <stdlib.h>
#include <string.h>

#include "queue/message.h"

void losses_add(struct losses *losses, enum record_kind kind, struct view raw)
{
	struct loss *loss;

	if (losses->count == losses->room) {
		losses->room = losses->room ? losses->room * 2 : 64;
		losses->at = must_realloc(losses->at,
					  losses->room * sizeof(*losses->at));
	}
	loss = &losses->at[losses->count++];
	memset(loss, 0, sizeof(*loss));
	loss->kind = (char)kind;
	loss->number = record_number(raw);
	record_id(raw, loss->id);
}

void losses_clear(struct losses *losses)
{
	free(losses->at);
	memset(losses, 0, sizeof(*losses));
}

static int by_record(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct loss));
}

static int look(struct store_txn *txn, struct key key, bool *is_there)
{
	struct view ignored;
	int rc = store_get(txn, key_view(&key), &ignored);

	*is_there = !rc;
	return store_is_absent(rc) ? 0 : rc;
}

/* Its message knows its lane. */
static int look_for_job(struct store_txn *txn, const struct loss *loss,
			bool *is_there)
{
	struct key key = key_message(loss->id);
	struct lane_parts parts;
	struct view raw, rest;
	int rc = store_get(txn, key_view(&key), &raw);

	if (rc || message_lanes(raw, &parts, &rest))
		return store_is_absent(rc) ? 0 : rc;
	for (size_t i = 0; i < parts.count && !rc && !*is_there; i++)
		if (parts.at[i].part == loss->number)
			rc = look(txn,
				  key_job(parts.at[i].lane, loss->id,
					  loss->number),
				  is_there);
	lane_parts_clear(&parts);
	return rc;
}

static int is_found(struct store_txn *txn, const struct loss *loss,
		    bool *is_there)
{
	*is_there = false;
	switch (loss->kind) {
	case RECORD_MESSAGE:
		return look(txn, key_message(loss->id), is_there);
	case RECORD_CHUNK:
		return look(txn, key_chunk(loss->id, loss->number), is_there);
	case RECORD_JOB: return look_for_job(txn, loss, is_there);
	default: return 0;
	}
}

int losses_tell(struct losses *losses, struct store *store,
		void (*tell)(void *arg, const struct loss *loss), void *arg)
{
	struct store_txn *txn;
	int rc;

	if (!losses->count)
		return 0;
	qsort(losses->at, losses->count, sizeof(*losses->at), by_record);
	rc = store_read(store, &txn);
	if (rc)
		return rc;
	for (size_t i = 0; i < losses->count && !rc; i++) {
		const struct loss *loss = &losses->at[i];
		bool is_there;

		if (i && !by_record(loss, loss - 1))
			continue;
		rc = is_found(txn, loss, &is_there);
		if (!rc && !is_there)
			tell(arg, loss);
	}
	store_abort(txn);
	return rc;
}
