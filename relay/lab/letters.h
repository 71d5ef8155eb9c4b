/*
 * What lies in the lab's store, for whoever lists, shows or waits: each
 * message with its label and header.  Only reads, so it works whether the
 * lab runs or not, and beside a mail program that moves the files.
 */
#ifndef RELAY_LAB_LETTERS_H
#define RELAY_LAB_LETTERS_H

#include "conf/error.h"
#include "queue/envelope.h"
#include "relay/lab/label.h"

enum { LETTER_HEAD_MAX = 1024 * 1024 }; /* of a file that is read */

struct letter {
	char *path;
	char *name;     /* of the file, without a mail program's flags */
	char id[MESSAGE_ID_LEN + 1];
	uint64_t size;  /* of the file */
	struct buffer head; /* the label, then the message's header */
	size_t label_len;
	bool is_old;    /* for who waits: it was there before */
};

/* Zeroed it is empty.  The oldest first. */
struct letters {
	struct letter *at;
	size_t count;
};

/* What a letter must be; NULL: no matter.  Patterns as fault_matches() has
 * them, addresses with or without brackets, "<>" the null sender; a subject without a star is looked for anywhere in it. */
struct letter_filter {
	const char *to, *from, *subject;
};

/* Adds what was not yet there.  -1 with the reason. */
int letters_refresh(struct letters *letters, const char *store,
		    struct error *error);
void letters_clear(struct letters *letters);
/* NULL: there is none. */
const struct letter *letters_find(const struct letters *letters,
				  const char *id);

/* The first value on the label; empty when there is none.  Borrowed. */
struct view letter_field(const struct letter *letter, const char *name);
/* Of the message's header: unfolded, as it came; empty when there is none.
 * To be cleared. */
void letter_header(const struct letter *letter, const char *name,
		   struct buffer *out);
bool letter_fits(const struct letter *letter,
		 const struct letter_filter *filter);

#endif
