/*
 * Building and signing.  See zone.h.  The zones are small, so that all of
 * one is made anew when anything about it changes: some milliseconds.
 */
#include "relay/lab/zone.h"

#include "relay/lab/zone_key.h"

#include <ldns/ldns.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TTL = 1,          /* faults are switched while resolvers watch */
	TTL_KEY = 60,
	SMTP_PORT = 25,
	RECORD_MAX = 1200, /* two names and the rest, as text */
	INCEPTION = 3600, /* s before now: clocks differ */
};

struct served {
	char *name; /* of the apex */
	ldns_rdf *apex;
	ldns_key_list *keys; /* one */
	ldns_dnssec_zone *records;
};

struct zones {
	struct served *at;
	size_t count;
	uint32_t serial;
	struct buffer key; /* private, as text */
};

/* --- which zones ------------------------------------------------------ */

static bool is_within(const char *name, const char *domain)
{
	size_t len = strlen(name), tail = strlen(domain);

	return len >= tail && strcmp(name + len - tail, domain) == 0 &&
	       (len == tail || name[len - tail - 1] == '.');
}

static struct served *find_served(const struct zones *zones, const char *name)
{
	for (size_t i = 0; i < zones->count; i++)
		if (is_within(name, zones->at[i].name))
			return &zones->at[i];
	return NULL;
}

static ldns_rdf *to_name(const char *text)
{
	ldns_rdf *name = NULL;

	return ldns_str2rdf_dname(&name, text) == LDNS_STATUS_OK ? name : NULL;
}

static int add_zone(struct zones *zones, const char *name, struct error *error)
{
	struct served *served;
	ldns_key *key;

	zones->at = must_realloc(zones->at,
				 (zones->count + 1) * sizeof(*zones->at));
	served = &zones->at[zones->count++];
	memset(served, 0, sizeof(*served));
	served->name = must_strdup(name);
	served->apex = to_name(name);
	if (!served->apex)
		return error_set(error, "\"%s\" is no name for a zone", name);
	key = zone_key_read(buffer_view(&zones->key), served->apex, TTL_KEY,
			    error);
	if (!key)
		return -1;
	served->keys = ldns_key_list_new();
	ldns_key_list_push_key(served->keys, key);
	return 0;
}

static bool is_topmost(const char *name, const struct zone_contents *contents)
{
	for (size_t i = 0; i < contents->domain_count; i++)
		if (strcmp(contents->domains[i], name) != 0 &&
		    is_within(name, contents->domains[i]))
			return false;
	return true;
}

static int add_zones(struct zones *zones, const struct zone_contents *contents,
		     struct error *error)
{
	for (size_t i = 0; i < contents->domain_count; i++)
		if (is_topmost(contents->domains[i], contents) &&
		    !find_served(zones, contents->domains[i]) &&
		    add_zone(zones, contents->domains[i], error))
			return -1;
	/* Of a gateway whose name lies elsewhere, what lies above it. */
	for (size_t i = 0; i < contents->gateway_count; i++) {
		const char *name = contents->gateways[i].name;
		const char *dot = strchr(name, '.');

		if (!find_served(zones, name) &&
		    add_zone(zones, dot ? dot + 1 : name, error))
			return -1;
	}
	return 0;
}

struct zones *zones_new(const struct zone_contents *contents, struct view key,
			struct error *error)
{
	struct zones *zones = must_alloc(sizeof(*zones));
	int status = 0;

	buffer_append(&zones->key, key);
	if (!key.len)
		status = zone_key_make(&zones->key, error);
	if (status || add_zones(zones, contents, error)) {
		zones_free(zones);
		return NULL;
	}
	return zones;
}

static void free_records(ldns_dnssec_zone *records)
{
	if (records)
		ldns_dnssec_zone_deep_free(records);
}

void zones_free(struct zones *zones)
{
	if (!zones)
		return;
	for (size_t i = 0; i < zones->count; i++) {
		free_records(zones->at[i].records);
		if (zones->at[i].keys)
			ldns_key_list_free(zones->at[i].keys);
		ldns_rdf_deep_free(zones->at[i].apex);
		free(zones->at[i].name);
	}
	free(zones->at);
	buffer_wipe(&zones->key);
	free(zones);
}

/* --- records ---------------------------------------------------------- */

/* What is under construction; after a failure nothing is added. */
struct making {
	const struct zones *zones;
	const struct zone_contents *contents;
	struct served *fresh; /* as zones->at, with new records */
	struct error *error;
	bool is_broken;
};

/* Of a name that two gateways share the same may be said twice, and the
 * library would neither take nor free the second. */
static bool has_record(const ldns_dnssec_zone *records, const ldns_rr *rr)
{
	const ldns_dnssec_rrsets *set = NULL;

	if (records->names)
		set = ldns_dnssec_zone_find_rrset(records, ldns_rr_owner(rr),
						  ldns_rr_get_type(rr));
	for (const ldns_dnssec_rrs *at = set ? set->rrs : NULL; at;
	     at = at->next)
		if (ldns_rr_compare(at->rr, rr) == 0)
			return true;
	return false;
}

