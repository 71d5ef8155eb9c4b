/*
 * One mail transaction, from MAIL to the answer that ends it: the envelope
 * as it grows, and what is found out about the body while it passes.
 * Pure.  Made at MAIL and freed at its end, so that nothing of one message
 * can stick to the next, and an idle session does without it.
 */
#ifndef RELAY_SMTP_TRANSACTION_H
#define RELAY_SMTP_TRANSACTION_H

#include "queue/envelope.h"
#include "relay/smtp/command.h"
#include "relay/smtp/data.h"
#include "relay/smtp/header.h"

struct transaction {
	struct envelope *envelope; /* NULL once it was handed on */
	uint32_t *hashes;          /* of the recipients, to find doubles */
	size_t hash_room;
	unsigned refused;          /* recipients that were not taken */
	bool is_utf8;              /* SMTPUTF8 was said */
	bool utf8_address;         /* and some address needs it */
	bool is_begun;             /* the store holds a message open */
	struct data data;
	struct header header;
	uint64_t size;             /* of the body, as the client sent it */
	uint64_t max_size;         /* 0: any */
	uint32_t max_hops;
	const struct answer *fault; /* why the body cannot be taken */
	struct buffer trace;       /* our header lines until they are out */
};

/* What bounds a transaction, from the configuration. */
struct transaction_limits {
	uint64_t max_size;
	uint32_t max_line;
	uint32_t max_hops;
	bool normalises_newlines;
};

struct transaction *transaction_new(const struct mail_command *mail,
				    const struct transaction_limits *limits);
void transaction_free(struct transaction *t);

/* A recipient that was admitted; the same one twice counts once. */
void transaction_add(struct transaction *t, const struct rcpt_command *rcpt);

/* A fault that is found from outside (the store is full); the first one
 * counts. */
void transaction_fail(struct transaction *t, const struct answer *fault);
/* Looks at a piece of the body and fails it where it breaks a limit. */
void transaction_scan(struct transaction *t, struct view piece);
/* Writes into the envelope what the body turned out to be. */
void transaction_complete(struct transaction *t);

#endif
