/*
 * A store's file as bytes: its trees, node by node.  See pages.h.
 */
#include "queue/pages_inner.h"

#include <stdlib.h>

/* --- nodes ------------------------------------------------------------ */

struct node {
	struct view key;
	size_t size; /* of the value; of a branch: the page below */
	uint16_t flags;
	size_t at, taken;	    /* in the page */
	const unsigned char *value; /* or the number of its first page */
};

static size_t even(size_t size)
{
	return (size + 1) & ~(size_t)1;
}

/* A node halves its first field by the machine's order. */
static size_t node_size(const unsigned char *at)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return pages_u16(at) | (size_t)pages_u16(at + 2) << 16;
#else
	return pages_u16(at + 2) | (size_t)pages_u16(at) << 16;
#endif
}

static size_t key_count(const unsigned char *page)
{
	return (size_t)(pages_u16(page + WORD + 4) - HEAD) / 2;
}

/* A header that a page of that sort and number can have. */
static bool is_page(const unsigned char *page, size_t size, size_t number,
		    uint16_t flags)
{
	size_t lower = pages_u16(page + WORD + 4),
	       upper = pages_u16(page + WORD + 6);

	/* LMDB of 64 KiB pages counts from elsewhere; ours has none. */
	return pages_word(page) == number &&
	       pages_u16(page + WORD + 2) == flags && lower >= HEAD &&
	       !(lower & 1) && lower <= upper && upper <= size;
}

static bool read_node(const unsigned char *page, size_t page_size, size_t index,
		      bool is_leaf, struct node *out)
{
	size_t at = pages_u16(page + HEAD + 2 * index), key, room;
	const unsigned char *node = page + at;

	if (at < pages_u16(page + WORD + 6) || at & 1 || at + NODE > page_size)
		return false;
	room = page_size - at - NODE;
	key = pages_u16(node + 6);
	if (key > room || key > KEY_SIZE_MAX || (is_leaf && !key))
		return false;
	out->at = at;
	out->key = view_make(node + NODE, key);
	out->flags = pages_u16(node + 4);
	out->size = node_size(node);
	out->value = node + NODE + key;
	out->taken = NODE + key;
	if (!is_leaf) {
#if SIZE_MAX > 0xFFFFFFFF
		out->size |= (size_t)out->flags << 32;
#endif
	} else if (out->flags == IS_BIG) {
		out->taken += WORD;
	} else if (out->flags || out->size > room - key) {
		return false;
	} else {
		out->taken += out->size;
	}
	return out->taken <= page_size - at;
}

