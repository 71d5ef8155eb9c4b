/*
 * Tries are remembered as hashes: that two differ and have the same one is
 * less likely than that the machine errs.
 */
#include "relay/lab/recall.h"

#include <stdlib.h>

#define MINUTE 60.

struct first_try {
	uint64_t hash;
	double when;
};

struct recall {
	struct first_try tries[RECALL_TRIES_MAX]; /* a ring */
	size_t count, next;
	double minute;     /* when it began */
	uint64_t connections;
};

/* FNV-1a; the NUL keeps "ab", "c" and "a", "bc" apart. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	while (*text++);
	return hash;
}

struct recall *recall_new(void)
{
	return must_alloc(sizeof(struct recall));
}

void recall_free(struct recall *recall)
{
	free(recall);
}

void recall_forget(struct recall *recall)
{
	recall->count = recall->next = 0;
	recall->connections = 0;
}

bool recall_is_early(struct recall *recall, const struct recall_try *what,
		     uint32_t wait, double now)
{
	uint64_t hash = 0xcbf29ce484222325u;

	hash = hash_text(hash, what->client);
	hash = hash_text(hash, what->from);
	hash = hash_text(hash, what->to);
	for (size_t i = 0; i < recall->count; i++)
		if (recall->tries[i].hash == hash)
			return now - recall->tries[i].when < wait;
	recall->tries[recall->next] = (struct first_try){ hash, now };
	recall->next = (recall->next + 1) % RECALL_TRIES_MAX;
	if (recall->count < RECALL_TRIES_MAX)
		recall->count++;
	return wait > 0;
}

uint64_t recall_connections(struct recall *recall, double now)
{
	if (!recall->connections || now - recall->minute >= MINUTE) {
		recall->minute = now;
		recall->connections = 0;
	}
	return ++recall->connections;
}
