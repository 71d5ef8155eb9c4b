/*
 * Carries one outbound session over one connection: moves bytes between
 * tls/conn.h and smtp/outbound.h, starts TLS when the session wants it,
 * and feeds messages from the queue.  Says when it is free for a message
 * and when it is over; whom that sends where is dispatch's business.
 */
#ifndef RELAY_CLIENT_H
#define RELAY_CLIENT_H

#include "queue/queue.h"
#include "relay/route.h"
#include "relay/smtp/outbound.h"
#include "tls/context.h"

struct client;
struct certwatch;

enum client_event {
	CLIENT_IDLE, /* judged and free: client_deliver() or client_quit() */
	CLIENT_OVER, /* the connection is gone: client_end(), client_free() */
};

/* The client may be freed, or given the next message, in the callback. */
typedef void client_callback(struct client *client, enum client_event event,
			     void *arg);

struct client_settings {
	struct ev_loop *loop;
	const struct conf *conf;      /* all borrowed; the snapshot must */
	const struct policy *policy;  /* outlive the client */
	struct tls_context *tls;
	struct certwatch *certwatch;  /* NULL: what is presented is not kept */
	struct queue *queue;
	const struct candidate *candidate; /* copied */
	const char *domain;           /* the recipients'; copied */
	bool is_plaintext;            /* as the judge allowed */
	const struct outbound_excuse *excuse; /* then: of the client before
	                               * it; copied; may be NULL */
	/* a probe's; see relay/smtp/outbound.h */
	bool stops_after_shake, stops_after_rcpt;
	outbound_trace *trace;
	void *trace_arg;
};

/* Connects. No callback before this returns. */
struct client *client_open(const struct client_settings *settings,
			   client_callback *call, void *arg);
/* From now on somebody else is called. */
void client_adopt(struct client *client, client_callback *call, void *arg);
/* When IDLE; job and delivery are borrowed until the next IDLE or OVER. */
void client_deliver(struct client *client, const struct job *job,
		    struct delivery *delivery);
/* When IDLE: says goodbye, and frees. */
void client_quit(struct client *client);
/* Breaks off, and frees. */
void client_free(struct client *client);

const struct candidate *client_candidate(const struct client *client);
const struct demand *client_demand(const struct client *client);
const struct conf *client_conf(const struct client *client);
const char *client_domain(const struct client *client);
/* "name[address]:port" */
const char *client_host(const struct client *client);
/* NULL: not judged. */
const struct judgement *client_judgement(const struct client *client);
/* Of a dry run; NULL: there is none, or nothing was judged. */
const struct judgement *client_would(const struct client *client);
unsigned client_messages(const struct client *client);
/* When it was opened and when it last got on, by the loop's clock. */
double client_opened(const struct client *client);
double client_progress(const struct client *client);

/* Once OVER. A connection that never stood is OUTBOUND_HOST. */
enum outbound_end client_end(const struct client *client);
const struct result *client_trouble(const struct client *client);
/* When that is OUTBOUND_PLAINTEXT: for the client in plaintext. */
const struct outbound_excuse *client_excuse(const struct client *client);
/* The end of a message is sent and unanswered: better not break off. */
bool client_is_committed(const struct client *client);

/* "name[address]:port" of a candidate. */
void client_host_text(const struct candidate *candidate,
		      char out[RESULT_HOST_MAX]);

#endif
