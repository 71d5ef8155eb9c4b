/*
 * Questions and answers between the workers and the resolver process: one
 * datagram each on a SOCK_SEQPACKET pair.  Pure.  Neither side trusts the
 * other: a datagram that is not exactly one well-formed question or answer
 * is refused as a whole.
 */
#ifndef RELAY_DNS_WIRE_H
#define RELAY_DNS_WIRE_H

#include "relay/dns.h"

struct dns_question {
	uint32_t id; /* the worker's; comes back with the answer */
	enum dns_type type;
	char name[ADDR_DOMAIN_MAX + 1]; /* canonical */
};

enum {
	DNS_WIRE_QUESTION_MAX = 4 + 2 + 1 + ADDR_DOMAIN_MAX,
	DNS_WIRE_RECORD_MAX = 2 + DNS_RAW_MAX,
	DNS_WIRE_ANSWER_MAX = 18 + 2 * (1 + ADDR_DOMAIN_MAX) +
			      DNS_RECORDS_MAX * DNS_WIRE_RECORD_MAX,
};

bool dns_type_known(unsigned type);
/* Whether this can be asked and answered: of the shape that canonical names
 * have, the root being the empty one. */
bool dns_name_is_plain(struct view name);

void dns_wire_put_question(struct buffer *out,
			   const struct dns_question *question);
int dns_wire_get_question(struct view in, struct dns_question *question);

/* `type` is the one asked for; it decides what a record holds. */
void dns_wire_put_answer(struct buffer *out, uint32_t id, enum dns_type type,
			 const struct dns_answer *answer);
/* On success the records are to be freed with dns_answer_clear(). */
int dns_wire_get_answer(struct view in, uint32_t *id, enum dns_type *type,
			struct dns_answer *answer);
void dns_answer_clear(struct dns_answer *answer);

#endif
