/*
 * See zone_key.h.
 */
#include "relay/lab/zone_key.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BITS = 256 };

int zone_key_make(struct buffer *out, struct error *error)
{
	ldns_key *key = ldns_key_new_frm_algorithm(LDNS_SIGN_ECDSAP256SHA256,
						   KEY_BITS);
	char *text = key ? ldns_key2str(key) : NULL;

	if (text) {
		buffer_append(out, view_of(text));
		bytes_wipe(text, strlen(text));
	}
	free(text);
	if (key)
		ldns_key_deep_free(key);
	return buffer_len(out) ? 0 : error_set(error, "no key for the DNS can "
					       "be made");
}

static ldns_key *parse(struct view text)
{
	FILE *file = fmemopen((void *)(uintptr_t)text.at, text.len, "r");
	ldns_key *key = NULL;

	if (!file)
		return NULL;
	if (ldns_key_new_frm_fp(&key, file) != LDNS_STATUS_OK)
		key = NULL;
	fclose(file);
	return key;
}

ldns_key *zone_key_read(struct view text, const ldns_rdf *owner, uint32_t ttl,
			struct error *error)
{
	ldns_key *key = parse(text);
	ldns_rr *public;

	if (!key || ldns_key_algorithm(key) != LDNS_SIGN_ECDSAP256SHA256) {
		if (key)
			ldns_key_deep_free(key);
		error_set(error, "the DNS's key cannot be read; remove its "
			  "file, and a new one is made");
		return NULL;
	}
	ldns_key_set_pubkey_owner(key, ldns_rdf_clone(owner));
	ldns_key_set_flags(key, LDNS_KEY_ZONE_KEY | LDNS_KEY_SEP_KEY);
	ldns_key_set_origttl(key, ttl);
	public = ldns_key2rr(key);
	ldns_key_set_keytag(key, ldns_calc_keytag(public));
	ldns_rr_free(public);
	return key;
}
