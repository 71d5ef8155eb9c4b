/*
 * Moves the mail of a folder without an owner into our own.  See adopt.h.
 */
#include "queue/adopt.h"

#include <stdlib.h>
#include <string.h>

#include "conf/log.h"
#include "queue/checkup.h"
#include "queue/recover.h"

enum { STEP_JOBS = 32, STEP_CHUNKS = 32 };

struct adopt {
	struct request request;
	struct queue *queue;      /* ours */
	struct queue other;       /* theirs: folder, note and stores only */
	struct checkup *checkup;  /* theirs, after a stop that was not in
	                           * order, on a thread of its own */
	struct reader *thread;
	uint64_t map;             /* for its stores */
	enum home home;           /* the store that is being emptied */
	char body_id[MESSAGE_ID_LEN + 1]; /* whose chunks are under way */
	uint32_t next_chunk;
	struct job_key jobs[STEP_JOBS];   /* of this step */
	bool is_new[STEP_JOBS];   /* not in ours already */
	size_t count;
	uint64_t moved;
	bool is_in;               /* the step's jobs are durable here */
	bool is_over;
	int code;
	struct error error;       /* it cannot be opened */
	bool is_open;
};

/* --- on the reader's thread ------------------------------------------ */

/* Ours has it already: the step that brought it was cut off. */
static int is_here(struct adopt *a, const struct job_key *job, bool *here)
{
	struct key key = key_job(job->lane, job->id, job->part);
	struct store_txn *txn;
	struct view ignored;
	int rc = store_read(a->queue->store[HOME_HELD], &txn);

	if (rc)
		return rc;
	rc = store_get(txn, key_view(&key), &ignored);
	store_abort(txn);
	*here = !rc;
	return store_is_absent(rc) ? 0 : rc;
}

/* A step's worth of chunks; *is_whole when all have been copied. */
static int copy_chunks(struct adopt *a, struct store_txn *theirs,
		       struct edit *into, const char *id, bool *is_whole)
{
	struct buffer record = { NULL, 0, 0, 0 };
	struct view raw;
	int rc = 0;

	if (strcmp(a->body_id, id)) {
		memcpy(a->body_id, id, sizeof(a->body_id));
		a->next_chunk = 0;
		record_begin(&record);
		record_seal(&record, RECORD_OPEN, id, 0);
		edit_put(into, key_open(id), &record);
	}
	for (int i = 0; i < STEP_CHUNKS && !rc; i++) {
		struct key key = key_chunk(id, a->next_chunk);

		rc = store_get(theirs, key_view(&key), &raw);
		if (rc)
			break;
		buffer_append(&record, raw);
		edit_put(into, key, &record);
		store_forget(theirs, raw);
		a->next_chunk++;
	}
	*is_whole = store_is_absent(rc);
	return store_is_absent(rc) ? 0 : rc;
}

/* The job into the edit; *is_whole false: more of its body comes first. */
static int copy_job(struct adopt *a, struct store_txn *from,
		    struct store_txn *held, struct edit *into,
		    struct job_key *job, struct view raw, bool *is_whole)
{
	struct key key = key_message(job->id);
	struct buffer value = { NULL, 0, 0, 0 };
	struct body_place place = { 0, 0 };
	struct progress progress = { .attempts = 0 };
	struct view message;
	int rc = store_get(from, key_view(&key), &message);

	*is_whole = true;
	if (!rc && !message_place(message, &place) && place.chunks)
		rc = copy_chunks(a, held, into, job->id, is_whole);
	if (store_is_absent(rc))
		rc = 0;
	if (rc || !*is_whole)
		return rc;
	/* A record that does not check out comes along as it is and is put
	 * aside when it is read. */
	if (!progress_unpack(raw, job->id, &progress))
		job->due = progress.due;
	buffer_append(&value, raw);
	edit_move(into, job->lane, job->id, job->part);
	edit_put(into, key_job(job->lane, job->id, job->part), &value);
	edit_due(into, job->lane, job->id, job->part, &progress);
	progress_clear(&progress);
	if (place.chunks)
		edit_delete(into, key_open(job->id));
	return 0;
}

/* Fills the edit with the next jobs of theirs. */
static int collect(struct adopt *a, struct store_txn *from,
		   struct store_txn *held, struct edit *into)
{
	struct key first = key_kind(RECORD_JOB);
	struct store_cursor *cursor;
	struct view key, value;
	bool is_whole = true, here = false;
	int rc = store_walk(from, &cursor);

