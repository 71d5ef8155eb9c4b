/*
 * The certificate of the first start: ECDSA P-256, its own issuer, for one
 * host name and ten years.  It proves nothing to anybody and makes
 * opportunistic TLS work.
 */
#include "tls/context.h"

#include "tls/wolf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

enum { DAYS = 3650, DER_MAX = 2048, PEM_MAX = 4096, NAME_MAX_LEN = 253,
       CN_MAX = 64 /* X.520 ub-common-name */ };

/* subjectAltName with one dNSName: lengths below 256 in two-byte form. */
static void set_alt_name(Cert *cert, const char *hostname)
{
	size_t len = strlen(hostname);
	unsigned char *at = cert->altNames;

	*at++ = 0x30;
	if (len + 3 >= 0x80) {
		*at++ = 0x81;
		*at++ = (unsigned char)(len + (len >= 0x80 ? 3 : 2));
	} else {
		*at++ = (unsigned char)(len + 2);
	}
	*at++ = 0x82;
	if (len >= 0x80)
		*at++ = 0x81;
	*at++ = (unsigned char)len;
	memcpy(at, hostname, len);
	cert->altNamesSz = (int)((size_t)(at - cert->altNames) + len);
}

static int sign(Cert *cert, ecc_key *key, WC_RNG *rng, unsigned char *der)
{
	int len;

	cert->sigType = CTC_SHA256wECDSA;
	cert->daysValid = DAYS;
	cert->selfSigned = 1;
	len = wc_MakeCert(cert, der, DER_MAX, NULL, key, rng);
	if (len < 0)
		return len;
	return wc_SignCert(len, cert->sigType, der, DER_MAX, NULL, key, rng);
}

static int append_pem(struct buffer *out, const unsigned char *der, int len,
		      int type)
{
	int n = wc_DerToPem(der, (word32)len, buffer_reserve(out, PEM_MAX),
			    PEM_MAX, type);

	if (n <= 0)
		return -1;
	buffer_added(out, (size_t)n);
	return 0;
}

static int make(const char *hostname, ecc_key *key, WC_RNG *rng,
		struct buffer *chain, struct buffer *private)
{
	unsigned char der[DER_MAX];
	Cert *cert = must_alloc(sizeof(*cert)); /* holds 16 KiB of names */
	int len, result = -1;

	if (wc_InitCert(cert) != 0)
		goto out;
	(void)snprintf(cert->subject.org, sizeof(cert->subject.org), "%s",
		       "self-signed");
	if (strlen(hostname) < CN_MAX)
		(void)snprintf(cert->subject.commonName,
			       sizeof(cert->subject.commonName), "%s",
			       hostname);
	set_alt_name(cert, hostname);
	len = sign(cert, key, rng, der);
	if (len <= 0 || append_pem(chain, der, len, CERT_TYPE) < 0)
		goto out;
	len = wc_EccKeyToDer(key, der, sizeof(der));
	if (len <= 0 || append_pem(private, der, len, ECC_PRIVATEKEY_TYPE) < 0)
		goto out;
	result = 0;
out:
	bytes_wipe(der, sizeof(der));
	free(cert);
	return result;
}

int tls_self_signed(const char *hostname, struct buffer *chain_pem,
		    struct buffer *key_pem, struct error *error)
{
	WC_RNG rng;
	ecc_key key;
	int result = -1;

	if (!*hostname || strlen(hostname) > NAME_MAX_LEN)
		return error_set(error, "no host name to make a certificate "
				 "for");
	if (wc_InitRng(&rng) != 0)
		return error_set(error, "no randomness to make a key of");
	if (wc_ecc_init(&key) == 0) {
		if (wc_ecc_make_key(&rng, 32, &key) == 0)
			result = make(hostname, &key, &rng, chain_pem,
				      key_pem);
		wc_ecc_free(&key);
	}
	wc_FreeRng(&rng);
	return result == 0 ? 0
			   : error_set(error, "wolfSSL made no self-signed "
				       "certificate");
}
