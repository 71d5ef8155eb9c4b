/*
 * The lab's name server: authoritative for its domains, over UDP and TCP on
 * one address, with a fault wherever a gateway has one.  Clients, questions
 * and time are bounded; what is not a question gets no more than FORMERR.
 */
#ifndef RELAY_LAB_NAMESERVER_H
#define RELAY_LAB_NAMESERVER_H

#include "relay/lab/faults.h"
#include "relay/lab/zone.h"

struct ev_loop;
struct nameserver;

struct nameserver_settings {
	struct ev_loop *loop;
	/* Its strings must last as long as the server; its nameserver is
	 * where to listen, port 0 for one that the kernel chooses. */
	struct zone_contents contents;
	/* Its own faults, which are about every name that it answers for;
	 * those of the gateways, in the order of contents, are about their
	 * host names and MX records. */
	struct faults *faults;
	struct faults *const *gateway_faults;
	/* Private keys as zones_key() gives them; empty: make one. */
	struct view keys;
	/* SHA-256 of the SPKI of the gateway's certificate; false: no TLSA */
	bool (*key)(void *arg, size_t gateway, unsigned char out[ZONE_KEY_LEN]);
	void *arg;
};

struct nameserver *nameserver_new(const struct nameserver_settings *settings,
				  struct error *error);
void nameserver_free(struct nameserver *nameserver);

/* With the port that the kernel chose. */
const struct net_address *
nameserver_address(const struct nameserver *nameserver);
/* Names, keys and trust anchors are its zones'. */
const struct zones *nameserver_zones(const struct nameserver *nameserver);
/* A gateway's certificate was changed: what is asked next is told so. */
void nameserver_keys_changed(struct nameserver *nameserver);

#endif
