/*
 * A store's file seen as bytes: LMDB's own format (version 1 of its data,
 * of this machine's word size), read with pread() and believed in nothing.
 * For what must not die of a damaged file: LMDB itself has no checksums,
 * follows page numbers wherever they point, and a mapped page that is not
 * there raises SIGBUS.  Read only.
 */
#ifndef QUEUE_PAGES_H
#define QUEUE_PAGES_H

#include "conf/bytes.h"
#include "conf/error.h"

enum { PAGES_TREES = 2, PAGES_FREE = 0, PAGES_MAIN = 1, PAGES_METAS = 2 };

/* What a meta page says of a tree. */
struct pages_tree {
	uint16_t flags, depth;
	uint32_t pad;
	size_t branches, leaves, overflows; /* pages */
	size_t entries, root;
};

struct pages_meta {
	bool is_good; /* it is one, and could be ours */
	size_t last;  /* the highest page in use */
	size_t txn;
	struct pages_tree tree[PAGES_TREES];
};

/* What a page was found to be. */
enum page_use {
	PAGE_UNKNOWN,
	PAGE_BRANCH,
	PAGE_LEAF,
	PAGE_OVERFLOW,
	PAGE_FREE,
	PAGE_SEARCHED /* for records, by its bytes */
};

struct pages {
	int fd;
	size_t size;  /* of a page */
	size_t count; /* whole pages that the file holds */
	struct pages_meta meta[PAGES_METAS];
	unsigned newest;    /* of the good ones */
	unsigned char *use; /* enum page_use of each page of the file */
};

/* -1 only when it cannot be opened; a file that is no store has no good
 * meta page. */
int pages_open(struct pages *pages, const char *file, struct error *error);
void pages_close(struct pages *pages);
/* Both meta pages are good, and of two transactions in a row. */
bool pages_metas_agree(const struct pages *pages);
/* Whole pages from `number` on; -1 when they are not all there or the disk
 * does not give them. */
int pages_read(const struct pages *pages, size_t number, size_t count,
	       unsigned char *out);

/*
 * Goes through a tree and marks in `use` what it is made of.  Every page
 * and every node is proven before it is followed; what is wrong is skipped
 * and counted, the rest still visited.  `visit` gets each entry, its value
 * in memory of the walk's own.
 */
struct pages_walk {
	void (*visit)(void *arg, struct view key, struct view value);
	void *arg;
	unsigned char kind; /* only keys that begin so; 0: all */
	size_t faults;
	struct error first; /* where the first one is, and what */
};
void pages_walk(struct pages *pages, const struct pages_meta *meta,
		unsigned tree, struct pages_walk *walk);

/* Marks the free pages: what is listed twice, out of range or reachable
 * (what walks marked before) is a fault. */
void pages_walk_free(struct pages *pages, const struct pages_meta *meta,
		     struct pages_walk *walk);

/* Each entry of a leaf as far as the page makes sense, for a page that
 * was read alone; false when not all of it does. */
bool pages_leaf(struct pages *pages, size_t number,
		void (*visit)(void *arg, struct view key, struct view value),
		void *arg);

#endif
