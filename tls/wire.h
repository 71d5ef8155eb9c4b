/*
 * The transport below a connection: a non-blocking socket, the buffers on
 * both sides of it, and two functions (receive, send) that are swapped
 * when TLS starts.  It knows no event loop; conn.c calls it when the
 * socket is ready and says what happened to the owner.
 */
#ifndef TLS_WIRE_H
#define TLS_WIRE_H

#include "conf/net.h"
#include "tls/secure.h"

enum wire_end {
	WIRE_OPEN,
	WIRE_CLOSED, /* the peer ended cleanly */
	WIRE_FAILED, /* `error` says why */
};

struct wire {
	int fd;
	void (*receive)(struct wire *wire);
	void (*send)(struct wire *wire);
	struct buffer input;   /* plaintext for the owner */
	struct buffer output;  /* plaintext from the owner */
	struct buffer raw;     /* TLS records that came */
	struct buffer records; /* bytes that are to leave as they are */
	struct secure *secure; /* NULL: plain */
	char *error;
	enum wire_end end;
	bool is_blocked;       /* the socket takes no more for now */
	bool is_write_broken;  /* nobody takes what we write */
	bool has_shaken;       /* a handshake was completed */
};

/* A descriptor that is connecting, or -1. */
int wire_connect(const struct net_address *to,
		 const struct net_address *source, struct error *error);

void wire_init(struct wire *wire, int fd);
/* Closes the socket and frees all. */
void wire_clear(struct wire *wire);

/* Reads once and decrypts; true when `input` grew. */
bool wire_receive(struct wire *wire);
/* Writes as much as the socket takes. */
void wire_send(struct wire *wire);
/* Bytes that were written and have not left yet. */
size_t wire_pending(const struct wire *wire);
/* Room left in `input`. */
size_t wire_room(const struct wire *wire);
/* What came is not all read yet, and the socket will not say so again. */
bool wire_has_backlog(const struct wire *wire);
/* Gives back the memory of buffers that are empty. */
void wire_slim(struct wire *wire);

/* Speaks TLS from here on; takes `secure`, which must use this wire's raw
 * and records. What was written before leaves before it. */
void wire_start(struct wire *wire, struct secure *secure);
/* Queues the end of the stream: close_notify where there is TLS. */
void wire_finish(struct wire *wire);

/* The first reason stays. */
void wire_fail(struct wire *wire, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

enum { WIRE_INPUT_MAX = 64 * 1024 };

#endif
