/*
 * Error texts: formatted into the caller's struct, cut at its size, always
 * terminated.  Nothing is allocated, so that a text can be made even when
 * memory is what is missing.
 */
#include "conf/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

/* Puts ": more" behind the `len` bytes of text, as far as there is room. */
static void append(struct error *error, int len, const char *more)
{
	size_t at = len < 0 ? 0 : (size_t)len, size = sizeof(error->text);

	if (at >= size - 2)
		return;
	memcpy(error->text + at, ": ", 2);
	at += 2;
	len = (int)strnlen(more, size - 1 - at);
	memcpy(error->text + at, more, (size_t)len);
	error->text[at + (size_t)len] = '\0';
}

int error_prefix(struct error *error, const char *format, ...)
{
	char old[ERROR_TEXT_MAX];
	va_list args;
	int len;

	memcpy(old, error->text, sizeof(old));
	va_start(args, format);
	len = vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	append(error, len, old);
	return -1;
}

int error_errno(struct error *error, const char *format, ...)
{
	int saved = errno;
	char why[128];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	/* The GNU variant: thread-safe, and never an empty text. */
	append(error, len, strerror_r(saved, why, sizeof(why)));
	errno = saved;
	return -1;
}
