/*
 * The name server's clients over TCP (RFC 7766): messages behind a length of
 * two bytes, one answered before the next one is read.  Clients, their bytes
 * and their silence are bounded.
 */
#ifndef RELAY_LAB_STREAM_H
#define RELAY_LAB_STREAM_H

#include "conf/bytes.h"

struct ev_loop;
struct streams;

enum {
	STREAM_CLIENTS = 50, /* beyond them the idlest one goes */
	STREAM_IDLE = 10,    /* s without a question, or not read by them */
};

/* Appends what is to be said, which may be nothing. */
typedef void stream_answer(void *arg, struct view question,
			   struct buffer *out);

/* `fd`, bound and listening and not blocking, is taken. */
struct streams *streams_new(struct ev_loop *loop, int fd,
			    stream_answer *answer, void *arg);
void streams_free(struct streams *streams);

#endif
