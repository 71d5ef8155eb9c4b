/*
 * The contexts of one gateway.  See guise.h.
 */
#include "relay/lab/guise.h"

#include "tls/faulty.h"

#include <stdlib.h>

struct guise {
	struct guise *next;
	enum fault_kind certificate, tls; /* FAULT_COUNT: none */
	uint32_t number;                  /* of the certificate's fault */
	struct tls_context *context;
};

struct guises {
	const struct lab_gateway *gateway;
	struct mint *mint;
	struct guise *made;
	struct buffer chain, key; /* without a fault */
};

struct guises *guises_new(const struct lab_gateway *gateway, struct mint *mint)
{
	struct guises *guises = must_alloc(sizeof(*guises));

	guises->gateway = gateway;
	guises->mint = mint;
	return guises;
}

void guises_free(struct guises *guises)
{
	if (!guises)
		return;
	while (guises->made) {
		struct guise *guise = guises->made;

		guises->made = guise->next;
		tls_context_free(guise->context);
		free(guise);
	}
	buffer_clear(&guises->chain);
	buffer_wipe(&guises->key);
	free(guises);
}

/* The certificate without a fault, once. */
static int issue_good(struct guises *guises, struct error *error)
{
	const struct lab_gateway *gateway = guises->gateway;
	const struct certificate *c = gateway->listener.certificate;

	if (buffer_len(&guises->chain))
		return 0;
	if (!c)
		return mint_issue(guises->mint, &gateway->names, NULL,
				  &guises->chain, &guises->key, error);
	buffer_append(&guises->chain, c->chain.bytes);
	buffer_append(&guises->key, c->key.bytes);
	return 0;
}

static struct tls_context *make(struct guises *guises,
				const struct fault *certificate,
				enum fault_kind tls, struct error *error)
{
	bool is_1_2_only = tls == FAULT_TLS_1_2_ONLY;
	struct buffer chain = { 0 }, key = { 0 };
	struct tls_context *context = NULL;

	if (certificate) {
		if (!mint_issue(guises->mint, &guises->gateway->names,
				certificate, &chain, &key, error))
			context = tls_faulty_context(buffer_view(&chain),
						     buffer_view(&key), is_1_2_only,
						     error);
	} else if (!issue_good(guises, error)) {
		struct view c = buffer_view(&guises->chain);
		struct view k = buffer_view(&guises->key);

		context = tls == FAULT_COUNT ?
				  tls_server_context(c, k, error) :
				  tls_faulty_context(c, k, is_1_2_only, error);
	}
	buffer_clear(&chain);
	buffer_wipe(&key);
	return context;
}

struct tls_context *guises_context(struct guises *guises,
				   const struct fault *certificate,
				   const struct fault *tls, struct error *error)
{
	enum fault_kind c = certificate ? certificate->kind : FAULT_COUNT;
	enum fault_kind t = tls ? tls->kind : FAULT_COUNT;
	uint32_t number = certificate ? certificate->number : 0;
	struct tls_context *context;
	struct guise *guise;

	for (guise = guises->made; guise; guise = guise->next)
		if (guise->certificate == c && guise->tls == t &&
		    guise->number == number)
			return guise->context;
	context = make(guises, certificate, t, error);
	if (!context)
		return NULL;
	guise = must_alloc(sizeof(*guise));
	*guise = (struct guise){ guises->made, c, t, number, context };
	guises->made = guise;
	return context;
}

struct view guises_chain(const struct guises *guises)
{
	return buffer_view(&guises->chain);
}