static int compare(struct view a, struct view b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.at, b.at, len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* --- walking ---------------------------------------------------------- */

struct walker {
	struct pages *pages;
	struct pages_walk *walk;
	bool is_free_tree;
	size_t last;
	struct pages_tree found;	 /* what it really is made of */
	unsigned char *level[DEPTH_MAX]; /* a page of each */
	struct buffer value;
};

/* What keys a page may hold: from `low` on, below `high`. */
struct bounds {
	struct view low, high;
	bool has_low, has_high;
};

static void fault(struct walker *w, size_t page, const char *what)
{
	if (!w->walk->faults++)
		error_set(&w->walk->first, "page %zu: %s", page, what);
}

static bool take_page(struct walker *w, size_t number, enum page_use use)
{
	if (number < PAGES_METAS || number > w->last ||
	    number >= w->pages->count) {
		fault(w, number, "is referred to and does not exist");
		return false;
	}
	if (w->pages->use[number] != PAGE_UNKNOWN) {
		fault(w, number, "is in use twice");
		return false;
	}
	w->pages->use[number] = (unsigned char)use;
	return true;
}

static size_t overflow_pages(size_t size, size_t page_size)
{
	return (HEAD - 1 + size) / page_size + 1;
}

/* Reads a value that has pages of its own. */
static int read_big(struct walker *w, const struct node *node,
		    struct view *value)
{
	struct pages *p = w->pages;
	size_t first = pages_word(node->value), count, held;
	unsigned char *raw;

	if (first < PAGES_METAS || first >= p->count || node->size > VALUE_MAX)
		return -1;
	count = overflow_pages(node->size, p->size);
	if (count > p->count - first)
		return -1;
	buffer_reset(&w->value);
	raw = buffer_reserve(&w->value, count * p->size);
	if (pages_read(p, first, count, raw))
		return -1;
	held = pages_u32(raw + WORD + 4);
	if (pages_word(raw) != first ||
	    pages_u16(raw + WORD + 2) != IS_OVERFLOW || held < count ||
	    held > p->count - first)
		return -1;
	/* Pages that it has and does not need are counted only: if they
	 * are not its own, the sum is wrong. */
	for (size_t i = 0; i < count; i++)
		if (!take_page(w, first + i, PAGE_OVERFLOW))
			return -1;
	w->found.overflows += held;
	*value = view_make(raw + HEAD, node->size);
	return 0;
}

static void visit_leaf(struct walker *w, size_t number, const struct node *node)
{
	struct view value = view_make(node->value, node->size);

	w->found.entries++;
	if (node->flags == IS_BIG && read_big(w, node, &value)) {
		fault(w, number, "has a value whose pages are not right");
		return;
	}
	if (w->walk->visit &&
	    (!w->walk->kind || node->key.at[0] == w->walk->kind))
		w->walk->visit(w->walk->arg, node->key, value);
}

static bool fits(const struct walker *w, struct view key, struct view before,
		 const struct bounds *bounds)
{
	/* Transaction numbers sort as numbers, not as bytes. */
	if (w->is_free_tree)
		return key.len == WORD &&
		       (!before.at ||
			pages_word(key.at) > pages_word(before.at));
	return (!before.at || compare(key, before) > 0) &&
	       (!bounds->has_low || compare(key, bounds->low) >= 0) &&
	       (!bounds->has_high || compare(key, bounds->high) < 0);
}

static void walk_page(struct walker *w, size_t number, unsigned depth,
		      struct bounds bounds);

/* Can there be keys of the kind that is looked for? */
static bool is_wanted(const struct pages_walk *walk,
		      const struct bounds *bounds)
{
	unsigned char kind = walk->kind;

	return !kind || ((!bounds->has_low || !bounds->low.len ||
			  bounds->low.at[0] <= kind) &&
			 (!bounds->has_high || !bounds->high.len ||
			  bounds->high.at[0] >= kind));
}

/* The first key of a branch says nothing: all that is lower is below it. */
static void visit_branch(struct walker *w, const unsigned char *page,
			 size_t index, const struct node *node, unsigned depth,
			 struct bounds bounds)
{
	struct node next;

	if (index) {
		bounds.low = node->key;
		bounds.has_low = true;
	}
	if (index + 1 < key_count(page) &&
	    read_node(page, w->pages->size, index + 1, false, &next)) {
		bounds.high = next.key;
		bounds.has_high = true;
	}
	if (is_wanted(w->walk, &bounds))
		walk_page(w, node->size, depth + 1, bounds);
}

static void walk_nodes(struct walker *w, size_t number, unsigned depth,
		       const struct bounds *bounds)
{
	bool is_leaf = depth == w->found.depth;
	const unsigned char *page = w->level[depth - 1];
	size_t count = key_count(page), taken = 0, faults = w->walk->faults;
	struct view before = { NULL, 0 };
	struct node node;

	for (size_t i = 0; i < count; i++) {
		if (!read_node(page, w->pages->size, i, is_leaf, &node)) {
			fault(w, number, "has a node that makes no sense");
			continue;
		}
		taken += even(node.taken);
		if ((is_leaf || i) && !fits(w, node.key, before, bounds))
			fault(w, number, "has its keys out of order");
		if (is_leaf || i)
			before = node.key;
		if (is_leaf)
			visit_leaf(w, number, &node);
		else
			visit_branch(w, page, i, &node, depth, *bounds);
	}
	if (taken != w->pages->size - pages_u16(page + WORD + 6))
		fault(w, number, "has nodes in one another");
	/* What of it made no sense is to be looked for in its bytes. */
	if (w->walk->faults > faults && is_leaf)
		w->pages->use[number] = PAGE_UNKNOWN;
}

/* `depth`: 1 for the root. */
static void walk_page(struct walker *w, size_t number, unsigned depth,
		      struct bounds bounds)
{
	bool is_leaf = depth == w->found.depth;
	size_t least = is_leaf || w->is_free_tree ? 1 : 2;
	unsigned char **page = &w->level[depth - 1];

	if (!take_page(w, number, is_leaf ? PAGE_LEAF : PAGE_BRANCH))
		return;
	if (!*page)
		*page = must_alloc(w->pages->size);
	if (pages_read(w->pages, number, 1, *page)) {
		fault(w, number, "cannot be read");
	} else if (!is_page(*page, w->pages->size, number,
			    is_leaf ? IS_LEAF : IS_BRANCH)) {
		fault(w, number, "is not what it should be");
		w->pages->use[number] = PAGE_UNKNOWN;
	} else {
		w->found.branches += !is_leaf;
		w->found.leaves += is_leaf;
		if (key_count(*page) < least)
			fault(w, number, "has too few keys");
		walk_nodes(w, number, depth, &bounds);
	}
}

static void compare_counts(struct walker *w, const struct pages_tree *said)
{
	if (said->branches != w->found.branches ||
	    said->leaves != w->found.leaves ||
	    said->overflows != w->found.overflows ||
	    said->entries != w->found.entries)
		fault(w, 0, "the tree is not as large as it says");
}

void pages_walk(struct pages *pages, const struct pages_meta *meta,
		unsigned tree, struct pages_walk *walk)
{
	const struct pages_tree *said = &meta->tree[tree];
	struct bounds all = { .has_low = false };
	struct walker w = {
		.pages = pages,
		.walk = walk,
		.is_free_tree = tree == PAGES_FREE,
		.last = meta->last,
		.found.depth = said->depth,
	};

	if (said->root == NO_PAGE && !said->depth)
		;
	else if (!said->depth || said->depth > DEPTH_MAX)
		fault(&w, said->root, "is the root of no depth");
	else
		walk_page(&w, said->root, 1, all);
	if (!walk->kind)
		compare_counts(&w, said);
	for (int i = 0; i < DEPTH_MAX; i++)
		free(w.level[i]);
	buffer_clear(&w.value);
}

/* --- free pages ------------------------------------------------------- */

struct free_walk {
	struct pages *pages;
	const struct pages_meta *meta;
	struct pages_walk *walk;
	size_t missing; /* free ones behind the end of the file */
};

static void free_fault(const struct free_walk *f, size_t page, const char *what)
{
	if (!f->walk->faults++)
		error_set(&f->walk->first, "page %zu: %s", page, what);
}

/* A count, then so many page numbers, falling. */
static void visit_free(void *arg, struct view key, struct view value)
{
	struct free_walk *f = arg;
	size_t count, before = NO_PAGE;

	if (key.len != WORD || pages_word(key.at) > f->meta->txn ||
	    value.len < WORD || pages_word(value.at) > value.len / WORD - 1) {
		free_fault(f, 0, "a list of free pages makes no sense");
		return;
	}
	count = pages_word(value.at);
	for (size_t i = 1; i <= count; i++) {
		size_t page = pages_word(value.at + i * WORD);

		if (page < PAGES_METAS || page > f->meta->last ||
		    page >= before)
			free_fault(f, page, "is free and cannot be");
		else if (page >= f->pages->count)
			f->missing++;
		else if (f->pages->use[page] != PAGE_UNKNOWN)
			free_fault(f, page, "is free and in use");
		else
			f->pages->use[page] = PAGE_FREE;
		before = page;
	}
}

void pages_walk_free(struct pages *pages, const struct pages_meta *meta,
		     struct pages_walk *walk)
{
	struct free_walk f = { pages, meta, walk, 0 };
	struct pages_walk inner = { .visit = visit_free, .arg = &f };

	pages_walk(pages, meta, PAGES_FREE, &inner);
	/* Free pages at the end of the file may be missing, others not. */
	if (meta->last >= pages->count &&
	    meta->last + 1 - pages->count != f.missing)
		free_fault(&f, meta->last, "is the last one, and not there");
	if (inner.faults && !walk->faults)
		walk->first = inner.first;
	walk->faults += inner.faults;
}

/* --- one page --------------------------------------------------------- */

bool pages_leaf(struct pages *pages, size_t number,
		void (*visit)(void *arg, struct view key, struct view value),
		void *arg)
{
	struct pages_walk walk = { .visit = visit, .arg = arg };
	struct bounds all = { .has_low = false };
	struct walker w = {
		.pages = pages,
		.walk = &walk,
		.last = pages->count,
		.found.depth = 1,
	};

	walk_page(&w, number, 1, all);
	free(w.level[0]);
	buffer_clear(&w.value);
	return !walk.faults;
}
