/*
 * TLS contexts.  The client's holds two of the library's: a strict one for
 * what must be encrypted or verified, and a lenient one for opportunistic
 * TLS, where the alternative to an old cipher is none.  Neither knows a
 * CA: the library lets every chain pass, and chain.c judges it.
 */
#include "tls/inner.h"

#include "tls/secure.h"

#include <stdlib.h>
#include <string.h>

/* A trust file of the snapshot that was met last. */
struct kept_anchors {
	struct kept_anchors *next;
	uint64_t generation;
	char *path;
	struct anchors *anchors; /* NULL: the file holds none */
};

/* The same two contexts with a certificate of ours, of the snapshot that was
 * met last. */
struct kept_identity {
	struct kept_identity *next;
	uint64_t generation;
	const struct certificate *certificate;
	WOLFSSL_CTX *strict, *lenient;
};

void tls_start(void)
{
	wolf_start();
}

static WOLFSSL_CTX *make(WOLFSSL_METHOD *method, bool is_lenient,
			 bool has_groups, struct error *error)
{
	WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method);

	if (!ctx) {
		error_set(error, "wolfSSL makes no context");
		return NULL;
	}
	if (wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2) !=
		    WOLFSSL_SUCCESS ||
	    wolf_set_ciphers(ctx, is_lenient) < 0 ||
	    (has_groups && wolf_set_groups(ctx) < 0)) {
		error_set(error, "wolfSSL lacks TLS 1.2, ciphers or groups");
		wolfSSL_CTX_free(ctx);
		return NULL;
	}
	wolf_forbid_resumption(ctx);
	secure_attach(ctx);
	return ctx;
}

WOLFSSL_CTX *context_make(WOLFSSL_METHOD *method, bool is_lenient,
			  struct error *error)
{
	return make(method, is_lenient, true, error);
}

/* wolfSSL 5.5.4 knows groups of ours with TLS 1.3 only. */
WOLFSSL_CTX *context_make_1_2_server(struct error *error)
{
	return make(wolfTLSv1_2_server_method(), true, false, error);
}

static WOLFSSL_CTX *make_client(bool is_lenient, struct error *error)
{
	WOLFSSL_CTX *ctx = context_make(wolfSSLv23_client_method(), is_lenient,
					error);

	if (ctx)
		wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER,
				       secure_note_chain);
	return ctx;
}

struct tls_context *tls_client_context(struct error *error)
{
	struct tls_context *context = must_alloc(sizeof(*context));

	context->holds = 1;
	context->proven = proven_new();
	context->strict = make_client(false, error);
	context->lenient = make_client(true, error);
	if (!context->strict || !context->lenient) {
		tls_context_free(context);
		return NULL;
	}
	return context;
}

static void forget_anchors(struct tls_context *context)
{
	struct kept_anchors *kept;

	while ((kept = context->kept)) {
		context->kept = kept->next;
		anchors_free(kept->anchors);
		free(kept->path);
		free(kept);
	}
}

struct anchors *context_anchors(struct tls_context *context,
				const struct demand *demand)
{
	const struct conf_blob *trust = demand->trust;
	struct kept_anchors *kept;
	struct error error;

	if (!trust)
		return NULL;
	/* sessions that still use the old ones hold them themselves */
	if (context->kept && context->kept->generation != demand->generation)
		forget_anchors(context);
	for (kept = context->kept; kept; kept = kept->next)
		if (trust->path && strcmp(kept->path, trust->path) == 0)
			return kept->anchors ? anchors_hold(kept->anchors)
					     : NULL;
	/* without a snapshot's mark nothing says that a file is the same */
	if (!demand->generation || !trust->path)
		return anchors_read(trust->bytes, &error);
	kept = must_alloc(sizeof(*kept));
	kept->generation = demand->generation;
	kept->path = must_strdup(trust->path);
	kept->anchors = anchors_read(trust->bytes, &error);
	kept->next = context->kept;
	context->kept = kept;
	return kept->anchors ? anchors_hold(kept->anchors) : NULL;
}

int context_use_pair(WOLFSSL_CTX *ctx, struct view chain, struct view key,
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
	return 0;
}

static void free_identity(struct kept_identity *kept)
{
	/* sessions that still use them hold them themselves */
	wolfSSL_CTX_free(kept->strict);
	wolfSSL_CTX_free(kept->lenient);
	free(kept);
}

