/*
 * Beginning and ending write transactions: LMDB's own, or ahead of LMDB's
 * file: durable in the journal, and in one transaction that stays open.  See
 * store.h.
 *
 * Whoever has LMDB's write transaction owns the journal.  Whoever begins one
 * first brings into it what the journal has for it: after an abort nothing
 * that was committed is missing.
 */
#include "queue/store_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "queue/folder.h"

enum {
	PATH_COST = 12, /* pages that one put or delete may touch or make */
	SLACK = 16,     /* pages for LMDB's list of free ones */
	STEP = 64,      /* pages reserved at a time */
	DISK_PART = 64, /* of the disk, for a journal */
};

static bool is_host(struct store *store)
{
	bool is;

	pthread_mutex_lock(&store->mutex);
	is = store->is_hosted && pthread_equal(store->host, pthread_self());
	pthread_mutex_unlock(&store->mutex);
	return is;
}

bool store_is_ahead(struct store *store)
{
	bool is;

	pthread_mutex_lock(&store->mutex);
	is = store->ahead > store->filed;
	pthread_mutex_unlock(&store->mutex);
	return is;
}

static int broken(struct store *store)
{
	int rc;

	pthread_mutex_lock(&store->mutex);
	rc = store->broken;
	pthread_mutex_unlock(&store->mutex);
	return rc;
}

static void set_ahead(struct store *store, uint64_t id)
{
	pthread_mutex_lock(&store->mutex);
	store->ahead = id;
	pthread_mutex_unlock(&store->mutex);
}

/* Without LMDB's lock: the host may be ahead again, by a later one. */
static void set_filed(struct store *store, uint64_t id)
{
	pthread_mutex_lock(&store->mutex);
	if (id > store->filed)
		store->filed = id;
	pthread_cond_broadcast(&store->news);
	pthread_mutex_unlock(&store->mutex);
}

static void set_failed(struct store *store, int rc)
{
	pthread_mutex_lock(&store->mutex);
	store->failures++;
	store->last = rc;
	/* No sync is tried again on a disk that failed. */
	if (store->journal && !store_is_full(rc))
		store->broken = rc;
	pthread_cond_broadcast(&store->news);
	pthread_mutex_unlock(&store->mutex);
}

/* --- what is put and deleted ------------------------------------------ */

static void count(struct store *store, size_t len)
{
	struct store_debt *debt = &store->debt;

	debt->cost += PATH_COST;
	debt->batch += PATH_COST;
	/* What does not fit twice into a page has pages of its own. */
	if (len > store->page / 4)
		debt->overflows += len / store->page + 1;
}

void store_note_put(struct store_txn *txn, struct view key, struct view value)
{
	if (!txn->is_hosts)
		return;
	txn->is_touched = true;
	count(txn->store, value.len);
	store_journal_put(txn->store->journal, key, value);
}

void store_note_delete(struct store_txn *txn, struct view key)
{
	if (!txn->is_hosts)
		return;
	txn->is_touched = true;
	count(txn->store, 0);
	store_journal_delete(txn->store->journal, key);
}

void store_mark(struct store_txn *txn)
{
	if (txn->is_hosts)
		store_journal_mark(txn->store->journal);
}

/* --- beginning -------------------------------------------------------- */

static void give_up(struct store_txn *txn)
{
	mdb_txn_abort(txn->txn);
	free(txn);
}

int store_redo(void *arg, struct view key, const struct view *value)
{
	struct store_txn *txn = arg;
	MDB_val k = { key.len, (void *)(uintptr_t)key.at }, v;
	int rc;

	count(txn->store, value ? value->len : 0);
	if (!value) {
		rc = mdb_del(txn->txn, txn->store->dbi, &k, NULL);
		return rc == MDB_NOTFOUND ? 0 : rc;
	}
	v = (MDB_val){ value->len, (void *)(uintptr_t)value->at };
	return mdb_put(txn->txn, txn->store->dbi, &k, &v, 0);
}

static int rebuild(struct store_txn *txn)
{
	struct store_journal *journal = txn->store->journal;
	struct store_journal_sight sight = { .visit = store_redo, .arg = txn };
	uint64_t generation = mdb_txn_id(txn->txn);
	int rc;

	store_journal_start(journal, generation);
	if (!store_journal_has(journal, generation))
		return 0;
	rc = store_journal_walk(journal, generation, &sight);
	/* Nothing that was acknowledged may go unseen. */
	if (!rc && !store_journal_is_as_written(journal, &sight))
		rc = MDB_CORRUPTED;
	return rc;
}

