/*
 * An error's text on its way to the one who explains it.  Functions that
 * can fail for a reason that a person must read take a `struct error *`
 * (never NULL) and return -1; the text says where, what is wrong and what
 * would be right, without a final newline.
 */
#ifndef CONF_ERROR_H
#define CONF_ERROR_H

enum { ERROR_TEXT_MAX = 512 };

struct error {
	char text[ERROR_TEXT_MAX];
};

/* Sets the text (cut when too long) and returns -1. */
int error_set(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Puts "text: " in front of what the error says and returns -1. */
int error_prefix(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* As error_set(), with ": " and strerror(errno) behind it. */
int error_errno(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
