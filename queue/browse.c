/*
 * Opening all folders of a spool to be read, and the jobs and bodies in
 * them.  See browse.h.
 */
#include "queue/browse_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/clock.h"
#include "queue/folder.h"
#include "queue/ident.h"

static const char *const names[HOMES] = { "fresh", "held" };

int64_t shelf_wall(const struct shelf *shelf, int64_t spool)
{
	return spool == TIME_NEVER ? BROWSE_NEVER :
				     (spool + shelf->to_wall) / 1000;
}

/* --- opening --------------------------------------------------------- */

static int open_home(struct shelf *shelf, enum home home, const char *spool,
		     struct error *error)
{
	char path[FOLDER_MAX], data[FOLDER_MAX + 16];
	int len = snprintf(path, sizeof(path), "%s/worker-%u/%s", spool,
			   shelf->number, names[home]);

	if ((size_t)len >= sizeof(path))
		return error_set(error, "%s: too long", spool);
	snprintf(data, sizeof(data), "%s/data.mdb", path);
	/* A folder that was emptied, or has just been made. */
	if (access(data, F_OK))
		return errno == ENOENT ? 0 : error_errno(error, "%s", data);
	shelf->store[home] = store_open_reader(path, error);
	return shelf->store[home] ? 0 : -1;
}

static void read_clock(struct shelf *shelf)
{
	struct clock_record clock;
	struct key key = key_clock();
	struct store_txn *txn;
	struct view raw;

	if (!shelf->store[HOME_HELD] ||
	    store_read(shelf->store[HOME_HELD], &txn))
		return;
	if (!store_get(txn, key_view(&key), &raw) &&
	    !clock_unpack(raw, &clock))
		shelf->to_wall = clock.wall - clock.spool;
	store_abort(txn);
}

static int open_shelf(struct browse *browse, unsigned number,
		      const char *spool, struct error *error)
{
	struct shelf *shelf;

	browse->shelves = must_realloc(browse->shelves, (browse->count + 1) *
							sizeof(*shelf));
	shelf = &browse->shelves[browse->count++];
	memset(shelf, 0, sizeof(*shelf));
	shelf->number = number;
	for (int home = 0; home < HOMES; home++)
		if (open_home(shelf, (enum home)home, spool, error))
			return -1;
	read_clock(shelf);
	return 0;
}

struct browse *browse_open(const char *spool, struct error *error)
{
	struct browse *browse = must_alloc(sizeof(*browse));
	char path[FOLDER_MAX];

	for (unsigned k = 0; k < FOLDER_WORKERS_MAX; k++) {
		if ((size_t)snprintf(path, sizeof(path), "%s/worker-%u", spool,
				     k) >= sizeof(path) || access(path, F_OK))
			break;
		if (open_shelf(browse, k, spool, error)) {
			browse_close(browse);
			return NULL;
		}
	}
	return browse;
}

void browse_close(struct browse *browse)
{
	if (!browse)
		return;
	for (size_t i = 0; i < browse->count; i++)
		for (int home = 0; home < HOMES; home++)
			store_close(browse->shelves[i].store[home]);
	free(browse->shelves);
	free(browse);
}

size_t browse_folders(const struct browse *browse)
{
	return browse->count;
}

static int fail(int code, struct error *error)
{
	return error_set(error, "the spool cannot be read: %s",
			 store_say(code));
}

/* --- jobs ------------------------------------------------------------ */

/* So many jobs are looked at in one transaction. */
enum { LOOKS = 1024 };

/* One store, and its next job that is meant. */
struct source {
	const struct shelf *shelf;
	enum home home;
	struct pick pick;
	struct picked head;
	bool has;
};

static int advance(struct source *s, struct error *error)
{
	struct store *store = s->shelf->store[s->home];
	struct store_txn *txn;
	int rc;

	if (s->has)
		picked_clear(&s->head);
	s->has = false;
	while (!s->has && !s->pick.is_over) {
		rc = store_read(store, &txn);
		if (rc)
			return fail(rc, error);
		s->pick.budget = LOOKS;
		s->has = pick_next(&s->pick, txn, &s->head);
		store_abort(txn);
		if (s->pick.code)
			return fail(s->pick.code, error);
	}
	return 0;
}

