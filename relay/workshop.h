/*
 * A child that works on a folder of which no worker is in charge.
 */
#ifndef RELAY_WORKSHOP_H
#define RELAY_WORKSHOP_H

#include "relay/door.h"

/* Takes the locked folder; the door leads to the child, which ends when it
 * is closed. */
int workshop_open(const struct conf *conf, const struct folder *folder,
		  struct door *door, struct error *error);

#endif
