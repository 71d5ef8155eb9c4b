/*
 * Comes in: bytes of a server.  Goes out: one line a call, and the reply's
 * code, enhanced code and text, bounded and escaped.  The caller owns the
 * bytes and the struct.  Lines end in LF; a CR before it is dropped, one
 * anywhere else is text.
 */
#include "relay/smtp/reply.h"

#include <stdio.h>
#include <string.h>

static bool is_digit(unsigned char byte)
{
	return byte >= '0' && byte <= '9';
}

/* Digits at `at`, at most three; their number, 0 when there are none. */
static size_t digits(struct view text, size_t at)
{
	size_t n = 0;

	while (n < 3 && at + n < text.len && is_digit(text.at[at + n]))
		n++;
	return n;
}

/* Length of the enhanced code in front of the text: class "." subject "."
 * detail (RFC 3463 2), of the reply's own class; 0 when there is none. */
static size_t status_len(struct view text, int code)
{
	size_t len = 1, n, part;

	if (text.len < 5 || text.at[0] != '0' + code / 100)
		return 0;
	for (part = 0; part < 2; part++) {
		if (len >= text.len || text.at[len] != '.')
			return 0;
		n = digits(text, len + 1);
		if (n == 0)
			return 0;
		len += 1 + n;
	}
	if (len < text.len && text.at[len] != ' ')
		return 0;
	return len;
}

static int broken(struct reply *reply, const char *why)
{
	snprintf(reply->text, sizeof(reply->text), "%s", why);
	reply->is_whole = true;
	return -1;
}

static void add_text(struct reply *reply, struct view text)
{
	size_t used = strlen(reply->text);
	size_t room = sizeof(reply->text) - used;
	struct buffer escaped = { 0 };
	struct view v;

	/* "..." may follow the escaped text, and a NUL does. */
	if (room < 16 || text.len == 0)
		return;
	bytes_escape(&escaped, text, room - 8);
	v = buffer_view(&escaped);
	if (used > 0 && v.len > 0)
		reply->text[used++] = ' ';
	if (v.len > room - 2)
		v.len = room - 2;
	memcpy(reply->text + used, v.at, v.len);
	reply->text[used + v.len] = '\0';
	buffer_clear(&escaped);
}

/* The line without its end; 0 when the end has not come yet. */
static int take_line(struct reply *reply, struct view *input, struct view *line)
{
	size_t len = view_index(*input, '\n');

	if (len > REPLY_LINE_MAX)
		return broken(reply, "a line of the reply is too long");
	if (len == input->len)
		return 0;
	reply->bytes += len + 1;
	if (++reply->lines > REPLY_LINES_MAX || reply->bytes > REPLY_BYTES_MAX)
		return broken(reply, "the reply is too long");
	*line = view_first(*input, len);
	if (len > 0 && line->at[len - 1] == '\r')
		line->len--;
	*input = view_from(*input, len + 1);
	return 1;
}

static bool has_code(struct view line)
{
	return line.len >= 3 && digits(line, 0) == 3 && line.at[0] >= '2' &&
	       line.at[0] <= '5' &&
	       (line.len == 3 || line.at[3] == ' ' || line.at[3] == '-');
}

int reply_read(struct reply *reply, struct view *input, struct view *line)
{
	struct view text;
	size_t status;
	int got;

	if (reply->is_whole)
		memset(reply, 0, sizeof(*reply));
	got = take_line(reply, input, line);
	if (got <= 0)
		return got;
	if (!has_code(*line))
		return broken(reply, "this is no SMTP reply");
	/* RFC 5321 4.2.1 wants one code in all lines; where a server differs
	 * with itself its last word counts. */
	reply->code = (line->at[0] - '0') * 100 + (line->at[1] - '0') * 10 +
		      (line->at[2] - '0');
	reply->is_whole = line->len == 3 || line->at[3] == ' ';
	text = view_from(*line, 4);
	status = status_len(text, reply->code);
	if (reply->lines == 1) {
		if (status > 0)
			memcpy(reply->status, text.at, status);
		add_text(reply, *line);
		if (line->len > 3 && reply->text[3] == '-')
			reply->text[3] = ' ';
	} else {
		add_text(reply, view_trim(view_from(text, status)));
	}
	*line = text;
	return 1;
}

/* The reply's enhanced code if it fits the outcome, else a general one.
 * A final refusal of which a host is to blame is deferred, and says so. */
static void set_status(const struct reply *reply, struct result *result)
{
	static const char class[] = { [OUTCOME_DELIVERED] = '2',
				      [OUTCOME_DEFERRED] = '4',
				      [OUTCOME_FAILED] = '5' };

	text_copy(result->status, sizeof(result->status),
		  reply->status[0] != '\0' ? reply->status : "x.0.0");
	result->status[0] = class[result->outcome];
}

void result_from_reply(const struct reply *reply, enum blame blame,
		       struct result *result)
{
	enum outcome outcome = OUTCOME_DEFERRED;
	int class = reply->code / 100;

	if (reply->code == 421 || class == 3)
		blame = BLAME_HOST;
	if (class == 2) {
		outcome = OUTCOME_DELIVERED;
		blame = BLAME_NONE;
	} else if (class == 5 && blame != BLAME_HOST) {
		outcome = OUTCOME_FAILED;
	}
	/* The text is escaped already; twice would be once too often. */
	result->outcome = outcome;
	result->blame = blame;
	text_copy(result->text, sizeof(result->text), reply->text);
	result->reply_code = reply->code;
	set_status(reply, result);
}
