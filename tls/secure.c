/*
 * One TLS session over memory, on wolfSSL.  As a client it keeps what the
 * peer presented as it came, byte for byte: the library's own view of a
 * chain leaves certificates out, and its verdict is not ours.
 */
#include "tls/secure.h"

#include "tls/chain.h"
#include "tls/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECORD_PLAIN = 16 * 1024 };

struct secure {
	WOLFSSL *ssl;
	struct buffer *raw, *wire;
	struct tls_facts facts;
	struct buffer presented; /* what the peer's chain is, back to back */
	size_t lengths[FACTS_CHAIN_MAX];
	size_t count;
	struct anchors *anchors;
	struct proven *proven;   /* the context's */
	size_t came;             /* bytes before the handshake was done */
	char *error;             /* NULL: none */
	bool is_server;
	bool is_done;
	bool is_broken;
};

/* The first reason stays: later ones follow from it. */
static void note_error(struct secure *secure, const char *text)
{
	if (!secure->error)
		secure->error = must_strdup(text);
}

/* --- bytes for the library ------------------------------------------- */

/* The first byte of a TLS record is its type: handshake or alert. */
static bool is_tls(struct view raw)
{
	return raw.at[0] == 22 || raw.at[0] == 21;
}

static int give(WOLFSSL *ssl, char *to, int room, void *arg)
{
	struct secure *secure = arg;
	struct view raw = buffer_view(secure->raw);
	size_t len = (size_t)room < raw.len ? (size_t)room : raw.len;

	(void)ssl;
	if (raw.len == 0)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	if (!secure->is_done) {
		if (secure->came == 0 && !is_tls(raw)) {
			note_error(secure, "the peer spoke no TLS");
			return WOLFSSL_CBIO_ERR_GENERAL;
		}
		secure->came += len;
	}
	memcpy(to, raw.at, len);
	buffer_consume(secure->raw, len);
	return (int)len;
}

/* Never "would block": the TLS 1.3 handshake would forget it. */
static int take(WOLFSSL *ssl, char *from, int len, void *arg)
{
	struct secure *secure = arg;

	(void)ssl;
	if (buffer_len(secure->wire) > SECURE_WIRE_MAX) {
		note_error(secure, "the peer takes no answers");
		return WOLFSSL_CBIO_ERR_GENERAL;
	}
	buffer_append(secure->wire, view_make(from, (size_t)len));
	return len;
}

void secure_attach(WOLFSSL_CTX *ctx)
{
	wolfSSL_CTX_SetIORecv(ctx, give);
	wolfSSL_CTX_SetIOSend(ctx, take);
}

int secure_note_chain(int preverify, WOLFSSL_X509_STORE_CTX *store)
{
	struct secure *secure = store->userCtx;
	int i;

	(void)preverify;
	/* called once for each certificate, each time with all of them */
	if (!secure || secure->count > 0)
		return 1;
	for (i = 0; i < store->totalCerts && i < FACTS_CHAIN_MAX; i++) {
		const WOLFSSL_BUFFER_INFO *cert = &store->certs[i];

		buffer_append(&secure->presented,
			      view_make(cert->buffer, cert->length));
		secure->lengths[secure->count++] = cert->length;
	}
	return 1;
}

/* --- life ------------------------------------------------------------ */

static struct secure *make(WOLFSSL_CTX *ctx, struct buffer *raw,
			   struct buffer *wire, struct error *error)
{
	WOLFSSL *ssl = wolfSSL_new(ctx);
	struct secure *secure;

	if (!ssl) {
		error_set(error, "wolfSSL makes no session");
		return NULL;
	}
	secure = must_alloc(sizeof(*secure));
	secure->ssl = ssl;
	secure->raw = raw;
	secure->wire = wire;
	wolfSSL_SetIOReadCtx(ssl, secure);
	wolfSSL_SetIOWriteCtx(ssl, secure);
	wolfSSL_SetCertCbCtx(ssl, secure);
	return secure;
}

struct secure *secure_server(struct tls_context *context, struct buffer *raw,
			     struct buffer *wire, struct error *error)
{
	struct secure *secure = make(context->strict, raw, wire, error);

	if (secure)
		secure->is_server = true;
	return secure;
}

static int configure(struct secure *secure, const struct demand *demand,
		     struct error *error)
{
	size_t len = strlen(demand->sni);

	if (len > 0 && wolfSSL_UseSNI(secure->ssl, WOLFSSL_SNI_HOST_NAME,
				      demand->sni, (unsigned short)len) !=
			       WOLFSSL_SUCCESS)
		return error_set(error, "cannot send the name %s (SNI)",
				 demand->sni);
	if (demand->min_tls == TLS_1_3 &&
	    wolfSSL_SetMinVersion(secure->ssl, WOLFSSL_TLSV1_3) !=
		    WOLFSSL_SUCCESS)
		return error_set(error, "wolfSSL lacks TLS 1.3");
	return 0;
}

struct secure *secure_client(struct tls_context *context,
			     const struct demand *demand, struct buffer *raw,
			     struct buffer *wire, struct error *error)
{
	WOLFSSL_CTX *ctx = context_client(context, demand, error);
	struct secure *secure = ctx ? make(ctx, raw, wire, error) : NULL;

	if (!secure)
		return NULL;
	if (configure(secure, demand, error) < 0) {
		secure_free(secure);
		return NULL;
	}
	secure->anchors = context_anchors(context, demand);
	secure->proven = context->proven;
	/* the client speaks first; what goes wrong here is told when the
	 * answer is looked at */
	(void)secure_handshake(secure);
	return secure;
}