static void add_to(struct making *making, const char *owner, ldns_rr *rr)
{
	const struct served *served = find_served(making->zones, owner);
	ldns_dnssec_zone *records =
		making->fresh[served - making->zones->at].records;
	ldns_status status;

	if (has_record(records, rr)) {
		ldns_rr_free(rr);
		return;
	}
	status = ldns_dnssec_zone_add_rr(records, rr);
	if (status != LDNS_STATUS_OK) {
		ldns_rr_free(rr);
		making->is_broken = true;
		error_set(making->error, "%s: %s", owner,
			  ldns_get_errorstr_by_id(status));
	}
}

static bool is_absent(const struct making *making, const char *owner)
{
	const char *absent = making->contents->absent;

	return absent && is_within(owner, absent) &&
	       strcmp(find_served(making->zones, owner)->name, absent) != 0;
}

/* One record in zone-file form, without owner and TTL. */
__attribute__((format(printf, 3, 4)))
static void add(struct making *making, const char *owner, const char *format,
		...)
{
	char text[RECORD_MAX];
	ldns_rr *rr = NULL;
	va_list args;
	int len = snprintf(text, sizeof(text), "%s. %d IN ", owner, TTL);

	if (making->is_broken || is_absent(making, owner))
		return;
	va_start(args, format);
	len += vsnprintf(text + len, sizeof(text) - (size_t)len, format, args);
	va_end(args);
	if ((size_t)len >= sizeof(text) ||
	    ldns_rr_new_frm_str(&rr, text, TTL, NULL, NULL) != LDNS_STATUS_OK) {
		making->is_broken = true;
		error_set(making->error, "no DNS record can be made of `%s`",
			  text);
		return;
	}
	add_to(making, owner, rr);
}

static void add_address(struct making *making, const char *owner,
			const struct net_address *address)
{
	char text[NET_TEXT_MAX];

	net_text(address, text);
	add(making, owner, "%s %s", strchr(text, ':') ? "AAAA" : "A", text);
}

static void add_apex(struct making *making, const struct served *served)
{
	char ns[RECORD_MAX / 2];
	ldns_rr *key;

	snprintf(ns, sizeof(ns), "ns.%s", served->name);
	add(making, served->name, "SOA %s. hostmaster.%s. %u 3600 600 86400 1",
	    ns, served->name, (unsigned)making->zones->serial);
	add(making, served->name, "NS %s.", ns);
	add_address(making, ns, &making->contents->nameserver);
	key = ldns_key2rr(ldns_key_list_key(served->keys, 0));
	ldns_rr_set_ttl(key, TTL_KEY);
	if (making->is_broken)
		ldns_rr_free(key);
	else
		add_to(making, served->name, key);
}

static bool lies_anywhere(const struct zone_contents *contents,
			  enum zone_lie lie)
{
	for (size_t i = 0; i < contents->gateway_count; i++)
		if (contents->gateways[i].lies & lie)
			return true;
	return false;
}

/* RFC 8461 3.1: the record promises a policy, and where it should be served
 * only SMTP is spoken. */
static void add_sts(struct making *making, const char *domain)
{
	char owner[RECORD_MAX / 2];

	snprintf(owner, sizeof(owner), "_mta-sts.%s", domain);
	add(making, owner, "TXT \"v=STSv1; id=%u;\"",
	    (unsigned)making->zones->serial);
	snprintf(owner, sizeof(owner), "mta-sts.%s", domain);
	add_address(making, owner, &making->contents->nameserver);
}

static void add_domain(struct making *making, const char *domain)
{
	const struct zone_contents *contents = making->contents;
	bool has_null = false;

	for (size_t i = 0; i < contents->gateway_count; i++) {
		const struct zone_gateway *gateway = &contents->gateways[i];

		if (!(gateway->lies & ZONE_NULL_MX))
			add(making, domain, "MX %u %s.", gateway->preference,
			    gateway->name);
		else if (!has_null)
			add(making, domain, "MX 0 .");
		has_null = has_null || gateway->lies & ZONE_NULL_MX;
	}
	if (lies_anywhere(contents, ZONE_STS_BROKEN))
		add_sts(making, domain);
}

