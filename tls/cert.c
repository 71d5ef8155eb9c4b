/*
 * Taking a certificate apart.  Strict where looseness could make two
 * readers see two different certificates (lengths, duplicates, the two
 * algorithm fields), indifferent to what nothing here depends on.
 */
#include "tls/cert.h"

#include "tls/der.h"
#include "tls/signature.h"
#include "tls/wolf.h"

#include <stdio.h>
#include <string.h>

#include <wolfssl/wolfcrypt/hash.h>

static const uint32_t path_len_max = 1000;

/* basicConstraints, 4.2.1.9 */
static int read_constraints(struct view rest, struct cert *out)
{
	struct der list, element;
	uint32_t number;
	int got;

	if (der_expect(&rest, DER_SEQUENCE, &list) < 0 || rest.len)
		return -1;
	out->has_constraints = true;
	got = der_optional(&list.content, DER_BOOLEAN, &element);
	if (got < 0 ||
	    (got && der_boolean(element.content, &out->is_ca) < 0))
		return -1;
	got = der_optional(&list.content, DER_INTEGER, &element);
	if (got < 0 || list.content.len)
		return -1;
	if (got) {
		if (der_number(element.content, path_len_max, &number) < 0)
			return -1;
		out->path_len = (int)number;
	}
	return 0;
}

/* keyUsage, 4.2.1.3 */
static int read_usage(struct view rest, struct cert *out)
{
	struct der bits;

	if (der_expect(&rest, DER_BITS, &bits) < 0 || rest.len ||
	    bits.content.len < 1 || bits.content.at[0] > 7)
		return -1;
	out->has_usage = true;
	out->usage = bits.content.len > 1 ? bits.content.at[1] : 0;
	return 0;
}

/* extKeyUsage, 4.2.1.12 */
static int read_purposes(struct view rest, struct cert *out)
{
	struct der list, oid;
	int got;

	if (der_expect(&rest, DER_SEQUENCE, &list) < 0 || rest.len)
		return -1;
	out->has_purposes = true;
	while ((got = der_next(&list.content, &oid)) > 0) {
		if (oid.tag != DER_OID)
			return -1;
		if (der_is(oid.content, "\x2b\x06\x01\x05\x05\x07\x03\x01"))
			out->is_for_servers = true;
		if (der_is(oid.content, "\x2b\x06\x01\x05\x05\x07\x03\x02"))
			out->is_for_clients = true;
		if (der_is(oid.content, "\x55\x1d\x25\x00")) /* any */
			out->is_for_servers = out->is_for_clients = true;
	}
	return got;
}

/* subjectAltName, 4.2.1.6 */
static int read_alt_names(struct view rest, struct cert *out)
{
	struct der list, name;
	struct view names;
	int got;

	if (der_expect(&rest, DER_SEQUENCE, &list) < 0 || rest.len)
		return -1;
	out->has_alt_names = true;
	out->alt_names = names = list.content;
	while ((got = der_next(&names, &name)) > 0)
		;
	return got;
}

/* nameConstraints, 4.2.1.10 */
static int read_name_constraints(struct view rest, struct cert *out)
{
	struct der list, subtrees;
	int got;

	if (der_expect(&rest, DER_SEQUENCE, &list) < 0 || rest.len)
		return -1;
	out->has_name_constraints = true;
	got = der_optional(&list.content, 0xa0, &subtrees);
	if (got < 0)
		return -1;
	if (got)
		out->permitted = subtrees.content;
	got = der_optional(&list.content, 0xa1, &subtrees);
	if (got < 0 || list.content.len)
		return -1;
	if (got)
		out->excluded = subtrees.content;
	return 0;
}

/* authorityKeyIdentifier, 4.2.1.1: only the identifier is of use */
static int read_authority_key(struct view rest, struct cert *out)
{
	struct der list, id;
	int got;

	if (der_expect(&rest, DER_SEQUENCE, &list) < 0 || rest.len)
		return -1;
	got = der_optional(&list.content, 0x80, &id);
	if (got > 0)
		out->authority_key = id.content;
	return got < 0 ? -1 : 0;
}