/* Once it was judged nobody asks for it again. */
static void forget_chain(struct secure *secure)
{
	buffer_clear(&secure->presented);
	anchors_free(secure->anchors);
	secure->anchors = NULL;
}

void secure_free(struct secure *secure)
{
	if (!secure)
		return;
	wolfSSL_free(secure->ssl);
	facts_clear(&secure->facts);
	forget_chain(secure);
	free(secure->error);
	free(secure);
}

/* --- work ------------------------------------------------------------ */

static enum secure_step broken(struct secure *secure, int code)
{
	char text[ERROR_TEXT_MAX];

	secure->is_broken = true;
	wolf_explain(secure->ssl, code, text, sizeof(text));
	note_error(secure, text);
	return SECURE_BROKEN;
}

static unsigned cipher_bits(const char *name)
{
	return strstr(name, "AES_128") ? 128 : 256;
}

/* What the peer presented, and what it is worth against the anchors. */
static void judge_chain(const struct secure *secure,
			const struct anchors *anchors, struct tls_facts *facts)
{
	struct view ders[FACTS_CHAIN_MAX];
	struct view rest = buffer_view(&secure->presented);
	struct chain_question question = {
		.presented = ders,
		.count = secure->count,
		.anchors = anchors,
		.proven = secure->proven,
		.now = (int64_t)time(NULL),
		.is_client = secure->is_server,
	};
	size_t i;

	for (i = 0; i < secure->count; i++) {
		ders[i] = view_first(rest, secure->lengths[i]);
		rest = view_from(rest, secure->lengths[i]);
	}
	if (chain_present(&question, facts) == 0 && anchors)
		chain_verify(&question, facts);
}

static void note_facts(struct secure *secure)
{
	struct tls_facts *facts = &secure->facts;
	const char *cipher = wolf_cipher(secure->ssl);
	const char *group = wolfSSL_get_curve_name(secure->ssl);

	facts->is_tls = true;
	facts->is_server = secure->is_server;
	(void)snprintf(facts->version, sizeof(facts->version), "%s",
		       wolfSSL_get_version(secure->ssl));
	(void)snprintf(facts->cipher, sizeof(facts->cipher), "%s", cipher);
	(void)snprintf(facts->group, sizeof(facts->group), "%s",
		       group ? group : "");
	facts->bits = cipher_bits(cipher);
	if (secure->is_server) {
		/* what a client shows is judged once it says whose mail it
		 * brings, and by whose anchors */
		wolf_sni(secure->ssl, facts->sni, sizeof(facts->sni));
		return;
	}
	judge_chain(secure, secure->anchors, facts);
	forget_chain(secure);
}

void secure_prove(const struct secure *secure, struct tls_context *context,
		  const struct demand *demand, struct tls_facts *out)
{
	struct anchors *anchors;

	facts_copy(out, &secure->facts);
	if (!secure->is_server)
		return;
	anchors = context_anchors(context, demand);
	judge_chain(secure, anchors, out);
	anchors_free(anchors);
}

enum secure_step secure_handshake(struct secure *secure)
{
	int r, code;

	if (secure->is_broken)
		return SECURE_BROKEN;
	r = secure->is_server ? wolfSSL_accept(secure->ssl)
			      : wolfSSL_connect(secure->ssl);
	if (r == WOLFSSL_SUCCESS) {
		secure->is_done = true;
		note_facts(secure);
		return SECURE_DONE;
	}
	code = wolfSSL_get_error(secure->ssl, r);
	if (code != WOLFSSL_ERROR_WANT_READ)
		return broken(secure, code);
	if (secure->came > SECURE_HANDSHAKE_MAX) {
		note_error(secure, "the handshake is too long");
		return broken(secure, code);
	}
	return SECURE_MORE;
}

enum secure_step secure_read(struct secure *secure, struct buffer *plain,
			     size_t room)
{
	while (room > 0 && !secure->is_broken) {
		size_t most = room < RECORD_PLAIN ? room : RECORD_PLAIN;
		int n = wolfSSL_read(secure->ssl, buffer_reserve(plain, most),
				     (int)most);
		int code;

		if (n > 0) {
			buffer_added(plain, (size_t)n);
			room -= (size_t)n;
			continue;
		}
		code = wolfSSL_get_error(secure->ssl, n);
		if (code == WOLFSSL_ERROR_WANT_READ)
			return SECURE_MORE;
		if (code == WOLFSSL_ERROR_ZERO_RETURN)
			return SECURE_CLOSED;
		return broken(secure, code);
	}
	return secure->is_broken ? SECURE_BROKEN : SECURE_DONE;
}

size_t secure_pending(const struct secure *secure)
{
	int n = wolfSSL_pending(secure->ssl);

	return n > 0 ? (size_t)n : 0;
}

int secure_write(struct secure *secure, struct view plain)
{
	int n;

	if (secure->is_broken)
		return -1;
	if (plain.len == 0)
		return 0;
	n = wolfSSL_write(secure->ssl, plain.at, (int)plain.len);
	if (n == (int)plain.len)
		return 0;
	(void)broken(secure, wolfSSL_get_error(secure->ssl, n));
	return -1;
}

void secure_close(struct secure *secure)
{
	if (secure->is_done && !secure->is_broken)
		(void)wolfSSL_shutdown(secure->ssl);
}

const char *secure_error(const struct secure *secure)
{
	return secure->error ? secure->error : "";
}

const struct tls_facts *secure_facts(const struct secure *secure)
{
	return &secure->facts;
}