static int begin_write(struct store *store, struct store_txn **out)
{
	struct store_debt *debt = &store->debt;
	MDB_envinfo info;
	int rc = broken(store);

	if (!rc)
		rc = store_begin_plain(store, 0, out);
	if (rc)
		return rc;
	rc = store_check_counts(*out);
	if (!rc && store->journal) {
		mdb_env_info(store->env, &info);
		*debt = (struct store_debt){ .pages = info.me_last_pgno + 1,
					     .reserved = debt->reserved };
		rc = rebuild(*out);
	}
	if (!rc)
		return 0;
	give_up(*out);
	*out = NULL;
	return rc;
}

/* The host lets go of its transaction when it learns that somebody waits
 * for it, and LMDB's lock then lets one of those in. */
static int begin_beside(struct store *store, struct store_txn **out)
{
	int rc;

	pthread_mutex_lock(&store->mutex);
	store->wanting++;
	store->writers++;
	if (store->is_hosted)
		store->ask(store->arg);
	pthread_mutex_unlock(&store->mutex);
	rc = begin_write(store, out);
	pthread_mutex_lock(&store->mutex);
	store->wanting--;
	store->writers--;
	pthread_cond_broadcast(&store->news);
	pthread_mutex_unlock(&store->mutex);
	return rc;
}

/* LMDB's lock is not fair. */
static void let_in(struct store *store)
{
	pthread_mutex_lock(&store->mutex);
	while (store->writers)
		pthread_cond_wait(&store->news, &store->mutex);
	pthread_mutex_unlock(&store->mutex);
}

static int begin_hosts(struct store *store, struct store_txn **out)
{
	int rc = 0;

	if (!store->open) {
		let_in(store);
		rc = begin_write(store, &store->open);
	}
	*out = store->open;
	if (rc)
		return rc;
	store->open->is_hosts = true;
	store->open->is_out = true;
	store->open->is_touched = false;
	store->debt.batch = 0;
	store_journal_drop(store->journal);
	return 0;
}

int store_begin(struct store *store, struct store_txn **out)
{
	*out = NULL;
	return is_host(store) ? begin_hosts(store, out)
			      : begin_beside(store, out);
}

/* --- ending ----------------------------------------------------------- */

int store_finish(struct store_txn *txn)
{
	struct store *store = txn->store;
	uint64_t id = mdb_txn_id(txn->txn);
	bool had = store->journal && store_journal_has(store->journal, id);
	MDB_envinfo info;
	int rc, fd;

	/* With LMDB's lock goes the journal. */
	if (txn->is_hosts) {
		store->open = NULL;
		store_journal_drop(store->journal);
	}
	rc = mdb_txn_commit(txn->txn);
	/* LMDB's word for a short write, too. */
	if (rc == EIO && !mdb_env_get_fd(store->env, &fd))
		rc = folder_why_short(fd);
	if (!rc && had) {
		mdb_env_info(store->env, &info);
		/* Else what is journalled would come once more. */
		if (info.me_last_txnid < id)
			rc = MDB_PANIC;
	}
	free(txn);
	if (rc)
		set_failed(store, rc);
	else if (had)
		set_filed(store, id);
	return rc;
}

/*
 * Has the disk room for all that the transaction may add to the file?  It
 * touches each page of its trees once, or each change its paths; values that
 * need pages of their own may get new ones each time.
 */
static bool has_reserve(struct store_txn *txn)
{
	struct store *store = txn->store;
	struct store_debt *debt = &store->debt;
	struct rlimit limit;
	uint64_t used;
	size_t touched, need, want;
	MDB_stat list;
	int fd;

	if (store_pages_in_use(txn, &used) ||
	    mdb_stat(txn->txn, FREE_DBI, &list) ||
	    mdb_env_get_fd(store->env, &fd))
		return false;
	if (used + debt->batch > debt->peak)
		debt->peak = (size_t)used + debt->batch;
	touched = debt->cost < debt->peak ? debt->cost : debt->peak;
	/* The list of free pages is written anew, with those that go. */
	need = debt->pages + debt->overflows + touched + SLACK +
	       touched / 256 + 2 * list.ms_overflow_pages + list.ms_leaf_pages;
	/* What is reserved may be more than what may be written. */
	if (!getrlimit(RLIMIT_FSIZE, &limit) &&
	    limit.rlim_cur / store->page < need)
		return false;
	if (need <= debt->reserved)
		return true;
	want = need + STEP - need % STEP;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)(want * store->page)))
		return false;
	debt->reserved = want;
	return true;
}

