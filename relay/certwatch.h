/*
 * Keeps the book of partners' certificates (certbook.h) in a file of the
 * spool that all workers share: `spool/certificates`.  The loop only notes;
 * a thread that lives for a moment, at most once a minute unless there is
 * news, merges what was noted into the file and tells the log.  Whoever
 * holds the file's lock when a change is entered is the only one to tell
 * of it.
 */
#ifndef RELAY_CERTWATCH_H
#define RELAY_CERTWATCH_H

#include "relay/certbook.h"
#include "tls/policy.h"

struct ev_loop;
struct certwatch;

/* `spool` is copied. */
struct certwatch *certwatch_new(struct ev_loop *loop, const char *spool);
/* Writes what is noted. */
void certwatch_free(struct certwatch *watch);

/* A host was judged: by its demand, or by that of a dry run. Nothing is
 * noted unless certificates are judged. */
void certwatch_judged(struct certwatch *watch, const struct policy *policy,
		      const char *host, const struct tls_facts *facts,
		      const struct judgement *judgement);
/* A message went there that by the dry run would have failed. */
void certwatch_would_fail(struct certwatch *watch, const struct policy *policy,
			  const char *host, const char *reason_code);

/* The file as it is; 0, or -1 with the reason. No file: an empty book. */
int certwatch_load(const char *spool, struct certbook *book,
		   struct error *error);

#endif
