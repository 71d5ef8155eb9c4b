/*
 * The spool folder itself: made, checked and locked before anybody uses
 * it.  What is inside belongs to queue/.
 */
#ifndef RELAY_SPOOL_H
#define RELAY_SPOOL_H

#include "conf/conf.h"
#include "relay/privs.h"

/*
 * Makes the folder when its parent is there, for the owner that the
 * workers run as, and refuses one that others could write to or that
 * belongs to somebody else.
 */
int spool_prepare(const struct conf *conf, const struct privs *privs,
		  struct error *error);
/* A descriptor that holds the lock until it is closed, or -1: another
 * instance has it. */
int spool_lock(const struct conf *conf, struct error *error);

/* The file in the spool that keeps the self-signed certificate and its
 * key; to be freed. */
char *spool_certificate_path(const char *spool);
/* True when a listener offers TLS and no certificate is configured. */
bool spool_needs_certificate(const struct conf *conf);
/* Makes that file when it is not there yet. */
int spool_make_certificate(const struct conf *conf, const struct privs *privs,
			   struct error *error);

#endif
