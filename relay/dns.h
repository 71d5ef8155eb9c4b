/*
 * DNS as the workers see it: typed questions to the resolver process over
 * a socketpair, typed answers back.  No DNS packet is parsed here.  An
 * answer has a kind and says whether it was proven by DNSSEC; an error is
 * never mistaken for "there is none".
 */
#ifndef RELAY_DNS_H
#define RELAY_DNS_H

#include "conf/addr.h"
#include "conf/net.h"

struct ev_loop;
struct dns;
struct dns_query;

enum dns_kind { DNS_DATA, DNS_NODATA, DNS_NXDOMAIN, DNS_ERROR };
enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_MX = 15, DNS_TXT = 16,
		DNS_AAAA = 28, DNS_TLSA = 52 };

enum { DNS_RECORDS_MAX = 64, DNS_RAW_MAX = 512 };

struct dns_record {
	struct net_address address;        /* A, AAAA */
	uint16_t preference;               /* MX */
	char name[ADDR_DOMAIN_MAX + 1];    /* MX: canonical; "" is the root
	                                    * (null MX, RFC 7505) */
	unsigned char raw[DNS_RAW_MAX];    /* TXT, TLSA */
	size_t raw_len;
};

struct dns_answer {
	enum dns_kind kind;
	bool is_secure;       /* this answer and every CNAME to it signed */
	bool is_bogus;        /* kind is DNS_ERROR then */
	char canonical[ADDR_DOMAIN_MAX + 1]; /* after CNAMEs */
	char why[160];        /* for people when DNS_ERROR: "SERVFAIL",
	                       * "timeout", "signature expired at ..." */
	uint32_t ttl;
	size_t count;
	struct dns_record *records;
	size_t dropped;       /* records past DNS_RECORDS_MAX or unusable */
};

typedef void dns_callback(void *arg, const struct dns_answer *answer);

/* fd: our end of the socketpair; taken. */
struct dns *dns_new(struct ev_loop *loop, int fd);
/* After the resolver was restarted: open questions are asked again. */
void dns_reconnect(struct dns *dns, int fd);
void dns_free(struct dns *dns);

/* The callback always comes later, on the loop, exactly once unless
 * cancelled; at the latest after DNS_TIMEOUT seconds, as DNS_ERROR. */
struct dns_query *dns_ask(struct dns *dns, enum dns_type type,
			  const char *name, dns_callback *call, void *arg);
void dns_cancel(struct dns_query *query);

enum { DNS_TIMEOUT = 30 };

#endif
