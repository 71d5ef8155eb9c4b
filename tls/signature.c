/*
 * Signatures of certificates on wolfCrypt: RSA (PKCS #1 v1.5 and PSS),
 * ECDSA, Ed25519, with SHA-256, SHA-384 and SHA-512.  Which algorithm is
 * meant is read from the certificate's own bytes, and the key must be of
 * that kind.
 */
#include "tls/signature.h"

#include "tls/der.h"
#include "tls/wolf.h"

#include <stdio.h>
#include <string.h>

#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/signature.h>

enum { RSA_BITS_LEAST = 2048 };

enum kind { KIND_UNKNOWN, KIND_WEAK, KIND_RSA, KIND_PSS, KIND_ECDSA,
	    KIND_ED25519 };

struct algorithm {
	struct view oid;
	enum kind kind;
	enum wc_HashType hash;
};

#define OID(literal) { (const unsigned char *)(literal), sizeof(literal) - 1 }
#define PKCS1 "\x2a\x86\x48\x86\xf7\x0d\x01\x01"
#define ECDSA2 "\x2a\x86\x48\xce\x3d\x04\x03"

static const struct algorithm algorithms[] = {
	{ OID(PKCS1 "\x0b"), KIND_RSA, WC_HASH_TYPE_SHA256 },
	{ OID(PKCS1 "\x0c"), KIND_RSA, WC_HASH_TYPE_SHA384 },
	{ OID(PKCS1 "\x0d"), KIND_RSA, WC_HASH_TYPE_SHA512 },
	{ OID(PKCS1 "\x0a"), KIND_PSS, WC_HASH_TYPE_NONE },
	{ OID(ECDSA2 "\x02"), KIND_ECDSA, WC_HASH_TYPE_SHA256 },
	{ OID(ECDSA2 "\x03"), KIND_ECDSA, WC_HASH_TYPE_SHA384 },
	{ OID(ECDSA2 "\x04"), KIND_ECDSA, WC_HASH_TYPE_SHA512 },
	{ OID("\x2b\x65\x70"), KIND_ED25519, WC_HASH_TYPE_NONE },
	/* MD2, MD4, MD5, SHA-1 and SHA-224 with RSA; SHA-1 by its old names;
	 * SHA-1 and SHA-224 with ECDSA; DSA */
	{ OID(PKCS1 "\x02"), KIND_WEAK, WC_HASH_TYPE_NONE },
	{ OID(PKCS1 "\x03"), KIND_WEAK, WC_HASH_TYPE_NONE },
	{ OID(PKCS1 "\x04"), KIND_WEAK, WC_HASH_TYPE_NONE },
	{ OID(PKCS1 "\x05"), KIND_WEAK, WC_HASH_TYPE_NONE },
	{ OID(PKCS1 "\x0e"), KIND_WEAK, WC_HASH_TYPE_NONE },
	{ OID("\x2b\x0e\x03\x02\x1d"), KIND_WEAK, WC_HASH_TYPE_NONE },
	{ OID("\x2a\x86\x48\xce\x3d\x04\x01"), KIND_WEAK, WC_HASH_TYPE_NONE },
	{ OID(ECDSA2 "\x01"), KIND_WEAK, WC_HASH_TYPE_NONE },
	{ OID("\x2a\x86\x48\xce\x38\x04\x03"), KIND_WEAK, WC_HASH_TYPE_NONE },
	{ OID("\x60\x86\x48\x01\x65\x03\x04\x03\x01"), KIND_WEAK,
	  WC_HASH_TYPE_NONE },
	{ OID("\x60\x86\x48\x01\x65\x03\x04\x03\x02"), KIND_WEAK,
	  WC_HASH_TYPE_NONE },
};

/* Reads AlgorithmIdentifier: the OID's content and the parameters. */
static int split(struct view whole, struct view *oid, struct view *parameters)
{
	struct der list, element;

	if (der_expect(&whole, DER_SEQUENCE, &list) < 0 ||
	    der_expect(&list.content, DER_OID, &element) < 0)
		return -1;
	*oid = element.content;
	*parameters = list.content;
	return 0;
}

