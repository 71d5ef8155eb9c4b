/*
 * TLS contexts.  The client's holds two of the library's: a strict one for
 * what must be encrypted or verified, and a lenient one for opportunistic
 * TLS, where the alternative to an old cipher is none.  Neither knows a
 * CA: the library lets every chain pass, and chain.c judges it.
 */
#include "tls/inner.h"

#include <stdlib.h>
#include <string.h>

void tls_start(void)
{
	(void)wolfSSL_Init();
}

/* Rules for both sides. */
static WOLFSSL_CTX *make(WOLFSSL_METHOD *method, bool is_lenient,
			 struct error *error)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method);

	if (!ctx) {
		error_set(error, "wolfSSL makes no context");
		return NULL;
	}
	if (wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) !=
		    WOLFSSL_SUCCESS ||
	    wolf_set_ciphers(ctx, is_lenient) < 0 ||
	    wolf_set_groups(ctx) < 0) {
		error_set(error, "wolfSSL lacks TLS 1.2, ciphers or groups");
		wolfSSL_CTX_free(ctx);
		return NULL;
	}
	wolf_forbid_resumption(ctx);
	secure_attach(ctx);
	return ctx;
}

struct tls_context *tls_client_context(struct error *error)
{
	struct tls_context *context = must_alloc(sizeof(*context));

	context->holds = 1;
	context->strict = make(wolfSSLv23_client_method(), false, error);
	context->lenient = make(wolfSSLv23_client_method(), true, error);
	if (!context->strict || !context->lenient) {
		tls_context_free(context);
		return NULL;
	}
	wolfSSL_CTX_set_verify(context->strict, WOLFSSL_VERIFY_PEER,
			       secure_note_chain);
	wolfSSL_CTX_set_verify(context->lenient, WOLFSSL_VERIFY_PEER,
			       secure_note_chain);
	return context;
}

static int use_pair(WOLFSSL_CTX *ctx, struct view chain, struct view key,
		    struct error *error)
{
	static const char marker[] = "ENCRYPTED";

	if (memmem(key.at, key.len, marker, sizeof(marker) - 1))
		return error_set(error, "the key is encrypted; a relay starts "
				 "without anybody to type a passphrase: "
				 "decrypt it (openssl pkey)");
	if (wolfSSL_CTX_use_certificate_chain_buffer(
		    ctx, chain.at, (long)chain.len) != WOLFSSL_SUCCESS)
		return error_set(error, "no certificate chain in PEM that "
				 "can be used");
	if (wolfSSL_CTX_use_PrivateKey_buffer(ctx, key.at, (long)key.len,
					      WOLFSSL_FILETYPE_PEM) !=
	    WOLFSSL_SUCCESS)
		return error_set(error, "no private key in PEM that can be "
				 "used");
	if (wolfSSL_CTX_check_private_key(ctx) != WOLFSSL_SUCCESS)
		return error_set(error, "the key does not belong to the "
				 "certificate");
	return 0;
}

struct tls_context *tls_server_context(struct view chain_pem,
				       struct view key_pem,
				       struct error *error)
{
	struct tls_context *context = must_alloc(sizeof(*context));

	context->holds = 1;
	context->strict = make(wolfSSLv23_server_method(), true, error);
	if (!context->strict ||
	    use_pair(context->strict, chain_pem, key_pem, error) < 0) {
		tls_context_free(context);
		return NULL;
	}
	wolfSSL_CTX_set_verify(context->strict, WOLFSSL_VERIFY_NONE, NULL);
	wolf_keep_sni(context->strict);
	return context;
}

int tls_check_pair(struct view chain_pem, struct view key_pem,
		   struct error *error)
{
	struct tls_context *context = tls_server_context(chain_pem, key_pem,
							 error);

	if (!context)
		return -1;
	tls_context_free(context);
	return 0;
}

struct tls_context *tls_context_hold(struct tls_context *context)
{
	context->holds++;
	return context;
}

void tls_context_free(struct tls_context *context)
{
	if (!context || --context->holds > 0)
		return;
	wolfSSL_CTX_free(context->strict);
	wolfSSL_CTX_free(context->lenient);
	free(context);
}
