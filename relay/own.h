/*
 * The addresses and the name under which others know this host, so that
 * mail is not sent round in a circle: those of the listeners (of all
 * interfaces where a listener is bound to any), and `own-addresses`.
 */
#ifndef RELAY_OWN_H
#define RELAY_OWN_H

#include "conf/conf.h"
#include "relay/route.h"

struct own {
	struct route_own route;
	char hostname[256];
	struct net_address *addresses;
};

void own_init(struct own *own, const struct conf *conf);
void own_clear(struct own *own);

#endif
