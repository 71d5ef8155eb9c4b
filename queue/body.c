/*
 * Reading a body, a piece a call: from memory when it is there, else by
 * the reader's thread, which copies one record, proves its checksum and
 * gives the map's pages back.
 */
#include "queue/inner.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_MAX = 64 * 1024 };

/* One record's worth, read on the reader's thread. */
struct fetch {
	struct request request;
	struct body *body;   /* NULL: closed meanwhile */
	struct store *store;
	struct note *note;
	char id[MESSAGE_ID_LEN + 1];
	uint32_t chunk;
	bool is_small;       /* the body in the M record */
	struct buffer bytes;
	bool is_good;
	int code;
};

struct body {
	struct part *part;
	body_callback *call;
	void *arg;
	struct fetch *fetch;   /* under way */
	struct buffer piece;   /* what the last fetch brought */
	struct view given;     /* what of it, or of the hot body, is left */
	uint32_t next_chunk;
	uint64_t seen;
	bool has_small;        /* a cold small body is in `piece` */
};

static int copy_record(struct fetch *fetch, struct view raw)
{
	struct message_record record;
	struct view payload;
	uint32_t number;

	if (!fetch->is_small) {
		if (record_open(raw, RECORD_CHUNK, fetch->id, &number,
				&payload) || number != fetch->chunk)
			return -1;
		buffer_append(&fetch->bytes, payload);
		return 0;
	}
	if (message_unpack(raw, fetch->id, &record))
		return -1;
	buffer_append(&fetch->bytes, record.small_body);
	message_record_clear(&record);
	return 0;
}

static void fetch_run(struct request *request)
{
	struct fetch *fetch = (struct fetch *)request;
	struct key key = fetch->is_small ? key_message(fetch->id) :
					   key_chunk(fetch->id, fetch->chunk);
	struct store_txn *txn;
	struct view raw;

	fetch->code = store_read(fetch->store, &txn);
	if (fetch->code)
		return;
	note_reading(fetch->note, fetch->id);
	fetch->code = store_get(txn, key_view(&key), &raw);
	if (!fetch->code) {
		fetch->is_good = !copy_record(fetch, raw);
		store_forget(txn, raw);
	}
	note_reading(fetch->note, NULL);
	store_abort(txn);
}

/* Gives a piece of what is there. */
static void give(struct body *body)
{
	struct view piece = view_first(body->given, PIECE_MAX);
	uint64_t size = body->part->message->place.size;

	body->given = view_from(body->given, piece.len);
	body->seen += piece.len;
	if (!body->given.len &&
	    body->next_chunk >= body->part->message->place.chunks &&
	    body->seen != size) {
		body->part->is_damaged = true;
		body->call(body->arg, view_make("", 0), true,
			   "the stored body is not whole");
		return;
	}
	body->call(body->arg, piece, body->seen == size, NULL);
}

static void fetch_done(struct request *request)
{
	struct fetch *fetch = (struct fetch *)request;
	struct body *body = fetch->body;
	bool is_good = fetch->is_good && !fetch->code;
	bool is_full = store_is_full(fetch->code);
	const char *why = fetch->code && !store_is_absent(fetch->code) ?
				  store_say(fetch->code) :
				  "the stored body does not check out";

	if (body) {
		body->fetch = NULL;
		buffer_clear(&body->piece);
		body->piece = fetch->bytes;
		fetch->bytes = (struct buffer){ NULL, 0, 0, 0 };
		body->given = buffer_view(&body->piece);
	}
	buffer_clear(&fetch->bytes);
	free(fetch);
	if (!body)
		return;
	if (is_good) {
		give(body);
		return;
	}
	/* Without room for a checkpoint nothing is known of the record. */
	if (!is_full)
		body->part->is_damaged = true;
	body->call(body->arg, view_make("", 0), true, why);
}

static void start_fetch(struct body *body)
{
	struct part *part = body->part;
	struct fetch *fetch = must_alloc(sizeof(*fetch));

	fetch->request.run = fetch_run;
	fetch->request.done = fetch_done;
	fetch->body = body;
	fetch->is_small = !part->message->place.chunks;
	/* Chunks lie in held, wherever their message is. */
	fetch->store = part->queue->store[fetch->is_small ? part->home :
							    HOME_HELD];
	fetch->note = part->queue->note;
	memcpy(fetch->id, part->message->envelope->id, sizeof(fetch->id));
	fetch->chunk = body->next_chunk;
	if (fetch->is_small)
		body->has_small = true;
	else
		body->next_chunk++;
	body->fetch = fetch;
	reader_put(part->queue->reader, &fetch->request);
}

struct body *body_open(struct queue *queue, const struct job *job,
		       body_callback *call, void *arg)
{
	struct body *body = must_alloc(sizeof(*body));

	(void)queue;
	body->part = (struct part *)(uintptr_t)job;
	body->call = call;
	body->arg = arg;
	return body;
}

void body_next(struct body *body)
{
	const struct message *message = body->part->message;

	if (message->has_hot && !body->has_small) {
		body->has_small = true;
		body->given = buffer_view(&message->hot);
		give(body);
	} else if (body->given.len || (body->has_small && !body->fetch)) {
		give(body);
	} else {
		start_fetch(body);
	}
}

void body_close(struct body *body)
{
	if (!body)
		return;
	if (body->fetch)
		body->fetch->body = NULL;
	buffer_clear(&body->piece);
	free(body);
}