static const struct algorithm *find(struct view whole, struct view *parameters)
{
	struct view oid;
	size_t i;

	if (split(whole, &oid, parameters) < 0)
		return NULL;
	for (i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (view_equal(oid, algorithms[i].oid))
			return &algorithms[i];
	return NULL;
}

/* The hash in a hash algorithm's identifier. */
static enum wc_HashType hash_named(struct view whole)
{
	struct view oid, parameters;

	if (split(whole, &oid, &parameters) < 0)
		return WC_HASH_TYPE_NONE;
	if (der_is(oid, "\x60\x86\x48\x01\x65\x03\x04\x02\x01"))
		return WC_HASH_TYPE_SHA256;
	if (der_is(oid, "\x60\x86\x48\x01\x65\x03\x04\x02\x02"))
		return WC_HASH_TYPE_SHA384;
	if (der_is(oid, "\x60\x86\x48\x01\x65\x03\x04\x02\x03"))
		return WC_HASH_TYPE_SHA512;
	return WC_HASH_TYPE_NONE;
}

/* RSASSA-PSS-params (RFC 4055 3.1): the hash, when the mask uses the same
 * one. What is left out there means SHA-1. */
static enum wc_HashType pss_hash(struct view parameters)
{
	struct der list, hash, mask;
	struct view oid, inner;
	enum wc_HashType type;

	if (der_expect(&parameters, DER_SEQUENCE, &list) < 0 ||
	    der_expect(&list.content, 0xa0, &hash) < 0 ||
	    der_expect(&list.content, 0xa1, &mask) < 0)
		return WC_HASH_TYPE_NONE;
	type = hash_named(hash.content);
	if (split(mask.content, &oid, &inner) < 0 ||
	    !der_is(oid, PKCS1 "\x08") || hash_named(inner) != type)
		return WC_HASH_TYPE_NONE;
	return type;
}

static int mask_of(enum wc_HashType hash)
{
	switch (hash) {
	case WC_HASH_TYPE_SHA384: return WC_MGF1SHA384;
	case WC_HASH_TYPE_SHA512: return WC_MGF1SHA512;
	default: return WC_MGF1SHA256;
	}
}

static bool pss_fits(const struct cert *cert, enum wc_HashType hash,
		     RsaKey *key)
{
	unsigned char digest[WC_MAX_DIGEST_SIZE], plain[1024];
	int len = wc_HashGetDigestSize(hash);

	if (len <= 0 || cert->signature.len > sizeof(plain) ||
	    wc_Hash(hash, cert->signed_part.at, (word32)cert->signed_part.len,
		    digest, (word32)len) != 0)
		return false;
	/* the salt's length is the digest's, as all CAs have it */
	memcpy(plain, cert->signature.at, cert->signature.len);
	return wc_RsaPSS_VerifyCheck(plain, (word32)cert->signature.len, plain,
				     sizeof(plain), digest, (word32)len, hash,
				     mask_of(hash), key) > 0;
}

static bool rsa_fits(const struct cert *cert, struct view spki,
		     enum wc_HashType hash, bool is_pss)
{
	RsaKey key;
	word32 at = 0;
	bool fits = false;

	if (wc_InitRsaKey(&key, NULL) != 0)
		return false;
	if (wc_RsaPublicKeyDecode(spki.at, &at, &key, (word32)spki.len) == 0) {
		if (is_pss)
			fits = pss_fits(cert, hash, &key);
		else
			fits = wc_SignatureVerify(
				       hash, WC_SIGNATURE_TYPE_RSA_W_ENC,
				       cert->signed_part.at,
				       (word32)cert->signed_part.len,
				       cert->signature.at,
				       (word32)cert->signature.len, &key,
				       sizeof(key)) == 0;
	}
	wc_FreeRsaKey(&key);
	return fits;
}

static bool ecdsa_fits(const struct cert *cert, struct view spki,
		       enum wc_HashType hash)
{
	ecc_key key;
	word32 at = 0;
	bool fits;

	if (wc_ecc_init(&key) != 0)
		return false;
	fits = wc_EccPublicKeyDecode(spki.at, &at, &key, (word32)spki.len) ==
		       0 &&
	       wc_SignatureVerify(hash, WC_SIGNATURE_TYPE_ECC,
				  cert->signed_part.at,
				  (word32)cert->signed_part.len,
				  cert->signature.at,
				  (word32)cert->signature.len, &key,
				  sizeof(key)) == 0;
	wc_ecc_free(&key);
	return fits;
}

static bool ed25519_fits(const struct cert *cert, struct view key_bytes)
{
	ed25519_key key;
	int answer = 0;
	bool fits;

	if (wc_ed25519_init(&key) != 0)
		return false;
	fits = wc_ed25519_import_public(key_bytes.at, (word32)key_bytes.len,
					&key) == 0 &&
	       wc_ed25519_verify_msg(cert->signature.at,
				     (word32)cert->signature.len,
				     cert->signed_part.at,
				     (word32)cert->signed_part.len, &answer,
				     &key) == 0 &&
	       answer == 1;
	wc_ed25519_free(&key);
	return fits;
}

struct key {
	struct view oid, parameters, bytes;
};

static int read_key(struct view spki, struct key *key)
{
	struct der list, algorithm, bits;

	if (der_expect(&spki, DER_SEQUENCE, &list) < 0 ||
	    der_expect(&list.content, DER_SEQUENCE, &algorithm) < 0 ||
	    der_expect(&list.content, DER_BITS, &bits) < 0 ||
	    der_bits(bits.content, &key->bytes) < 0)
		return -1;
	return split(algorithm.whole, &key->oid, &key->parameters);
}

static bool is_rsa(const struct key *key)
{
	return der_is(key->oid, PKCS1 "\x01") ||
	       der_is(key->oid, PKCS1 "\x0a");
}

static bool is_ec(const struct key *key)
{
	return der_is(key->oid, "\x2a\x86\x48\xce\x3d\x02\x01");
}

static bool is_ed25519(const struct key *key)
{
	return der_is(key->oid, "\x2b\x65\x70");
}

enum signature_result signature_check(const struct cert *cert,
				      struct view spki)
{
	struct view parameters;
	const struct algorithm *a = find(cert->algorithm, &parameters);
	enum wc_HashType hash;
	struct key key;
	bool fits;

	if (!a || read_key(spki, &key) < 0)
		return SIGNATURE_UNKNOWN;
	hash = a->kind == KIND_PSS ? pss_hash(parameters) : a->hash;
	switch (a->kind) {
	case KIND_PSS:
		if (hash == WC_HASH_TYPE_NONE)
			return SIGNATURE_UNKNOWN;
		fits = is_rsa(&key) && rsa_fits(cert, spki, hash, true);
		break;
	case KIND_RSA:
		fits = is_rsa(&key) && rsa_fits(cert, spki, hash, false);
		break;
	case KIND_ECDSA:
		fits = is_ec(&key) && ecdsa_fits(cert, spki, hash);
		break;
	case KIND_ED25519:
		fits = is_ed25519(&key) && ed25519_fits(cert, key.bytes);
		break;
	case KIND_WEAK:
	case KIND_UNKNOWN:
	default: return SIGNATURE_UNKNOWN;
	}
	return fits ? SIGNATURE_FITS : SIGNATURE_WRONG;
}

bool signature_is_weak(const struct cert *cert)
{
	struct view parameters;
	const struct algorithm *a = find(cert->algorithm, &parameters);

	return a && a->kind == KIND_WEAK;
}

static bool is_ed448(const struct key *key)
{
	return der_is(key->oid, "\x2b\x65\x71");
}

/* Bits of an RSA key's modulus; 0 when it cannot be read. */
static size_t rsa_bits(struct view bytes)
{
	struct der list, modulus;
	struct view n;
	size_t bits;
	unsigned top;

	if (der_expect(&bytes, DER_SEQUENCE, &list) < 0 ||
	    der_expect(&list.content, DER_INTEGER, &modulus) < 0)
		return 0;
	n = modulus.content;
	while (n.len && n.at[0] == 0)
		n = view_from(n, 1);
	if (n.len == 0)
		return 0;
	bits = (n.len - 1) * 8;
	for (top = n.at[0]; top; top >>= 1)
		bits++;
	return bits;
}

/* Named curves of at least 256 bits. NULL: another one, or none. */
static const char *strong_curve(struct view parameters)
{
	static const struct {
		struct view oid;
		const char *name;
	} strong[] = {
		{ OID("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), "P-256" },
		{ OID("\x06\x05\x2b\x81\x04\x00\x22"), "P-384" },
		{ OID("\x06\x05\x2b\x81\x04\x00\x23"), "P-521" },
		{ OID("\x06\x05\x2b\x81\x04\x00\x0a"), "secp256k1" },
		{ OID("\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x07"),
		  "brainpoolP256r1" },
		{ OID("\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0b"),
		  "brainpoolP384r1" },
		{ OID("\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x0d"),
		  "brainpoolP512r1" },
	};
	size_t i;

	for (i = 0; i < sizeof(strong) / sizeof(strong[0]); i++)
		if (view_equal(parameters, strong[i].oid))
			return strong[i].name;
	return NULL;
}

static bool is_ec_weak(const struct key *key, char what[32])
{
	const char *curve = strong_curve(key->parameters);

	if (curve == NULL)
		(void)snprintf(what, 32, "a small or unnamed curve");
	else
		(void)snprintf(what, 32, "ECDSA %s", curve);
	return curve == NULL;
}

bool key_is_weak(const struct cert *cert, char what[32])
{
	struct key key;
	size_t bits;

	if (read_key(cert->spki, &key) < 0) {
		(void)snprintf(what, 32, "unreadable");
		return true;
	}
	if (is_rsa(&key)) {
		bits = rsa_bits(key.bytes);
		(void)snprintf(what, 32, "RSA %zu", bits);
		return bits < RSA_BITS_LEAST;
	}
	if (is_ec(&key))
		return is_ec_weak(&key, what);
	(void)snprintf(what, 32, "%s",
		       is_ed25519(&key) ? "Ed25519"
		       : is_ed448(&key) ? "Ed448"
					: "not RSA, ECDSA or EdDSA");
	return !is_ed25519(&key) && !is_ed448(&key);
}
