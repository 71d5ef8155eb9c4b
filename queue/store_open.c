/*
 * Opens and makes environments.  See store.h.
 */
#include "queue/store_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/folder.h"

#define LOCK_FILE "/lock.mdb"
#define DRAFT     ".new"

/* What LMDB's lock file takes, for its default of 126 readers. */
enum { LOCK_SIZE = 8192, PATH_ROOM = FOLDER_MAX + 32 };

/* How many of the pages from `first` on stand in the list of free pages. */
static int count_free(struct store *store, size_t first, size_t *count)
{
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val k, v;
	int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

	*count = 0;
	if (rc)
		return rc;
	rc = mdb_cursor_open(txn, FREE_DBI, &cursor);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	while (!(rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))) {
		/* a count, then so many page numbers */
		const size_t *list = v.mv_data;
		size_t len = v.mv_size / sizeof(*list);

		for (size_t i = 1; i < len && i <= list[0]; i++)
			*count += list[i] >= first;
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/*
 * Reading behind the end of the file raises SIGBUS.  LMDB never writes
 * pages that were allocated and freed again in one transaction, so that a
 * sound file may lack free pages at its end: it is lengthened first, and
 * every page that was missing must then be a free one.
 */
static int check_length(struct store *store, struct error *error)
{
	MDB_envinfo info;
	struct stat st;
	size_t have, want, free_pages;
	int fd, rc;

	mdb_env_info(store->env, &info);
	store->map = info.me_mapaddr;
	if (mdb_env_get_fd(store->env, &fd) || fstat(fd, &st))
		return error_errno(error, "data.mdb");
	have = (size_t)st.st_size / store->page;
	want = info.me_last_pgno + 1;
	if (have >= want)
		return 0;
	if (ftruncate(fd, (off_t)(want * store->page)))
		return error_errno(error, "data.mdb: cannot be lengthened");
	rc = count_free(store, have, &free_pages);
	if (!rc && free_pages == want - have)
		return 0;
	/* Back to what it was: the next start must see the same. */
	if (ftruncate(fd, st.st_size))
		return error_errno(error, "data.mdb: cannot be cut back");
	return error_set(error, "data.mdb is damaged: %zu pages are missing "
			 "at its end", want - have);
}

static int open_dbi(struct store *store)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &store->dbi);
	if (!rc)
		rc = store_check_counts(&(struct store_txn){
			.store = store, .txn = txn });
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

/* Pages of the lock file that find no room when they are first touched
 * raise SIGBUS: they are asked for before. */
static int reserve_locks(const char *folder)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "%s" LOCK_FILE, folder);
	return folder_reserve(path, LOCK_SIZE);
}

/* A copy of this process that was killed may have left its readers. */
static int open_env(struct store *store, const char *folder, uint64_t map)
{
	MDB_stat st;
	int rc = mdb_env_create(&store->env), dead;

	if (rc)
		return rc;
	if (map > SIZE_MAX / 4)
		map = SIZE_MAX / 4;
	rc = mdb_env_set_mapsize(store->env, (size_t)map);
	if (!rc)
		rc = reserve_locks(folder);
	if (!rc)
		rc = mdb_env_open(store->env, folder, MDB_NOTLS, 0600);
	if (!rc)
		rc = mdb_reader_check(store->env, &dead);
	if (!rc)
		rc = mdb_env_stat(store->env, &st);
	if (!rc)
		store->page = st.ms_psize;
	return rc;
}

static int open_in(struct store *store, const char *folder, uint64_t map,
		   struct error *error)
{
	int rc = open_env(store, folder, map);

	if (rc)
		return error_set(error, "%s: %s", folder, mdb_strerror(rc));
	if (check_length(store, error))
		return error_prefix(error, "%s", folder);
	rc = open_dbi(store);
	if (rc)
		return error_set(error, "%s: %s", folder, mdb_strerror(rc));
	return store_replay(store, error);
}

static struct store *new(const char *folder)
{
	struct store *store = must_alloc(sizeof(*store));