	if (rc)
		return rc;
	rc = store_seek(cursor, key_view(&first), &key, &value);
	while (!rc && key.at[0] == RECORD_JOB && a->count < STEP_JOBS) {
		struct job_key *job = &a->jobs[a->count];

		if (!key_parse(key, job)) {
			rc = is_here(a, job, &here);
			if (!rc && !here)
				rc = copy_job(a, from, held, into, job, value,
					      &is_whole);
			if (rc || !is_whole)
				break;
			a->is_new[a->count++] = !here;
		}
		rc = store_next(cursor, &key, &value);
	}
	store_walk_end(cursor);
	a->is_over = is_whole && !a->count && (!rc || store_is_absent(rc));
	return store_is_absent(rc) ? 0 : rc;
}

static int gather(struct adopt *a, struct edit *into)
{
	struct store_txn *from, *held;
	int rc = store_read(a->other.store[a->home], &from);

	if (rc)
		return rc;
	rc = store_read(a->other.store[HOME_HELD], &held);
	if (!rc) {
		rc = collect(a, from, held, into);
		store_abort(held);
	}
	store_abort(from);
	return rc;
}

/* What is safe here goes there. */
static int remove_theirs(struct adopt *a)
{
	struct edit *out = edit_new(NULL, NULL, NULL);
	struct edit *settles = edit_new(a->other.store[HOME_FRESH], NULL, NULL);
	int rc;

	for (size_t i = 0; i < a->count; i++) {
		const struct job_key *job = &a->jobs[i];

		edit_job_gone(out, job->lane, job->id, job->part);
		if (a->home == HOME_HELD)
			edit_undue(out, job->lane, job->id, job->part,
				   job->due);
		edit_settle(settles, job->id);
	}
	rc = edit_carry_out(out, a->other.store[a->home]);
	if (!rc && a->home == HOME_FRESH)
		rc = edit_carry_out(settles, a->other.store[HOME_HELD]);
	edit_free(out);
	edit_free(settles);
	return rc;
}

static void run(struct request *request)
{
	struct adopt *a = (struct adopt *)request;
	struct edit *into = edit_new(a->other.store[a->home], NULL, NULL);

	a->count = 0;
	a->code = gather(a, into);
	if (!a->code)
		a->code = edit_carry_out(into, a->queue->store[HOME_HELD]);
	a->is_in = !a->code;
	edit_free(into);
	if (!a->code && a->count)
		a->code = remove_theirs(a);
	if (a->is_over && a->home == HOME_HELD && !a->code) {
		a->home = HOME_FRESH;
		a->is_over = false;
	}
}

/* --- on the loop ------------------------------------------------------ */

static bool has_quarantined(struct store *store)
{
	struct key first = key_kind(RECORD_QUARANTINE);
	struct store_cursor *cursor;
	struct store_txn *txn;
	struct view key, value;
	bool has = true; /* unless it is certain that there is none */
	int rc;

	if (store_read(store, &txn))
		return true;
	if (!store_walk(txn, &cursor)) {
		rc = store_seek(cursor, key_view(&first), &key, &value);
		has = rc ? !store_is_absent(rc) :
			   key.at[0] == RECORD_QUARANTINE;
		store_walk_end(cursor);
	}
	store_abort(txn);
	return has;
}

/* What cannot be emptied is not tried again and again; somebody who takes
 * it as his own changes that. */
static void close_other(struct adopt *a, bool is_empty)
{
	struct queue *queue = a->queue;

	/* What was put or set aside there stays there, for its salvage. */
	if (is_empty)
		is_empty = !a->other.is_owed &&
			   !has_quarantined(a->other.store[HOME_FRESH]) &&
			   !has_quarantined(a->other.store[HOME_HELD]);
	store_close(a->other.store[HOME_FRESH]);
	store_close(a->other.store[HOME_HELD]);
	if (is_empty)
		folder_empty(&a->other.folder);
	/* What was not opened is as it was found. */
	note_close(a->other.note,
		   a->is_open && (!a->code || store_is_full(a->code)));
	reader_free(a->thread);
	checkup_end(a->checkup);
	queue->looks[a->other.folder.number] = is_empty ? LOOK_NOTHING :
							  LOOK_LEFT;
	lanes_free(a->other.lanes);
	holds_clear(&a->other.holds);
	folder_release(&a->other.folder);
	queue->adopt = NULL;
	free(a);
}

static void enter(struct adopt *a)
{
	struct queue *queue = a->queue;

	for (size_t i = 0; i < a->count; i++) {
		struct lane *lane;

		if (!a->is_new[i])
			continue;
		lane = queue_lane(queue, a->jobs[i].lane);
		lane->stored[HOME_HELD]++;
		/* Its due time is found by the search. */
		lane->next_due = 0;
		lane_consider(queue, lane);
		a->moved++;
	}
}

