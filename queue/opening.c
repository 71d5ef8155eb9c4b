/*
 * Opens the stores.  See opening.h.
 */
#include "queue/opening.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/log.h"
#include "queue/checkup.h"
#include "queue/pages.h"
#include "queue/recover.h"

enum {
	PATIENCE = 200, /* ms for held before service begins without it */
	WAITING_MAX = 32 * 1024 * 1024, /* bytes of changes */
};

struct opening {
	struct request request;
	struct queue *queue;
	struct checkup *checkup;
	struct reader *thread;
	struct queue shadow; /* held, as it is found, and its lanes */
	struct error error;
	bool is_open;
	unsigned releases; /* of the queue, when its rules were read */
	struct change *waiting, **last;
	size_t bytes;
	char reading[MESSAGE_ID_LEN + 1]; /* to be put aside */
};

/* --- a message that somebody died of ---------------------------------- */

/* Its jobs in one store, by its own list. */
static int put_aside_in(struct store *store, const char *id)
{
	struct edit *edit = edit_new(NULL, NULL, NULL);
	struct key key = key_message(id);
	struct lane_parts parts = { NULL, 0 };
	struct store_txn *txn;
	struct view raw, rest;
	int rc = store_read(store, &txn);

	if (rc) {
		edit_free(edit);
		return rc;
	}
	rc = store_get(txn, key_view(&key), &raw);
	if (!rc && message_lanes(raw, &parts, &rest))
		parts.count = 0;
	store_abort(txn);
	for (size_t i = 0; i < parts.count; i++)
		edit_quarantine(edit, parts.at[i].lane, id, parts.at[i].part);
	if (parts.count)
		rc = edit_carry_out(edit, store);
	if (parts.count && !rc)
		log_say(LOG_ERROR, "warning",
			"message %s was being read when "
			"a worker died of it; it is put aside in the spool "
			"and not delivered",
			id);
	lane_parts_clear(&parts);
	edit_free(edit);
	return store_is_absent(rc) ? 0 : rc;
}

static int put_aside(struct queue *queue, const char *id, struct error *error)
{
	int rc = 0;

	for (int home = 0; home < HOMES && *id && !rc; home++)
		if (queue->store[home])
			rc = put_aside_in(queue->store[home], id);
	return rc ? error_set(error, "%s: %s", queue->folder.path,
			      store_say(rc))
		  : 0;
}

static bool is_death_by_reading(const struct queue *queue,
				const struct note_found *found)
{
	const struct queue_settings *set = &queue->settings;

	return found->pid == set->dead_pid && *found->reading &&
	       (set->dead_signal == SIGBUS || set->dead_signal == SIGSEGV);
}

/* --- what is needed of held before it is open -------------------------- */

static void take_hold(void *arg, struct view key, struct view value)
{
	struct queue *queue = arg;
	struct hold hold;

	(void)key;
	if (!hold_unpack(value, &hold))
		holds_add(&queue->holds, &hold);
}

static void take_clock(void *arg, struct view key, struct view value)
{
	struct queue *queue = arg;
	struct clock_record stored;

	(void)key;
	if (!clock_unpack(value, &stored))
		clock_start(&queue->clock, &stored, clock_wall(), clock_boot());
}

/* Its rules and the clock, from its bytes. */
static void read_ahead(struct queue *queue)
{
	struct pages_walk holds = { .visit = take_hold,
				    .arg = queue,
				    .kind = RECORD_HOLD };
	struct pages_walk clock = { .visit = take_clock,
				    .arg = queue,
				    .kind = RECORD_CLOCK };
	char file[FOLDER_MAX + 16];
	struct pages pages;
	struct error error;

	clock_start(&queue->clock, NULL, clock_wall(), clock_boot());
	snprintf(file, sizeof(file), "%s/held/data.mdb", queue->folder.path);
	if (pages_open(&pages, file, &error))
		return;
	if (pages.meta[pages.newest].is_good) {
		pages_walk(&pages, &pages.meta[pages.newest], PAGES_MAIN,
			   &holds);
		memset(pages.use, PAGE_UNKNOWN, pages.count);
		pages_walk(&pages, &pages.meta[pages.newest], PAGES_MAIN,
			   &clock);
	}
	pages_close(&pages);
}

