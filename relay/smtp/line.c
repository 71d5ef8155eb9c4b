/*
 * Line assembly without copying.  Within the first `max` bytes every CR
 * and LF is judged; behind them, while an over-long line is dropped, only
 * CRLF is looked for.  The outcome does not depend on how the bytes were
 * cut into pieces.
 */
#include "relay/smtp/line.h"

#include <string.h>

static enum line_verdict line_skip(struct line_reader *reader,
				   struct view input, size_t *used)
{
	const unsigned char *at = input.at + *used;
	size_t left = input.len - *used, end;

	for (end = 0; end + 1 < left; end++) {
		const unsigned char *cr =
			memchr(at + end, '\r', left - 1 - end);

		if (!cr)
			break;
		end = (size_t)(cr - at);
		if (at[end + 1] != '\n')
			continue;
		*used += end + 2;
		reader->skipped += end + 2;
		if (reader->skipped > LINE_SKIP_MAX)
			return LINE_ENDLESS;
		reader->skipped = 0;
		return LINE_LONG;
	}
	/* A CR at the very end may be the first half of the line's end. */
	if (left > 0 && at[left - 1] == '\r')
		left--;
	*used += left;
	reader->skipped += left;
	return reader->skipped > LINE_SKIP_MAX ? LINE_ENDLESS : LINE_MORE;
}

enum line_verdict line_next(struct line_reader *reader, struct view input,
			    struct view *text, size_t *used)
{
	size_t i, most = input.len < reader->max ? input.len : reader->max;

	*used = 0;
	*text = view_first(input, 0);
	if (reader->skipped > 0)
		return line_skip(reader, input, used);
	for (i = 0; i < most; i++) {
		unsigned char byte = input.at[i];

		if (byte == '\n')
			return LINE_BARE;
		if (byte != '\r')
			continue;
		if (i + 1 == input.len)
			return LINE_MORE;
		if (input.at[i + 1] != '\n')
			return LINE_BARE;
		*used = i + 2;
		if (*used > reader->max)
			return LINE_LONG;
		*text = view_first(input, i);
		return LINE_GOT;
	}
	if (input.len < reader->max)
		return LINE_MORE;
	*used = reader->max;
	reader->skipped = reader->max;
	return line_skip(reader, input, used);
}
