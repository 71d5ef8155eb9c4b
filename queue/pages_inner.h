/*
 * What the rooms that read a store's file as bytes share: LMDB's layouts
 * and the reading of numbers, which lie in the machine's order at any
 * address.  Nobody else includes this.
 */
#ifndef QUEUE_PAGES_INNER_H
#define QUEUE_PAGES_INNER_H

#include <string.h>

#include "queue/pages.h"

enum {
	WORD = sizeof(size_t),
	HEAD = WORD + 8, /* of a page: number, pad, flags, lower, upper */
	NODE = 8,	 /* of a node: size or page, flags, key's size */
	TREE = 8 + 5 * WORD,
	META_TREES = 8 + 2 * WORD,
	META_SIZE = META_TREES + 2 * TREE + 2 * WORD,
	IS_BRANCH = 1,
	IS_LEAF = 2,
	IS_OVERFLOW = 4,
	IS_META = 8,
	IS_BIG = 1, /* a node's value is on pages of its own */
	INTEGER_KEY = 8,
	DEPTH_MAX = 32, /* as LMDB's stack of cursors */
	KEY_SIZE_MAX = 511,
	PAGE_MIN = 512,
	PAGE_MAX = 32768,
	VALUE_MAX = 64 * 1024 * 1024, /* none of ours is larger */
};

#define MAGIC	0xBEEFC0DEu
#define NO_PAGE ((size_t)-1)

static inline size_t pages_word(const unsigned char *at)
{
	size_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint16_t pages_u16(const unsigned char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint32_t pages_u32(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

#endif
