/*
 * One LMDB environment.  See store.h.
 */
#include "queue/store.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/folder.h"

struct store {
	MDB_env *env;
	MDB_dbi dbi;
	size_t page;
	unsigned char *map;
};

struct store_txn {
	struct store *store;
	MDB_txn *txn;
};

struct store_cursor {
	MDB_cursor *cursor;
};

#define DATA_FILE "/data.mdb"
#define LOCK_FILE "/lock.mdb"
#define DRAFT     ".new"

/* What LMDB's lock file takes, for its default of 126 readers. */
enum { LOCK_SIZE = 8192, PATH_ROOM = FOLDER_MAX + 32 };

/* LMDB's table of free pages is database 0 (as in mdb_stat -f). */
enum { FREE_DBI = 0 };

bool store_is_absent(int code)
{
	return code == MDB_NOTFOUND;
}

bool store_is_full(int code)
{
	return code == MDB_MAP_FULL || code == ENOSPC || code == EDQUOT ||
	       code == EFBIG;
}

const char *store_say(int code)
{
	return mdb_strerror(code);
}

static MDB_val val_of(struct view view)
{
	return (MDB_val){ view.len, (void *)(uintptr_t)view.at };
}

static struct view view_of_val(MDB_val val)
{
	return view_make(val.mv_data, val.mv_size);
}

static int begin(struct store *store, unsigned flags, struct store_txn **out)
{
	struct store_txn *txn = must_alloc(sizeof(*txn));
	int rc = mdb_txn_begin(store->env, NULL, flags, &txn->txn);

	txn->store = store;
	if (rc) {
		free(txn);
		txn = NULL;
	}
	*out = txn;
	return rc;
}

int store_begin(struct store *store, struct store_txn **txn)
{
	return begin(store, 0, txn);
}

int store_read(struct store *store, struct store_txn **txn)
{
	return begin(store, MDB_RDONLY, txn);
}

int store_commit(struct store_txn *txn)
{
	int rc = mdb_txn_commit(txn->txn), fd;

	/* LMDB's word for a short write, too. */
	if (rc == EIO && !mdb_env_get_fd(txn->store->env, &fd))
		rc = folder_why_short(fd);
	free(txn);
	return rc;
}

void store_abort(struct store_txn *txn)
{
	mdb_txn_abort(txn->txn);
	free(txn);
}

int store_get(struct store_txn *txn, struct view key, struct view *value)
{
	MDB_val k = val_of(key), v;
	int rc = mdb_get(txn->txn, txn->store->dbi, &k, &v);

	if (!rc)
		*value = view_of_val(v);
	return rc;
}

int store_put(struct store_txn *txn, struct view key, struct view value)
{
	MDB_val k = val_of(key), v = val_of(value);

	return mdb_put(txn->txn, txn->store->dbi, &k, &v, 0);
}

int store_delete(struct store_txn *txn, struct view key)
{
	MDB_val k = val_of(key);

	return mdb_del(txn->txn, txn->store->dbi, &k, NULL);
}

int store_walk(struct store_txn *txn, struct store_cursor **out)
{
	struct store_cursor *cursor = must_alloc(sizeof(*cursor));
	int rc = mdb_cursor_open(txn->txn, txn->store->dbi, &cursor->cursor);

	if (rc) {
		free(cursor);
		cursor = NULL;
	}
	*out = cursor;
	return rc;
}

static int step(struct store_cursor *cursor, MDB_cursor_op op, MDB_val k,
		struct view *key, struct view *value)
{
	MDB_val v = { 0, NULL };
	int rc = mdb_cursor_get(cursor->cursor, &k, &v, op);

	if (rc)
		return rc;
	*key = view_of_val(k);
	*value = view_of_val(v);
	return 0;
}

int store_seek(struct store_cursor *cursor, struct view from, struct view *key,
	       struct view *value)
{
	return step(cursor, MDB_SET_RANGE, val_of(from), key, value);
}

int store_next(struct store_cursor *cursor, struct view *key,
	       struct view *value)
{
	return step(cursor, MDB_NEXT, (MDB_val){ 0, NULL }, key, value);
}

int store_delete_here(struct store_cursor *cursor)
{
	return mdb_cursor_del(cursor->cursor, 0);
}

void store_walk_end(struct store_cursor *cursor)
{
	if (!cursor)
		return;
	mdb_cursor_close(cursor->cursor);
	free(cursor);
}

void store_forget(struct store_txn *txn, struct view value)
{
	size_t page = txn->store->page;
	uintptr_t from = (uintptr_t)value.at, to = from + value.len;

	/* Only whole pages of an overflow run: it begins with LMDB's header
	 * on the value's first page. */
	if (value.len < page)
		return;
	from -= from % page;
	to += (page - to % page) % page;
	madvise((void *)from, to - from, MADV_DONTNEED);
}

static int pages_of(struct store_txn *txn, MDB_dbi dbi, uint64_t *pages)
{
	MDB_stat st;
	int rc = mdb_stat(txn->txn, dbi, &st);

	if (!rc)
		*pages += st.ms_branch_pages + st.ms_leaf_pages +
			  st.ms_overflow_pages;
	return rc;
}

int store_numbers(struct store_txn *txn, struct store_numbers *out)
{
	uint64_t pages = 2; /* the meta pages */
	int fd, rc = pages_of(txn, FREE_DBI, &pages);
	struct stat st;

	if (!rc)
		rc = pages_of(txn, txn->store->dbi, &pages);
	if (!rc)
		rc = mdb_env_get_fd(txn->store->env, &fd);
	if (!rc && fstat(fd, &st))
		rc = errno;
	if (rc)
		return rc;
	out->live = pages * txn->store->page;
	out->file = (uint64_t)st.st_size;
	return 0;
}

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
	return rc ? error_set(error, "%s: %s", folder, mdb_strerror(rc)) : 0;
}

static void remove_files(const char *folder)
{
	static const char *const files[] = { DATA_FILE, LOCK_FILE };
	char path[PATH_ROOM];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", folder, files[i]);
		unlink(path);
	}
}

static int make_in(const char *folder, uint64_t map, struct error *error)
{
	struct store *store = must_alloc(sizeof(*store));
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
	remove_files(draft);
	if (make_in(draft, map, error))
		return -1;
	/* An empty folder may stand there. */
	remove_files(folder);
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
	store = must_alloc(sizeof(*store));
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
	struct store *store = must_alloc(sizeof(*store));
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

void store_check_readers(struct store *store)
{
	int dead;

	mdb_reader_check(store->env, &dead);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->env)
		mdb_env_close(store->env);
	free(store);
}
