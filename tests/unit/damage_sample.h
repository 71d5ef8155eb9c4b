/*
 * Two stores to be damaged: mail of all kinds, and pages that came and went.
 * They are made once for a group of tests.
 */
#ifndef TESTS_UNIT_DAMAGE_SAMPLE_H
#define TESTS_UNIT_DAMAGE_SAMPLE_H

#include "tests/unit/queue_rig.h"

enum {
	DAMAGE_MAP = 64 * 1024 * 1024,
	RECORDS_MAX = 256,
	PLACES_MAX = 64, /* of one record's bytes: old pages have it, too */
};

struct saved {
	struct buffer key, value;
	size_t places[PLACES_MAX], place_count;
};

/* A store as it was when it was sound. */
struct sample {
	const char *name;
	char folder[96];
	bool has_dues;
	struct buffer file;
	struct saved records[RECORDS_MAX]; /* M, J and C */
	size_t count;
};

struct samples {
	struct rig rig;
	struct sample at[2]; /* fresh, held */
};

/* Group setup and teardown; the state is a struct samples. */
int damage_samples_make(void **state);
int damage_samples_drop(void **state);

#endif