/* DANE-EE(3) SPKI(1) SHA2-256(1) of RFC 7672 3.1.1 */
static void add_tlsa(struct making *making, const char *host, unsigned port,
		     const struct zone_gateway *gateway)
{
	char owner[RECORD_MAX / 2], hex[2 * ZONE_KEY_LEN + 1];
	unsigned lie = gateway->lies & ZONE_TLSA_MISMATCH ? 0xff : 0;

	for (size_t i = 0; i < ZONE_KEY_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", gateway->key[i] ^ lie);
	snprintf(owner, sizeof(owner), "_%u._tcp.%s", port, host);
	add(making, owner, "TLSA 3 1 1 %s", hex);
}

static void add_host(struct making *making, const char *host,
		     const struct zone_gateway *gateway)
{
	for (size_t i = 0; i < gateway->address_count; i++) {
		const struct net_address *address = &gateway->addresses[i];
		unsigned port = net_port(address);
		bool is_new = port != 0 && port != SMTP_PORT;

		add_address(making, host, address);
		for (size_t k = 0; k < i; k++)
			is_new = is_new &&
				 net_port(&gateway->addresses[k]) != port;
		if (gateway->has_key && is_new)
			add_tlsa(making, host, port, gateway);
	}
	if (gateway->has_key)
		add_tlsa(making, host, SMTP_PORT, gateway);
}

static bool is_domain(const struct making *making, const char *name)
{
	const struct zone_contents *contents = making->contents;

	for (size_t i = 0; i < contents->domain_count; i++)
		if (strcmp(contents->domains[i], name) == 0)
			return true;
	return strcmp(find_served(making->zones, name)->name, name) == 0;
}

static void add_gateway(struct making *making,
			const struct zone_gateway *gateway)
{
	char real[RECORD_MAX / 2];

	if (gateway->lies & ZONE_NXDOMAIN)
		return;
	/* A domain has other records and can be no alias. */
	if (!(gateway->lies & ZONE_MX_TO_CNAME) ||
	    is_domain(making, gateway->name)) {
		add_host(making, gateway->name, gateway);
		return;
	}
	snprintf(real, sizeof(real), "alias-target.%s", gateway->name);
	add(making, gateway->name, "CNAME %s.", real);
	add_host(making, real, gateway);
}

static int make_records(struct making *making)
{
	const struct zone_contents *contents = making->contents;

	for (size_t i = 0; i < making->zones->count; i++)
		add_apex(making, &making->zones->at[i]);
	for (size_t i = 0; i < contents->domain_count; i++)
		add_domain(making, contents->domains[i]);
	for (size_t i = 0; i < contents->gateway_count; i++)
		add_gateway(making, &contents->gateways[i]);
	return making->is_broken ? -1 : 0;
}

/* --- signatures ------------------------------------------------------- */

static int sign(const struct served *served, ldns_dnssec_zone *records,
		int64_t now, struct error *error)
{
	ldns_key *key = ldns_key_list_key(served->keys, 0);
	ldns_rr_list *made = ldns_rr_list_new();
	ldns_status status;

	ldns_key_set_inception(key, (uint32_t)(now - INCEPTION));
	ldns_key_set_expiration(key, (uint32_t)(now + ZONE_LIFE));
	status = ldns_dnssec_zone_sign(records, made, served->keys,
				       ldns_dnssec_default_replace_signatures,
				       NULL);
	ldns_rr_list_free(made);
	if (status != LDNS_STATUS_OK)
		return error_set(error, "zone \"%s\": %s", served->name,
				 ldns_get_errorstr_by_id(status));
	return 0;
}

int zones_build(struct zones *zones, const struct zone_contents *contents,
		int64_t now, struct error *error)
{
	struct making making = {
		.zones = zones,
		.contents = contents,
		.fresh = must_alloc(zones->count * sizeof(*making.fresh)),
		.error = error,
	};
	int status;

	/* RFC 1982: it only ever rises. */
	zones->serial = zones->serial ? zones->serial + 1 : (uint32_t)now;
	for (size_t i = 0; i < zones->count; i++)
		making.fresh[i].records = ldns_dnssec_zone_new();
	status = make_records(&making);
	for (size_t i = 0; status == 0 && i < zones->count; i++)
		status = sign(&zones->at[i], making.fresh[i].records, now,
			      error);
	for (size_t i = 0; i < zones->count; i++) {
		if (status == 0) {
			free_records(zones->at[i].records);
			zones->at[i].records = making.fresh[i].records;
		} else {
			free_records(making.fresh[i].records);
		}
	}
	free(making.fresh);
	return status;
}

/* --- what is asked of them -------------------------------------------- */

size_t zones_count(const struct zones *zones)
{
	return zones->count;
}

const char *zones_name(const struct zones *zones, size_t i)
{
	return zones->at[i].name;
}

void zones_key(const struct zones *zones, struct buffer *out)
{
	buffer_append(out, buffer_view(&zones->key));
}

void zones_anchor(const struct zones *zones, size_t i, struct buffer *out)
{
	ldns_rr *key = ldns_key2rr(ldns_key_list_key(zones->at[i].keys, 0));
	char *text;

	ldns_rr_set_ttl(key, TTL_KEY);
	text = ldns_rr2str(key);
	buffer_append(out, view_of(text));
	free(text);
	ldns_rr_free(key);
}

const ldns_dnssec_zone *zones_find(const struct zones *zones,
				   const ldns_rdf *name, const ldns_rdf **apex)
{
	for (size_t i = 0; i < zones->count; i++) {
		const struct served *served = &zones->at[i];

		if (ldns_dname_compare(name, served->apex) != 0 &&
		    !ldns_dname_is_subdomain(name, served->apex))
			continue;
		*apex = served->apex;
		return served->records;
	}
	return NULL;
}
