/*
 * CRC-32C (Castagnoli, as in RFC 3720 12.1): by the processor's own
 * instruction where there is one, else by a table that the compiler works
 * out.  Third file of the room bytes.
 */
#include "conf/bytes.h"

#include <string.h>

#if defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

/* The table is linear over its index: each bit's share, all XORed. */
#define BIT(n, bit, share) ((((n) >> (bit)) & 1u) * (share))
#define ROW(n)                                                         \
	(BIT(n, 0, 0xf26b8303u) ^ BIT(n, 1, 0xe13b70f7u) ^             \
	 BIT(n, 2, 0xc79a971fu) ^ BIT(n, 3, 0x8ad958cfu) ^             \
	 BIT(n, 4, 0x105ec76fu) ^ BIT(n, 5, 0x20bd8edeu) ^             \
	 BIT(n, 6, 0x417b1dbcu) ^ BIT(n, 7, 0x82f63b78u))
#define ROW4(n) ROW(n), ROW((n) + 1u), ROW((n) + 2u), ROW((n) + 3u)
#define ROW16(n) ROW4(n), ROW4((n) + 4u), ROW4((n) + 8u), ROW4((n) + 12u)
#define ROW64(n) ROW16(n), ROW16((n) + 16u), ROW16((n) + 32u), ROW16((n) + 48u)

static const uint32_t table[256] = { ROW64(0u), ROW64(64u), ROW64(128u),
				     ROW64(192u) };

static uint32_t by_table(uint32_t crc, const unsigned char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ table[(crc ^ at[i]) & 0xff];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
by_processor(uint32_t crc, const unsigned char *at, size_t len)
{
	uint64_t wide = crc, word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	return by_table((uint32_t)wide, at, len);
}

static bool has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#elif defined(__ARM_FEATURE_CRC32)
static uint32_t by_processor(uint32_t crc, const unsigned char *at, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		crc = __crc32cd(crc, word);
	}
	return by_table(crc, at, len);
}

static bool has_instruction(void)
{
	return true;
}
#else
static uint32_t by_processor(uint32_t crc, const unsigned char *at, size_t len)
{
	return by_table(crc, at, len);
}

static bool has_instruction(void)
{
	return false;
}
#endif

uint32_t bytes_crc32c(uint32_t seed, const void *at, size_t len)
{
	uint32_t crc = ~seed;

	crc = has_instruction() ? by_processor(crc, at, len) :
				  by_table(crc, at, len);
	return ~crc;
}
