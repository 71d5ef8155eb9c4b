/*
 * What is demanded of a host before the connection, and whether what the
 * wire proved meets it.  Both functions are total and pure.  A demand may
 * rise, never fall; nothing here or behind it leads from an unmet demand
 * to plaintext.
 */
#ifndef TLS_POLICY_H
#define TLS_POLICY_H

#include "conf/conf.h"
#include "tls/facts.h"

enum { DEMAND_NAMES_MAX = 64, JUDGEMENT_TEXT_MAX = 400 };

/* How the host was found; decides where reference names may come from. */
enum host_source {
	HOST_GATEWAY,       /* configured by name */
	HOST_GATEWAY_ADDRESS, /* configured by address */
	HOST_MX,            /* MX in unsigned DNS */
	HOST_MX_SECURE,     /* the MX answer and every CNAME to it signed */
	HOST_IMPLICIT_MX,   /* no MX: the domain itself */
	HOST_CLIENT,        /* it came to us and brings the partner's mail:
	                     * `inbound`, `inbound-names` */
};

struct demand_question {
	const struct policy *policy;
	const char *domain;       /* the recipient's domain, canonical */
	enum host_source source;
	const char *host;         /* canonical name, or address text */
	const struct conf *conf;  /* the snapshot: its system roots; without
	                           * it only a policy's own anchors count */
	bool is_dry_run;          /* what `would` asks, in place of `tls` */
};

/* What is demanded of one host.  Borrowed pointers live as long as the
 * configuration snapshot. */
struct demand {
	enum tls_level level;
	bool is_usable;           /* false: this host may not be used at all */
	char why[JUDGEMENT_TEXT_MAX]; /* where the demand comes from; or why
	                               * the host is not usable */
	enum tls_version min_tls;
	bool asks_chain;          /* false: pins alone, or below verify */
	bool asks_name;
	char names[DEMAND_NAMES_MAX][256]; /* reference names */
	size_t name_count;
	bool names_from_unsigned_dns; /* names = { mx }: say so each time */
	const struct policy *policy;  /* issuer, pins */
	/* anchors, PEM, DER or PKCS#7; NULL: there are none */
	const struct conf_blob *trust;
	uint64_t generation;      /* of the snapshot that trust is from */
	char host[256];           /* who is meant, for reasons */
	char sni[256];            /* "": send none */
	const struct certificate *certificate; /* ours, for a server that
	                           * asks; NULL: none */
};

/* By `tls`; for a dry run by `would`, for a client by `inbound`. */
void tls_demand(const struct demand_question *question, struct demand *out);

enum judgement_verdict {
	JUDGE_DELIVER,
	JUDGE_PLAINTEXT_RETRY, /* level may only: handshake failed or STARTTLS
	                        * was refused; the same host without TLS */
	JUDGE_NEXT_HOST,       /* unmet: next gateway, then defer (4.7.x) */
};

/* What it is that was not met, for those who give advice. */
enum judgement_fault {
	FAULT_NONE,
	FAULT_HOST,           /* this host may not be used at all */
	FAULT_NOT_OFFERED,    /* TLS: not offered, refused, not spoken */
	FAULT_HANDSHAKE,
	FAULT_VERSION,
	FAULT_NO_CERTIFICATE,
	FAULT_PIN,
	FAULT_CHAIN,          /* facts->chain says more */
	FAULT_ISSUER,
	FAULT_NAME,
	FAULT_CIPHER,         /* one that only level may speaks */
	FAULT_NOTHING_ASKED,  /* the demand asks for nothing provable */
};

struct judgement {
	enum judgement_verdict verdict;
	enum judgement_fault fault;
	const char *code;      /* enhanced status, "4.7.5"; "" when deliver */
	const char *reason_code; /* the fault for programs: a name of RFC 8460
	                          * 4.3, or one of ours (docs/tls.md); "" */
	char reason[JUDGEMENT_TEXT_MAX]; /* expected and presented; or why it
	                                  * holds */
	char matched_name[256]; /* the certificate's name that matched */
	int matched_pin;       /* index, -1: none */
	bool is_verified;      /* chain and name (or pin) were proven */
};

/* After a handshake (facts->is_tls) or where the session goes on without
 * TLS (!facts->is_tls): may mail go? */
void tls_judge(const struct demand *demand, const struct tls_facts *facts,
	       struct judgement *out);

enum tls_trouble { TROUBLE_NOT_OFFERED, TROUBLE_REFUSED, TROUBLE_HANDSHAKE };

/* When TLS was not offered, was refused, or its handshake failed. */
void tls_judge_trouble(const struct demand *demand, enum tls_trouble trouble,
		       const char *detail, struct judgement *out);

/* "none", "may", "encrypt", "verify": as the configuration has it. */
const char *tls_level_text(enum tls_level level);

/* Same demand in every respect that matters for a warm connection. */
bool demand_equal(const struct demand *a, const struct demand *b);

#endif
