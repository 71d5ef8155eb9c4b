/*
 * Changes in one transaction.  See transact.h.
 */
#include "queue/transact.h"

/* One transaction over them, or over the kept ones alone. */
static int try(struct store *store, struct change *first, bool kept_only,
	       struct store_numbers *numbers)
{
	struct store_numbers n;
	struct store_txn *txn;
	int rc = store_begin(store, &txn);

	if (rc)
		return rc;
	for (struct change *at = first; at && !rc; at = at->next)
		if (at->is_kept || !kept_only) {
			rc = at->apply(at, txn);
			store_mark(txn);
		}
	if (!rc)
		rc = store_numbers(txn, &n);
	if (rc) {
		store_abort(txn);
		return rc;
	}
	rc = store_commit(txn);
	if (!rc)
		*numbers = n;
	return rc;
}

static void end_all(struct change *first, bool kept_only, enum change_end end)
{
	for (struct change *at = first; at; at = at->next)
		if (at->is_kept || !kept_only)
			at->end = end;
}

/* Each by itself, so that what lets go of mail does not wait for room with
 * what needs much of it. */
static int try_each(struct store *store, struct change *first,
		    struct store_numbers *numbers)
{
	int rc = 0;

	for (struct change *at = first; at; at = at->next) {
		struct change *next = at->next;

		if (!at->is_kept)
			continue;
		at->next = NULL;
		rc = try(store, at, true, numbers);
		at->next = next;
		if (!rc)
			at->end = CHANGE_STORED;
		else if (!store_is_full(rc))
			break;
	}
	return store_is_full(rc) ? 0 : rc;
}

int transact(struct store *store, struct change *first,
	     struct store_numbers *numbers)
{
	int rc = try(store, first, false, numbers);

	end_all(first, false, CHANGE_STORED);
	if (store_is_full(rc)) {
		end_all(first, false, CHANGE_NO_ROOM);
		rc = try(store, first, true, numbers);
		if (!rc)
			end_all(first, true, CHANGE_STORED);
		else if (store_is_full(rc))
			rc = try_each(store, first, numbers);
	}
	if (rc)
		transact_fail(first);
	return rc;
}

void transact_fail(struct change *first)
{
	end_all(first, false, CHANGE_FAILED);
}