/* The youngest message in fresh was accepted then (ms); 0: none. */
static int youngest(struct store *fresh, int64_t *at)
{
	struct key from = key_kind(RECORD_MESSAGE);
	struct store_cursor *cursor;
	struct store_txn *txn;
	struct view key, value;
	char id[MESSAGE_ID_LEN + 1];
	int rc = store_read(fresh, &txn);

	if (rc)
		return rc;
	rc = store_walk(txn, &cursor);
	if (rc) {
		store_abort(txn);
		return rc;
	}
	for (rc = store_seek(cursor, key_view(&from), &key, &value);
	     !rc && key.at[0] == RECORD_MESSAGE;
	     rc = store_next(cursor, &key, &value))
		if (!key_parse_id(key, id) && ident_time(id) > *at)
			*at = ident_time(id);
	store_walk_end(cursor);
	store_abort(txn);
	return store_is_absent(rc) ? 0 : rc;
}

/* All that is made from now on is younger than all that is there. */
static int set_born(struct queue *queue, struct error *error)
{
	struct ident_source first = { .worker = 0 };
	int64_t old = 0;
	int rc = youngest(queue->store[HOME_FRESH], &old);

	if (rc)
		return error_set(error, "%s: %s", queue->folder.path,
				 store_say(rc));
	if (queue_now(queue) <= old)
		queue->clock.base += old + 1 - queue_now(queue);
	ident_make(&first, queue_now(queue), queue->born);
	/* The low part counts up from the least there is. */
	memset(queue->born + MESSAGE_ID_LEN - 16, '0', 16);
	return 0;
}

/* --- beside service ---------------------------------------------------- */

static void run(struct request *request)
{
	struct opening *o = (struct opening *)request;
	struct queue *shadow = &o->shadow;

	if (checkup_wait(o->checkup, CHECKUP_OVER, -1) < CHECKUP_OVER) {
		error_set(&o->error, "the check was stopped");
		return;
	}
	shadow->is_owed = !checkup_is_saved(o->checkup);
	if (queue_open_store(shadow, HOME_HELD, queue_map_size(shadow),
			     &o->error))
		return;
	o->is_open = !put_aside(shadow, o->reading, &o->error) &&
		     !recover(shadow, &o->error);
}

static void merge_lane(void *arg, struct lane *found)
{
	struct queue *queue = arg;
	struct lane *lane = queue_lane(queue, found->name);
	struct lane_record record;

	/* What was met since the start is newer. */
	if (!lane->failures && !lane->due) {
		uint64_t held = lane->stored[HOME_HELD];

		lane_to_record(found, &record);
		lane_from_record(lane, &record);
		lane->stored[HOME_HELD] = held;
	}
	for (int home = 0; home < HOMES; home++)
		lane->stored[home] += found->stored[home];
	if (found->next_due < lane->next_due)
		lane->next_due = found->next_due;
	lanes_wake_at(queue->lanes, lane, queue_now(queue));
}

static void release(struct opening *o)
{
	struct change *change;

	while ((change = o->waiting)) {
		o->waiting = change->next;
		if (o->queue->commit[HOME_HELD])
			commit_put(o->queue->commit[HOME_HELD], change);
		else
			change->done(change, CHANGE_FAILED);
	}
}

static void opening_free(struct opening *o)
{
	checkup_end(o->checkup);
	store_close(o->shadow.store[HOME_HELD]);
	lanes_free(o->shadow.lanes);
	holds_clear(&o->shadow.holds);
	free(o);
}

static void enter(struct opening *o)
{
	struct queue *queue = o->queue, *shadow = &o->shadow;

	queue->store[HOME_HELD] = shadow->store[HOME_HELD];
	shadow->store[HOME_HELD] = NULL;
	queue_start_commit(queue, HOME_HELD);
	*queue->born = '\0';
	for (size_t i = 0; i < shadow->holds.count; i++)
		if (o->releases == queue->releases)
			holds_add(&queue->holds, &shadow->holds.at[i]);
	lanes_each(shadow->lanes, merge_lane, queue);
}

