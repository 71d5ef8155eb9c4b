/*
 * For tests: two connections that face each other over loopback, or one
 * that faces a bare socket; what each was told is kept as text
 * ("open secure input closed") and what it got as bytes.
 */
#ifndef TESTS_UNIT_PAIR_H
#define TESTS_UNIT_PAIR_H

#include "tls/conn.h"

struct side {
	struct conn *conn;
	char told[512];
	struct buffer got;
	bool keeps_input;   /* does not consume */
	bool frees_on_end;  /* frees inside the callback */
	void (*also)(struct side *side, enum conn_event event);
	void *arg;
	char error[512];    /* conn_error() at FAILED */
};

struct pair {
	struct ev_loop *loop;
	struct side client, server;
	int socket;         /* the bare peer, or -1 */
};

/* Both are ours. */
void pair_open(struct pair *pair);
/* The client is ours, the other end is pair->socket. */
void pair_open_client(struct pair *pair);
/* The server is ours. */
void pair_open_server(struct pair *pair);
/* Listens on loopback, and takes the first who comes: our server faces
 * somebody else's client. */
int pair_listen(struct net_address *at);
void pair_open_accept(struct pair *pair, int listener);
/* Our client goes elsewhere and forgets what it was told. */
void pair_reconnect(struct pair *pair, const struct net_address *at);
/* Runs the loop until side->told holds the word, or a few seconds. */
bool pair_until(struct pair *pair, struct side *side, const char *word);
/* Runs the loop until so many bytes have been got. */
bool pair_until_got(struct pair *pair, struct side *side, size_t len);
void pair_run(struct pair *pair, double seconds);
void pair_close(struct pair *pair);

#endif
