/*
 * The table of a lab's sessions, and the life of a visit.
 */
#include "relay/lab/visit.h"

#include <stdlib.h>

static void *enter(void *owner, struct session *session,
		   const struct net_address *client)
{
	struct visit *v = must_alloc(sizeof(*v));

	v->gateway = owner;
	v->session = session;
	v->client = *client;
	v->gateway->counts.sessions++;
	return v;
}

static void leave(void *visit)
{
	struct visit *v = visit;

	free(v->from);
	free(v->to);
	free(v);
}

static void secured(void *visit, const struct tls_facts *facts,
		    const char *trouble)
{
	struct visit *v = visit;

	(void)facts;
	if (!trouble)
		v->gateway->counts.in_tls++;
}

const struct mischief_verbs visit_verbs = {
	.enter = enter,
	.leave = leave,
	.context = visit_context,
	.secured = secured,
};
