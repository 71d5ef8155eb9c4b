/*
 * The form of a message, and what is told of many times.  See bench.h.
 */
#include "tests/bench/bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIELD "X-Bench: "

enum { LINE = 76, NUMBER = 10 };

uint64_t bench_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* Letters from A to P, eight by each throw of the dice. */
static void scatter(unsigned char *at, size_t len, uint64_t *dice)
{
	while (len > 0) {
		size_t some = len < sizeof(*dice) ? len : sizeof(*dice);
		uint64_t letters;

		*dice ^= *dice << 13;
		*dice ^= *dice >> 7;
		*dice ^= *dice << 17;
		letters = (*dice & UINT64_C(0x0f0f0f0f0f0f0f0f)) +
			  UINT64_C(0x4141414141414141);
		memcpy(at, &letters, some);
		at += some;
		len -= some;
	}
}

void bench_payload(struct buffer *payload, size_t length)
{
	uint64_t dice = UINT64_C(88172645463325252);

	if (length < NUMBER + 2)
		length = NUMBER + 2;
	buffer_printf(payload, "%0*u\r\n", NUMBER, 0U);
	while (buffer_len(payload) < length) {
		size_t left = length - buffer_len(payload);
		size_t len = left > LINE + 2 ? LINE : left > 2 ? left - 2 : 0;

		scatter(buffer_reserve(payload, len), len, &dice);
		buffer_added(payload, len);
		buffer_append(payload, VIEW("\r\n"));
	}
}

void bench_compose(struct buffer *out, const struct bench_options *options,
		   uint32_t serial, struct buffer *payload)
{
	struct view body = buffer_view(payload);
	char number[NUMBER + 1];

	snprintf(number, sizeof(number), "%0*" PRIu32, NUMBER, serial);
	memcpy(payload->data + payload->start, number, NUMBER);
	buffer_printf(out,
		      "From: <%s>\r\nTo: <%s>\r\n"
		      "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
		      "Message-ID: <%" PRIu32 ".%" PRIu32 "@bench.example>\r\n"
		      FIELD "%" PRIu32 " %" PRIu32 " %08" PRIx32 " %" PRIu64
		      "\r\n\r\n", options->sender, options->recipient,
		      options->run, serial, options->run, serial,
		      bytes_crc32c(0, body.at, body.len), bench_ns());
	buffer_append(out, body);
	buffer_append(out, VIEW(".\r\n"));
}

bool bench_read_stamp(struct view header, struct bench_stamp *stamp)
{
	const unsigned char *at = memmem(header.at, header.len, FIELD,
					 sizeof(FIELD) - 1);
	char text[80] = { 0 };
	size_t left;

	if (!at)
		return false;
	at += sizeof(FIELD) - 1;
	left = header.len - (size_t)(at - header.at);
	memcpy(text, at, left < sizeof(text) - 1 ? left : sizeof(text) - 1);
	return sscanf(text, "%" SCNu32 " %" SCNu32 " %" SCNx32 " %" SCNu64,
		      &stamp->run, &stamp->serial, &stamp->crc,
		      &stamp->ns) == 4;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void bench_percentiles(uint32_t *times, size_t count)
{
	if (count)
		qsort(times, count, sizeof(*times), by_size);
	printf("\"p50_us\": %" PRIu32 ", \"p99_us\": %" PRIu32
	       ", \"max_us\": %" PRIu32, count ? times[count / 2] : 0,
	       count ? times[count * 99 / 100] : 0,
	       count ? times[count - 1] : 0);
}
