/*
 * Jobs of all folders of a spool, merged in the order of lanes and ids.  See
 * browse.h.
 */
#include "queue/browse_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many jobs are looked at in one transaction. */
enum { LOOKS = 1024 };

/* One store, and its next job that is meant. */
struct source {
	const struct shelf *shelf;
	const struct holds *holds;
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
			return browse_fail(rc, error);
		s->pick.budget = LOOKS;
		s->has = pick_next(&s->pick, txn, &s->head);
		store_abort(txn);
		if (s->pick.code)
			return browse_fail(s->pick.code, error);
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

/* All of it, though its turn has not come yet. */
static bool is_on_hold(const struct picked *picked, const struct holds *holds)
{
	const struct envelope *envelope = picked->message.envelope;

	if (!holds || !holds->count)
		return false;
	for (size_t i = 0; i < picked->progress.open_count; i++)
		if (!holds_take(holds, envelope,
				&envelope->recipients[
					picked->progress.open[i].index]))
			return false;
	return true;
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
	if (is_on_hold(&s->head, s->holds))
		job.due = BROWSE_NEVER;
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
			s->holds = order->holds;
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
	return rc ? browse_fail(rc, error) : more;
}
