/*
 * The one place where versions and builds of wolfSSL are told apart, and
 * where its numbers become words.  Its own texts are not used: most codes
 * have none there.
 */
#include "tls/wolf.h"

#include <stdio.h>
#include <string.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/cpuid.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/sha256.h>

struct text {
	int code;
	const char *text;
};

static const struct text error_texts[] = {
	{ MATCH_SUITE_ERROR, "no common cipher suite" },
	{ UNSUPPORTED_SUITE, "no common cipher suite" },
	{ VERSION_ERROR, "no common protocol version" },
	{ ECC_CURVE_ERROR, "no common key exchange group" },
	{ BAD_KEY_SHARE_DATA, "no usable key share" },
	{ OUT_OF_ORDER_E, "TLS messages out of order" },
	{ SANITY_MSG_E, "TLS messages out of order" },
	{ DUPLICATE_MSG_E, "a TLS message came twice" },
	{ UNKNOWN_RECORD_TYPE, "what came is no TLS record" },
	{ UNKNOWN_HANDSHAKE_TYPE, "an unknown TLS handshake message" },
	{ LENGTH_ERROR, "a TLS record of wrong length" },
	{ INCOMPLETE_DATA, "a TLS message of wrong length" },
	{ BUFFER_ERROR, "a malformed TLS message" },
	{ PARSE_ERROR, "a malformed TLS message" },
	{ ASN_PARSE_E, "a malformed certificate" },
	{ DECRYPT_ERROR, "a TLS record that does not decrypt" },
	{ VERIFY_MAC_ERROR, "a TLS record that does not decrypt" },
	{ BUILD_MSG_ERROR, "a TLS record that does not decrypt" },
	{ VERIFY_FINISHED_ERROR, "the handshake was tampered with" },
	{ SIG_VERIFY_E, "the peer does not hold the certificate's key" },
	{ VERIFY_CERT_ERROR, "the peer's certificate cannot be used" },
	{ VERIFY_SIGN_ERROR, "the peer does not hold the certificate's key" },
	{ MAX_CHAIN_ERROR, "too many certificates in the chain" },
	{ BUFFER_E, "a TLS message too large" },
	{ HANDSHAKE_SIZE_ERROR, "a TLS handshake message too large" },
	{ NO_PEER_CERT, "the peer presented no certificate" },
	{ NO_PEER_KEY, "the peer presented no usable key" },
	{ NO_CERT_ERROR, "a certificate is missing" },
	{ DH_KEY_SIZE_E, "the peer's Diffie-Hellman key is too small" },
	{ RSA_KEY_SIZE_E, "the peer's RSA key is too small" },
	{ ECC_KEY_SIZE_E, "the peer's elliptic-curve key is too small" },
	{ RSA_BUFFER_E, "the peer's RSA key is too large for this build" },
	{ MP_EXPTMOD_E, "the peer's RSA key is too large for this build" },
	{ SECURE_RENEGOTIATION_E, "the peer wants renegotiation" },
	{ INVALID_PARAMETER, "the peer chose an illegal parameter" },
	{ EXT_MISSING, "a required TLS extension is missing" },
	{ EXT_NOT_ALLOWED, "a TLS extension where it is not allowed" },
	{ TOO_MUCH_EARLY_DATA, "too much early data" },
	{ ALERT_COUNT_E, "too many warning alerts" },
	{ SOCKET_ERROR_E, "the connection broke" },
	{ SOCKET_PEER_CLOSED_E, "the peer closed the connection" },
	{ MEMORY_E, "out of memory" },
	{ 0, NULL },
};

/* RFC 8446 6.2 */
static const struct text alert_texts[] = {
	{ 10, "unexpected message" },
	{ 20, "bad record MAC" },
	{ 22, "record overflow" },
	{ 40, "handshake failure: nothing in common" },
	{ 42, "bad certificate" },
	{ 43, "unsupported certificate" },
	{ 44, "certificate revoked" },
	{ 45, "certificate expired" },
	{ 46, "certificate unknown" },
	{ 47, "illegal parameter" },
	{ 48, "unknown CA" },
	{ 49, "access denied" },
	{ 50, "decode error" },
	{ 51, "decrypt error" },
	{ 70, "protocol version refused" },
	{ 71, "insufficient security" },
	{ 80, "internal error" },
	{ 86, "inappropriate fallback" },
	{ 90, "user cancelled" },
	{ 109, "missing extension" },
	{ 110, "unsupported extension" },
	{ 112, "unrecognized name" },
	{ 116, "certificate required" },
	{ 120, "no application protocol" },
	{ 0, NULL },
};

static const char *look_up(const struct text *table, int code)
{
	for (; table->text; table++)
		if (table->code == code)
			return table->text;
	return NULL;
}

