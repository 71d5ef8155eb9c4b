/*
 * The worker's side of the control socket, `spool/worker-K/control`: what a
 * postmaster's commands ask for is done by whoever has the folder.  A lab
 * has one in its store, with orders of its own and no queue.
 *
 * One line a request, words with one blank between them, values as `=text`
 * with what could be misread as \xNN:
 *
 *   postern/1 sweep VERB KIND =VALUE      VERB as in control_verb()
 *   postern/1 status
 *   postern/1 import BYTES BYTES          then the envelope, then the body
 *
 * Answers are lines too; the last one of each is `done ...` or
 * `failed =TEXT`.  Lines, connections and bytes in memory are bounded.
 */
#ifndef RELAY_CONTROL_H
#define RELAY_CONTROL_H

#include "conf/conf.h"
#include "queue/sweep.h"

struct ev_loop;
struct control;

enum {
	CONTROL_LINE_MAX = 4096,
	CONTROL_CONNECTIONS = 16,
	CONTROL_ENVELOPE_MAX = 4 * 1024 * 1024,
};

struct control_settings {
	struct ev_loop *loop;
	const struct conf *conf;
	struct queue *queue; /* NULL: no sweeps and no imports */
	/* Lines for `status`; NULL: there is nothing to say. */
	void (*status)(void *arg, struct buffer *out);
	/* Other orders: appends the whole answer, or says false where there
	 * is no such order; `rest` are the words behind it.  NULL: none. */
	bool (*order)(void *arg, const char *word, struct view rest,
		      struct buffer *out);
	/* The last connection is gone; NULL: never mind. */
	void (*idle)(void *arg);
	void *arg;
};

struct control *control_new(const struct control_settings *settings);
/* Listens in the folder, for its owner and root only. */
int control_listen(struct control *control, const char *folder,
		   struct error *error);
/* A connection that is there already; taken. */
void control_adopt(struct control *control, int fd);
/* Before the queue is closed. */
void control_free(struct control *control);

/* What `status` says of a worker: its numbers, then its lanes in trouble. */
struct control_numbers {
	struct queue *queue;
	size_t sessions, deliveries; /* at this moment */
	int64_t uptime;              /* seconds */
};
void control_status(struct buffer *out, const struct control_numbers *numbers);

/* --- words, both ways ------------------------------------------------- */

/* " =text", escaped. */
void control_put(struct buffer *out, const char *text);
/* The next word, unescaped when it is a value; -1 when there is none or it
 * does not fit. */
int control_word(struct view *line, char *out, size_t room);
const char *control_verb(enum sweep_verb verb);

#endif