static void on_step(struct request *request)
{
	struct adopt *a = (struct adopt *)request;
	struct queue *queue = a->queue;
	unsigned number;
	bool is_full;

	if (queue->is_closing)
		return; /* adopt_end() closes it */
	if (a->is_in)
		enter(a);
	if (a->code || a->is_over) {
		log_say(a->code ? LOG_WARNING : LOG_NOTICE, "adopted",
			"%llu jobs came from %s, which had no owner%s%s",
			(unsigned long long)a->moved, a->other.folder.path,
			a->code ? "; then: " : "",
			a->code ? store_say(a->code) : "");
		is_full = store_is_full(a->code);
		number = a->other.folder.number;
		/* There may be another one. */
		if (!a->code)
			queue->next_look = queue_now(queue);
		close_other(a, !a->code);
		/* There may be room at the next look. */
		if (is_full)
			queue->looks[number] = LOOK_FREE;
		queue_set_timer(queue);
		return;
	}
	reader_put(queue->reader, &a->request);
}

/* Its rules hold here, too, before any of its mail comes. */
static void take_holds(struct adopt *a)
{
	struct edit *edit = edit_new(NULL, NULL, NULL);

	for (size_t i = 0; i < a->other.holds.count; i++) {
		const struct hold *hold = &a->other.holds.at[i];
		struct buffer record = { NULL, 0, 0, 0 };

		if (!holds_add(&a->queue->holds, hold))
			continue;
		hold_pack(&record, hold);
		edit_put(edit, key_hold(&hold->rule), &record);
	}
	queue_put(a->queue, HOME_HELD, edit);
	queue_judge_lanes(a->queue);
}

static void on_open(struct request *request)
{
	struct adopt *a = (struct adopt *)request;

	if (a->queue->is_closing)
		return;
	if (!a->is_open) {
		log_say(LOG_ERROR, "warning",
			"the folder %s has no owner and "
			"cannot be adopted: %s",
			a->other.folder.path, a->error.text);
		close_other(a, false);
		return;
	}
	if (a->other.holds.count)
		take_holds(a);
	a->request.run = run;
	a->request.done = on_step;
	reader_put(a->queue->reader, &a->request);
}

static void open_other(struct request *request)
{
	struct adopt *a = (struct adopt *)request;

	a->is_open = !queue_open_stores(&a->other, a->map, &a->error) &&
		     !recover(&a->other, &a->error);
}

static void go_on(struct adopt *a)
{
	a->request.run = open_other;
	a->request.done = on_open;
	reader_put(a->queue->reader, &a->request);
}

static void wait_for_check(struct request *request)
{
	struct adopt *a = (struct adopt *)request;

	checkup_wait(a->checkup, CHECKUP_OVER, -1);
}

static void on_checked(struct request *request)
{
	struct adopt *a = (struct adopt *)request;

	if (a->queue->is_closing)
		return;
	a->other.is_owed = !checkup_is_saved(a->checkup);
	go_on(a);
}

/* What another one died of is not for us to die of. */
static int begin_check(struct adopt *a)
{
	a->checkup = checkup_begin(a->other.folder.path, a->map, &a->error);
	if (!a->checkup)
		return -1;
	a->thread = reader_new(a->queue->loop);
	a->request.run = wait_for_check;
	a->request.done = on_checked;
	reader_put(a->thread, &a->request);
	return 0;
}

static void begin(struct queue *queue, const struct folder *folder)
{
	struct adopt *a = must_alloc(sizeof(*a));
	struct note_found found;

	a->queue = queue;
	a->home = HOME_HELD;
	a->map = queue_map_size(queue);
	a->other.folder = *folder;
	a->other.lanes = lanes_new();
	a->other.conf = queue->conf;
	queue->adopt = a;
	a->other.note = note_open(folder->path, &found, &a->error);
	if (a->other.note && !checkup_is_needed(folder->path, &found))
		go_on(a);
	else if (!a->other.note || begin_check(a))
		on_open(&a->request);
}

/* A folder that one of `workers` would take is left to it unless it is
 * still free at the next look. */
static bool is_to_be_adopted(struct queue *queue, unsigned k)
{
	if (queue->looks[k] == LOOK_LEFT)
		return false;
	if (k >= queue->settings.workers || queue->looks[k] == LOOK_FREE)
		return true;
	queue->looks[k] = LOOK_FREE;
	queue->next_look = queue_now(queue) + ADOPT_AGAIN;
	return false;
}

void adopt_look(struct queue *queue)
{
	if (queue->opening)
		return;
	for (unsigned k = 0; k < FOLDER_WORKERS_MAX && !queue->adopt; k++) {
		struct folder folder;
		enum folder_state state = folder_try(queue->settings.spool, k,
						     &folder);

		if (state == FOLDER_NONE)
			return;
		if (state != FOLDER_TAKEN)
			queue->looks[k] = LOOK_NOTHING;
		else if (is_to_be_adopted(queue, k))
			begin(queue, &folder);
		else
			folder_release(&folder);
	}
}

void adopt_end(struct queue *queue)
{
	struct adopt *a = queue->adopt;

	if (!a)
		return;
	if (a->checkup)
		checkup_stop(a->checkup);
	close_other(a, false);
}
