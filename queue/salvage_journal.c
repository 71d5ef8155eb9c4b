/*
 * A journal's last word on each key.  See salvage_journal.h.
 */
#include "queue/salvage_journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/folder.h"
#include "queue/record.h"
#include "queue/store_journal.h"

/* First of all that is put and deleted, in order; then of what is gone. */
struct salvage_gone {
	struct key key;
	size_t order;
	bool is_delete;
};

struct listing {
	struct salvage_journal *sj;
	size_t room;
};

static int compare_keys(struct view a, struct view b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.at, b.at, len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare(const void *left, const void *right)
{
	const struct salvage_gone *a = left, *b = right;
	int order = compare_keys(key_view(&a->key), key_view(&b->key));

	return order ? order : (a->order > b->order) - (a->order < b->order);
}

static int list(void *arg, struct view key, const struct view *value)
{
	struct listing *l = arg;
	struct salvage_journal *sj = l->sj;
	struct salvage_gone *gone;

	if (key.len > sizeof(gone->key.at))
		return 0;
	if (sj->count == l->room) {
		l->room = l->room ? 2 * l->room : 64;
		sj->gone = must_realloc(sj->gone,
					l->room * sizeof(*sj->gone));
	}
	gone = &sj->gone[sj->count];
	memset(gone, 0, sizeof(*gone));
	memcpy(gone->key.at, key.at, key.len);
	gone->key.len = key.len;
	gone->order = sj->count++;
	gone->is_delete = !value;
	return 0;
}

/* The last of each key, if that is a delete. */
static void keep_gone(struct salvage_journal *sj)
{
	size_t kept = 0;

	if (sj->count)
		qsort(sj->gone, sj->count, sizeof(*sj->gone), compare);
	for (size_t i = 0; i < sj->count; i++) {
		bool is_last = i + 1 == sj->count ||
			       compare_keys(key_view(&sj->gone[i].key),
					    key_view(&sj->gone[i + 1].key));

		if (is_last && sj->gone[i].is_delete)
			sj->gone[kept++] = sj->gone[i];
	}
	sj->count = kept;
}

static void read_gone(struct salvage_journal *sj)
{
	struct listing l = { sj, 0 };
	struct store_journal_sight sight = { .visit = list, .arg = &l };

	store_journal_walk(sj->journal, sj->generation, &sight);
	sj->missing = sight.missing;
	sj->unread = sight.unread;
	keep_gone(sj);
}

int salvage_journal_open(struct salvage_journal *sj, const char *file,
			 uint64_t txn)
{
	char folder[FOLDER_MAX];
	const char *slash = strrchr(file, '/');
	int rc;

	memset(sj, 0, sizeof(*sj));
	snprintf(folder, sizeof(folder), "%.*s",
		 slash ? (int)(slash - file) : 1, slash ? file : ".");
	rc = store_journal_open(folder, false, &sj->journal);
	if (rc)
		return rc == ENOENT ? 0 : -1;
	store_journal_newest(sj->journal, &sj->generation);
	if (sj->generation > txn)
		read_gone(sj);
	else
		salvage_journal_close(sj);
	return 0;
}

void salvage_journal_close(struct salvage_journal *sj)
{
	store_journal_close(sj->journal);
	free(sj->gone);
	memset(sj, 0, sizeof(*sj));
}

bool salvage_journal_is_gone(const struct salvage_journal *sj,
			     struct view key)
{
	size_t low = 0, high = sj->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_keys(key_view(&sj->gone[middle].key), key);

		if (!order)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

struct visitor {
	const struct salvage_journal *sj;
	void (*visit)(void *arg, struct view key, struct view value);
	void *arg;
};

static int pass_on(void *arg, struct view key, const struct view *value)
{
	const struct visitor *v = arg;

	if (value && !salvage_journal_is_gone(v->sj, key))
		v->visit(v->arg, key, *value);
	return 0;
}

void salvage_journal_each(struct salvage_journal *sj,
			  void (*visit)(void *arg, struct view key,
					struct view value),
			  void *arg)
{
	struct visitor v = { sj, visit, arg };
	struct store_journal_sight sight = { .visit = pass_on, .arg = &v };

	if (sj->journal)
		store_journal_walk(sj->journal, sj->generation, &sight);
}
