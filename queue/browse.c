/*
 * Opening all folders of a spool to be read; the rules and what was put
 * aside in them.  See browse.h.
 */
#include "queue/browse_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "queue/check.h"
#include "queue/clock.h"
#include "queue/folder.h"
#include "queue/ident.h"

static const char *const names[HOMES] = { "fresh", "held" };

enum {
	NAP = 10, /* ms */
	NAPS = 30,
	MAP = 1024 * 1024 * 1024, /* more than a small store and a journal */
};

int64_t shelf_wall(const struct shelf *shelf, int64_t spool)
{
	return spool == TIME_NEVER ? BROWSE_NEVER :
				     (spool + shelf->to_wall) / 1000;
}

/* --- opening --------------------------------------------------------- */

static void nap(void)
{
	const struct timespec t = { .tv_nsec = NAP * 1000000L };

	nanosleep(&t, NULL);
}

/* What a relay that is no more left in its journal. Only into a store that
 * is sound: else it is for the relay's own start to set aside. */
static void settle(struct shelf *shelf, const char *path, const char *data,
		   struct error *error)
{
	struct check_result check;
	struct store *store;

	if (check_file(data, false, &check) || !check.is_sound)
		return;
	store_close(shelf->store[HOME_FRESH]);
	store = store_open(path, MAP, error);
	store_close(store);
	shelf->store[HOME_FRESH] = store_open_reader(path, error);
}

/* A relay that works brings its journal into the file within a moment. */
static void catch_up(struct shelf *shelf, const char *spool, const char *path,
		     const char *data, struct error *error)
{
	struct folder folder;

	for (int i = 0; i < NAPS && store_is_behind(shelf->store[HOME_FRESH]);
	     i++) {
		enum folder_state state = folder_try(spool, shelf->number,
						     &folder);

		if (state == FOLDER_TAKEN) {
			settle(shelf, path, data, error);
			folder_release(&folder);
			return;
		}
		nap();
	}
}

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
	if (home == HOME_FRESH && shelf->store[home])
		catch_up(shelf, spool, path, data, error);
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

int browse_fail(int code, struct error *error)
{
	return error_set(error, "the spool cannot be read: %s",
			 store_say(code));
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
	return rc ? browse_fail(rc, error) : 0;
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
	return rc ? browse_fail(rc, error) : 0;
}
