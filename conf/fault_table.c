/*
 * What the lab's faults are called and mean, and what each takes: the one
 * table behind the configuration, `postern lab --faults` and docs/lab.md.
 */
#include "conf/fault.h"

#include <string.h>

#define DAY_SECONDS (24 * 3600)

#define CERTIFICATE(text, words) \
	.name = text, .class = FAULT_CERTIFICATE, .meaning = words
#define TLS(text, words) .name = text, .class = FAULT_TLS, .meaning = words
#define SMTP(text, words) \
	.name = text, .class = FAULT_SMTP, .meaning = words, .has_paths = true
/* Before anybody said from whom and to whom. */
#define SMTP_EARLY(text, words) \
	.name = text, .class = FAULT_SMTP, .meaning = words
#define DNS(text, words) \
	.name = text, .class = FAULT_DNS, .meaning = words, .has_paths = true
#define NUMBER(what, usual, least, most) \
	.unit = what, .number = usual, .min = least, .max = most
#define ANSWERS(number, where) .code = number, .step = where

/* clang-format off */
static const struct fault_about table[FAULT_COUNT] = {
	[FAULT_EXPIRED] = { CERTIFICATE("expired",
		"the certificate ended yesterday") },
	[FAULT_NOT_YET_VALID] = { CERTIFICATE("not-yet-valid",
		"the certificate begins tomorrow") },
	[FAULT_WRONG_NAME] = { CERTIFICATE("wrong-name",
		"CN and SAN name another host") },
	[FAULT_NAME_ONLY_IN_CN] = { CERTIFICATE("name-only-in-cn",
		"the CN names the host, the SAN another one") },
	[FAULT_SELF_SIGNED] = { CERTIFICATE("self-signed",
		"the certificate is its own issuer") },
	[FAULT_UNKNOWN_CA] = { CERTIFICATE("unknown-ca",
		"issued by a CA of the same name under a root nobody has") },
	[FAULT_MISSING_INTERMEDIATE] = { CERTIFICATE("missing-intermediate",
		"the leaf is sent without its intermediate") },
	[FAULT_CHAIN_WRONG_ORDER] = { CERTIFICATE("chain-wrong-order",
		"root and intermediate are sent in the wrong order; "
		"this must pass") },
	[FAULT_UNRELATED_EXTRA_CERTIFICATES] = {
		CERTIFICATE("unrelated-extra-certificates",
		"certificates that have nothing to do with it are sent as "
		"well; this must pass") },
	[FAULT_WEAK_RSA_1024] = { CERTIFICATE("weak-rsa-1024",
		"the leaf's key is RSA of 1024 bits") },
	[FAULT_SHA1_SIGNATURE] = { CERTIFICATE("sha1-signature",
		"the leaf is signed with SHA-1") },
	[FAULT_NUL_IN_NAME] = { CERTIFICATE("nul-in-name",
		"CN and SAN go on behind a NUL byte with another domain") },
	[FAULT_WILDCARD_TWO_LABELS] = { CERTIFICATE("wildcard-two-labels",
		"the name is a wildcard over two labels, *.*.tuv.com") },
	[FAULT_CA_FALSE_ISSUER] = { CERTIFICATE("ca-false-issuer",
		"the issuer is no CA (CA:FALSE)") },
	[FAULT_CLIENT_AUTH_ONLY] = { CERTIFICATE("client-auth-only",
		"the certificate's purpose is clientAuth only") },
	[FAULT_KEY_MISMATCH] = { CERTIFICATE("key-mismatch",
		"the handshake is signed with another key than the "
		"certificate's") },
	[FAULT_HUGE_CERTIFICATE_CHAIN] = { CERTIFICATE("huge-certificate-chain",
		"so many more certificates are sent behind the chain"),
		NUMBER("certificates", 100, 1, 200) },

	[FAULT_NO_STARTTLS] = { TLS("no-starttls",
		"STARTTLS is not offered") },
	[FAULT_STARTTLS_454] = { TLS("starttls-454",
		"STARTTLS is offered and answered with 454"),
		ANSWERS(454, STEP_STARTTLS) },
	[FAULT_STARTTLS_500] = { TLS("starttls-500",
		"STARTTLS is offered and answered with 500"),
		ANSWERS(500, STEP_STARTTLS) },
	[FAULT_STRIP] = { TLS("strip",
		"STARTTLS is not offered on each so-many-th connection"),
		NUMBER("connections", 2, 1, 1000000) },
	[FAULT_PLAINTEXT_AFTER_220] = { TLS("plaintext-after-220",
		"another reply follows the 220 to STARTTLS in the clear") },
	[FAULT_GARBAGE_HANDSHAKE] = { TLS("garbage-handshake",
		"the handshake is answered with bytes that are no TLS") },
	[FAULT_CLOSE_IN_HANDSHAKE] = { TLS("close-in-handshake",
		"the connection ends when the handshake begins") },
	[FAULT_STALL_IN_HANDSHAKE] = { TLS("stall-in-handshake",
		"the handshake is never answered") },
	[FAULT_TLS_1_1_ONLY] = { TLS("tls-1.1-only",
		"the ServerHello is of TLS 1.1, and an alert follows that says so") },
	[FAULT_TLS_1_2_ONLY] = { TLS("tls-1.2-only",
		"the handshake is answered with TLS 1.2; this must pass") },
	[FAULT_NO_COMMON_CIPHER] = { TLS("no-common-cipher",
		"no cipher suite of the client is taken") },
	[FAULT_TRUNCATE] = { TLS("truncate",
		"the connection ends within the reply to the final dot, "
		"without close_notify"), .has_paths = true },

	[FAULT_421_GREETING] = { SMTP_EARLY("421-greeting",
		"the greeting is 421, and the connection ends"),
		ANSWERS(421, STEP_GREETING) },
	[FAULT_SLOW_GREETING] = { SMTP_EARLY("slow-greeting",
		"the greeting comes so late"),
		NUMBER("seconds", 10, 1, DAY_SECONDS) },
	[FAULT_REPLY] = { SMTP("CODE-STEP",
		"the step is answered with this 4xx or 5xx, as in 450-rcpt "
		"or 554-dot") },
	[FAULT_GREYLIST] = { SMTP("greylist",
		"RCPT gets 450 until so long after the first try of the same "
		"client, sender and recipient"),
		NUMBER("seconds", 300, 1, DAY_SECONDS) },
	[FAULT_STALL] = { SMTP("stall-STEP",
		"the step is never answered, as in stall-data") },
	[FAULT_CLOSE] = { SMTP("close-STEP",
		"the connection ends instead of an answer, as in "
		"close-mail") },
	[FAULT_ACCEPT_THEN_CLOSE_AFTER_DOT] = {
		SMTP("accept-then-close-after-dot",
		"the message is kept, and the connection ends without an "
		"answer to the dot") },
	[FAULT_ENDLESS_REPLY] = { SMTP("endless-reply",
		"the reply has lines without end"), .has_step = true },
	[FAULT_DRIBBLE] = { SMTP("dribble",
		"replies come byte by byte, each in a packet of its own, so "
		"long apart"),
		NUMBER("milliseconds", 20, 1, 3600 * 1000),
		.has_step = true },
	[FAULT_REPLY_SPLIT] = { SMTP("reply-split",
		"each reply comes in two packets, cut within a line"),
		.has_step = true },
	[FAULT_SIZE_LIMIT] = { SMTP("size-limit",
		"SIZE is announced with so many bytes, and larger mail gets "
		"552"), NUMBER("bytes", 10000, 1, UINT32_MAX) },
	[FAULT_HELO_ONLY] = { SMTP_EARLY("helo-only",
		"EHLO gets 502; there is HELO and no extension") },
	[FAULT_DROP_AFTER_BYTES] = { SMTP("drop-after-bytes",
		"the connection ends once so many bytes of a body have come"),
		NUMBER("bytes", 1000, 1, UINT32_MAX) },
	[FAULT_552_AT_NTH_RCPT] = { SMTP("552-at-nth-rcpt",
		"from the n-th recipient of a transaction on RCPT gets 552"),
		NUMBER("recipients", 2, 1, 1000000) },
	[FAULT_TLS_REQUIRED_530] = { SMTP("tls-required-530",
		"MAIL gets 530 as long as there is no TLS") },
	[FAULT_NO_PIPELINING] = { SMTP_EARLY("no-pipelining",
		"PIPELINING is not offered") },
	[FAULT_NO_8BITMIME] = { SMTP_EARLY("no-8bitmime",
		"8BITMIME is not offered, nor SMTPUTF8") },
	[FAULT_RATE_LIMIT] = { SMTP_EARLY("rate-limit",
		"after so many connections in a minute the greeting is 421"),
		NUMBER("connections", 10, 1, 1000000) },

	[FAULT_SERVFAIL] = { DNS("servfail",
		"questions are answered with SERVFAIL") },
	[FAULT_TIMEOUT] = { DNS("timeout",
		"questions are not answered") },
	[FAULT_NXDOMAIN] = { DNS("nxdomain",
		"the name does not exist") },
	[FAULT_NULL_MX] = { DNS("null-mx",
		"the domain says that it takes no mail (RFC 7505)") },
	[FAULT_MX_TO_CNAME] = { DNS("mx-to-cname",
		"the MX host is an alias (against RFC 2181 10.3)") },
	[FAULT_BOGUS_SIGNATURE] = { DNS("bogus-signature",
		"the DNSSEC signature does not fit the answer") },
	[FAULT_TLSA_MISMATCH] = { DNS("tlsa-mismatch",
		"the TLSA record is of another certificate") },
	[FAULT_STS_BROKEN] = { DNS("sts-broken",
		"the MTA-STS record is there, and its policy cannot be had") },
};