static int compare(const struct source *a, const struct source *b)
{
	int order = strcmp(a->head.key.lane, b->head.key.lane);

	return order ? order : strcmp(a->head.key.id, b->head.key.id);
}

static bool is_same_job(const struct source *a, const struct source *b)
{
	return a->shelf == b->shelf && !compare(a, b) &&
	       a->head.key.part == b->head.key.part;
}

/* The first of all in order.  A job that is just moving is in both stores
 * of a folder, and held, which comes behind fresh, has it. */
static struct source *first_of(struct source *sources, size_t count)
{
	struct source *first = NULL;

	for (size_t i = 0; i < count; i++) {
		struct source *s = &sources[i];

		if (s->has && (!first || compare(s, first) < 0 ||
			       is_same_job(s, first)))
			first = s;
	}
	return first;
}

static void show(const struct source *s, browse_each *call, void *arg)
{
	int64_t accepted = s->head.message.envelope->accepted;
	struct browse_job job = {
		.picked = &s->head,
		.folder = s->shelf->number,
		.is_fresh = s->home == HOME_FRESH,
		.accepted = shelf_wall(s->shelf, accepted * 1000),
		.to_wall = s->shelf->to_wall / 1000,
	};

	if (s->home == HOME_HELD)
		job.due = shelf_wall(s->shelf, s->head.progress.due);
	call(arg, &job);
}

static int step(struct source *sources, size_t count, struct source *first,
		struct error *error)
{
	for (size_t i = 0; i < count; i++)
		if (&sources[i] != first && sources[i].has &&
		    is_same_job(&sources[i], first) &&
		    advance(&sources[i], error))
			return -1;
	return advance(first, error);
}

static int merge(struct source *sources, size_t count,
		 const struct browse_order *order, struct browse_place *place,
		 browse_each *call, void *arg, struct error *error)
{
	size_t room = order->room;
	struct source *first;

	for (size_t i = 0; i < count; i++)
		if (advance(&sources[i], error))
			return -1;
	while ((first = first_of(sources, count))) {
		const struct job_key *key = &first->head.key;

		/* A message is never torn by the end of a page. */
		if (!room && (strcmp(key->id, place->id) != 0 ||
			      strcmp(key->lane, place->lane) != 0))
			return 1;
		room -= room > 0;
		show(first, call, arg);
		memcpy(place->lane, key->lane, sizeof(place->lane));
		memcpy(place->id, key->id, sizeof(place->id));
		if (step(sources, count, first, error))
			return -1;
	}
	return 0;
}

static size_t make_sources(struct browse *browse,
			   const struct browse_order *order,
			   const struct browse_place *place,
			   struct source *sources)
{
	size_t count = 0;

	for (size_t i = 0; i < browse->count; i++)
		for (int home = 0; home < HOMES; home++) {
			struct source *s = &sources[count];

			if (!browse->shelves[i].store[home])
				continue;
			s->shelf = &browse->shelves[i];
			s->home = (enum home)home;
			pick_init(&s->pick, order->selector);
			s->pick.wants_lane = order->wants_lane;
			s->pick.arg = order->arg;
			if (*place->lane)
				pick_after(&s->pick, place->lane, place->id);
			count++;
		}
	return count;
}

/* The parts of a message that were shown. */
struct shown {
	uint32_t *at;
	size_t count;
};

static bool is_shown(const struct shown *shown, uint32_t part)
{
	for (size_t i = 0; i < shown->count; i++)
		if (shown->at[i] == part)
			return true;
	return false;
}

static void show_once(struct source *s, struct shown *shown, browse_each *call,
		      void *arg)
{
	uint32_t part = s->head.key.part;

	if (!is_shown(shown, part)) {
		shown->at = must_realloc(shown->at, (shown->count + 1) *
							    sizeof(part));
		shown->at[shown->count++] = part;
		show(s, call, arg);
	}
	picked_clear(&s->head);
}

