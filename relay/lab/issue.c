/*
 * Makes one certificate with libcrypto.  See issue.h.
 */
#include "relay/lab/issue.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum { SERIAL_BYTES = 16 };

int issue_fail(struct error *error, const char *what)
{
	return error_set(error, "libcrypto makes no %s", what);
}

/* --- one certificate ------------------------------------------------- */

static int set_serial(X509 *cert)
{
	unsigned char bytes[SERIAL_BYTES];
	BIGNUM *number;
	int ok;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return -1;
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return ok ? 0 : -1;
}

static int set_subject(X509 *cert, const struct plan *plan)
{
	X509_NAME *name = X509_get_subject_name(cert);

	if (X509_NAME_add_entry_by_NID(
		    name, NID_organizationName, V_ASN1_UTF8STRING,
		    (const unsigned char *)"Postern Lab", -1, -1, 0) != 1)
		return -1;
	if (plan->cn.len == 0 || plan->cn.len > ISSUE_CN_MAX)
		return 0;
	return X509_NAME_add_entry_by_NID(name, NID_commonName,
					  V_ASN1_UTF8STRING, plan->cn.at,
					  (int)plan->cn.len, -1, 0) -
	       1;
}

static int add(X509 *cert, X509 *issuer, int kind, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	int ok;

	if (!value)
		return 0;
	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	ok = extension && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok ? 0 : -1;
}

/* By hand: a name may hold a NUL, which openssl's configuration cannot. */
static int add_names(X509 *cert, const struct plan *plan)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	bool ok = names != NULL;

	for (size_t i = 0; i < plan->name_count && ok; i++) {
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();

		ok = name && text &&
		     ASN1_STRING_set(text, plan->names[i].at,
				     (int)plan->names[i].len) == 1;
		if (ok)
			GENERAL_NAME_set0_value(name, GEN_DNS, text);
		else
			ASN1_IA5STRING_free(text);
		ok = ok && sk_GENERAL_NAME_push(names, name) > 0;
		if (!ok)
			GENERAL_NAME_free(name);
	}
	ok = ok && (plan->name_count == 0 ||
		    X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0,
				      X509V3_ADD_DEFAULT) == 1);
	GENERAL_NAMES_free(names);
	return ok ? 0 : -1;
}

static int describe(X509 *cert, X509 *issuer, const struct plan *plan)
{
	const char *above = issuer == cert ? NULL : "keyid:always";

	if (X509_set_version(cert, X509_VERSION_3) != 1 || set_serial(cert) ||
	    set_subject(cert, plan) ||
	    X509_set_issuer_name(cert, X509_get_subject_name(issuer)) != 1 ||
	    !X509_gmtime_adj(X509_getm_notBefore(cert), plan->from) ||
	    !X509_gmtime_adj(X509_getm_notAfter(cert), plan->until))
		return -1;
	if (add(cert, issuer, NID_subject_key_identifier, "hash") ||
	    add(cert, issuer, NID_authority_key_identifier, above) ||
	    add(cert, issuer, NID_basic_constraints, plan->constraints) ||
	    add(cert, issuer, NID_key_usage, plan->usage) ||
	    add(cert, issuer, NID_ext_key_usage, plan->purpose))
		return -1;
	return add_names(cert, plan);
}

int issue_identity(const struct plan *plan, EVP_PKEY *key,
		   const struct identity *issuer, struct identity *out,
		   struct error *error)
{
	X509 *cert = X509_new();

	if (key && cert && X509_set_pubkey(cert, key) == 1 &&
	    !describe(cert, issuer ? issuer->cert : cert, plan) &&
	    X509_sign(cert, issuer ? issuer->key : key, plan->digest) > 0) {
		*out = (struct identity){ cert, key };
		return 0;
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return issue_fail(error, "certificate");
}

void issue_clear(struct identity *identity)
{
	X509_free(identity->cert);
	EVP_PKEY_free(identity->key);
	*identity = (struct identity){ NULL, NULL };
}

EVP_PKEY *issue_key(void)
{
	return EVP_EC_gen("P-256");
}

int issue_pem(struct buffer *out, X509 *cert, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long len = 0;
	int ok;

	if (!bio)
		return -1;
	ok = cert ? PEM_write_bio_X509(bio, cert)
		  : PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL,
					     NULL);
	if (ok == 1)
		len = BIO_get_mem_data(bio, &bytes);
	if (len > 0)
		buffer_append(out, view_make(bytes, (size_t)len));
	BIO_free(bio);
	return len > 0 ? 0 : -1;
}
