/*
 * How many sessions each client holds.  Pure counting.  A client is an
 * IPv4 address or the first 64 bits of an IPv6 address, since whoever has
 * one of those has all.
 */
#ifndef RELAY_CLIENTS_H
#define RELAY_CLIENTS_H

#include "conf/net.h"

struct clients;

struct clients *clients_new(void);
void clients_free(struct clients *clients);

/* One more session of this client; false, and not counted, when it holds
 * `max` already. */
bool clients_enter(struct clients *clients, const struct net_address *client,
		   unsigned max);
/* One session less; only after it was let in. */
void clients_leave(struct clients *clients, const struct net_address *client);

#endif
