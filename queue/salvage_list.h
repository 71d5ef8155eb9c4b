/*
 * What a salvage saved and what it did not, as a file beside the damaged
 * one.  It has its name only when the salvage is over, so that its being
 * there says that there is no more to be done.
 */
#ifndef QUEUE_SALVAGE_LIST_H
#define QUEUE_SALVAGE_LIST_H

#include "conf/bytes.h"
#include "queue/salvage.h"

struct salvage_list;

#define SALVAGE_LIST "salvaged.txt"

/* "saved ID from <a@b>, 300 bytes, 1 recipient": a line, with its end. */
void salvage_line(struct buffer *out, const struct salvage_news *news);

/* Is there one in the folder? */
bool salvage_list_is_there(const char *folder);
/* NULL with the reason. */
struct salvage_list *salvage_list_new(const char *folder, struct error *error);
void salvage_list_add(struct salvage_list *list,
		      const struct salvage_news *news);
/* Synced and under its name, when the salvage went well; else it goes. */
int salvage_list_end(struct salvage_list *list, bool is_well);

#endif