static int read_subject_key(struct view rest, struct cert *out)
{
	struct der id;

	if (der_expect(&rest, DER_OCTETS, &id) < 0 || rest.len)
		return -1;
	out->subject_key = id.content;
	return 0;
}

/* certificatePolicies and its kin (mappings, constraints, inhibit): no
 * policy is asked for here, so they are understood and have no bearing. */
static int read_nothing(struct view rest, struct cert *out)
{
	(void)rest;
	(void)out;
	return 0;
}

/* By the last byte of 2.5.29.x; each may come once. */
static const struct extension {
	unsigned char id;
	int (*read)(struct view value, struct cert *out);
} extensions[] = {
	{ 14, read_subject_key },
	{ 15, read_usage },
	{ 17, read_alt_names },
	{ 19, read_constraints },
	{ 30, read_name_constraints },
	{ 32, read_nothing },
	{ 33, read_nothing },
	{ 35, read_authority_key },
	{ 36, read_nothing },
	{ 37, read_purposes },
	{ 54, read_nothing },
};

static int read_extension(struct view rest, uint32_t *seen, struct cert *out)
{
	struct der oid, element, value;
	bool is_critical = false;
	size_t i;
	int got;

	if (der_expect(&rest, DER_OID, &oid) < 0)
		return -1;
	got = der_optional(&rest, DER_BOOLEAN, &element);
	if (got < 0 || (got && der_boolean(element.content, &is_critical) < 0))
		return -1;
	if (der_expect(&rest, DER_OCTETS, &value) < 0 || rest.len)
		return -1;
	for (i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		if (oid.content.len != 3 || oid.content.at[0] != 0x55 ||
		    oid.content.at[1] != 0x1d ||
		    oid.content.at[2] != extensions[i].id)
			continue;
		if (*seen & 1u << i)
			return -1;
		*seen |= 1u << i;
		return extensions[i].read(value.content, out);
	}
	/* Not looked into: what is only shown shall refuse no certificate. */
	if (der_is(oid.content, "\x2b\x06\x01\x05\x05\x07\x01\x01"))
		out->authority_info = value.content;
	if (is_critical)
		out->has_unknown_critical = true;
	return 0;
}

static int read_extensions(struct view rest, struct cert *out)
{
	struct der list, extension;
	uint32_t seen = 0;
	int got;

	if (der_expect(&rest, DER_SEQUENCE, &list) < 0 || rest.len)
		return -1;
	out->has_extensions = true;
	while ((got = der_next(&list.content, &extension)) > 0)
		if (extension.tag != DER_SEQUENCE ||
		    read_extension(extension.content, &seen, out) < 0)
			return -1;
	return got;
}

static int read_validity(struct view rest, struct cert *out)
{
	struct der from, to;

	if (der_next(&rest, &from) != 1 || der_next(&rest, &to) != 1 ||
	    rest.len || der_time(&from, &out->not_before) < 0 ||
	    der_time(&to, &out->not_after) < 0)
		return -1;
	return 0;
}

/* TBSCertificate, 4.1.2; the serial number says nothing to us. */
static int read_signed_part(struct view rest, struct cert *out)
{
	struct der element, algorithm;
	int got;

	if (der_optional(&rest, 0xa0, &element) < 0 || /* version */
	    der_expect(&rest, DER_INTEGER, &element) < 0 ||
	    der_expect(&rest, DER_SEQUENCE, &algorithm) < 0)
		return -1;
	if (!view_equal(algorithm.whole, out->algorithm))
		return -1;
	if (der_expect(&rest, DER_SEQUENCE, &element) < 0)
		return -1;
	out->issuer = element.whole;
	if (der_expect(&rest, DER_SEQUENCE, &element) < 0 ||
	    read_validity(element.content, out) < 0)
		return -1;
	if (der_expect(&rest, DER_SEQUENCE, &element) < 0)
		return -1;
	out->subject = element.whole;
	if (der_expect(&rest, DER_SEQUENCE, &element) < 0)
		return -1;
	out->spki = element.whole;
	if (der_optional(&rest, 0x81, &element) < 0 || /* unique ids */
	    der_optional(&rest, 0x82, &element) < 0)
		return -1;
	got = der_optional(&rest, 0xa3, &element);
	if (got < 0 || rest.len)
		return -1;
	return got ? read_extensions(element.content, out) : 0;
}

