/*
 * libconfuse's lexer eats without a word every byte that it does not know
 * (an unquoted `*`, a NUL, a `+`, a carriage return), takes `//` for a
 * comment in the middle of a URL, expands `${...}`, turns "\x00" into the
 * end of a string, lets a comment, string or section run to the end of the
 * file, and counts a line too many at each C comment.  So each file passes
 * here first.
 */
#include "conf/scan.h"

#include <string.h>

enum { BRACES_MAX = 8 };

struct scan {
	struct view rest;
	struct buffer *out;
	const char *path;
	unsigned line;
	unsigned char last; /* the token before: a sign, 'w'ord, 's'tring */
	bool is_list;       /* in the braces of a list */
	unsigned braces[BRACES_MAX]; /* lines of those that are open */
	size_t brace_count;
	enum { OUTSIDE, WANTS_FILE, WANTS_END } include;
	struct error *error;
};

#define SIGNS "={}(),"
#define WORD_ENDS " \t\r\n\"'#*+" SIGNS

static int fail(const struct scan *scan, const char *text)
{
	return error_set(scan->error, "%s:%u: %s", scan->path, scan->line,
			 text);
}

static unsigned char peek(const struct scan *scan, size_t ahead)
{
	return ahead < scan->rest.len ? scan->rest.at[ahead] : '\0';
}

static void skip(struct scan *scan, size_t len)
{
	scan->rest = view_from(scan->rest, len);
}

static void pass(struct scan *scan, size_t len)
{
	buffer_append(scan->out, view_first(scan->rest, len));
	skip(scan, len);
}

static bool starts_comment(const struct scan *scan)
{
	return peek(scan, 0) == '#' || (peek(scan, 0) == '/' &&
		(peek(scan, 1) == '/' || peek(scan, 1) == '*'));
}

/* One character of a word or string; foreign ones must be UTF-8. */
static int pass_character(struct scan *scan)
{
	unsigned char byte = peek(scan, 0);
	uint32_t point;
	size_t len = bytes_utf8(scan->rest, &point);

	if (byte < ' ' || byte == 0x7f)
		return fail(scan, "a control character; only tabs and line "
			    "ends may be used");
	if (!len)
		return fail(scan, "this is not UTF-8; save the file as UTF-8");
	if (byte == '$' && peek(scan, 1) == '{')
		return fail(scan, "${...} is not expanded here; write the "
			    "value itself");
	pass(scan, len);
	return 0;
}

static int skip_comment(struct scan *scan)
{
	unsigned first_line = scan->line;
	bool block = peek(scan, 0) == '/' && peek(scan, 1) == '*';

	if (!block) {
		skip(scan, view_index(scan->rest, '\n'));
		return 0;
	}
	skip(scan, 2);
	while (scan->rest.len && !(peek(scan, 0) == '*' &&
				   peek(scan, 1) == '/')) {
		if (peek(scan, 0) == '\n') {
			buffer_append_byte(scan->out, '\n');
			scan->line++;
		}
		skip(scan, 1);
	}
	if (!scan->rest.len) {
		scan->line = first_line;
		return fail(scan, "this comment is not closed; write */ at its "
			    "end");
	}
	skip(scan, 2);
	/* What stood left and right of it stays apart. */
	buffer_append_byte(scan->out, ' ');
	return 0;
}

static int pass_string(struct scan *scan)
{
	unsigned char quote = peek(scan, 0);

	pass(scan, 1);
	while (peek(scan, 0) != quote || !scan->rest.len) {
		unsigned char next = peek(scan, 1);

		if (!scan->rest.len || peek(scan, 0) == '\n')
			return fail(scan, "this string is not closed on its "
				    "line");
		if (peek(scan, 0) != '\\') {
			if (pass_character(scan))
				return -1;
			continue;
		}
		if (next == '\\' || next == quote)
			pass(scan, 2);
		else if (quote == '"')
			return fail(scan, "in \"...\" only \\\\ and \\\" stand "
				    "for something; write \\\\ for a "
				    "backslash");
		else if (pass_character(scan))
			return -1;
	}
	pass(scan, 1);
	scan->last = 's';
	return 0;
}

