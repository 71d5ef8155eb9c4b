/*
 * A table of SHA-256 over the issuer's key and the whole certificate, the
 * place of each given by its first byte.  Nobody finds a second pair with the
 * same hash, and only what fits enters, so a table full of strangers' chains
 * makes nothing true.
 */
#include "tls/proven.h"

#include "tls/wolf.h"

#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/sha256.h>

enum { PLACES = 256 }; /* one for each first byte: 8 KiB */

struct proven {
	unsigned char hashes[PLACES][WC_SHA256_DIGEST_SIZE];
	bool is_taken[PLACES];
};

struct proven *proven_new(void)
{
	return must_alloc(sizeof(struct proven));
}

void proven_free(struct proven *proven)
{
	free(proven);
}

/* The key is a DER element, which says itself where it ends. */
static bool hash_pair(const struct cert *cert, struct view spki,
		      unsigned char out[WC_SHA256_DIGEST_SIZE])
{
	wc_Sha256 sha;
	bool is_good;

	if (wc_InitSha256(&sha) != 0)
		return false;
	is_good = wc_Sha256Update(&sha, spki.at, (word32)spki.len) == 0 &&
		  wc_Sha256Update(&sha, cert->der.at,
				  (word32)cert->der.len) == 0 &&
		  wc_Sha256Final(&sha, out) == 0;
	wc_Sha256Free(&sha);
	return is_good;
}

enum signature_result proven_check(struct proven *proven,
				   const struct cert *cert, struct view spki)
{
	unsigned char hash[WC_SHA256_DIGEST_SIZE], *place;
	enum signature_result result;

	if (!proven || !hash_pair(cert, spki, hash))
		return signature_check(cert, spki);
	place = proven->hashes[hash[0]];
	if (proven->is_taken[hash[0]] && !memcmp(place, hash, sizeof(hash)))
		return SIGNATURE_FITS;
	result = signature_check(cert, spki);
	if (result == SIGNATURE_FITS) {
		memcpy(place, hash, sizeof(hash));
		proven->is_taken[hash[0]] = true;
	}
	return result;
}