static void forget_identities(struct tls_context *context)
{
	struct kept_identity *kept;

	while ((kept = context->identities)) {
		context->identities = kept->next;
		free_identity(kept);
	}
}

static struct kept_identity *make_identity(const struct demand *demand,
					   struct error *error)
{
	const struct certificate *certificate = demand->certificate;
	struct view chain = certificate->chain.bytes;
	struct view key = certificate->key.bytes;
	struct kept_identity *kept = must_alloc(sizeof(*kept));

	kept->generation = demand->generation;
	kept->certificate = certificate;
	kept->strict = make_client(false, error);
	kept->lenient = make_client(true, error);
	if (kept->strict && kept->lenient &&
	    context_use_pair(kept->strict, chain, key, error) == 0 &&
	    context_use_pair(kept->lenient, chain, key, error) == 0)
		return kept;
	free_identity(kept);
	return NULL;
}

static struct kept_identity *find_identity(struct tls_context *context,
					   const struct demand *demand,
					   struct error *error)
{
	struct kept_identity *kept = context->identities;

	if (kept && kept->generation != demand->generation) {
		forget_identities(context);
		kept = NULL;
	}
	for (; kept; kept = kept->next)
		if (kept->certificate == demand->certificate)
			return kept;
	kept = make_identity(demand, error);
	if (kept) {
		kept->next = context->identities;
		context->identities = kept;
	}
	return kept;
}

WOLFSSL_CTX *context_client(struct tls_context *context,
			    const struct demand *demand, struct error *error)
{
	bool is_lenient = demand->level <= TLS_MAY;
	const struct kept_identity *kept;

	if (!demand->certificate)
		return is_lenient ? context->lenient : context->strict;
	kept = find_identity(context, demand, error);
	if (!kept)
		return NULL;
	return is_lenient ? kept->lenient : kept->strict;
}

/* Certificate and key belong together if a client that asks for proof of
 * it gets one; the library's own check lets some strangers pass. */
static int prove_pair(struct tls_context *server, struct error *error)
{
	struct demand demand = { .level = TLS_ENCRYPT };
	struct tls_context *context = tls_client_context(error);
	struct buffer there = { 0 }, back = { 0 };
	struct secure *asks = NULL, *proves = NULL;
	enum secure_step a = SECURE_MORE, b = SECURE_MORE;
	int rounds;

	if (context)
		asks = secure_client(context, &demand, &back, &there, error);
	if (asks)
		proves = secure_server(server, &there, &back, error);
	for (rounds = 0; proves && rounds < 8 && (a == SECURE_MORE ||
						  b == SECURE_MORE); rounds++) {
		if (b == SECURE_MORE)
			b = secure_handshake(proves);
		if (a == SECURE_MORE)
			a = secure_handshake(asks);
	}
	if (proves && (a != SECURE_DONE || b != SECURE_DONE))
		error_set(error, "the key does not belong to the certificate "
			  "(%s)", a == SECURE_BROKEN ? secure_error(asks)
						     : secure_error(proves));
	secure_free(asks);
	secure_free(proves);
	buffer_clear(&there);
	buffer_clear(&back);
	tls_context_free(context);
	return a == SECURE_DONE && b == SECURE_DONE ? 0 : -1;
}

struct tls_context *tls_server_context(struct view chain_pem,
				       struct view key_pem,
				       struct error *error)
{
	struct tls_context *context = must_alloc(sizeof(*context));

	context->holds = 1;
	context->strict = context_make(wolfSSLv23_server_method(), true, error);
	if (!context->strict ||
	    context_use_pair(context->strict, chain_pem, key_pem, error) < 0) {
		tls_context_free(context);
		return NULL;
	}
	wolfSSL_CTX_set_verify(context->strict, WOLFSSL_VERIFY_NONE, NULL);
	wolf_keep_sni(context->strict);
	if (prove_pair(context, error) < 0) {
		tls_context_free(context);
		return NULL;
	}
	return context;
}

void tls_context_ask_clients(struct tls_context *context)
{
	wolfSSL_CTX_set_verify(context->strict, WOLFSSL_VERIFY_PEER,
			       secure_note_chain);
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
	forget_anchors(context);
	forget_identities(context);
	proven_free(context->proven);
	wolfSSL_CTX_free(context->strict);
	wolfSSL_CTX_free(context->lenient);
	free(context);
}