static const char *const classes[] = {
	[FAULT_CERTIFICATE] = "certificate",
	[FAULT_TLS] = "TLS",
	[FAULT_SMTP] = "SMTP",
	[FAULT_DNS] = "DNS",
};

static const char *const steps[STEP_COUNT] = {
	[STEP_ANY] = "",	  [STEP_GREETING] = "greeting",
	[STEP_EHLO] = "ehlo",	  [STEP_HELO] = "helo",
	[STEP_STARTTLS] = "starttls", [STEP_AUTH] = "auth",
	[STEP_MAIL] = "mail",	  [STEP_RCPT] = "rcpt",
	[STEP_DATA] = "data",	  [STEP_BDAT] = "bdat",
	[STEP_DOT] = "dot",	  [STEP_RSET] = "rset",
	[STEP_NOOP] = "noop",	  [STEP_VRFY] = "vrfy",
	[STEP_QUIT] = "quit",
};
/* clang-format on */

const struct fault_about *fault_about(enum fault_kind kind)
{
	return &table[kind];
}

const char *fault_class_name(enum fault_class class)
{
	return classes[class];
}

const char *fault_step_name(enum fault_step step)
{
	return steps[step];
}

enum fault_step fault_step_find(struct view name)
{
	for (enum fault_step step = STEP_ANY + 1; step < STEP_COUNT; step++)
		if (view_equal(name, view_of(steps[step])))
			return step;
	return STEP_ANY;
}
