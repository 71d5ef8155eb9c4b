/*
 * Views and buffers.  A buffer keeps its bytes in one piece between start
 * and end; the front is reclaimed when more room is asked for.  Sizes are
 * checked for overflow; running out of memory ends the process, because
 * the spool makes that safe and nothing else would be.
 */
#include "conf/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BUFFER_FIRST = 256, PRINT_FIRST = 128, SMALL_MAX = 1024 };

/* Small pieces come from malloc(): glibc's calloc() goes past what each
 * thread keeps of them at hand.  Not inlined, for compilers make a calloc()
 * of the two that follow each other. */
static __attribute__((noinline)) void *take(size_t size)
{
	return malloc(size);
}

void *must_alloc(size_t size)
{
	/* Large ones may be zero already. */
	bool is_small = size > 0 && size <= SMALL_MAX;
	void *at = is_small ? take(size) : calloc(1, size ? size : 1);

	if (!at)
		abort();
	return is_small ? memset(at, 0, size) : at;
}

void *must_realloc(void *at, size_t size)
{
	void *grown = realloc(at, size ? size : 1);

	if (!grown)
		abort();
	return grown;
}

char *must_strdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(must_alloc(size), text, size);
}

void bytes_wipe(void *at, size_t len)
{
	if (len)
		explicit_bzero(at, len);
}

bool view_equal(struct view a, struct view b)
{
	return a.len == b.len && (!a.len || !memcmp(a.at, b.at, a.len));
}

static unsigned char fold(unsigned char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + 32) : byte;
}

bool view_equal_fold(struct view a, struct view b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (fold(a.at[i]) != fold(b.at[i]))
			return false;
	return true;
}

bool view_starts_fold(struct view text, struct view prefix)
{
	return text.len >= prefix.len &&
	       view_equal_fold(view_first(text, prefix.len), prefix);
}

static bool is_blank(unsigned char byte)
{
	return byte == ' ' || byte == '\t';
}

struct view view_trim(struct view text)
{
	while (text.len && is_blank(text.at[0]))
		text = view_from(text, 1);
	while (text.len && is_blank(text.at[text.len - 1]))
		text.len--;
	return text;
}

size_t view_index(struct view text, unsigned char byte)
{
	const unsigned char *found =
		text.len ? memchr(text.at, byte, text.len) : NULL;

	return found ? (size_t)(found - text.at) : text.len;
}

/*
 * A look at so many bytes at once: masks of those that are below LOW and of
 * those above 127, the first byte in the lowest place, with so many bits for
 * each.
 */
enum { LOW = 14 };
#ifdef __SSE2__
enum { STRIDE = 16, BITS = 1 };

static void look(const unsigned char *at, uint64_t *low, uint64_t *high)
{
	__m128i bytes = _mm_loadu_si128((const void *)at);
	__m128i least = _mm_min_epu8(bytes, _mm_set1_epi8(LOW - 1));

	*low = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(least, bytes));
	*high = (unsigned)_mm_movemask_epi8(bytes);
}
#else
enum { STRIDE = 8, BITS = 8 };

static void look(const unsigned char *at, uint64_t *low, uint64_t *high)
{
	static const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t bytes;

	memcpy(&bytes, at, sizeof(bytes));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	bytes = __builtin_bswap64(bytes);
#endif
	/* A borrow goes up only, from a byte that is found anyway. */
	*low = (bytes - LOW * ones) >> 7 & ~bytes >> 7 & ones;
	*high = bytes >> 7 & ones;
}
#endif

size_t view_low(struct view text, size_t from, bool *has_8bit)
{
	uint64_t low, high, seen = 0;
	size_t i = from;

	for (; text.len - i >= STRIDE; i += STRIDE) {
		look(text.at + i, &low, &high);
		if (low) {
			unsigned first = (unsigned)__builtin_ctzll(low);

			seen |= high & ((UINT64_C(1) << first) - 1);
			*has_8bit |= seen != 0;
			return i + first / BITS;
		}
		seen |= high;
	}
	for (; i < text.len && text.at[i] >= LOW; i++)
		seen |= text.at[i] & 0x80;
	*has_8bit |= seen != 0;
	return i;
}

