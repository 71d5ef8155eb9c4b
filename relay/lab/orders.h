/*
 * What a running lab can be told over its control socket, `control` in the
 * store's folder (control.h has the form of the lines):
 *
 *   postern/1 set =GATEWAY =FAULTS     adds them, separated by commas
 *   postern/1 clear =GATEWAY [=FAULT]  takes it away, or all of them
 *   postern/1 status
 *
 * GATEWAY is a name, or `all`.  `set` and `clear` end with `done N`: so many
 * faults.  `status` says first
 *   gateway =NAME =ADDRESS OPEN CONNECTIONS TLS MESSAGES REFUSALS FAULTS
 * and behind each `fault =TEXT STRUCK` for what it has.
 */
#ifndef RELAY_LAB_ORDERS_H
#define RELAY_LAB_ORDERS_H

#include "relay/lab/gateway.h"

/* As control_settings wants them; `lab` is the struct lab_at_work. */
bool orders_obey(void *lab, const char *word, struct view rest,
		 struct buffer *out);
void orders_status(void *lab, struct buffer *out);

/* The same for the page: how many faults, or -1 with the reason.  With -1
 * nothing has changed. */
int orders_set(struct lab_at_work *lab, const char *gateway,
	       struct view faults, struct error *error);
/* `fault` NULL: all that it has. */
int orders_clear(struct lab_at_work *lab, const char *gateway,
		 const char *fault, struct error *error);

#endif
