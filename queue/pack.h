/*
 * Numbers and texts as bytes: the one coding of everything that is stored.
 * Little-endian, texts with their length in front.  Pure.  Reading never
 * runs past the end: a short or impossible field marks the reader bad and
 * gives zero or an empty view, so that a decoder asks once, at its end.
 */
#ifndef QUEUE_PACK_H
#define QUEUE_PACK_H

#include "conf/bytes.h"

void pack_u8(struct buffer *out, uint8_t value);
void pack_u16(struct buffer *out, uint16_t value);
void pack_u32(struct buffer *out, uint32_t value);
void pack_u64(struct buffer *out, uint64_t value);
void pack_view(struct buffer *out, struct view text);
void pack_text(struct buffer *out, const char *text);

struct unpack {
	struct view rest;
	bool is_bad;
};

uint8_t unpack_u8(struct unpack *in);
uint16_t unpack_u16(struct unpack *in);
uint32_t unpack_u32(struct unpack *in);
uint64_t unpack_u64(struct unpack *in);
/* Borrowed from the bytes that are read. */
struct view unpack_view(struct unpack *in);
/* To be freed.  A text that holds a NUL is bad. */
char *unpack_text(struct unpack *in);
/* Into a field of fixed size; bad when it does not fit or holds a NUL. */
void unpack_field(struct unpack *in, char *out, size_t room);
/* A count of things that take at least `least` bytes each; bad when the
 * rest cannot hold so many. */
uint32_t unpack_count(struct unpack *in, size_t least);
/* True when all was read and nothing was bad. */
bool unpack_is_whole(const struct unpack *in);

#endif
