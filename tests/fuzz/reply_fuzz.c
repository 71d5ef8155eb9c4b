/*
 * Replies from arbitrary bytes: bounded, and the same whether they come
 * whole or byte by byte.
 */
#include "relay/smtp/reply.h"

#include <stdlib.h>
#include <string.h>

#include "relay/smtp/dotter.h"
#include "relay/smtp/offer.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* What was read, as one number, and how it ended. */
static uint32_t read_all(struct view input, size_t step, int *end)
{
	struct reply reply = { 0 };
	struct offer offer = { 0 };
	struct buffer held = { 0 };
	struct view given, line;
	struct result result = { 0 };
	uint32_t sum = 0;

	*end = 0;
	while (*end >= 0 && input.len > 0) {
		buffer_append(&held, view_first(input, step));
		input = view_from(input, step);
		given = buffer_view(&held);
		while ((*end = reply_read(&reply, &given, &line)) > 0) {
			offer_line(&offer, line);
			sum = bytes_crc32c(sum, line.at, line.len);
			require(reply.code >= 200 && reply.code < 600);
			require(strlen(reply.text) < sizeof(reply.text));
			require(strpbrk(reply.text, "\r\n") == NULL);
			require(reply.lines <= REPLY_LINES_MAX);
			require(reply.bytes <= REPLY_BYTES_MAX);
			if (!reply.is_whole)
				continue;
			result_from_reply(&reply, BLAME_MESSAGE, &result);
			require(result.status[0] >= '2');
			sum += (uint32_t)reply.code;
		}
		buffer_consume(&held, buffer_len(&held) - given.len);
		require(*end < 0 || buffer_len(&held) <= REPLY_LINE_MAX);
	}
	buffer_clear(&held);
	return sum;
}

/* Whatever goes through it, only its own dot ends the message. */
static void check_dots(struct view body, size_t step)
{
	struct dotter dotter = { 0 };
	struct buffer out = { 0 };
	struct view v, last;

	while (body.len > 0) {
		dotter_write(&dotter, &out, view_first(body, step));
		body = view_from(body, step);
	}
	dotter_end(&dotter, &out);
	v = buffer_view(&out);
	require(v.len == 3 ||
		(v.len >= 5 && memcmp(v.at + v.len - 5, "\r\n.\r\n", 5) == 0));
	last = view_first(v, v.len - 1);
	require(memmem(last.at, last.len, "\r\n.\r\n", 5) == NULL);
	require(v.len < 3 || memcmp(v.at, ".\r\n", 3) != 0 || v.len == 3);
	buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct view input = view_make(data, size);
	int whole, bytewise;
	uint32_t a = read_all(input, size + 1, &whole);
	uint32_t b = read_all(input, 1, &bytewise);

	require(whole == bytewise && a == b);
	check_dots(input, size + 1);
	check_dots(input, 1);
	return 0;
}
