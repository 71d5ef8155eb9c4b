/*
 * Replies of a server (RFC 5321 4.2), read line by line from borrowed
 * bytes, and the one place where a reply's class and the blame for it
 * become an outcome.  Pure.  A hostile server is bounded in line length,
 * lines and bytes; time is the carrier's.
 */
#ifndef RELAY_SMTP_REPLY_H
#define RELAY_SMTP_REPLY_H

#include "conf/bytes.h"
#include "queue/result.h"

enum {
	REPLY_LINE_MAX = 2048,  /* RFC 5321 4.5.3.1.5 says 512 */
	REPLY_LINES_MAX = 100,
	REPLY_BYTES_MAX = 64 * 1024,
};

/* A reply as far as it was read; zeroed it is ready for the first line. */
struct reply {
	int code;          /* 200 to 599, of the last line read */
	bool is_whole;     /* its last line was read */
	char status[12];   /* enhanced code (RFC 2034), "" when there is none */
	size_t lines, bytes;
	char text[RESULT_TEXT_MAX]; /* all lines as one, escaped, with code */
};

/*
 * Reads one line from the front of *input and moves *input behind it.
 * 1: *line is its text behind the code (borrowed); after the last one
 *    is_whole is set, and the next call begins a new reply.
 * 0: more bytes are needed; *input is unchanged.
 * -1: this is no reply, or it is too large; `text` says what is wrong.
 */
int reply_read(struct reply *reply, struct view *input, struct view *line);

/*
 * What a whole reply means for a recipient when `blame` is at fault.  2xx:
 * delivered.  421 always blames the host.  A host's 4xx and 5xx defer; 5xx
 * about a message or a recipient is final, 4xx defers it.  A reply of any
 * other class is out of place and blames the host.
 */
void result_from_reply(const struct reply *reply, enum blame blame,
		       struct result *result);

#endif
