/*
 * The key that signs the lab's zones: ECDSA P-256 with SHA-256 (RFC 6605),
 * as text in the form of BIND's private key files.
 */
#ifndef RELAY_LAB_ZONE_KEY_H
#define RELAY_LAB_ZONE_KEY_H

#include "conf/bytes.h"
#include "conf/error.h"

struct ldns_struct_key;
struct ldns_struct_rdf;

/* Appends a new private key; wipe the buffer after use. */
int zone_key_make(struct buffer *out, struct error *error);
/* The key for the zone of that name, flagged as its trust anchor.  NULL with
 * the reason. */
struct ldns_struct_key *zone_key_read(struct view text,
				      const struct ldns_struct_rdf *owner,
				      uint32_t ttl, struct error *error);

#endif
