/*
 * The lab's zones: what its DNS says of its domains and gateways, signed by
 * a key of its own (ECDSA P-256).  A domain
 * that lies in another one is served in that one's zone.  Gateways come in
 * with what is to be false about them; out come records with RRSIG and NSEC
 * as RFC 4034 has them.  Wire format and signing are ldns's.
 */
#ifndef RELAY_LAB_ZONE_H
#define RELAY_LAB_ZONE_H

#include "conf/net.h"

struct ldns_struct_dnssec_zone;
struct ldns_struct_rdf;
struct zones;

enum { ZONE_KEY_LEN = 32 };

/* What a zone says wrongly of a gateway. */
enum zone_lie {
	ZONE_NXDOMAIN = 1 << 0,      /* its name does not exist */
	ZONE_NULL_MX = 1 << 1,       /* its MX record is `0 .` */
	ZONE_MX_TO_CNAME = 1 << 2,   /* its name is an alias */
	ZONE_TLSA_MISMATCH = 1 << 3, /* TLSA of another key */
	ZONE_STS_BROKEN = 1 << 4,    /* the domains announce an MTA-STS policy
				      * that nobody serves */
};

struct zone_gateway {
	const char *name; /* canonical */
	unsigned preference;
	const struct net_address *addresses; /* with their ports */
	size_t address_count;
	bool has_key;
	unsigned char key[ZONE_KEY_LEN]; /* SHA-256 of the certificate's SPKI */
	unsigned lies;                   /* of enum zone_lie */
};

/* Borrowed for the call. */
struct zone_contents {
	char *const *domains; /* canonical */
	size_t domain_count;
	const struct zone_gateway *gateways;
	size_t gateway_count;
	struct net_address nameserver;
	const char *absent; /* a name that is left out with all below it,
			     * unless it is a zone's; NULL: none */
};

/* All zones are signed by one key: `key` as zones_key() gave it once, or when
 * that is empty a new one.  Nothing is served before zones_build(). */
struct zones *zones_new(const struct zone_contents *contents, struct view key,
			struct error *error);
void zones_free(struct zones *zones);

/* Signs everything anew, for ZONE_LIFE seconds from `now` (UNIX time).  The
 * names must be those of zones_new().  On failure the old records stay. */
enum { ZONE_LIFE = 14 * 86400 };
int zones_build(struct zones *zones, const struct zone_contents *contents,
		int64_t now, struct error *error);

size_t zones_count(const struct zones *zones);
/* The name of the zone, canonical. */
const char *zones_name(const struct zones *zones, size_t i);
/* The private key, in the form of BIND's files; wipe it after use. */
void zones_key(const struct zones *zones, struct buffer *out);
/* Its trust anchor: a DNSKEY record in zone-file form, with its newline. */
void zones_anchor(const struct zones *zones, size_t i, struct buffer *out);

/* The zone that the name lies in, with its apex; NULL: none of ours. */
const struct ldns_struct_dnssec_zone *
zones_find(const struct zones *zones, const struct ldns_struct_rdf *name,
	   const struct ldns_struct_rdf **apex);

#endif
