/*
 * A message's envelope as a text file beside its body, to be carried to
 * another spool: `key: value` a line, values with control characters and
 * backslashes as \xNN.  Pure.  Times are UTC.
 */
#ifndef RELAY_QUEUE_FILE_H
#define RELAY_QUEUE_FILE_H

#include "queue/browse.h"
#include "queue/restore.h"

/* The fields of the whole message, from any of its jobs. */
void queue_file_begin(struct buffer *out, const struct browse_job *job);
/* One job: recipients still open, attempts. */
void queue_file_job(struct buffer *out, const struct browse_job *job);

/* What a file says; to be cleared. -1 with the line and what is wrong. */
int queue_file_read(struct view text, struct restored *out,
		    struct error *error);

#endif