static void on_over(struct request *request)
{
	struct opening *o = (struct opening *)request;
	struct queue *queue = o->queue;

	/* opening_end() does the rest. */
	if (queue->is_closing)
		return;
	checkup_end(o->checkup);
	o->checkup = NULL;
	if (!o->is_open) {
		queue->is_broken = true;
		queue->settings.events.broken(queue->settings.events.arg,
					      o->error.text);
		return;
	}
	enter(o);
	/* Its thread is still in this call. */
	queue->opening = NULL;
	queue->opened = o;
	release(o);
	queue_judge_lanes(queue);
	log_say(LOG_NOTICE, "checked", "%s is open again", queue_folder(queue));
}

/* --- from outside ------------------------------------------------------ */

void opening_go(struct opening *o)
{
	o->releases = o->queue->releases;
	o->thread = reader_new(o->queue->loop);
	reader_put(o->thread, &o->request);
}

void opening_wait(struct opening *o, struct change *change)
{
	change->next = NULL;
	*o->last = change;
	o->last = &change->next;
	o->bytes += change->bytes;
}

bool opening_is_full(const struct opening *o)
{
	return o->bytes > WAITING_MAX;
}

void opening_end(struct queue *queue)
{
	struct opening *o = queue->opening ? queue->opening : queue->opened;

	if (!o)
		return;
	if (o->checkup && o->thread)
		checkup_stop(o->checkup);
	reader_free(o->thread);
	queue->opening = queue->opened = NULL;
	release(o);
	opening_free(o);
}

static int open_both(struct queue *queue, const char *reading,
		     struct error *error)
{
	if (queue_open_stores(queue, queue_map_size(queue), error) ||
	    put_aside(queue, reading, error))
		return -1;
	return recover(queue, error);
}

static int open_fresh(struct queue *queue, struct checkup *checkup,
		      const char *reading, struct error *error)
{
	struct opening *o = must_alloc(sizeof(*o));

	o->queue = queue;
	o->checkup = checkup;
	o->last = &o->waiting;
	o->request.run = run;
	o->request.done = on_over;
	memcpy(o->reading, reading, sizeof(o->reading));
	queue->opening = o;
	o->shadow.lanes = lanes_new();
	if (queue_open_store(queue, HOME_FRESH, queue_map_size(queue), error) ||
	    put_aside(queue, reading, error))
		return -1;
	read_ahead(queue);
	if (set_born(queue, error))
		return -1;
	o->shadow.settings = queue->settings;
	o->shadow.conf = queue->conf;
	o->shadow.folder = queue->folder;
	o->shadow.store[HOME_FRESH] = queue->store[HOME_FRESH];
	memcpy(o->shadow.born, queue->born, sizeof(queue->born));
	return 0;
}

/* As if nothing had been tried. */
static void undo(struct queue *queue)
{
	for (int home = 0; home < HOMES; home++) {
		store_close(queue->store[home]);
		queue->store[home] = NULL;
	}
	lanes_free(queue->lanes);
	queue->lanes = lanes_new();
	holds_clear(&queue->holds);
}

static int open_checked(struct queue *queue, const char *reading,
			struct error *error)
{
	struct checkup *checkup = checkup_begin(queue->folder.path,
						queue_map_size(queue), error);
	int patience = queue->settings.patience ? queue->settings.patience :
						  PATIENCE;

	if (!checkup)
		return -1;
	if (queue->settings.is_workshop)
		patience = -1;
	checkup_wait(checkup, CHECKUP_FRESH, -1);
	if (checkup_wait(checkup, CHECKUP_OVER, patience) < CHECKUP_OVER)
		return open_fresh(queue, checkup, reading, error);
	queue->is_owed = !checkup_is_saved(checkup);
	checkup_end(checkup);
	return open_both(queue, reading, error);
}

int opening_begin(struct queue *queue, struct error *error)
{
	const char *folder = queue->folder.path;
	struct note_found found;

	queue->note = note_open(folder, &found, error);
	if (!queue->note)
		return -1;
	if (!is_death_by_reading(queue, &found))
		*found.reading = '\0';
	if (!checkup_is_needed(folder, &found)) {
		if (!open_both(queue, found.reading, error))
			return 0;
		/* It may be damaged all the same. */
		log_say(LOG_WARNING, "warning", "%s", error->text);
		undo(queue);
	}
	return open_checked(queue, found.reading, error);
}
