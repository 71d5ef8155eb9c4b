/*
 * Comes in: a stored message, in pieces.  Goes out: what follows DATA.  The
 * store holds CRLF lines only; a lone CR or LF that got there all the same
 * leaves as CRLF, so that no next hop can be led to see an end of message
 * where there is none.  Lines are never cut or joined.
 */
#include "relay/smtp/dotter.h"

enum { RUN_MAX = 1024 };

static void start_line(struct dotter *dotter, struct buffer *out,
		       unsigned char first)
{
	if (!dotter->in_line && first == '.')
		buffer_append_byte(out, '.');
	dotter->in_line = true;
}

static void end_line(struct dotter *dotter, struct buffer *out)
{
	buffer_append(out, VIEW("\r\n"));
	dotter->in_line = false;
}

/* Bytes up to the next CR or LF. A long run comes in several parts, so that
 * the two searches over bytes without one of the two stay linear. */
static size_t run_len(struct view bytes)
{
	struct view part = view_first(bytes, RUN_MAX);
	size_t len = view_index(part, '\n');

	return view_index(view_first(part, len), '\r');
}

/* Where the line ends that `from` lies in, if that is by CRLF and within
 * RUN_MAX; 0 where it is not. */
static size_t line_end(struct view bytes, size_t from)
{
	struct view line = view_first(view_from(bytes, from), RUN_MAX);
	bool ignored = false;
	size_t i = 0;

	while ((i = view_low(line, i, &ignored)) < line.len &&
	       line.at[i] != '\r' && line.at[i] != '\n')
		i++;
	if (i + 1 >= line.len || line.at[i] != '\r' || line.at[i + 1] != '\n')
		return 0;
	return from + i + 2;
}

/* Whole lines that leave as they are, to be taken in one piece. */
static size_t plain_len(const struct dotter *dotter, struct view bytes)
{
	size_t len = 0, next = 0;

	if (dotter->after_cr)
		return 0;
	do
		len = next;
	while (len < bytes.len &&
	       !(bytes.at[len] == '.' && (len > 0 || !dotter->in_line)) &&
	       (next = line_end(bytes, len)) > 0);
	return len;
}

void dotter_write(struct dotter *dotter, struct buffer *out, struct view bytes)
{
	size_t len;

	while (bytes.len > 0) {
		len = plain_len(dotter, bytes);
		if (len > 0) {
			buffer_append(out, view_first(bytes, len));
			bytes = view_from(bytes, len);
			dotter->in_line = false;
			continue;
		}
		if (dotter->after_cr) {
			dotter->after_cr = false;
			end_line(dotter, out);
			if (bytes.at[0] == '\n') {
				bytes = view_from(bytes, 1);
				continue;
			}
		}
		len = run_len(bytes);
		if (len > 0) {
			start_line(dotter, out, bytes.at[0]);
			buffer_append(out, view_first(bytes, len));
			bytes = view_from(bytes, len);
		} else if (bytes.at[0] == '\r') {
			dotter->after_cr = true;
			bytes = view_from(bytes, 1);
		} else {
			end_line(dotter, out);
			bytes = view_from(bytes, 1);
		}
	}
}

void dotter_end(struct dotter *dotter, struct buffer *out)
{
	if (dotter->after_cr || dotter->in_line)
		end_line(dotter, out);
	dotter->after_cr = false;
	buffer_append(out, VIEW(".\r\n"));
}
