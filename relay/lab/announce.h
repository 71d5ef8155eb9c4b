/*
 * What a lab says to people once it is ready: where everything is, and the
 * lines that point a sender at it.
 */
#ifndef RELAY_LAB_ANNOUNCE_H
#define RELAY_LAB_ANNOUNCE_H

#include <stdio.h>

#include "relay/lab/gateway.h"

void announce(const struct lab_at_work *lab, FILE *out);
/* The list of all faults, as docs/lab.md has it. */
void announce_faults(FILE *out);

#endif
