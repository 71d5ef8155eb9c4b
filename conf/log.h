/*
 * One line per event: `time level event key=value ...`, or a JSON object
 * per line.  Values are escaped and bounded; a value with blanks is
 * quoted.  Writing never blocks the caller: lines go into a bounded ring
 * that a thread of its own empties; what does not fit is dropped, counted
 * and reported (event=log-dropped).  Lines may be begun by any thread.
 */
#ifndef CONF_LOG_H
#define CONF_LOG_H

#include <stdint.h>

#include "conf/bytes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

enum { LOG_LINE_MAX = 4096, LOG_VALUE_MAX = 512 };

/* A line under construction; lives on the caller's stack. */
struct log_line {
	enum log_level level;
	bool is_truncated; /* a field did not fit; none follows */
	size_t len;        /* 0: below the least level, nothing is built */
	char text[LOG_LINE_MAX];
};

/* `process` ("worker-0") stands in every line, "" in none. Starts the writer
 * thread (call after fork, before other threads; a child forked later may
 * log only after its exec, or after log_forked()). Without log_open() lines
 * go straight to stderr. */
void log_open(int fd, enum log_format format, enum log_level least,
	      const char *process);
/* In a child that was forked and not exec'd: lines go straight to stderr. */
void log_forked(void);
/* Writes out what waits, for at most one second. */
void log_close(void);

void log_begin(struct log_line *line, enum log_level level, const char *event);
void log_str(struct log_line *line, const char *key, const char *value);
void log_view(struct log_line *line, const char *key, struct view value);
void log_num(struct log_line *line, const char *key, int64_t value);
void log_end(struct log_line *line);

/* An event with one `reason=` text; for what has no further fields. */
void log_say(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
