/*
 * One gateway at work: the relay's own server under another name, with
 * faults that can change while it runs.  Whatever the lab keeps for each
 * gateway hangs here; the lab owns them all.
 */
#ifndef RELAY_LAB_GATEWAY_H
#define RELAY_LAB_GATEWAY_H

#include "conf/conf.h"
#include "relay/lab/faults.h"

struct desk;
struct ev_loop;
struct guises;
struct journal;
struct journal_gateway;
struct lab_at_work;
struct maildir;
struct recall;
struct mint;
struct server;
struct services;
struct tls_context;

struct gateway_at_work {
	struct lab_at_work *lab;
	const struct lab *section;            /* which it belongs to */
	const struct lab_gateway *as_written; /* its own section */
	struct conf conf;            /* the snapshot under its name */
	struct net_address address;  /* where it listens; the port that the
				      * kernel chose */
	struct faults *faults;
	struct desk *desk;           /* of its section */
	struct mint *mint;           /* likewise */
	struct journal_gateway *counts;
	struct recall *recall;
	struct maildir *store;
	struct server *server;
	struct guises *guises;       /* its certificates */
	struct tls_context *tls;     /* without a fault; NULL: no TLS */
};

struct lab_at_work {
	struct ev_loop *loop;
	const struct conf *conf;
	struct gateway_at_work *gateways; /* of all its sections */
	size_t count;
	struct desk **desks;              /* one a section */
	struct services **services;       /* likewise */
	struct mint **mints;              /* likewise */
	struct journal *journal;
};

/* Opens its store, certificate and listeners. -1 with the reason; it is to
 * be closed all the same. */
int gateway_open(struct gateway_at_work *g, struct error *error);
/* At once; what connections still have to send needs the loop for a
 * moment. */
void gateway_close(struct gateway_at_work *g);
/* When the loop has nothing of it any more. */
void gateway_clear(struct gateway_at_work *g);
/* By its name; NULL: there is none. */
struct gateway_at_work *gateway_find(const struct lab_at_work *lab,
				     struct view name);

#endif
