/*
 * The lab's faults: one vocabulary for its configuration, its command line,
 * its page and its documentation.  Pure: text in, a fault out, and back.
 *
 *	expired                         421-greeting first 3
 *	450-rcpt to *@x.example         greylist 30
 *	reply-split at ehlo             stall-data from *@y.example every 2
 *
 * A fault is a name, a number where its row has one, and limits: `at STEP`,
 * `from PATTERN`, `to PATTERN`, `every N`, `first N`.
 */
#ifndef CONF_FAULT_H
#define CONF_FAULT_H

#include "conf/bytes.h"
#include "conf/error.h"

enum fault_class { FAULT_CERTIFICATE, FAULT_TLS, FAULT_SMTP, FAULT_DNS };

/* In the order of the table, of `--faults` and of docs/lab.md. */
enum fault_kind {
	FAULT_EXPIRED,
	FAULT_NOT_YET_VALID,
	FAULT_WRONG_NAME,
	FAULT_NAME_ONLY_IN_CN,
	FAULT_SELF_SIGNED,
	FAULT_UNKNOWN_CA,
	FAULT_MISSING_INTERMEDIATE,
	FAULT_CHAIN_WRONG_ORDER,
	FAULT_UNRELATED_EXTRA_CERTIFICATES,
	FAULT_WEAK_RSA_1024,
	FAULT_SHA1_SIGNATURE,
	FAULT_NUL_IN_NAME,
	FAULT_WILDCARD_TWO_LABELS,
	FAULT_CA_FALSE_ISSUER,
	FAULT_CLIENT_AUTH_ONLY,
	FAULT_KEY_MISMATCH,
	FAULT_HUGE_CERTIFICATE_CHAIN,

	FAULT_NO_STARTTLS,
	FAULT_STARTTLS_454,
	FAULT_STARTTLS_500,
	FAULT_STRIP,
	FAULT_PLAINTEXT_AFTER_220,
	FAULT_GARBAGE_HANDSHAKE,
	FAULT_CLOSE_IN_HANDSHAKE,
	FAULT_STALL_IN_HANDSHAKE,
	FAULT_TLS_1_1_ONLY,
	FAULT_TLS_1_2_ONLY,
	FAULT_NO_COMMON_CIPHER,
	FAULT_TRUNCATE,

	FAULT_421_GREETING,
	FAULT_SLOW_GREETING,
	FAULT_REPLY,       /* "450-rcpt": code and step of the fault */
	FAULT_GREYLIST,
	FAULT_STALL,       /* "stall-rcpt": step of the fault */
	FAULT_CLOSE,       /* "close-rcpt" */
	FAULT_ACCEPT_THEN_CLOSE_AFTER_DOT,
	FAULT_ENDLESS_REPLY,
	FAULT_DRIBBLE,
	FAULT_REPLY_SPLIT,
	FAULT_SIZE_LIMIT,
	FAULT_HELO_ONLY,
	FAULT_DROP_AFTER_BYTES,
	FAULT_552_AT_NTH_RCPT,
	FAULT_TLS_REQUIRED_530,
	FAULT_NO_PIPELINING,
	FAULT_NO_8BITMIME,
	FAULT_RATE_LIMIT,

	FAULT_SERVFAIL,
	FAULT_TIMEOUT,
	FAULT_NXDOMAIN,
	FAULT_NULL_MX,
	FAULT_MX_TO_CNAME,
	FAULT_BOGUS_SIGNATURE,
	FAULT_TLSA_MISMATCH,
	FAULT_STS_BROKEN,
	FAULT_COUNT,
};

/* Where in a session. */
enum fault_step {
	STEP_ANY, /* no step was named */
	STEP_GREETING,
	STEP_EHLO,
	STEP_HELO,
	STEP_STARTTLS,
	STEP_AUTH,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA, /* the command */
	STEP_BDAT,
	STEP_DOT,  /* the end of the body, BDAT LAST as well */
	STEP_RSET,
	STEP_NOOP,
	STEP_VRFY,
	STEP_QUIT,
	STEP_COUNT,
};

/* What a kind is called, means and takes. */
struct fault_about {
	const char *name;    /* the three families: "CODE-STEP", "stall-STEP",
			      * "close-STEP" */
	enum fault_class class;
	const char *meaning; /* one line, without a full stop */
	const char *unit;    /* of the number; NULL: it takes none */
	uint32_t number, min, max; /* number: where none is said */
	unsigned code;       /* a fixed reply and its step; 0: none */
	enum fault_step step;
	bool has_step;       /* `at STEP` may limit it */
	bool has_paths;      /* `from` and `to` may */
};

struct fault {
	enum fault_kind kind;
	unsigned code;        /* reply code; 0: the fault is no reply */
	enum fault_step step; /* where it strikes, where that is chosen */
	uint32_t number;      /* in the kind's unit */
	uint32_t first, every; /* 0: no limit */
	char *from, *to;      /* address patterns; NULL: whoever.  Of a DNS
			       * fault `to` is the name asked for */
};

const struct fault_about *fault_about(enum fault_kind kind);
const char *fault_class_name(enum fault_class class);
/* "rcpt"; "" for STEP_ANY. */
const char *fault_step_name(enum fault_step step);
/* STEP_ANY when there is no such step. */
enum fault_step fault_step_find(struct view name);

/* 0, and the fault is to be cleared; or -1 with the reason, which names the
 * nearest word where one is unknown. */
int fault_parse(struct view text, struct fault *out, struct error *error);
/* As fault_parse() reads it. */
void fault_print(const struct fault *fault, struct buffer *out);
/* The name alone: "expired", "450-rcpt". */
void fault_name(const struct fault *fault, struct buffer *out);
void fault_copy(struct fault *out, const struct fault *fault);
void fault_clear(struct fault *fault);
/* Same name and same places: setting the one replaces the other. */
bool fault_is_same(const struct fault *a, const struct fault *b);

/* Stars in the pattern stand for any run of bytes, and case is folded; NULL
 * matches all. */
bool fault_matches(const char *pattern, const char *text);

#endif
