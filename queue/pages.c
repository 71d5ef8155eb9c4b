/*
 * A store's file as bytes: the file and its meta pages.  See pages.h.
 */
#include "queue/pages_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_at(int fd, uint64_t offset, size_t len, unsigned char *out)
{
	while (len) {
		ssize_t got = pread(fd, out, len, (off_t)offset);

		if (got <= 0 && !(got < 0 && errno == EINTR))
			return -1;
		if (got > 0) {
			out += got;
			len -= (size_t)got;
			offset += (size_t)got;
		}
	}
	return 0;
}

int pages_read(const struct pages *pages, size_t number, size_t count,
	       unsigned char *out)
{
	if (number >= pages->count || count > pages->count - number)
		return -1;
	return read_at(pages->fd, (uint64_t)number * pages->size,
		       count * pages->size, out);
}

static void read_tree(const unsigned char *at, struct pages_tree *out)
{
	out->pad = pages_u32(at);
	out->flags = pages_u16(at + 4);
	out->depth = pages_u16(at + 6);
	out->branches = pages_word(at + 8);
	out->leaves = pages_word(at + 8 + WORD);
	out->overflows = pages_word(at + 8 + 2 * WORD);
	out->entries = pages_word(at + 8 + 3 * WORD);
	out->root = pages_word(at + 8 + 4 * WORD);
}

/* The page's size stands in the free tree's pad. */
static void read_meta(int fd, uint64_t offset, size_t number,
		      struct pages_meta *out)
{
	unsigned char raw[HEAD + META_SIZE];
	const unsigned char *meta = raw + HEAD;

	memset(out, 0, sizeof(*out));
	if (read_at(fd, offset, sizeof(raw), raw))
		return;
	for (unsigned i = 0; i < PAGES_TREES; i++)
		read_tree(meta + META_TREES + i * TREE, &out->tree[i]);
	out->last = pages_word(meta + META_TREES + 2 * TREE);
	out->txn = pages_word(meta + META_TREES + 2 * TREE + WORD);
	out->is_good = pages_word(raw) == number &&
		       pages_u16(raw + WORD + 2) == IS_META &&
		       pages_u32(meta) == MAGIC && pages_u32(meta + 4) == 1 &&
		       out->tree[PAGES_FREE].flags == INTEGER_KEY &&
		       out->tree[PAGES_MAIN].flags == 0 &&
		       /* the transaction decides which of the two it is */
		       (out->txn == 0 || (out->txn & 1) == number);
}

static bool is_page_size(size_t size)
{
	return size >= PAGE_MIN && size <= PAGE_MAX && !(size & (size - 1));
}

static void read_metas(struct pages *pages)
{
	struct pages_meta *first = &pages->meta[0], *second = &pages->meta[1];

	pages->size = (size_t)sysconf(_SC_PAGESIZE);
	read_meta(pages->fd, 0, 0, first);
	if (first->is_good && is_page_size(first->tree[PAGES_FREE].pad))
		pages->size = first->tree[PAGES_FREE].pad;
	read_meta(pages->fd, pages->size, 1, second);
	for (unsigned i = 0; i < PAGES_METAS; i++)
		if (pages->meta[i].tree[PAGES_FREE].pad != pages->size)
			pages->meta[i].is_good = false;
	pages->newest = second->is_good &&
			(!first->is_good || second->txn > first->txn);
}

int pages_open(struct pages *pages, const char *file, struct error *error)
{
	struct stat st;

	memset(pages, 0, sizeof(*pages));
	pages->fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (pages->fd < 0)
		return error_errno(error, "%s", file);
	if (fstat(pages->fd, &st)) {
		error_errno(error, "%s", file);
		close(pages->fd);
		return -1;
	}
	read_metas(pages);
	pages->count = (size_t)st.st_size / pages->size;
	pages->use = must_alloc(pages->count ? pages->count : 1);
	return 0;
}

void pages_close(struct pages *pages)
{
	close(pages->fd);
	free(pages->use);
}

bool pages_metas_agree(const struct pages *pages)
{
	const struct pages_meta *meta = pages->meta;

	return meta[0].is_good && meta[1].is_good &&
	       meta[pages->newest].txn - meta[!pages->newest].txn <= 1;
}
