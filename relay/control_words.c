/*
 * The words of the control socket's lines.  See control.h.  Pure.
 */
#include <string.h>

#include "relay/control.h"

static const char *const verbs[] = {
	[SWEEP_COUNT] = "count",   [SWEEP_RETRY] = "retry",
	[SWEEP_HOLD] = "hold",	   [SWEEP_RELEASE] = "release",
	[SWEEP_JUDGE] = "judge",   [SWEEP_REMOVE] = "remove",
	[SWEEP_BOUNCE] = "bounce",
};

const char *control_verb(enum sweep_verb verb)
{
	return verbs[verb];
}

void control_put(struct buffer *out, const char *text)
{
	buffer_append(out, VIEW(" ="));
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte <= ' ' || byte == '\\' || byte == 127)
			buffer_printf(out, "\\x%02x", byte);
		else
			buffer_append_byte(out, byte);
	}
}

static int digit(unsigned char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* One byte of a value; -1 when it is malformed. */
static int cut_byte(struct view *rest)
{
	int high, low;

	if (*rest->at != '\\') {
		int byte = *rest->at;

		*rest = view_from(*rest, 1);
		return byte;
	}
	if (rest->len < 4 || rest->at[1] != 'x')
		return -1;
	high = digit(rest->at[2]);
	low = digit(rest->at[3]);
	*rest = view_from(*rest, 4);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

int control_word(struct view *line, char *out, size_t room)
{
	struct view word;
	bool is_value;
	size_t len = 0;

	if (!line->len)
		return -1;
	word = view_cut(line, ' ');
	is_value = word.len && *word.at == '=';
	word = view_from(word, is_value);
	while (word.len) {
		int byte = cut_byte(&word);

		if (byte <= 0 || len + 1 >= room)
			return -1;
		out[len++] = (char)byte;
	}
	out[len] = '\0';
	return 0;
}
