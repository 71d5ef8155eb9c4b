/*
 * A store is opened: what its journal has and its file has not goes into the
 * file before anybody reads.  See store.h.
 */
#include "queue/store_inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/log.h"
#include "queue/folder.h"

static void tell(const char *folder, const struct store_journal_sight *sight)
{
	if (sight->unread)
		log_say(LOG_WARNING, "warning",
			"%s" STORE_JOURNAL ": %zu pages cannot be read",
			folder, sight->unread);
	if (sight->missing)
		log_say(LOG_WARNING, "warning",
			"%s" STORE_JOURNAL " is damaged, lost changes: %u; "
			"the first %zu bytes that do not check out are at %zu",
			folder, sight->missing, sight->bytes, sight->first);
	if (sight->is_cut)
		log_say(LOG_NOTICE, "checked",
			"%s" STORE_JOURNAL ": the last change was not written "
			"to its end", folder);
	if (sight->units)
		log_say(LOG_NOTICE, "checked",
			"%s" STORE_JOURNAL ": %u change%s went into the store",
			folder, sight->units, sight->units == 1 ? "" : "s");
}

/* It is kept for whoever can read more of it than we. */
static void set_aside(const char *folder)
{
	char path[FOLDER_MAX + 32], aside[FOLDER_MAX + 32];

	snprintf(path, sizeof(path), "%s" STORE_JOURNAL, folder);
	snprintf(aside, sizeof(aside), "%s" STORE_JOURNAL_DAMAGED, folder);
	if (rename(path, aside))
		log_say(LOG_WARNING, "warning", "%s: %s", aside,
			strerror(errno));
	log_say(LOG_WARNING, "warning", "%s is damaged and not read: it is now "
		"%s; mail of the last moment before the stop may be lost",
		path, aside);
}

/* Not knowing what it held, we would serve without it. */
static int open_journal(const char *folder, struct store_journal **journal,
			struct error *error)
{
	int rc = store_journal_open(folder, false, journal);

	if (rc == EBADMSG)
		set_aside(folder);
	if (rc && rc != ENOENT && rc != EBADMSG)
		return error_set(error, "%s" STORE_JOURNAL ": %s", folder,
				 mdb_strerror(rc));
	return 0;
}

static int replay(struct store *store, struct store_journal *journal,
		  const char *folder)
{
	struct store_journal_sight sight = { .visit = store_redo };
	struct store_txn *txn;
	int rc = store_begin_plain(store, 0, &txn);

	if (rc)
		return rc;
	sight.arg = txn;
	rc = store_journal_walk(journal, mdb_txn_id(txn->txn), &sight);
	tell(folder, &sight);
	if (!rc && sight.units)
		return store_finish(txn);
	mdb_txn_abort(txn->txn);
	free(txn);
	return rc;
}

int store_replay(struct store *store, struct error *error)
{
	const char *folder = store->folder;
	struct store_journal *journal;
	int rc;

	if (open_journal(folder, &journal, error))
		return -1;
	if (!journal)
		return 0;
	rc = replay(store, journal, folder);
	store_journal_close(journal);
	return rc ? error_set(error, "%s" STORE_JOURNAL " cannot be brought "
			      "into the store: %s", folder, store_say(rc))
		  : 0;
}
