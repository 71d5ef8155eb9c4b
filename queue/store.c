/*
 * One LMDB environment.  See store.h.
 */
#include "queue/store_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "queue/folder.h"

struct store_cursor {
	struct store_txn *txn;
	MDB_cursor *cursor;
};

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

int store_begin_plain(struct store *store, unsigned flags,
		      struct store_txn **out)
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

static int pages_of(struct store_txn *txn, MDB_dbi dbi, uint64_t *pages)
{
	MDB_stat st;
	int rc = mdb_stat(txn->txn, dbi, &st);

	if (!rc)
		*pages += st.ms_branch_pages + st.ms_leaf_pages +
			  st.ms_overflow_pages;
	return rc;
}

int store_pages_in_use(struct store_txn *txn, uint64_t *pages)
{
	int rc;

	*pages = 2; /* the meta pages */
	rc = pages_of(txn, FREE_DBI, pages);
	return rc ? rc : pages_of(txn, txn->store->dbi, pages);
}

int store_check_counts(struct store_txn *txn)
{
	MDB_envinfo info;
	uint64_t pages;
	int rc = store_pages_in_use(txn, &pages);

	mdb_env_info(txn->store->env, &info);
	if (!rc && pages > info.me_last_pgno + 1)
		rc = MDB_CORRUPTED;
	return rc;
}

int store_read(struct store *store, struct store_txn **txn)
{
	int rc = store_catch_up(store);

	*txn = NULL;
	return rc ? rc : store_begin_plain(store, MDB_RDONLY, txn);
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

	store_note_put(txn, key, value);
	return mdb_put(txn->txn, txn->store->dbi, &k, &v, 0);
}

int store_delete(struct store_txn *txn, struct view key)
{
	MDB_val k = val_of(key);
	int rc = mdb_del(txn->txn, txn->store->dbi, &k, NULL);

	/* A transaction of nothing but these would never be in the file. */
	if (rc != MDB_NOTFOUND)
		store_note_delete(txn, key);
	return rc;
}

int store_walk(struct store_txn *txn, struct store_cursor **out)
{
	struct store_cursor *cursor = must_alloc(sizeof(*cursor));
	int rc = mdb_cursor_open(txn->txn, txn->store->dbi, &cursor->cursor);

	cursor->txn = txn;
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
	MDB_val k, v;
	int rc = mdb_cursor_get(cursor->cursor, &k, &v, MDB_GET_CURRENT);

	if (rc)
		return rc;
	store_note_delete(cursor->txn, view_of_val(k));
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

int store_numbers(struct store_txn *txn, struct store_numbers *out)
{
	uint64_t pages;
	int fd, rc = store_pages_in_use(txn, &pages);
	struct stat st;

	if (!rc)
		rc = mdb_env_get_fd(txn->store->env, &fd);
	if (!rc && fstat(fd, &st))
		rc = errno;
	if (rc)
		return rc;
	out->live = pages * txn->store->page;
	out->file = (uint64_t)st.st_size;
	/* What was reserved behind its end. */
	if (txn->store->journal && (uint64_t)st.st_blocks * 512 > out->file)
		out->file = (uint64_t)st.st_blocks * 512;
	return 0;
}

const char *store_folder(const struct store *store)
{
	return store->folder;
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
	store_journal_close(store->journal);
	pthread_mutex_destroy(&store->mutex);
	pthread_cond_destroy(&store->news);
	free(store->folder);
	free(store);
}