int cert_parse(struct view der, struct cert *out)
{
	struct der whole, part, element;
	struct view rest = der;

	*out = (struct cert){ .der = der, .path_len = -1 };
	if (der_expect(&rest, DER_SEQUENCE, &whole) < 0 || rest.len)
		return -1;
	rest = whole.content;
	if (der_expect(&rest, DER_SEQUENCE, &part) < 0)
		return -1;
	out->signed_part = part.whole;
	if (der_expect(&rest, DER_SEQUENCE, &element) < 0)
		return -1;
	out->algorithm = element.whole;
	if (der_expect(&rest, DER_BITS, &element) < 0 || rest.len ||
	    der_bits(element.content, &out->signature) < 0)
		return -1;
	return read_signed_part(part.content, out);
}

/* The last attribute of that kind: the most specific one. */
static bool find_attribute(struct view name, unsigned char id,
			   struct der *found)
{
	struct der list, set, pair, oid, value;
	bool has = false;

	if (der_expect(&name, DER_SEQUENCE, &list) < 0)
		return false;
	while (der_next(&list.content, &set) > 0) {
		if (set.tag != DER_SET)
			return false;
		while (der_next(&set.content, &pair) > 0) {
			if (der_expect(&pair.content, DER_OID, &oid) < 0 ||
			    der_next(&pair.content, &value) != 1)
				return false;
			if (oid.content.len == 3 &&
			    oid.content.at[0] == 0x55 &&
			    oid.content.at[1] == 0x04 &&
			    oid.content.at[2] == id) {
				*found = value;
				has = true;
			}
		}
	}
	return has;
}

bool cert_name(struct view name, bool or_organisation, struct buffer *out)
{
	struct der value;

	if (find_attribute(name, 3, &value) && der_text(&value, out) == 0)
		return true;
	return or_organisation && find_attribute(name, 10, &value) &&
	       der_text(&value, out) == 0;
}

void cert_title(struct view name, char out[FACTS_TEXT_MAX])
{
	struct buffer raw = { 0 }, text = { 0 };

	if (cert_name(name, true, &raw))
		bytes_escape(&text, buffer_view(&raw), FACTS_TEXT_MAX - 4);
	else
		buffer_append(&text, VIEW("(no name)"));
	(void)snprintf(out, FACTS_TEXT_MAX, "%.*s", (int)buffer_len(&text),
		       (const char *)buffer_view(&text).at);
	buffer_clear(&raw);
	buffer_clear(&text);
}

bool cert_issuer_url(const struct cert *cert, size_t *at, struct view *url)
{
	struct view rest = cert->authority_info;
	struct der list, access, method, location;
	size_t seen = 0;

	if (der_expect(&rest, DER_SEQUENCE, &list) < 0)
		return false;
	while (der_next(&list.content, &access) > 0) {
		if (der_expect(&access.content, DER_OID, &method) < 0 ||
		    der_next(&access.content, &location) != 1)
			return false;
		if (seen++ < *at || location.tag != GENERAL_URI ||
		    !der_is(method.content,
			    "\x2b\x06\x01\x05\x05\x07\x30\x02"))
			continue;
		*url = location.content;
		*at = seen;
		return true;
	}
	return false;
}

bool cert_is_self_issued(const struct cert *cert)
{
	return view_equal(cert->issuer, cert->subject);
}

void cert_pin(const struct cert *cert, unsigned char out[32])
{
	memset(out, 0, 32);
	(void)wc_Sha256Hash(cert->spki.at, (word32)cert->spki.len, out);
}

void cert_facts(const struct cert *cert, struct facts_certificate *out)
{
	cert_title(cert->subject, out->subject);
	cert_title(cert->issuer, out->issuer);
	out->not_before = cert->not_before;
	out->not_after = cert->not_after;
	cert_pin(cert, out->spki_sha256);
	memset(out->sha256, 0, sizeof(out->sha256));
	(void)wc_Sha256Hash(cert->der.at, (word32)cert->der.len, out->sha256);
	(void)key_is_weak(cert, out->key);
}