static bool is_wanted(struct store *store)
{
	bool is;

	pthread_mutex_lock(&store->mutex);
	is = store->wanting > 0;
	pthread_mutex_unlock(&store->mutex);
	return is;
}

int store_commit(struct store_txn *txn)
{
	struct store *store = txn->store;
	struct store_journal *journal = store->journal;

	if (!txn->is_hosts)
		return store_finish(txn);
	txn->is_out = false;
	store_journal_mark(journal);
	if (!store_journal_has_batch(journal))
		return 0;
	if (is_wanted(store) || !store_journal_fits(journal) ||
	    !has_reserve(txn) || store_journal_write(journal))
		return store_finish(txn);
	set_ahead(store, mdb_txn_id(txn->txn));
	return 0;
}

void store_abort(struct store_txn *txn)
{
	struct store *store = txn->store;

	if (txn->is_hosts) {
		txn->is_out = false;
		store_journal_drop(store->journal);
		/* As it was: it goes on. */
		if (!txn->is_touched)
			return;
		store->open = NULL;
	}
	give_up(txn);
}

int store_checkpoint(struct store *store)
{
	struct store_txn *txn;
	int rc;

	if (store_is_ahead(store)) {
		rc = begin_hosts(store, &txn);
		if (!rc)
			return store_finish(txn);
		set_failed(store, rc);
		return rc;
	}
	if (store->open)
		give_up(store->open);
	store->open = NULL;
	return 0;
}

/* --- reading ---------------------------------------------------------- */

static int catch_up_here(struct store *store)
{
	struct store_txn *txn;
	int rc = store_begin(store, &txn);

	return rc ? rc : store_finish(txn);
}

/* Until the file has all that was journalled until now; 0, why that failed,
 * or EAGAIN: the host left before. */
static int wait_for_host(struct store *store)
{
	uint64_t goal, failures;
	int rc = 0;

	pthread_mutex_lock(&store->mutex);
	goal = store->ahead;
	failures = store->failures;
	store->wanting++;
	if (store->filed < goal && store->is_hosted)
		store->ask(store->arg);
	while (store->filed < goal && store->is_hosted &&
	       store->failures == failures)
		pthread_cond_wait(&store->news, &store->mutex);
	store->wanting--;
	if (store->filed < goal)
		rc = store->failures != failures ? store->last : EAGAIN;
	pthread_mutex_unlock(&store->mutex);
	return rc;
}

int store_catch_up(struct store *store)
{
	int rc;

	if (!is_host(store)) {
		rc = wait_for_host(store);
		return rc == EAGAIN ? catch_up_here(store) : rc;
	}
	/* Its transaction is what it is to read. */
	if (store->open && store->open->is_out)
		return EDEADLK;
	return store_is_ahead(store) ? store_checkpoint(store) : 0;
}

/* --- hosts ------------------------------------------------------------ */

static uint64_t size_for(const char *folder)
{
	struct statvfs fs;

	if (statvfs(folder, &fs))
		return STORE_JOURNAL_MOST;
	return (uint64_t)fs.f_blocks * fs.f_frsize / DISK_PART;
}

int store_use_journal(struct store *store)
{
	const char *folder = store->folder;
	int rc = store_journal_open(folder, true, &store->journal);

	/* What could be read of it went into the file when that was opened. */
	if (rc == ENOENT || rc == EBADMSG) {
		rc = store_journal_make(folder, size_for(folder));
		if (!rc)
			rc = store_journal_open(folder, true, &store->journal);
	}
	return rc;
}

void store_host(struct store *store, store_ask *ask, void *arg)
{
	if (!store->journal)
		return;
	pthread_mutex_lock(&store->mutex);
	store->ask = ask;
	store->arg = arg;
	store->host = pthread_self();
	store->is_hosted = true;
	pthread_mutex_unlock(&store->mutex);
}

int store_leave(struct store *store)
{
	int rc;

	if (!is_host(store))
		return 0;
	/* It leaves no transaction open. */
	rc = store_checkpoint(store);
	pthread_mutex_lock(&store->mutex);
	store->is_hosted = false;
	pthread_cond_broadcast(&store->news);
	pthread_mutex_unlock(&store->mutex);
	return rc;
}