void wolf_explain(WOLFSSL *ssl, int code, char *out, size_t room)
{
	WOLFSSL_ALERT_HISTORY history;
	const char *text = look_up(error_texts, code);
	const char *alert;

	if (code == FATAL_ERROR &&
	    wolfSSL_get_alert_history(ssl, &history) == WOLFSSL_SUCCESS &&
	    history.last_rx.code > 0) {
		alert = look_up(alert_texts, history.last_rx.code);
		(void)snprintf(out, room, "the peer ended TLS: %s (alert %d)",
			       alert ? alert : "unknown reason",
			       history.last_rx.code);
		return;
	}
	if (text)
		(void)snprintf(out, room, "%s (wolfSSL %d)", text, code);
	else
		(void)snprintf(out, room, "TLS failed (wolfSSL %d)", code);
}

#define GCM13  "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384"
#define CHA13  "TLS13-CHACHA20-POLY1305-SHA256"
#define GCM12  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	       "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define CHA12  "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
/* Peers of the time before GCM; without them the mail would go in the
 * clear. */
#define CBC12  "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:" \
	       "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:" \
	       "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:" \
	       "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"

#if defined(WOLFSSL_AESNI) || defined(WOLFSSL_ARMASM)
#define AEAD GCM13 ":" CHA13 ":" GCM12 ":" CHA12
#else
/* Without AES instructions ChaCha20 is twice as fast and leaks no time. */
#define AEAD CHA13 ":" GCM13 ":" CHA12 ":" GCM12
#endif

int wolf_set_ciphers(WOLFSSL_CTX *ctx, bool is_lenient)
{
	return wolfSSL_CTX_set_cipher_list(ctx, is_lenient ? AEAD ":" CBC12
							   : AEAD) ==
			       WOLFSSL_SUCCESS
		       ? 0
		       : -1;
}

int wolf_set_groups(WOLFSSL_CTX *ctx)
{
	int groups[] = { WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1,
			 WOLFSSL_ECC_SECP384R1, WOLFSSL_ECC_SECP521R1 };
	int count = sizeof(groups) / sizeof(groups[0]);

	return wolfSSL_CTX_set_groups(ctx, groups, count) == WOLFSSL_SUCCESS
		       ? 0
		       : -1;
}

void wolf_forbid_resumption(WOLFSSL_CTX *ctx)
{
	(void)wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
#ifdef HAVE_SESSION_TICKET
	(void)wolfSSL_CTX_NoTicketTLSv12(ctx);
	(void)wolfSSL_CTX_no_ticket_TLSv13(ctx);
#endif
}

void wolf_keep_sni(WOLFSSL_CTX *ctx)
{
	/* Builds without WOLFSSL_ALWAYS_KEEP_SNI drop the name unless one is
	 * configured; any is, and a mismatch is no error. */
	static const char any[] = "mail.invalid";

	(void)wolfSSL_CTX_UseSNI(ctx, WOLFSSL_SNI_HOST_NAME, any,
				 sizeof(any) - 1);
	wolfSSL_CTX_SNI_SetOptions(ctx, WOLFSSL_SNI_HOST_NAME,
				   WOLFSSL_SNI_CONTINUE_ON_MISMATCH |
					   WOLFSSL_SNI_ANSWER_ON_MISMATCH);
}

void wolf_sni(WOLFSSL *ssl, char *out, size_t room)
{
	void *name = NULL;
	size_t len = wolfSSL_SNI_GetRequest(ssl, WOLFSSL_SNI_HOST_NAME, &name);

	out[0] = '\0';
	if (!name || len >= room || memchr(name, 0, len))
		return;
	memcpy(out, name, len);
	out[len] = '\0';
}

const char *wolf_cipher(WOLFSSL *ssl)
{
	int suite = wolfSSL_get_current_cipher_suite(ssl);
	const char *name = wolfSSL_get_cipher_name_iana_from_suite(
		(unsigned char)(suite >> 8), (unsigned char)suite);

	return name ? name : "unknown";
}

/* The first Zen has ADX and is slow at it: RSA-2048 signs in 2.5 ms with it
 * and in 1.4 ms without, P-384 in 355 and 202 us; P-256 loses 10 of 54 us. */
static void avoid_slow_instructions(void)
{
#if defined(CPUID_ADX) && defined(__x86_64__)
	unsigned char hash[WC_SHA256_DIGEST_SIZE];

	__builtin_cpu_init();
	if (!__builtin_cpu_is("znver1"))
		return;
	/* The library looks at the processor when it first computes, and
	 * would forget what was said before. */
	(void)wc_Sha256Hash(hash, 0, hash);
	cpuid_clear_flag(CPUID_ADX);
#endif
}

void wolf_start(void)
{
	(void)wolfSSL_Init();
	avoid_slow_instructions();
}
