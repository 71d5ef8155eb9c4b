/*
 * One client's session with a gateway, as the lab sees it: which faults it
 * meets.  The table for relay/mischief.h, whose verbs are in visit_tls.c
 * (certificates and TLS) and, for SMTP, beside it.
 */
#ifndef RELAY_LAB_VISIT_H
#define RELAY_LAB_VISIT_H

#include "relay/lab/gateway.h"
#include "relay/mischief.h"

struct visit {
	struct gateway_at_work *gateway;
	struct session *session;
	struct net_address client;
	/* What is known of the transaction at hand: for fault_moment. */
	char *from, *to; /* NULL: nothing yet */
};

/* For server_settings; its owner is the struct gateway_at_work. */
extern const struct mischief_verbs visit_verbs;

/* visit_tls.c */
struct tls_context *visit_context(void *visit, struct tls_context *usual);

#endif