struct view view_cut(struct view *rest, unsigned char separator)
{
	size_t len = view_index(*rest, separator);
	struct view word = view_first(*rest, len);

	*rest = view_from(*rest, len + 1);
	return word;
}

int view_number(struct view text, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;

	if (!text.len)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)text.at[i] - '0';

		if (digit > 9 || digit > max || sum > (max - digit) / 10)
			return -1;
		sum = sum * 10 + digit;
	}
	*value = sum;
	return 0;
}

void text_copy(char *out, size_t room, const char *text)
{
	size_t len = strnlen(text, room - 1);

	memcpy(out, text, len);
	out[len] = '\0';
}

size_t bytes_decimal(uint64_t value, char out[BYTES_DECIMAL_MAX])
{
	char digits[BYTES_DECIMAL_MAX];
	size_t at = sizeof(digits), len;

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	len = sizeof(digits) - at;
	memcpy(out, digits + at, len);
	return len;
}

char *view_string(struct view text)
{
	char *copy = must_alloc(text.len + 1);

	if (text.len)
		memcpy(copy, text.at, text.len);
	return copy;
}

unsigned char *buffer_reserve(struct buffer *b, size_t len)
{
	size_t held = b->end - b->start, room;

	if (b->data && b->room - b->end >= len)
		return b->data + b->end;
	if (len > SIZE_MAX / 4 || held > SIZE_MAX / 4)
		abort();
	/* Moving at most half of the room keeps appending linear. */
	if (b->start && b->room >= held + len && b->start >= held) {
		memmove(b->data, b->data + b->start, held);
	} else {
		room = b->room ? b->room : BUFFER_FIRST;
		while (room < held + len)
			room *= 2;
		if (b->start && held)
			memmove(b->data, b->data + b->start, held);
		b->data = must_realloc(b->data, room);
		b->room = room;
	}
	b->start = 0;
	b->end = held;
	return b->data + b->end;
}

void buffer_added(struct buffer *b, size_t len)
{
	if (len > b->room - b->end)
		abort();
	b->end += len;
}

void buffer_append(struct buffer *b, struct view bytes)
{
	if (!bytes.len)
		return;
	memcpy(buffer_reserve(b, bytes.len), bytes.at, bytes.len);
	b->end += bytes.len;
}

void buffer_append_byte(struct buffer *b, unsigned char byte)
{
	*buffer_reserve(b, 1) = byte;
	b->end++;
}

void buffer_append_text(struct buffer *b, const char *text)
{
	buffer_append(b, view_of(text));
}

void buffer_append_number(struct buffer *b, uint64_t value)
{
	char digits[BYTES_DECIMAL_MAX];

	buffer_append(b, view_make(digits, bytes_decimal(value, digits)));
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	size_t room = PRINT_FIRST;
	va_list args;
	int len;

	/* The second round has the room that the first one asked for. */
	for (;;) {
		char *at = (char *)buffer_reserve(b, room);

		va_start(args, format);
		len = vsnprintf(at, room, format, args);
		va_end(args);
		if (len < 0)
			abort();
		if ((size_t)len < room)
			break;
		room = (size_t)len + 1;
	}
	b->end += (size_t)len;
}

void buffer_consume(struct buffer *b, size_t len)
{
	if (len > b->end - b->start)
		abort();
	b->start += len;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void buffer_reset(struct buffer *b)
{
	b->start = b->end = 0;
}

void buffer_clear(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ 0 };
}

void buffer_wipe(struct buffer *b)
{
	bytes_wipe(b->data, b->room);
	buffer_clear(b);
}