/* The jobs of one message in one store, by its own list of them. */
static int show_message(struct source *s, const char *id, struct shown *shown,
			browse_each *call, void *arg)
{
	struct key key = key_message(id);
	struct lane_parts parts = { NULL, 0 };
	struct job_key at = { .due = 0 };
	struct store_txn *txn;
	struct view raw, rest;
	bool has;
	int rc = store_read(s->shelf->store[s->home], &txn);

	if (rc)
		return rc;
	rc = store_get(txn, key_view(&key), &raw);
	if (!rc && !message_lanes(raw, &parts, &rest))
		memcpy(at.id, id, sizeof(at.id));
	for (size_t i = 0; i < parts.count && !rc; i++) {
		snprintf(at.lane, sizeof(at.lane), "%s", parts.at[i].lane);
		at.part = parts.at[i].part;
		rc = pick_job(txn, &at, &s->head, &has);
		if (has)
			show_once(s, shown, call, arg);
	}
	lane_parts_clear(&parts);
	store_abort(txn);
	return store_is_absent(rc) ? 0 : rc;
}

/* Fresh is looked at before held, so that what moves is met at least
 * once; it is shown once. */
static int show_messages(struct source *sources, size_t count, const char *id,
			 browse_each *call, void *arg)
{
	struct shown shown = { NULL, 0 };
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++) {
		if (i && sources[i].shelf != sources[i - 1].shelf)
			shown.count = 0;
		rc = show_message(&sources[i], id, &shown, call, arg);
	}
	free(shown.at);
	return rc;
}

int browse_jobs(struct browse *browse, const struct browse_order *order,
		struct browse_place *place, browse_each *call, void *arg,
		struct error *error)
{
	struct source *sources = must_alloc((browse->count * HOMES + 1) *
					    sizeof(*sources));
	size_t count = make_sources(browse, order, place, sources);
	int rc = 0, more = 0;

	if (order->selector->kind == SELECT_ID)
		rc = show_messages(sources, count, order->selector->value,
				   call, arg);
	else
		more = merge(sources, count, order, place, call, arg, error);
	for (size_t i = 0; i < count; i++)
		if (sources[i].has)
			picked_clear(&sources[i].head);
	free(sources);
	return rc ? fail(rc, error) : more;
}

/* --- bodies ---------------------------------------------------------- */

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
				return fail(rc, error);
		}
	return 1;
}

/* --- what was put aside ------------------------------------------------ */

static int count_aside(struct store *store, uint64_t *count)
{
	struct key from = key_kind(RECORD_QUARANTINE);
	struct store_cursor *cursor;
	struct store_txn *txn;
	struct view key, value;
	int rc = store_read(store, &txn);

	if (rc)
		return rc;
	rc = store_walk(txn, &cursor);
	if (!rc)
		rc = store_seek(cursor, key_view(&from), &key, &value);
	for (; !rc && key.at[0] == RECORD_QUARANTINE;
	     rc = store_next(cursor, &key, &value))
		++*count;
	store_walk_end(cursor);
	store_abort(txn);
	return store_is_absent(rc) ? 0 : rc;
}

int browse_aside(struct browse *browse, uint64_t *count, struct error *error)
{
	int rc = 0;

	*count = 0;
	for (size_t i = 0; i < browse->count; i++)
		for (int home = 0; home < HOMES && !rc; home++)
			if (browse->shelves[i].store[home])
				rc = count_aside(browse->shelves[i].store[home],
						 count);
	return rc ? fail(rc, error) : 0;
}

/* --- rules ------------------------------------------------------------- */

int browse_holds(struct browse *browse, struct holds *out,
		 struct error *error)
{
	int rc = 0;

	for (size_t i = 0; i < browse->count && !rc; i++) {
		struct store *store = browse->shelves[i].store[HOME_HELD];
		struct store_txn *txn;
		unsigned bad = 0;

		if (!store)
			continue;
		rc = store_read(store, &txn);
		if (rc)
			break;
		rc = holds_read(out, txn, &bad);
		store_abort(txn);
	}
	return rc ? fail(rc, error) : 0;
}
