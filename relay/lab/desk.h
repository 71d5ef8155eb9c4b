/*
 * What a lab's section has besides its gateways: the store's folder, which
 * it alone uses, and the transcripts in it.
 */
#ifndef RELAY_LAB_DESK_H
#define RELAY_LAB_DESK_H

#include "conf/conf.h"

struct desk;
struct transcripts;

/* Makes the folder where it is missing, and locks it.  NULL with the
 * reason. */
struct desk *desk_open(const struct lab *section, struct error *error);
/* After the section's gateways. */
void desk_close(struct desk *desk);
struct transcripts *desk_transcripts(struct desk *desk);

#endif
