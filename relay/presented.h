/*
 * What our own listeners present: the configured certificates, or the one
 * that the spool keeps.
 */
#ifndef RELAY_PRESENTED_H
#define RELAY_PRESENTED_H

#include "conf/conf.h"
#include "conf/files.h"
#include "relay/form_side.h"

/* True when the listener counts: it offers TLS, and is the one of that title,
 * or any where the title is NULL. */
bool presented_by(const struct listener *listener, const char *title);

/*
 * Fills the certificates of those listeners, each once, judged by the
 * system's roots at side->now.  What cannot be read is remarked: -1 then.
 */
int presented_find(const struct conf *conf, struct conf_files *files,
		   const char *title, struct side *side,
		   struct buffer *remarks);
void presented_clear(struct side *side);

#endif
