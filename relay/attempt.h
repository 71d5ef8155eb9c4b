/*
 * One attempt for one job: the policy as it is now, a warm connection or
 * the route's candidates one after the other, and one result for each
 * recipient in the end.
 */
#ifndef RELAY_ATTEMPT_H
#define RELAY_ATTEMPT_H

#include "relay/client.h"
#include "relay/hosts.h"
#include "relay/pool.h"

struct attempt;

/* What all attempts share; dispatch's. */
struct attempt_field {
	struct ev_loop *loop;
	const struct conf *conf;   /* of now: kept connections are of it */
	struct dns *dns;
	struct tls_context *tls;
	struct certwatch *certwatch;
	struct queue *queue;
	struct hosts *hosts;
	struct pool *pool;
	const struct route_own *own;
	uint64_t seed;             /* changes with each use */
	bool is_stopping;          /* keep no connection */
	double (*now)(void *arg); /* the loop's clock */
	/* A new connection is about to be made. */
	void (*make_room)(void *arg);
	void *arg;
};

/* The end: one result per recipient, to be recorded. The attempt is freed
 * when this returns; `arg` is that of attempt_new(). */
typedef void attempt_callback(void *arg, struct job *job,
			      const struct result *results);

/* The job is borrowed until the callback. */
struct attempt *attempt_new(struct attempt_field *field, struct job *job,
			    attempt_callback *call, void *arg);
/* Begins; the callback may come before this returns. */
void attempt_start(struct attempt *attempt);

/* When it last got on. */
double attempt_progress(const struct attempt *attempt);
/* The end of a message is sent and unanswered. */
bool attempt_is_committed(const struct attempt *attempt);
/* Ends it with this result for whoever has none; the callback comes. */
void attempt_break(struct attempt *attempt, const struct result *why);
/* A host was met and has the message in hand; else its route is looked up
 * or a connection made ready. */
bool attempt_is_underway(const struct attempt *attempt);
/* True when nothing of the message has left yet: no result would be lost
 * if the job were given back untried. */
bool attempt_is_untouched(const struct attempt *attempt);
/* Forgets it; no callback. The job is the caller's again. */
void attempt_free(struct attempt *attempt);

/* Connections are kept for so long at most, however busy. */
enum { ATTEMPT_CONNECTION_AGE = 300 };

#endif
