/*
 * What a lab's section offers beside its gateways: the name server that
 * leads to them, and the page that shows them.
 */
#ifndef RELAY_LAB_SERVICES_H
#define RELAY_LAB_SERVICES_H

#include "relay/lab/gateway.h"

struct services;

#define SERVICES_ANCHOR "dns-anchor.key" /* in the lab's folder */

/* When the section's gateways are open: their ports are known then.  Writes
 * the trust anchor's file.  Both are left out where the section has none.
 * NULL with the reason. */
struct services *services_open(struct lab_at_work *lab,
			       const struct lab *section, struct error *error);
/* Before the gateways. */
void services_close(struct services *services);
/* Where they listen; NULL: there is none. */
const struct net_address *services_dns(const struct services *services);
const struct net_address *services_page(const struct services *services);
/* Of its DNS, NULL where it has none; borrowed. */
struct faults *services_faults(struct services *services);
/* A gateway's certificate is another one now. */
void services_certificates_changed(struct services *services);

#endif
