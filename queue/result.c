/*
 * What became of one recipient in one attempt.  See result.h.
 */
#include "queue/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void result_set(struct result *result, enum outcome outcome, enum blame blame,
		const char *status, const char *format, ...)
{
	char text[2 * RESULT_TEXT_MAX];
	struct buffer line = { NULL, 0, 0, 0 };
	struct view shown;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* The ends of lines become blanks, all else that is not printable is
	 * escaped: no remote's bytes ever start a line of ours. */
	for (char *at = text; *at; at++)
		if (*at == '\r' || *at == '\n' || *at == '\t')
			*at = ' ';
	bytes_escape(&line, view_trim(view_of(text)), RESULT_TEXT_MAX - 4);
	shown = view_first(buffer_view(&line), RESULT_TEXT_MAX - 1);
	result->outcome = outcome;
	result->blame = blame;
	snprintf(result->status, sizeof(result->status), "%s", status);
	if (shown.len > 0)
		memcpy(result->text, shown.at, shown.len);
	result->text[shown.len] = '\0';
	buffer_clear(&line);
}

void result_retell(struct result *result, enum outcome outcome,
		   enum blame blame, const char *status, const char *format,
		   ...)
{
	char text[2 * RESULT_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = ' ';
	result->outcome = outcome;
	result->blame = blame;
	snprintf(result->status, sizeof(result->status), "%s", status);
	proof_field(result->text, sizeof(result->text), text);
}
