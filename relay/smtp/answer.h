/*
 * What a command is answered with: code, enhanced status and one line of
 * text, all of them constants or borrowed.  NULL in place of an answer
 * means that nothing speaks against it.
 */
#ifndef RELAY_SMTP_ANSWER_H
#define RELAY_SMTP_ANSWER_H

struct answer {
	int code;
	const char *status; /* RFC 3463; "" where RFC 2034 wants none */
	const char *text;
};

#endif
