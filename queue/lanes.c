/*
 * The lanes in memory.  See lanes.h.  A table with chains that grows with
 * what it holds, and a binary heap by wake time.
 */
#include "queue/lanes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lanes {
	struct lane **table;
	size_t slots, count;   /* slots: a power of two */
	struct lane **heap;    /* from 1 on */
	size_t heap_count, heap_room;
};

enum { FIRST_SLOTS = 64 };

struct lanes *lanes_new(void)
{
	struct lanes *lanes = must_alloc(sizeof(*lanes));

	lanes->slots = FIRST_SLOTS;
	lanes->table = must_alloc(lanes->slots * sizeof(*lanes->table));
	return lanes;
}

static void lane_free(struct lane *lane)
{
	free(lane->name);
	free(lane);
}

void lanes_free(struct lanes *lanes)
{
	if (!lanes)
		return;
	for (size_t i = 0; i < lanes->slots; i++)
		while (lanes->table[i]) {
			struct lane *lane = lanes->table[i];

			lanes->table[i] = lane->chain;
			lane_free(lane);
		}
	free(lanes->table);
	free(lanes->heap);
	free(lanes);
}

size_t lanes_count(const struct lanes *lanes)
{
	return lanes->count;
}

static size_t slot_of(const struct lanes *lanes, const char *name)
{
	return bytes_crc32c(0, name, strlen(name)) & (lanes->slots - 1);
}

struct lane *lanes_find(struct lanes *lanes, const char *name)
{
	struct lane *lane = lanes->table[slot_of(lanes, name)];

	while (lane && strcmp(lane->name, name))
		lane = lane->chain;
	return lane;
}

static void grow(struct lanes *lanes)
{
	struct lane **old = lanes->table;
	size_t slots = lanes->slots;

	lanes->slots *= 2;
	lanes->table = must_alloc(lanes->slots * sizeof(*lanes->table));
	for (size_t i = 0; i < slots; i++)
		while (old[i]) {
			struct lane *lane = old[i];
			size_t slot = slot_of(lanes, lane->name);

			old[i] = lane->chain;
			lane->chain = lanes->table[slot];
			lanes->table[slot] = lane;
		}
	free(old);
}

struct lane *lanes_get(struct lanes *lanes, const char *name)
{
	struct lane *lane = lanes_find(lanes, name);
	size_t slot;

	if (lane)
		return lane;
	if (lanes->count >= lanes->slots)
		grow(lanes);
	slot = slot_of(lanes, name);
	lane = must_alloc(sizeof(*lane));
	lane->name = must_strdup(name);
	lane->wake = lane->next_due = TIME_NEVER;
	lane->chain = lanes->table[slot];
	lanes->table[slot] = lane;
	lanes->count++;
	return lane;
}

static void place(struct lanes *lanes, size_t at, struct lane *lane)
{
	lanes->heap[at] = lane;
	lane->heap = at;
}

static void sift(struct lanes *lanes, size_t at)
{
	struct lane *lane = lanes->heap[at];

	while (at > 1 && lanes->heap[at / 2]->wake > lane->wake) {
		place(lanes, at, lanes->heap[at / 2]);
		at /= 2;
	}
	for (;;) {
		size_t child = at * 2;

		if (child < lanes->heap_count &&
		    lanes->heap[child + 1]->wake < lanes->heap[child]->wake)
			child++;
		if (child > lanes->heap_count ||
		    lanes->heap[child]->wake >= lane->wake)
			break;
		place(lanes, at, lanes->heap[child]);
		at = child;
	}
	place(lanes, at, lane);
}

static void heap_remove(struct lanes *lanes, struct lane *lane)
{
	size_t at = lane->heap;
	struct lane *last = lanes->heap[lanes->heap_count--];

	lane->heap = 0;
	if (last == lane)
		return;
	place(lanes, at, last);
	sift(lanes, at);
}

void lanes_wake_at(struct lanes *lanes, struct lane *lane, int64_t at)
{
	lane->wake = at;
	if (at == TIME_NEVER) {
		if (lane->heap)
			heap_remove(lanes, lane);
		return;
	}
	if (lane->heap) {
		sift(lanes, lane->heap);
		return;
	}
	if (lanes->heap_count + 2 > lanes->heap_room) {
		lanes->heap_room = lanes->heap_room ? lanes->heap_room * 2 : 64;
		lanes->heap = must_realloc(lanes->heap, lanes->heap_room *
							sizeof(*lanes->heap));
	}
	place(lanes, ++lanes->heap_count, lane);
	sift(lanes, lane->heap);
}

