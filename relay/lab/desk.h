/*
 * What a lab's section has besides its gateways: the store's folder, which
 * it alone uses, the transcripts in it, and the control socket.
 */
#ifndef RELAY_LAB_DESK_H
#define RELAY_LAB_DESK_H

#include "conf/conf.h"

struct desk;
struct lab_at_work;
struct transcripts;

/* Makes the folder where it is missing, and locks it.  NULL with the
 * reason. */
struct desk *desk_open(const struct lab *section, struct error *error);
/* From now on it takes orders (orders.h), once the gateways are there. -1
 * with the reason. */
int desk_answer(struct desk *desk, struct lab_at_work *lab,
		struct error *error);
/* Before the gateways go. */
void desk_fall_silent(struct desk *desk);
/* After the section's gateways. */
void desk_close(struct desk *desk);
struct transcripts *desk_transcripts(struct desk *desk);

#endif
