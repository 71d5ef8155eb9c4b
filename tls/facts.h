/*
 * What the wire proved: filled once after a handshake, read-only from then
 * on.  Pure data; whether it is enough is said by policy.h.
 */
#ifndef TLS_FACTS_H
#define TLS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/bytes.h"

enum {
	FACTS_NAMES_MAX = 1024,   /* names of the leaf that are kept; the
	                           * largest real certificates have 250 */
	FACTS_CHAIN_MAX = 10,
	FACTS_TEXT_MAX = 256,
	FACTS_PIN_MAX = 72,
};

/* Why a chain does not hold, in the order in which it is asked. */
enum chain_verdict {
	CHAIN_NOT_ASKED,
	CHAIN_HOLDS,
	CHAIN_NO_CERTIFICATE,
	CHAIN_UNREADABLE,
	CHAIN_SELF_SIGNED,      /* the leaf, and it is no anchor */
	CHAIN_UNKNOWN_CA,       /* no path to an anchor */
	CHAIN_BAD_SIGNATURE,
	CHAIN_EXPIRED,
	CHAIN_NOT_YET_VALID,
	CHAIN_NOT_A_CA,         /* an issuer without the right to issue */
	CHAIN_PATH_TOO_LONG,
	CHAIN_WRONG_PURPOSE,    /* no serverAuth */
	CHAIN_WEAK_KEY,
	CHAIN_WEAK_SIGNATURE,
	CHAIN_NAME_CONSTRAINT,
};

struct facts_certificate {
	char subject[FACTS_TEXT_MAX];   /* CN, or O when there is none;
	                                 * escaped, for people */
	char issuer[FACTS_TEXT_MAX];
	int64_t not_before, not_after;  /* UTC seconds */
	unsigned char spki_sha256[32];
	unsigned char sha256[32];       /* of all of it: the fingerprint */
	char key[32];                   /* "RSA 2048", "ECDSA P-256" */
};

struct tls_facts {
	bool is_tls;
	bool is_server;         /* we were the server of this handshake */
	char version[16];       /* "TLSv1.3" */
	char cipher[64];
	unsigned bits;
	char group[32];         /* key exchange group, "" when unknown */
	char sni[256];          /* server side: what the client asked for */

	/* what the peer presented */
	size_t presented;       /* certificates, leaf first */
	struct facts_certificate leaf;
	struct facts_certificate *others; /* behind the leaf, in the order in
	                                   * which they came; verified or not,
	                                   * without those that cannot be read */
	size_t other_count;
	bool leaf_is_expired;   /* by the clock of the handshake */
	/* names of the leaf, canonical; those with NUL, control bytes or
	 * anything that is no host name are left out and counted */
	char (*names)[256];     /* dNSName entries if any, else the CN */
	size_t name_count;
	size_t names_refused;
	bool names_from_cn;     /* no dNSName stood there */
	char cn[256];           /* the leaf's CN, canonical, "" if none */

	/* what verification said, against the demand's anchors */
	enum chain_verdict chain;
	char chain_reason[FACTS_TEXT_MAX]; /* names the certificate at fault */
	/* verified certificates above the leaf, nearest first, the anchor
	 * last; a self-signed leaf that is the anchor stands for itself */
	struct facts_certificate *verified;
	size_t verified_count;
	bool leaf_is_anchor;
};

void facts_clear(struct tls_facts *facts);
/* Makes *to a copy of its own, whatever it held before being lost. */
void facts_copy(struct tls_facts *to, const struct tls_facts *from);
/* As `pins` of a policy has it: "sha256:" and 64 digits. */
void facts_pin_text(const unsigned char spki[32], char out[FACTS_PIN_MAX]);
const char *chain_verdict_text(enum chain_verdict verdict);

#endif