static int pass_word(struct scan *scan)
{
	do {
		if (pass_character(scan))
			return -1;
	} while (scan->rest.len && !strchr(WORD_ENDS, peek(scan, 0)) &&
		 !starts_comment(scan));
	if (peek(scan, 0) == '"' || peek(scan, 0) == '\'')
		return fail(scan, "a quote in the middle of a word; quote all "
			    "of it");
	/* `smtps://host` would lose all that follows on its line. */
	if (starts_comment(scan))
		return fail(scan, "a comment begins in the middle of a word; "
			    "quote the word, or put a blank before the "
			    "comment");
	scan->last = 'w';
	return 0;
}

static int step_include(struct scan *scan, unsigned char sign)
{
	if (scan->include == WANTS_FILE && !sign)
		scan->include = WANTS_END;
	else if (scan->include == WANTS_END && sign == ')')
		scan->include = OUTSIDE;
	else if (scan->include == OUTSIDE && sign == '(')
		scan->include = WANTS_FILE;
	else if (scan->include != OUTSIDE)
		return fail(scan, "include takes one file: "
			    "include(\"FILE\")");
	return 0;
}

/* A closing one too many is libconfuse's to find. */
static int step_braces(struct scan *scan, unsigned char sign)
{
	if (sign == '}' && scan->brace_count)
		scan->brace_count--;
	if (sign != '{')
		return 0;
	if (scan->brace_count == BRACES_MAX)
		return fail(scan, "braces nested too deeply");
	scan->braces[scan->brace_count++] = scan->line;
	return 0;
}

static int pass_sign(struct scan *scan)
{
	unsigned char sign = peek(scan, 0);

	if (step_include(scan, sign) || step_braces(scan, sign))
		return -1;
	if (sign == '}' && scan->is_list && scan->last == '{')
		buffer_append(scan->out, VIEW("\"" SCAN_MARK "\""));
	pass(scan, 1);
	if (sign == '{') {
		scan->is_list = scan->last == '=';
		if (!scan->is_list)
			buffer_append(scan->out, VIEW(SCAN_MARK "=x "));
	}
	scan->last = sign;
	return 0;
}

static int pass_token(struct scan *scan)
{
	unsigned char byte = peek(scan, 0);

	if (byte == '*')
		return fail(scan, "* must stand in quotes, as in "
			    "\"*.example.org\"");
	if (byte == '+' && peek(scan, 1) == '=')
		return fail(scan, "+= is not used here; write the whole list "
			    "at once");
	if (byte == '+')
		return fail(scan, "a value with + in it must stand in quotes");
	if (byte && strchr(SIGNS, byte))
		return pass_sign(scan);
	if (step_include(scan, '\0'))
		return -1;
	return byte == '"' || byte == '\'' ? pass_string(scan) :
					     pass_word(scan);
}

int scan_text(struct view raw, const char *path, struct buffer *out,
	      struct error *error)
{
	struct scan scan = { .rest = raw, .out = out, .path = path, .line = 1,
			     .error = error };

	while (scan.rest.len) {
		unsigned char byte = peek(&scan, 0);

		if (byte == '\n') {
			scan.line++;
			pass(&scan, 1);
		} else if (byte == ' ' || byte == '\t') {
			pass(&scan, 1);
		} else if (byte == '\r' && peek(&scan, 1) == '\n') {
			skip(&scan, 1);
		} else if (starts_comment(&scan)) {
			if (skip_comment(&scan))
				return -1;
		} else if (pass_token(&scan)) {
			return -1;
		}
	}
	if (scan.include != OUTSIDE)
		return step_include(&scan, '{');
	if (scan.brace_count) {
		scan.line = scan.braces[scan.brace_count - 1];
		return fail(&scan, "the { of this line is not closed");
	}
	/* Never empty: a stream of no bytes cannot be opened. */
	buffer_append_byte(out, ' ');
	return 0;
}
