/*
 * Stores to be damaged.  See damage_sample.h.
 */
#include "tests/unit/damage_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "queue/store.h"

static const char *const stores[] = { "fresh", "held" };

static void read_file(const char *path, struct buffer *out)
{
	FILE *file = fopen(path, "rb");
	struct stat st;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	assert_int_equal(fread(buffer_reserve(out, (size_t)st.st_size), 1,
			       (size_t)st.st_size, file), st.st_size);
	buffer_added(out, (size_t)st.st_size);
	fclose(file);
}

static bool is_kept(struct view key)
{
	return memchr("MJC", key.at[0], 3) != NULL;
}

static void read_records(struct sample *sample)
{
	struct error error;
	struct store *store = store_open(sample->folder, DAMAGE_MAP, &error);
	struct store_txn *txn;
	struct store_cursor *cursor;
	struct view key, value;
	int rc;

	assert_non_null(store);
	assert_int_equal(store_read(store, &txn), 0);
	assert_int_equal(store_walk(txn, &cursor), 0);
	for (rc = store_seek(cursor, VIEW(" "), &key, &value); !rc;
	     rc = store_next(cursor, &key, &value)) {
		if (!is_kept(key))
			continue;
		assert_true(sample->count < RECORDS_MAX);
		buffer_append(&sample->records[sample->count].key, key);
		buffer_append(&sample->records[sample->count++].value, value);
	}
	store_walk_end(cursor);
	store_abort(txn);
	store_close(store);
}

static void find_places(const struct sample *sample, struct saved *record)
{
	struct view file = buffer_view(&sample->file);
	struct view value = buffer_view(&record->value);
	const unsigned char *at = file.at, *end = file.at + file.len;

	while ((at = memmem(at, (size_t)(end - at), value.at, value.len))) {
		assert_true(record->place_count < PLACES_MAX);
		record->places[record->place_count++] =
			(size_t)(at++ - file.at);
	}
}

static void take_sample(const struct rig *rig, const char *name,
			struct sample *sample)
{
	char path[160];

	memset(sample, 0, sizeof(*sample));
	snprintf(sample->folder, sizeof(sample->folder), "%s/worker-0/%s",
		 rig->spool, name);
	sample->name = name;
	sample->has_dues = !strcmp(name, "held");
	snprintf(path, sizeof(path), "%s/data.mdb", sample->folder);
	read_records(sample);
	read_file(path, &sample->file);
	for (size_t i = 0; i < sample->count; i++)
		find_places(sample, &sample->records[i]);
}

static void clear_sample(struct sample *sample)
{
	for (size_t i = 0; i < sample->count; i++) {
		buffer_clear(&sample->records[i].key);
		buffer_clear(&sample->records[i].value);
	}
	buffer_clear(&sample->file);
}

/* Mail of all kinds in both stores, and pages that came and went. */
static void fill(struct rig *rig)
{
	static char body[70000];

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)('a' + i * 7 % 26);
	rig_open(rig);
	for (int i = 0; i < 8; i++)
		rig_accept(rig, "a@home", i % 2 ? "b@one c@two" : "b@one",
			   view_make(body, i == 3 ? sizeof(body) :
						    (size_t)(300 + 900 * i)));
	for (int i = 0; i < 8; i++)
		rig_finish(rig, rig_take(rig),
			   i % 4 ? OUTCOME_DEFERRED : OUTCOME_DELIVERED,
			   BLAME_MESSAGE, i % 4 ? "4.0.0" : "2.0.0", "so");
	rig_settle(rig);
	for (int i = 0; i < 6; i++)
		rig_accept(rig, "a@home", i % 2 ? "b@six c@six" : "b@five",
			   view_make(body, i == 4 ? sizeof(body) : 1500));
	rig_close(rig);
}

int damage_samples_make(void **state)
{
	struct samples *samples = must_alloc(sizeof(*samples));

	rig_init(&samples->rig);
	fill(&samples->rig);
	for (int i = 0; i < 2; i++)
		take_sample(&samples->rig, stores[i], &samples->at[i]);
	*state = samples;
	return 0;
}

int damage_samples_drop(void **state)
{
	struct samples *samples = *state;

	for (int i = 0; i < 2; i++)
		clear_sample(&samples->at[i]);
	rig_clear(&samples->rig);
	free(samples);
	return 0;
}