int64_t lanes_next(const struct lanes *lanes)
{
	return lanes->heap_count ? lanes->heap[1]->wake : TIME_NEVER;
}

struct lane *lanes_due(struct lanes *lanes, int64_t now)
{
	struct lane *lane;

	if (!lanes->heap_count || lanes->heap[1]->wake > now)
		return NULL;
	lane = lanes->heap[1];
	lanes_wake_at(lanes, lane, TIME_NEVER);
	return lane;
}

void lanes_drop(struct lanes *lanes, struct lane *lane)
{
	struct lane **at = &lanes->table[slot_of(lanes, lane->name)];

	while (*at != lane)
		at = &(*at)->chain;
	*at = lane->chain;
	if (lane->heap)
		heap_remove(lanes, lane);
	lanes->count--;
	lane_free(lane);
}

void lanes_each(struct lanes *lanes, void (*call)(void *arg, struct lane *lane),
		void *arg)
{
	size_t count = 0;
	struct lane **all = must_alloc(lanes->count * sizeof(*all));

	for (size_t i = 0; i < lanes->slots; i++)
		for (struct lane *l = lanes->table[i]; l; l = l->chain)
			all[count++] = l;
	for (size_t i = 0; i < count; i++)
		call(arg, all[i]);
	free(all);
}

bool lane_is_backing_off(const struct lane *lane, int64_t now)
{
	return lane->is_on_hold || lane->due > now;
}

uint64_t lane_cold(const struct lane *lane, enum home home)
{
	return lane->stored[home] > lane->memory[home] ?
		       lane->stored[home] - lane->memory[home] : 0;
}

bool lane_is_empty(const struct lane *lane)
{
	return !lane->stored[HOME_FRESH] && !lane->stored[HOME_HELD] &&
	       !lane->parts && !lane->entering && !lane->search;
}

bool lane_fail(struct lane *lane, unsigned epoch, const struct result *result,
	       int64_t now, int64_t delay)
{
	if (epoch != lane->epoch)
		return false;
	lane->epoch++;
	if (!lane->failures++)
		lane->since = now / 1000;
	lane->due = now + delay;
	lane->is_unmet = result->is_unmet;
	proof_field(lane->level, sizeof(lane->level), result->proof.level);
	proof_field(lane->reason_code, sizeof(lane->reason_code),
		    result->proof.reason_code);
	memcpy(lane->status, result->status, sizeof(lane->status));
	snprintf(lane->host, sizeof(lane->host), "%.*s", ATTEMPT_TEXT_MAX - 1,
		 result->host);
	snprintf(lane->text, sizeof(lane->text), "%.*s", ATTEMPT_TEXT_MAX - 1,
		 result->text);
	return true;
}

bool lane_succeed(struct lane *lane)
{
	if (!lane->failures)
		return false;
	lane->failures = 0;
	lane->due = 0;
	lane->since = 0;
	lane->is_unmet = false;
	return true;
}

void lane_force(struct lane *lane)
{
	lane->forced = lane->retried;
	lane->forced_from = 0;
}

void lane_to_record(const struct lane *lane, struct lane_record *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->name, lane->name, strnlen(lane->name, LANE_NAME_MAX));
	out->due = lane->due;
	out->failures = lane->failures;
	out->since = lane->since;
	memcpy(out->notice_id, lane->notice_id, sizeof(out->notice_id));
	memcpy(out->status, lane->status, sizeof(out->status));
	memcpy(out->host, lane->host, sizeof(out->host));
	memcpy(out->text, lane->text, sizeof(out->text));
}

void lane_from_record(struct lane *lane, const struct lane_record *record)
{
	lane->stored[HOME_HELD] = record->jobs;
	lane->due = record->due;
	lane->failures = record->failures;
	lane->since = record->since;
	memcpy(lane->notice_id, record->notice_id, sizeof(lane->notice_id));
	memcpy(lane->status, record->status, sizeof(lane->status));
	memcpy(lane->host, record->host, sizeof(lane->host));
	memcpy(lane->text, record->text, sizeof(lane->text));
}
