/*
 * The thread that reads cold pages, so that the loop never waits for the
 * disk.  Requests run there one after the other and are reported on the
 * loop.
 */
#ifndef QUEUE_READER_H
#define QUEUE_READER_H

struct ev_loop;
struct reader;

/* Embedded as the first member; `done` frees it. */
struct request {
	struct request *next;
	void (*run)(struct request *request);  /* on the reader's thread */
	void (*done)(struct request *request); /* on the loop */
};

struct reader *reader_new(struct ev_loop *loop);
/* Takes the request. */
void reader_put(struct reader *reader, struct request *request);
/* Finishes what waits, reports it and ends the thread. */
void reader_free(struct reader *reader);

#endif
