/*
 * A question's bytes in, an answer's bytes out, as an authoritative server
 * that knows DNSSEC gives it (RFC 1035, 4035 3.1, 6891).  Pure; the wire
 * format is ldns's.  What is malformed is answered FORMERR or not at all,
 * foreign names are REFUSED, and no answer goes to an answer.
 */
#ifndef RELAY_LAB_ANSWER_H
#define RELAY_LAB_ANSWER_H

#include "conf/bytes.h"

struct ldns_struct_pkt;
struct zones;

enum {
	ANSWER_QUERY_MAX = 4096, /* bytes; longer questions are nobody's */
	ANSWER_UDP_MAX = 1232,   /* RFC 9715 3.1: no fragments */
	ANSWER_NAME_MAX = 1025,  /* with every byte as \DDD */
	ANSWER_TYPE_MAX = 12,
};

enum answer_rcode {
	ANSWER_NOERROR = 0,
	ANSWER_FORMERR = 1,
	ANSWER_SERVFAIL = 2,
	ANSWER_NXDOMAIN = 3,
	ANSWER_NOTIMP = 4,
	ANSWER_REFUSED = 5,
};

struct question {
	char name[ANSWER_NAME_MAX]; /* lower case, no final dot */
	char type[ANSWER_TYPE_MAX]; /* "MX" */
	struct ldns_struct_pkt *packet;
};

/* 1: a question, to be cleared.  0: `reply` says what is wrong with it.
 * -1: to be dropped. */
int question_read(struct view bytes, struct question *question,
		  struct buffer *reply);
void question_clear(struct question *question);

/* How a question is answered. */
struct answer_manner {
	bool is_stream; /* over TCP */
	bool is_bogus;  /* with signatures that do not hold */
	bool is_denied; /* the name does not exist, without a proof */
};

/*
 * Appends the answer; over UDP one that is too long for the client becomes
 * an empty one with TC.  The rcode is returned, for the log.
 */
enum answer_rcode answer_compose(const struct zones *zones,
				 const struct question *question,
				 const struct answer_manner *manner,
				 struct buffer *out);
/* The same without any record. */
void answer_failure(const struct question *question, enum answer_rcode rcode,
		    struct buffer *out);

#endif
