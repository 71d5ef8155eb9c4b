/*
 * A ring of destinations for each repute.  In a ring stands who has
 * something to give and is below its pace.
 */
#include "relay/turns.h"

#include <stdlib.h>

#include "conf/bytes.h"

enum { REPUTES = TURNS_TROUBLED + 1 };

struct destination {
	struct lane *lane;
	unsigned pace, active;
	unsigned credit; /* successes since the pace last rose */
	bool is_ready, is_removed;
	enum turns_repute repute;
	struct destination *next, *previous; /* in a ring; NULL: in none */
	struct destination *next_known, **at_known;
};

struct turns {
	struct destination *known;
	struct destination *rings[REPUTES]; /* whose turn it is */
	size_t active[REPUTES];
	unsigned turn; /* of the rings */
	size_t slots, waiting;
	unsigned pace_max;
};

static void ring_add(struct turns *t, struct destination *dest)
{
	struct destination **ring = &t->rings[dest->repute];

	if (dest->next != NULL)
		return;
	t->waiting += dest->repute != TURNS_TROUBLED;
	if (*ring == NULL) {
		dest->next = dest->previous = *ring = dest;
		return;
	}
	dest->next = *ring;
	dest->previous = (*ring)->previous;
	dest->previous->next = dest;
	(*ring)->previous = dest;
}

static void ring_remove(struct turns *t, struct destination *dest)
{
	struct destination **ring = &t->rings[dest->repute];

	if (dest->next == NULL)
		return;
	t->waiting -= dest->repute != TURNS_TROUBLED;
	if (*ring == dest)
		*ring = dest->next != dest ? dest->next : NULL;
	dest->next->previous = dest->previous;
	dest->previous->next = dest->next;
	dest->next = dest->previous = NULL;
}

static void reconsider(struct turns *t, struct destination *dest)
{
	unsigned pace = dest->pace < t->pace_max ? dest->pace : t->pace_max;

	if (dest->is_ready && !dest->is_removed && dest->active < pace)
		ring_add(t, dest);
	else
		ring_remove(t, dest);
}

struct turns *turns_new(void)
{
	struct turns *t = must_alloc(sizeof(*t));

	turns_limit(t, 1, 1);
	return t;
}

static void forget(struct destination *dest)
{
	*dest->at_known = dest->next_known;
	if (dest->next_known != NULL)
		dest->next_known->at_known = dest->at_known;
	free(dest);
}

void turns_free(struct turns *t)
{
	if (t == NULL)
		return;
	while (t->known != NULL)
		forget(t->known);
	free(t);
}

void turns_limit(struct turns *t, size_t slots, unsigned pace)
{
	struct destination *dest;

	t->slots = slots > 0 ? slots : 1;
	t->pace_max = pace > 0 ? pace : 1;
	for (dest = t->known; dest != NULL; dest = dest->next_known)
		reconsider(t, dest);
}

size_t turns_slots(const struct turns *t)
{
	return t->slots;
}

size_t turns_active(const struct turns *t)
{
	return t->active[TURNS_GOOD] + t->active[TURNS_NEW] +
	       t->active[TURNS_TROUBLED];
}

size_t turns_waiting(const struct turns *t)
{
	return t->waiting;
}

static size_t troubled_share(const struct turns *t)
{
	return t->slots > 1 ? t->slots / 2 : 1;
}

size_t turns_surplus(const struct turns *t)
{
	size_t troubled = t->active[TURNS_TROUBLED];

	return troubled > troubled_share(t) ? troubled - troubled_share(t) : 0;
}

struct destination *turns_add(struct turns *t, struct lane *lane,
			      enum turns_repute repute)
{
	struct destination *dest = must_alloc(sizeof(*dest));

	dest->lane = lane;
	dest->repute = repute;
	/* A host that was down is probed by one. */
	dest->pace = repute == TURNS_TROUBLED ? 1 : TURNS_FIRST_PACE;
	dest->at_known = &t->known;
	dest->next_known = t->known;
	if (t->known != NULL)
		t->known->at_known = &dest->next_known;
	t->known = dest;
	return dest;
}

void turns_remove(struct turns *t, struct destination *dest)
{
	dest->is_removed = true;
	dest->lane = NULL;
	ring_remove(t, dest);
	if (dest->active == 0)
		forget(dest);
}

struct lane *turns_lane(const struct destination *dest)
{
	return dest->lane;
}

struct destination *turns_any(const struct turns *t)
{
	struct destination *dest = t->known;

	while (dest != NULL && dest->is_removed)
		dest = dest->next_known;
	return dest;
}

void turns_ready(struct turns *t, struct destination *dest, bool is_ready)
{
	dest->is_ready = is_ready;
	reconsider(t, dest);
}

/* Kept for those that went well; at least one where there are a few. */
static size_t good_share(const struct turns *t)
{
	return t->slots < 4 ? 0 : (t->slots + 7) / 8;
}

/* May one of that ring begin? */
static bool may_begin(const struct turns *t, enum turns_repute repute)
{
	size_t active = turns_active(t);
	size_t unproven = active - t->active[TURNS_GOOD];

	if (t->rings[repute] == NULL || active >= t->slots)
		return false;
	if (repute != TURNS_GOOD && unproven >= t->slots - good_share(t))
		return false;
	return repute != TURNS_TROUBLED ||
	       t->active[TURNS_TROUBLED] < troubled_share(t);
}

struct destination *turns_next(struct turns *t)
{
	unsigned i;

	for (i = 0; i < REPUTES; i++) {
		struct destination *dest;

		t->turn = (t->turn + 1) % REPUTES;
		if (!may_begin(t, t->turn))
			continue;
		dest = t->rings[t->turn];
		t->rings[t->turn] = dest->next;
		return dest;
	}
	return NULL;
}

void turns_begin(struct turns *t, struct destination *dest)
{
	t->active[dest->repute]++;
	dest->active++;
	reconsider(t, dest);
}

static void adjust_pace(struct turns *t, struct destination *dest, bool is_bad)
{
	if (is_bad) {
		dest->pace = dest->pace > 1 ? dest->pace / 2 : 1;
		dest->credit = 0;
	} else if (++dest->credit >= dest->pace && dest->pace < t->pace_max) {
		dest->pace++;
		dest->credit = 0;
	}
}

static void set_repute(struct turns *t, struct destination *dest,
		       enum turns_repute repute)
{
	if (dest->repute == repute)
		return;
	/* All its trips change sides, and so does its place. */
	ring_remove(t, dest);
	t->active[dest->repute] -= dest->active;
	dest->repute = repute;
	t->active[repute] += dest->active;
}

enum turns_repute turns_repute(const struct destination *dest)
{
	return dest->repute;
}

void turns_suspect(struct turns *t, struct destination *dest)
{
	set_repute(t, dest, TURNS_TROUBLED);
	reconsider(t, dest);
}

void turns_end(struct turns *t, struct destination *dest, enum turns_end how)
{
	t->active[dest->repute]--;
	dest->active--;
	if (dest->is_removed) {
		if (dest->active == 0)
			forget(dest);
		return;
	}
	if (how != TURNS_UNDECIDED) {
		set_repute(t, dest, how == TURNS_HOST_BAD ? TURNS_TROUBLED :
							    TURNS_GOOD);
		adjust_pace(t, dest, how == TURNS_HOST_BAD);
	}
	reconsider(t, dest);
}
