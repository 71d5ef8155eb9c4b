/*
 * What a visit meets of the faults of certificates and TLS.
 */
#include "relay/lab/visit.h"

#include "relay/lab/guise.h"

/* No TLS record: the first byte of one is its type, 20 to 23. */
#define GARBAGE "\x80\xff\x01garbage instead of a handshake\r\n"

enum { HALF_A_REPLY = 6 }; /* "250 2." */

/* A ServerHello of TLS 1.1 (RFC 4346 7.4.1.3) with
 * TLS_RSA_WITH_AES_128_CBC_SHA: record, hello, a random that is none, no
 * session, no compression, and renegotiation_info (RFC 5746), which clients
 * want before they look at anything else.  A client that would take TLS 1.1
 * is told of the version by the fatal alert behind it. */
static const unsigned char hello_1_1[] = {
	22, 3, 2, 0, 49, 2, 0, 0, 45, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0x2f,
	0, 0, 5, 0xff, 1, 0, 1, 0,
	21, 3, 2, 0, 2, 2, 70, /* protocol_version */
};

/* A server's answer where it knows none of the client's suites. */
static const unsigned char handshake_failure[] = { 21, 3, 3, 0, 2, 2, 40 };

struct tls_context *visit_context(void *visit, struct tls_context *usual)
{
	struct visit *v = visit;
	const struct fault *certificate, *tls;
	struct tls_context *context;
	struct error error;

	if (!usual || visit_strike(v, FAULT_NO_STARTTLS) ||
	    visit_strike(v, FAULT_STRIP))
		return NULL;
	certificate = faults_strike_class(v->gateway->faults,
					  FAULT_CERTIFICATE, NULL);
	if (certificate)
		visit_tell_fault(v, certificate);
	tls = visit_strike(v, FAULT_TLS_1_2_ONLY);
	if (!certificate && !tls)
		return usual;
	context = guises_context(v->gateway->guises, certificate, tls, &error);
	if (!context)
		log_say(LOG_ERROR, "warning", "%s: %s",
			v->gateway->as_written->name, error.text);
	return context;
}

enum mischief_turn visit_handshake(void *visit, struct buffer *out)
{
	static const enum fault_kind feigned[] = {
		FAULT_GARBAGE_HANDSHAKE,
		FAULT_CLOSE_IN_HANDSHAKE,
		FAULT_STALL_IN_HANDSHAKE,
		FAULT_TLS_1_1_ONLY,
		FAULT_NO_COMMON_CIPHER,
	};
	struct visit *v = visit;

	if (visit_strike(v, FAULT_PLAINTEXT_AFTER_220)) {
		buffer_append(out, VIEW("250 2.0.0 Said in the clear\r\n"));
		return MISCHIEF_GO;
	}
	for (size_t i = 0; i < sizeof(feigned) / sizeof(*feigned); i++)
		if (visit_strike(v, feigned[i])) {
			v->feigned = feigned[i];
			return MISCHIEF_HELD;
		}
	return MISCHIEF_GO;
}

enum mischief_turn visit_hello(void *visit, struct view hello,
			       struct buffer *out)
{
	struct visit *v = visit;
	bool is_answered = v->has_answered;

	(void)hello;
	v->has_answered = true;
	switch (v->feigned) {
	case FAULT_GARBAGE_HANDSHAKE:
		buffer_append(out, VIEW(GARBAGE));
		return MISCHIEF_CUT;
	case FAULT_CLOSE_IN_HANDSHAKE: return MISCHIEF_CUT;
	case FAULT_NO_COMMON_CIPHER:
		buffer_append(out, view_make(handshake_failure,
					     sizeof(handshake_failure)));
		return MISCHIEF_CLOSE;
	case FAULT_TLS_1_1_ONLY:
		/* What comes then is the client's alert. */
		if (is_answered)
			return MISCHIEF_CUT;
		buffer_append(out, view_make(hello_1_1, sizeof(hello_1_1)));
		return MISCHIEF_HELD;
	default: return MISCHIEF_HELD;
	}
}

enum mischief_turn visit_truncate(struct visit *v, struct buffer *out,
				  size_t said)
{
	if (v->step != STEP_DOT || !v->is_tls ||
	    !visit_strike(v, FAULT_TRUNCATE))
		return MISCHIEF_GO;
	if (buffer_len(out) > said + HALF_A_REPLY)
		out->end = out->start + said + HALF_A_REPLY;
	return MISCHIEF_CUT;
}
