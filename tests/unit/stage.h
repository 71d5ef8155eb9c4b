/*
 * A server on a real loop and real sockets, with a store of memory whose
 * every answer the test decides, and a client that turns the loop while
 * it waits.
 */
#ifndef TESTS_UNIT_STAGE_H
#define TESTS_UNIT_STAGE_H

#include <ev.h>
#include <netinet/in.h>

#include "relay/server.h"

struct memory {
	bool holds;            /* answers come by memory_answer() */
	bool is_immediate;     /* answers come within commit */
	size_t full_at;        /* bytes until it is behind; 0: never */
	struct buffer body;    /* of the last message */
	unsigned begun, committed, aborted;
	bool was_tls;
	char sender[64];
	intake_callback *call; /* of the message that is open */
	void *arg;
};

struct stage {
	struct ev_loop *loop;
	struct conf conf;
	struct listener listener;
	struct net_block from;
	struct memory memory;
	struct server *server;
	struct tls_context *tls;
	struct sockaddr_in at;
	char seen[8192];
	size_t seen_len;
};

/* With defaults that a test changes before stage_start(). */
struct stage *stage_new(void);
/* A certificate of its own; before stage_start(). */
void stage_tls(struct stage *w);
void stage_start(struct stage *w);
void stage_free(struct stage *w);

/* What the store says of the message that is open. */
void stage_answer(struct memory *m, enum intake_event event);

/* One turn of the loop; turns for so long. */
void stage_turn(struct stage *w);
void stage_turns(struct stage *w, double seconds);

/* A client's socket, connected. */
int stage_dial(struct stage *w);
/* The same, up to the 354. */
int stage_dial_data(struct stage *w);
/* Sends all, turning the loop when the socket is full. */
void stage_say(struct stage *w, int fd, const char *text);
/* Reads until `text` stands in what was seen; "" waits for the end. */
bool stage_sees(struct stage *w, int fd, const char *text, double seconds);

#define SEES(w, fd, text) \
	do { \
		if (!stage_sees(w, fd, text, 5)) \
			fail_msg("no \"%s\" in \"%s\"", text, (w)->seen); \
	} while (0)

#define ENVELOPE \
	"EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"

/* For cmocka_run_group_tests(): TLS begins, the log is silent. */
int stage_begin(void **state);
int stage_end(void **state);

#endif
