/*
 * Whom a command is about: an address as people type it, or a domain,
 * which stands for its postmaster.  Pure.
 */
#ifndef RELAY_TARGET_H
#define RELAY_TARGET_H

#include "conf/addr.h"

/* -1 with the reason. */
int target_parse(const char *text, struct address *out, struct error *error);

#endif
