/*
 * Contexts of a server that goes wrong.  See faulty.h.
 */
#include "tls/faulty.h"

#include "tls/inner.h"

struct tls_context *tls_faulty_context(struct view chain_pem,
				       struct view key_pem, bool is_1_2_only,
				       struct error *error)
{
	struct tls_context *context = must_alloc(sizeof(*context));

	context->holds = 1;
	context->strict =
		is_1_2_only ? context_make_1_2_server(error) :
			      context_make(wolfSSLv23_server_method(), true,
					   error);
	if (!context->strict ||
	    context_use_pair(context->strict, chain_pem, key_pem, error)) {
		tls_context_free(context);
		return NULL;
	}
	wolfSSL_CTX_set_verify(context->strict, WOLFSSL_VERIFY_NONE, NULL);
	wolf_keep_sni(context->strict);
	return context;
}
