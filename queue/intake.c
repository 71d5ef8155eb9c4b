/*
 * A message on its way in.  A small one stays in memory until it is whole
 * and travels with its envelope in one commit; of a larger one chunks leave
 * for the disk as they fill, under a mark that they belong to nobody yet,
 * and it becomes a message with the envelope.
 */
#include "queue/intake.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/log.h"
#include "queue/restore.h"

enum {
	/* In flight: stop reading the client, and go on again. */
	CHUNKS_FULL = 6,
	CHUNKS_ROOM = 3,
	/* Of all messages: as long as there are fewer, one may have more than
	 * its own, so that a commit is worth its wait for the disk. */
	SHARED_FULL = 32,
	SHARED_ROOM = 16,
};

struct intake {
	struct queue *queue;
	intake_callback *call;   /* NULL: aborted, nobody is told */
	void *arg;
	char id[MESSAGE_ID_LEN + 1];
	bool is_kept;            /* a report: it may use the reserve */
	struct buffer body;      /* what has not left yet */
	struct body_place place; /* size: all that came */
	size_t in_flight;        /* chunks that are not durable yet */
	uint64_t on_the_way;     /* our share of queue->on_the_way */
	enum change_end end;     /* the worst that happened to a chunk */
	bool is_full;            /* INTAKE_ROOM will be told */
	struct envelope *envelope; /* from intake_commit() on */
	struct restored restored;  /* its envelope is the one above */
	struct restored_place *places; /* of a restored one; else NULL */
	struct part **parts;     /* one for each lane, when being stored */
	size_t part_count;
	bool is_storing;
};

static void on_the_way(struct intake *intake, uint64_t bytes)
{
	intake->on_the_way += bytes;
	intake->queue->on_the_way += bytes;
}

static void intake_free(struct intake *intake)
{
	intake->queue->on_the_way -= intake->on_the_way;
	buffer_clear(&intake->body);
	if (intake->envelope || intake->is_storing)
		intake->restored.envelope = NULL;
	envelope_free(intake->envelope);
	restored_clear(&intake->restored);
	free(intake->places);
	free(intake->parts);
	free(intake);
}

struct intake *intake_new(struct queue *queue, intake_callback *call, void *arg)
{
	struct intake *intake = must_alloc(sizeof(*intake));

	intake->queue = queue;
	intake->call = call;
	intake->arg = arg;
	intake->end = CHANGE_STORED;
	ident_make(&queue->ids, queue_now(queue), intake->id);
	return intake;
}

struct intake *intake_restore(struct queue *queue, struct restored *restored,
			      intake_callback *call, void *arg)
{
	struct intake *intake = intake_new(queue, call, arg);

	memcpy(intake->id, restored->envelope->id, sizeof(intake->id));
	intake->restored = *restored;
	memset(restored, 0, sizeof(*restored));
	intake->places = restored_places(&intake->restored);
	if (!intake->places)
		intake->end = CHANGE_FAILED;
	return intake;
}

void intake_keep(struct intake *intake)
{
	intake->is_kept = true;
}

const char *intake_id(const struct intake *intake)
{
	return intake->id;
}

/* --- the end --------------------------------------------------------- */

/* Chunks that will belong to no message go again. */
static void drop_chunks(struct intake *intake)
{
	struct queue *queue = intake->queue;
	struct edit *edit;

	if (!intake->place.chunks)
		return;
	edit = edit_new(queue->store[HOME_FRESH], NULL, NULL);
	edit_settle(edit, intake->id);
	queue_put(queue, HOME_HELD, edit);
}

static void tell(struct intake *intake, enum change_end end)
{
	static const enum intake_event events[] = {
		[CHANGE_STORED] = INTAKE_STORED,
		[CHANGE_NO_ROOM] = INTAKE_NO_ROOM,
		[CHANGE_FAILED] = INTAKE_FAILED,
	};

	if (intake->call)
		intake->call(intake->arg, events[end]);
	intake->call = NULL;
}

static void fail(struct intake *intake)
{
	drop_chunks(intake);
	tell(intake, intake->end);
	intake_free(intake);
}

/* --- storing --------------------------------------------------------- */

static void on_stored(void *arg, enum change_end end)
{
	struct intake *intake = arg;
	struct queue *queue = intake->queue;

	if (end == CHANGE_STORED) {
		queue->counts.accepted++;
	} else {
		intake->end = end;
		for (size_t i = 0; i < intake->part_count; i++)
			part_leave(intake->parts[i]);
		drop_chunks(intake);
	}
	/* The client first: it waits. */
	tell(intake, end);
	for (size_t i = 0; i < intake->part_count && end == CHANGE_STORED; i++)
		part_stored(intake->parts[i]);
	intake_free(intake);
}

struct choice {
	struct lane *lane;
	size_t job;    /* of a restored message */
	uint32_t index;
};

