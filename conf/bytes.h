/*
 * Bytes: borrowed views and growing buffers, the only two ways in which
 * text and wire data are passed around.  A view is pointer + length, is
 * never NUL-terminated by promise and never outlives its owner.  Nothing
 * here does I/O; running out of memory ends the process.  What every line
 * of mail passes through many times is defined here, to be inlined.
 */
#ifndef CONF_BYTES_H
#define CONF_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed run of bytes. */
struct view {
	const unsigned char *at;
	size_t len;
};

/* A view of a string constant or of a NUL-terminated string. */
#define VIEW(literal) \
	((struct view){(const unsigned char *)(literal), sizeof(literal) - 1})
static inline struct view view_make(const void *at, size_t len)
{
	return (struct view){ at, len };
}

static inline struct view view_of(const char *text)
{
	return view_make(text, strlen(text));
}

bool view_equal(struct view a, struct view b);
/* Equal when ASCII letters are folded. */
bool view_equal_fold(struct view a, struct view b);
bool view_starts_fold(struct view text, struct view prefix);
/* The bytes from `from` on; empty when there are none. */
static inline struct view view_from(struct view text, size_t from)
{
	if (from >= text.len)
		return (struct view){ text.at, 0 };
	return (struct view){ text.at + from, text.len - from };
}

static inline struct view view_first(struct view text, size_t len)
{
	return (struct view){ text.at, len < text.len ? len : text.len };
}

/* Without leading and trailing blanks (space, tab). */
struct view view_trim(struct view text);
/* Index of the byte, or len when it does not occur. */
size_t view_index(struct view text, unsigned char byte);
/* Index of the first byte below 14 (such as CR, LF and NUL) at or behind
 * `from`, or len. *has_8bit becomes true when a byte above 127 was passed. */
size_t view_low(struct view text, size_t from, bool *has_8bit);
/* Cuts the next word (up to `separator`) from the front of *rest. */
struct view view_cut(struct view *rest, unsigned char separator);
/* Digits only, no sign; -1 when empty, not a number or above max. */
int view_number(struct view text, uint64_t max, uint64_t *value);
/* A NUL-terminated copy, to be freed.  Aborts when out of memory. */
char *view_string(struct view text);

/*
 * A buffer that grows at its end and is consumed at its front.  Zero
 * initialised it is empty and valid.  `data + start` .. `data + end` is
 * what it holds.
 */
struct buffer {
	unsigned char *data;
	size_t start, end, room;
};

static inline size_t buffer_len(const struct buffer *b)
{
	return b->end - b->start;
}

static inline struct view buffer_view(const struct buffer *b)
{
	return view_make(b->data ? b->data + b->start : NULL, buffer_len(b));
}

void buffer_append(struct buffer *b, struct view bytes);
void buffer_append_byte(struct buffer *b, unsigned char byte);
void buffer_printf(struct buffer *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* At least `len` writable bytes behind the end; then buffer_added(). */
unsigned char *buffer_reserve(struct buffer *b, size_t len);
void buffer_added(struct buffer *b, size_t len);
void buffer_consume(struct buffer *b, size_t len);
/* What is written with every message is put together by these: printf()
 * costs ten times as much. */
void buffer_append_text(struct buffer *b, const char *text);
void buffer_append_number(struct buffer *b, uint64_t value);
/* Empties it and keeps the memory. */
void buffer_reset(struct buffer *b);
/* Frees the memory; the buffer is empty and valid again. */
void buffer_clear(struct buffer *b);
/* As buffer_clear(), after wiping what it held. */
void buffer_wipe(struct buffer *b);

/*
 * The UTF-8 character (RFC 3629, strict) that the text begins with: its
 * length, 0 when there is none.
 */
size_t bytes_utf8(struct view text, uint32_t *point);

/*
 * Text for people: printable ASCII as it is, valid UTF-8 above it as it
 * is, all else and the backslash as \xNN; cut at `max` bytes of output
 * with "..." appended.  What is invisible or turns the reading direction
 * is escaped too.
 */
void bytes_escape(struct buffer *out, struct view text, size_t max);

/* As much of the text as fits, with its end byte. */
void text_copy(char *out, size_t room, const char *text);
/* A number in decimal, without leading zeros and without an end byte; its
 * length. */
enum { BYTES_DECIMAL_MAX = 20 };
size_t bytes_decimal(uint64_t value, char out[BYTES_DECIMAL_MAX]);

/* Memory that is there or the process ends. */
void *must_alloc(size_t size);            /* zeroed */
void *must_realloc(void *at, size_t size);
char *must_strdup(const char *text);
/* Overwrites in a way that the compiler keeps. */
void bytes_wipe(void *at, size_t len);
uint32_t bytes_crc32c(uint32_t seed, const void *at, size_t len);

#endif
