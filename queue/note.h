/*
 * A folder's note to whoever works there next: did the last one stop in
 * order, who was it, and which message was it reading?  What is being read
 * lies in shared memory, so that it survives the death of the process; that
 * somebody works here is synced, so that it survives a power cut.
 */
#ifndef QUEUE_NOTE_H
#define QUEUE_NOTE_H

#include <stdbool.h>
#include <sys/types.h>

#include "queue/envelope.h"

struct note;

struct note_found {
	bool is_there;
	bool is_clean; /* stopped in order, and the stores are as they were
	                * left, as far as that is looked at */
	pid_t pid;
	char reading[MESSAGE_ID_LEN + 1]; /* "": nothing */
};

/* Reads what was left, and notes that we work here from now on. */
struct note *note_open(const char *folder, struct note_found *found,
		       struct error *error);
/* From one thread only; NULL: nothing any more. A NULL note is fine. */
void note_reading(struct note *note, const char *id);
/* In order, with the stores closed; or not: then all is to be checked at
 * the next start. */
void note_close(struct note *note, bool is_clean);

#endif