static int by_lane(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;

	if (x->lane != y->lane)
		return (uintptr_t)x->lane < (uintptr_t)y->lane ? -1 : 1;
	if (x->job != y->job)
		return x->job < y->job ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static struct choice *choose(struct intake *intake,
			     const struct envelope *envelope)
{
	struct queue *queue = intake->queue;
	size_t count = envelope->recipient_count;
	struct choice *choices = must_alloc(count * sizeof(*choices));

	for (size_t i = 0; i < count; i++) {
		const char *key = queue_lane_key(queue->conf,
						 envelope->recipients[i].domain,
						 envelope->sender);

		choices[i].lane = queue_lane(queue, key);
		choices[i].index = (uint32_t)i;
		if (intake->places)
			choices[i].job = intake->places[i].job;
	}
	qsort(choices, count, sizeof(*choices), by_lane);
	return choices;
}

/* Mail that nobody can take now does not go through the small, hot store:
 * when all of its lanes back off it is held from the start. So it is when
 * the disk is full and only held's file, which never shrinks, has room. */
static enum home home_of(struct queue *queue, const struct choice *choices,
			 size_t count)
{
	int64_t now = queue_now(queue);

	if (queue->opening)
		return HOME_FRESH;
	for (size_t i = 0; i < count; i++)
		if (!lane_is_backing_off(choices[i].lane, now))
			return queue_fits(queue, HOME_FRESH, 0) ?
				       HOME_FRESH : HOME_HELD;
	return HOME_HELD;
}

static void make_parts(struct intake *intake, struct message *message,
		       enum home home, const struct choice *choices)
{
	size_t count = message->envelope->recipient_count;
	struct part *part = NULL;
	int64_t now = queue_now(intake->queue);

	intake->parts = must_alloc(count * sizeof(struct part *));
	for (size_t i = 0; i < count; i++) {
		if (!part || part->job.lane != choices[i].lane ||
		    choices[i - 1].job != choices[i].job) {
			part = part_new(intake->queue, choices[i].lane, message,
					choices[i].index, home, PART_ENTERING);
			part->progress.due = home == HOME_HELD ? now : 0;
			if (intake->places)
				restored_fill(&part->progress,
					      &intake->restored
						       .jobs[choices[i].job],
					      (now - clock_wall()) / 1000, now);
			intake->parts[intake->part_count++] = part;
		}
		progress_open(&part->progress, choices[i].index,
			      intake->places ?
				      intake->places[choices[i].index].reason :
				      NULL);
	}
}

static void put_part(struct edit *edit, const struct part *part)
{
	const char *lane = part->job.lane->name;
	const char *id = part->message->envelope->id;
	struct buffer record = { NULL, 0, 0, 0 };

	progress_pack(&record, &part->progress, lane, id, part->number);
	edit_put(edit, key_job(lane, id, part->number), &record);
	if (part->home == HOME_HELD)
		edit_due(edit, lane, id, part->number, &part->progress);
}

static struct edit *compose(struct intake *intake, struct message *message,
			    enum home home)
{
	struct edit *edit = edit_new(NULL, on_stored, intake);
	struct lane_parts lanes = { NULL, 0 };
	struct buffer record = { NULL, 0, 0, 0 };

	for (size_t i = 0; i < intake->part_count; i++)
		lane_parts_add(&lanes, intake->parts[i]->job.lane->name,
			       intake->parts[i]->number);
	message_pack(&record, &lanes, message->envelope, intake->place,
		     buffer_view(&intake->body));
	lane_parts_clear(&lanes);
	edit_put(edit, key_message(intake->id), &record);
	for (size_t i = 0; i < intake->part_count; i++)
		put_part(edit, intake->parts[i]);
	if (home == HOME_HELD && intake->place.chunks)
		edit_delete(edit, key_open(intake->id));
	return edit;
}

static void store(struct intake *intake)
{
	struct queue *queue = intake->queue;
	struct message *message = message_new(intake->envelope, intake->place);
	struct choice *choices = choose(intake, message->envelope);
	enum home home = intake->places ?
				 HOME_HELD :
				 home_of(queue, choices,
					 message->envelope->recipient_count);
	struct edit *edit;

	intake->envelope = NULL;
	intake->is_storing = true;
	make_parts(intake, message, home, choices);
	edit = compose(intake, message, home);
	edit_change(edit)->is_urgent = true;
	edit_change(edit)->is_kept = intake->is_kept;
	if (!intake->place.chunks)
		message_set_hot(queue, message, &intake->body);
	queue_put(queue, home, edit);
	message_drop(queue, message);
	free(choices);
}

/* --- chunks ---------------------------------------------------------- */

static bool is_over(const struct intake *intake)
{
	return intake->envelope && !intake->in_flight;
}

/* What is durable is counted in the store's live pages.  All chunks but the
 * last are full. */
static void has_arrived(struct intake *intake)
{
	uint64_t len = intake->on_the_way < RECORD_CHUNK_MAX ?
			       intake->on_the_way : RECORD_CHUNK_MAX;

	intake->on_the_way -= len;
	intake->queue->on_the_way -= len;
}

static bool has_room_again(const struct intake *intake)
{
	return intake->in_flight <= CHUNKS_ROOM ||
	       intake->queue->chunks <= SHARED_ROOM;
}

static void on_chunk(void *arg, enum change_end end)
{
	struct intake *intake = arg;

	intake->in_flight--;
	intake->queue->chunks--;
	if (end == CHANGE_STORED)
		has_arrived(intake);
	if (end != CHANGE_STORED && intake->end == CHANGE_STORED)
		intake->end = end;
	if (!intake->call) {
		/* aborted: the last one sweeps up */
		if (!intake->in_flight)
			fail(intake);
	} else if (is_over(intake)) {
		if (intake->end == CHANGE_STORED)
			store(intake);
		else
			fail(intake);
	} else if (intake->is_full && has_room_again(intake)) {
		intake->is_full = false;
		intake->call(intake->arg, INTAKE_ROOM);
	}
}

static void send_chunk(struct intake *intake, size_t len)
{
	struct queue *queue = intake->queue;
	struct edit *edit = edit_new(NULL, on_chunk, intake);
	struct buffer record = { NULL, 0, 0, 0 };

	buffer_reserve(&record, RECORD_FRAME + len);
	record_begin(&record);
	buffer_append(&record, view_first(buffer_view(&intake->body), len));
	record_seal(&record, RECORD_CHUNK, intake->id, intake->place.chunks);
	buffer_consume(&intake->body, len);
	edit_put(edit, key_chunk(intake->id, intake->place.chunks), &record);
	if (!intake->place.chunks++) {
		record_begin(&record);
		record_seal(&record, RECORD_OPEN, intake->id, 0);
		edit_put(edit, key_open(intake->id), &record);
	}
	edit_change(edit)->is_urgent = true;
	edit_change(edit)->is_kept = intake->is_kept;
	intake->in_flight++;
	queue->chunks++;
	queue_put(queue, HOME_HELD, edit);
}

void intake_append(struct intake *intake, struct view bytes)
{
	intake->place.size += bytes.len;
	if (intake->end != CHANGE_STORED)
		return; /* it has failed: the rest is only swallowed */
	on_the_way(intake, bytes.len);
	buffer_append(&intake->body, bytes);
	if (!intake->place.chunks && buffer_len(&intake->body) <= SMALL_BODY_MAX)
		return;
	if (!intake->is_kept && !queue_has_room(intake->queue, 0)) {
		intake->end = CHANGE_NO_ROOM;
		buffer_clear(&intake->body);
		return;
	}
	while (buffer_len(&intake->body) >= RECORD_CHUNK_MAX)
		send_chunk(intake, RECORD_CHUNK_MAX);
	if (intake->in_flight >= CHUNKS_FULL &&
	    intake->queue->chunks >= SHARED_FULL)
		intake->is_full = true;
}

bool intake_is_full(const struct intake *intake)
{
	return intake->is_full;
}

struct later {
	struct request request;
	struct intake *intake;
};

static void run_nothing(struct request *request)
{
	(void)request;
}

static void on_later(struct request *request)
{
	struct later *later = (struct later *)request;

	fail(later->intake);
	free(later);
}

/* Callbacks never come before intake_commit() has returned. */
static void fail_later(struct intake *intake)
{
	struct later *later = must_alloc(sizeof(*later));

	later->request.run = run_nothing;
	later->request.done = on_later;
	later->intake = intake;
	intake->is_storing = true;
	reader_put(intake->queue->reader, &later->request);
}

void intake_commit(struct intake *intake, struct envelope *envelope)
{
	if (intake->restored.envelope)
		envelope = intake->restored.envelope;
	intake->envelope = envelope;
	memcpy(envelope->id, intake->id, sizeof(envelope->id));
	envelope->size = intake->place.size;
	if (!intake->places) {
		envelope->accepted = queue_now(intake->queue) / 1000;
		envelope->accepted_wall = (int64_t)time(NULL);
	}
	if (!envelope->recipient_count && intake->end == CHANGE_STORED)
		intake->end = CHANGE_FAILED;
	if (intake->end == CHANGE_STORED && !intake->is_kept &&
	    !queue_has_room(intake->queue, 0))
		intake->end = CHANGE_NO_ROOM;
	if (intake->end == CHANGE_STORED && buffer_len(&intake->body) &&
	    (intake->place.chunks ||
	     buffer_len(&intake->body) > SMALL_BODY_MAX))
		send_chunk(intake, buffer_len(&intake->body));
	if (intake->in_flight)
		return; /* on_chunk() goes on */
	if (intake->end == CHANGE_STORED)
		store(intake);
	else
		fail_later(intake);
}

void intake_abort(struct intake *intake)
{
	intake->call = NULL;
	if (intake->is_storing || intake->in_flight)
		return; /* the report that is awaited frees it */
	drop_chunks(intake);
	intake_free(intake);
}
