/*
 * One X.509 certificate, taken apart (RFC 5280).  All views point into the
 * DER that was given, which must outlive it.  Nothing is verified here.
 */
#ifndef TLS_CERT_H
#define TLS_CERT_H

#include "tls/facts.h"

/* Bits of KeyUsage as they lie in the first byte. */
enum { USAGE_KEY_CERT_SIGN = 0x04 };

struct cert {
	struct view der;
	struct view signed_part;      /* TBSCertificate, whole */
	struct view algorithm;        /* of the signature, whole element */
	struct view signature;
	struct view issuer, subject;  /* whole elements */
	struct view spki;             /* whole element */
	int64_t not_before, not_after;

	bool has_extensions;
	bool has_constraints, is_ca;  /* basicConstraints */
	int path_len;                 /* -1: no limit */
	bool has_usage;
	unsigned usage;
	bool has_purposes;            /* extendedKeyUsage */
	bool is_for_servers, is_for_clients;
	bool has_alt_names;
	struct view alt_names;        /* GeneralName after GeneralName */
	bool has_name_constraints;
	struct view permitted, excluded; /* GeneralSubtree after ... */
	struct view authority_key, subject_key; /* identifiers; empty: none */
	struct view authority_info;   /* its value as it came, see below */
	bool has_unknown_critical;
};

/* 0, or -1 when it is no certificate that can be trusted to mean what it
 * seems to. Bytes behind it are refused. */
int cert_parse(struct view der, struct cert *out);

/* The most specific CN, or with `or_organisation` the O when there is
 * none; as UTF-8, not escaped. False when there is none. */
bool cert_name(struct view name, bool or_organisation, struct buffer *out);
/* For people: CN or O, else a hint that there is none. */
void cert_title(struct view name, char out[FACTS_TEXT_MAX]);
/* The next URL at which the issuer's certificate is said to lie (caIssuers of
 * authorityInfoAccess, 4.2.2.1), as it came; *at begins at 0. Nobody fetches
 * it here. False: no more. */
bool cert_issuer_url(const struct cert *cert, size_t *at, struct view *url);
bool cert_is_self_issued(const struct cert *cert);
/* SHA-256 of the SubjectPublicKeyInfo, as pins and TLSA 3 1 1 have it. */
void cert_pin(const struct cert *cert, unsigned char out[32]);
void cert_facts(const struct cert *cert, struct facts_certificate *out);

/* Tags of GeneralName (RFC 5280 4.2.1.6). */
enum { GENERAL_URI = 0x86, GENERAL_DNS = 0x82, GENERAL_DIRECTORY = 0xa4, GENERAL_IP = 0x87,
       GENERAL_MAIL = 0x81 };

#endif
