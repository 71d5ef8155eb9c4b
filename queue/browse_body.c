/*
 * The body of a message, out of whichever folder has it.  See browse.h.
 */
#include "queue/browse_inner.h"

#include <string.h>

/* One record's bytes, copied. *bytes is empty when it does not check out. */
static int read_body(struct store *store, struct key key, const char *id,
		     uint32_t chunk, struct buffer *bytes,
		     struct body_place *place)
{
	struct store_txn *txn;
	struct message_record record;
	struct view raw, payload;
	uint32_t number;
	int rc = store_read(store, &txn);

	if (rc)
		return rc;
	rc = store_get(txn, key_view(&key), &raw);
	if (!rc && key.at[0] == RECORD_CHUNK) {
		if (!record_open(raw, RECORD_CHUNK, id, &number, &payload) &&
		    number == chunk)
			buffer_append(bytes, payload);
	} else if (!rc && !message_unpack(raw, id, &record)) {
		buffer_append(bytes, record.small_body);
		*place = record.place;
		message_record_clear(&record);
	}
	if (!rc)
		store_forget(txn, raw);
	store_abort(txn);
	return rc;
}

static int copy_chunks(const struct shelf *shelf, const char *id,
		       struct body_place place, browse_piece *call, void *arg)
{
	struct buffer bytes = { NULL, 0, 0, 0 };
	int rc = 0;

	for (uint32_t i = 0; i < place.chunks && !rc; i++) {
		struct body_place ignored;

		buffer_reset(&bytes);
		rc = read_body(shelf->store[HOME_HELD], key_chunk(id, i), id, i,
			       &bytes, &ignored);
		if (!rc && !buffer_len(&bytes))
			rc = -1;
		if (!rc && !call(arg, buffer_view(&bytes)))
			break;
	}
	buffer_clear(&bytes);
	return rc;
}

static int copy_body(const struct shelf *shelf, enum home home, const char *id,
		     browse_piece *call, void *arg)
{
	struct buffer bytes = { NULL, 0, 0, 0 };
	struct body_place place = { UINT64_MAX, 0 };
	int rc = read_body(shelf->store[home], key_message(id), id, 0, &bytes,
			   &place);

	if (!rc && place.size == UINT64_MAX)
		rc = -1;
	else if (!rc && place.chunks)
		rc = copy_chunks(shelf, id, place, call, arg);
	else if (!rc)
		call(arg, buffer_view(&bytes));
	buffer_clear(&bytes);
	return rc;
}

int browse_body(struct browse *browse, const char *id, browse_piece *call,
		void *arg, struct error *error)
{
	for (size_t i = 0; i < browse->count; i++)
		for (int home = HOMES - 1; home >= 0; home--) {
			const struct shelf *shelf = &browse->shelves[i];
			int rc;

			if (!shelf->store[home])
				continue;
			rc = copy_body(shelf, (enum home)home, id, call, arg);
			if (!rc)
				return 0;
			if (rc == -1)
				return error_set(error, "the stored body of %s "
						 "does not check out", id);
			if (!store_is_absent(rc))
				return browse_fail(rc, error);
		}
	return 1;
}
