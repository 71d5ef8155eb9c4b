/*
 * What a running lab can be told over its control socket, `control` in the
 * store's folder (control.h has the form of the lines):
 *
 *   postern/1 set =GATEWAY =FAULTS     adds them, separated by commas
 *   postern/1 clear =GATEWAY [=FAULT]  takes it away, or all of them
 *   postern/1 status
 *
 * GATEWAY is a name, `dns` for what answers for the lab's names, or `all`
 * for every gateway (and to clear, for the DNS as well).  `set` and `clear`
 * end with `done N`: so many faults.  `status` says for each
 *   gateway =NAME =ADDRESS OPEN CONNECTIONS TLS MESSAGES REFUSALS FAULTS
 *   dns =TITLE                         of a lab's section
 * and behind each `fault =TEXT STRUCK` for what it has.
 */
#ifndef RELAY_LAB_ORDERS_H
#define RELAY_LAB_ORDERS_H

#include "relay/lab/gateway.h"

/* As control_settings wants them; `lab` is the struct lab_at_work. */
bool orders_obey(void *lab, const char *word, struct view rest,
		 struct buffer *out);
void orders_status(void *lab, struct buffer *out);

#endif
