/*
 * Two rings of destinations, one for those in trouble.  In a ring stands
 * who has something to give and is below its pace.
 */
#include "relay/turns.h"

#include <stdlib.h>

#include "conf/bytes.h"

struct destination {
	struct lane *lane;
	unsigned pace, active;
	unsigned credit; /* successes since the pace last rose */
	bool is_ready, is_removed, is_troubled;
	struct destination *next, *previous; /* in a ring; NULL: in none */
	struct destination **ring;
	struct destination *next_known, **at_known;
};

struct turns {
	struct destination *known;
	struct destination *fine, *troubled; /* whose turn it is */
	bool is_troubled_next;
	size_t slots, active, active_troubled, waiting;
	unsigned pace_max;
};

static void ring_add(struct turns *t, struct destination *dest)
{
	struct destination **ring = dest->is_troubled ? &t->troubled : &t->fine;

	if (dest->next != NULL)
		return;
	t->waiting += !dest->is_troubled;
	dest->ring = ring;
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
	if (dest->next == NULL)
		return;
	t->waiting -= dest->ring == &t->fine;
	if (*dest->ring == dest)
		*dest->ring = dest->next != dest ? dest->next : NULL;
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
	return t->active;
}

size_t turns_waiting(const struct turns *t)
{
	return t->waiting;
}

struct destination *turns_add(struct turns *t, struct lane *lane)
{
	struct destination *dest = must_alloc(sizeof(*dest));

	dest->lane = lane;
	dest->pace = TURNS_FIRST_PACE;
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

static struct destination *take_turn(struct destination **ring)
{
	struct destination *dest = *ring;

	if (dest != NULL)
		*ring = dest->next;
	return dest;
}

struct destination *turns_next(struct turns *t)
{
	size_t share = t->slots > 1 ? t->slots / 2 : 1;
	bool may_troubled = t->troubled != NULL && t->active_troubled < share;

	if (t->active >= t->slots)
		return NULL;
	t->is_troubled_next = !t->is_troubled_next;
	if (may_troubled && (t->is_troubled_next || t->fine == NULL))
		return take_turn(&t->troubled);
	return take_turn(&t->fine);
}

void turns_begin(struct turns *t, struct destination *dest)
{
	t->active++;
	dest->active++;
	t->active_troubled += dest->is_troubled;
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

static void set_trouble(struct turns *t, struct destination *dest, bool is_bad)
{
	if (dest->is_troubled == is_bad)
		return;
	/* All its trips change sides, and so does its place. */
	ring_remove(t, dest);
	dest->is_troubled = is_bad;
	if (is_bad)
		t->active_troubled += dest->active;
	else
		t->active_troubled -= dest->active;
}

void turns_end(struct turns *t, struct destination *dest, enum turns_end how)
{
	t->active--;
	dest->active--;
	t->active_troubled -= dest->is_troubled;
	if (dest->is_removed) {
		if (dest->active == 0)
			forget(dest);
		return;
	}
	if (how != TURNS_UNDECIDED) {
		set_trouble(t, dest, how == TURNS_HOST_BAD);
		adjust_pace(t, dest, how == TURNS_HOST_BAD);
	}
	reconsider(t, dest);
}
