/*
 * Read once for each configuration.  On loopback many servers share one
 * address, as labs do; there the port has to be ours as well.
 */
#include "relay/own.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/addr.h"

static bool is_loopback(const struct net_address *address)
{
	if (address->sa.any.sa_family == AF_INET)
		return ntohl(address->sa.v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&address->sa.v6.sin6_addr);
}

static bool is_any(const struct net_address *address)
{
	if (address->sa.any.sa_family == AF_INET)
		return address->sa.v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&address->sa.v6.sin6_addr);
}

static void add(struct own *own, struct net_address address)
{
	own->addresses = must_realloc(own->addresses,
				      (own->route.count + 1) *
					      sizeof(*own->addresses));
	own->addresses[own->route.count++] = address;
}

static void add_listened(struct own *own, struct net_address address,
			 uint16_t port)
{
	if (is_loopback(&address) && port == 0)
		return;
	net_set_port(&address, is_loopback(&address) ? port : 0);
	add(own, address);
}

/* Where the interfaces cannot be listed the listeners' own addresses and
 * `own-addresses` have to do. */
static void add_interfaces(struct own *own, int family, uint16_t port)
{
	struct ifaddrs *list, *at;
	struct net_address address;

	if (getifaddrs(&list) != 0)
		return;
	for (at = list; at != NULL; at = at->ifa_next) {
		if (at->ifa_addr == NULL || at->ifa_addr->sa_family != family)
			continue;
		memset(&address, 0, sizeof(address));
		memcpy(&address, at->ifa_addr,
		       family == AF_INET ? sizeof(address.sa.v4)
					 : sizeof(address.sa.v6));
		add_listened(own, address, port);
	}
	freeifaddrs(list);
}

void own_init(struct own *own, const struct conf *conf)
{
	const struct net_address *address;
	struct error ignored;
	size_t i, j;

	memset(own, 0, sizeof(*own));
	if (domain_canonical(view_of(conf->hostname), own->hostname,
			     &ignored) != 0)
		own->hostname[0] = '\0';
	for (i = 0; i < conf->listener_count; i++)
		for (j = 0; j < conf->listeners[i].address_count; j++) {
			address = &conf->listeners[i].addresses[j];
			if (is_any(address))
				add_interfaces(own, address->sa.any.sa_family,
					       net_port(address));
			else
				add_listened(own, *address, net_port(address));
		}
	for (i = 0; i < conf->own_address_count; i++)
		add(own, conf->own_addresses[i]);
	own->route.hostname = own->hostname;
	own->route.addresses = own->addresses;
}

void own_clear(struct own *own)
{
	free(own->addresses);
	memset(own, 0, sizeof(*own));
}
