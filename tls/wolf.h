/*
 * wolfSSL's headers and everything that differs between its versions and
 * builds, so that nobody else needs an #ifdef; and the library's error
 * codes and the peer's alerts in words a postmaster understands.
 */
#ifndef TLS_WOLF_H
#define TLS_WOLF_H

#include <stdbool.h>
#include <stddef.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#if !defined(WOLFSSL_CERT_GEN) || !defined(HAVE_ECC) || \
	!defined(WOLFSSL_TLS13) || !defined(HAVE_SNI)
#error "this wolfSSL lacks certgen, ECC, TLS 1.3 or SNI"
#endif

/* Once per process, before anything else. */
void wolf_start(void);

/* Why a handshake, a read or a write failed. `code` as the library gave
 * it (negative). Says what the peer said where it was the peer who ended
 * it. Never empty. */
void wolf_explain(WOLFSSL *ssl, int code, char *out, size_t room);

/* Cipher suites in order of preference: AEAD with forward secrecy, and for
 * lenient ones CBC with forward secrecy behind it. The order follows what
 * this build computes fastest. */
int wolf_set_ciphers(WOLFSSL_CTX *ctx, bool is_lenient);
/* X25519 first, and offered as the key share. */
int wolf_set_groups(WOLFSSL_CTX *ctx);
/* No tickets and no cache: every handshake is judged for itself. */
void wolf_forbid_resumption(WOLFSSL_CTX *ctx);
/* The server keeps the name the client asked for, whatever it is. */
void wolf_keep_sni(WOLFSSL_CTX *ctx);
void wolf_sni(WOLFSSL *ssl, char *out, size_t room);
/* The suite's IANA name. */
const char *wolf_cipher(WOLFSSL *ssl);

#endif