	store->folder = must_strdup(folder);
	pthread_mutex_init(&store->mutex, NULL);
	pthread_cond_init(&store->news, NULL);
	return store;
}

static int make_in(const char *folder, uint64_t map, struct error *error)
{
	struct store *store = new(folder);
	int rc = folder_make(folder, error);

	if (!rc)
		rc = open_in(store, folder, map, error);
	if (!rc && mdb_env_sync(store->env, 1))
		rc = error_set(error, "%s cannot be synced", folder);
	store_close(store);
	return rc ? rc : folder_sync(folder, error);
}

/* Under its name only when it is whole and durable. */
static int make(const char *folder, uint64_t map, struct error *error)
{
	char draft[FOLDER_MAX + sizeof(DRAFT)];

	snprintf(draft, sizeof(draft), "%s" DRAFT, folder);
	folder_clear_store(draft);
	if (make_in(draft, map, error))
		return -1;
	/* An empty folder may stand there. */
	folder_clear_store(folder);
	return folder_rename(draft, folder, error);
}

/* LMDB takes an empty file for a new one; we never leave one. */
static int prepare(const char *folder, uint64_t map, struct error *error)
{
	off_t size = folder_data_size(folder);

	if (!size)
		return error_set(error, "%s: data.mdb is damaged: it is empty",
				 folder);
	if (size < 0 && make(folder, map, error))
		return -1;
	return folder_make(folder, error);
}

struct store *store_open(const char *folder, uint64_t map, struct error *error)
{
	struct store *store;

	if (strlen(folder) >= FOLDER_MAX) {
		error_set(error, "%s: too long", folder);
		return NULL;
	}
	if (prepare(folder, map, error))
		return NULL;
	store = new(folder);
	if (!open_in(store, folder, map, error))
		return store;
	store_close(store);
	return NULL;
}

/* What is missing at the end must be free pages; they are not written. */
static int check_reader_length(struct store *store, struct error *error)
{
	MDB_envinfo info;
	struct stat st;
	size_t have, free_pages;
	int fd;

	mdb_env_info(store->env, &info);
	store->map = info.me_mapaddr;
	if (mdb_env_get_fd(store->env, &fd) || fstat(fd, &st))
		return error_errno(error, "data.mdb");
	have = (size_t)st.st_size / store->page;
	if (have > info.me_last_pgno ||
	    (!count_free(store, have, &free_pages) &&
	     free_pages >= info.me_last_pgno + 1 - have))
		return 0;
	return error_set(error, "data.mdb is damaged: pages are missing at its "
			 "end");
}

static int open_reader_env(struct store *store, const char *folder)
{
	MDB_stat st;
	MDB_txn *txn;
	int dead, rc = mdb_env_create(&store->env);

	if (!rc)
		rc = mdb_env_open(store->env, folder, MDB_RDONLY | MDB_NOTLS,
				  0600);
	if (!rc)
		rc = mdb_reader_check(store->env, &dead);
	if (!rc)
		rc = mdb_env_stat(store->env, &st);
	if (rc)
		return rc;
	store->page = st.ms_psize;
	rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &store->dbi);
	if (!rc)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

struct store *store_open_reader(const char *folder, struct error *error)
{
	struct store *store = new(folder);
	int rc = open_reader_env(store, folder);

	if (rc)
		error_set(error, "%s: %s", folder, mdb_strerror(rc));
	else if (!check_reader_length(store, error))
		return store;
	else
		error_prefix(error, "%s", folder);
	store_close(store);
	return NULL;
}

bool store_is_behind(struct store *store)
{
	struct store_journal_sight sight = { .visit = NULL };
	struct store_journal *journal;
	MDB_envinfo info;
	int rc = store_journal_open(store->folder, false, &journal);

	if (rc)
		return false;
	mdb_env_info(store->env, &info);
	rc = store_journal_walk(journal, info.me_last_txnid + 1, &sight);
	store_journal_close(journal);
	return !rc && sight.units;
}
