/*
 * What the checking child does to a folder's stores.  See checkup.h.
 */
#ifndef QUEUE_REPAIR_H
#define QUEUE_REPAIR_H

#include <stdint.h>

/* What it says, as the first character of a line. */
enum repair_word {
	REPAIR_FRESH = 'F',   /* fresh is sound, or set aside */
	REPAIR_HELD = 'H',    /* so is held */
	REPAIR_SAVED = 'S',   /* all that was set aside is saved */
	REPAIR_OVER = 'O',    /* there is no more to be done now */
	REPAIR_WARNING = 'W', /* what was found */
	REPAIR_NOTICE = 'N',
};

/* Checks fresh, then held, then saves what was set aside. */
void repair_folder(const char *folder, uint64_t map, int out);
#endif
