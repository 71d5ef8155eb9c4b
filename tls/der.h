/*
 * A walker over DER (X.690): one element after the other, nothing copied,
 * nothing believed.  Definite lengths in their shortest form and one-byte
 * tags only; whatever else a peer sends is refused.  Pure.
 */
#ifndef TLS_DER_H
#define TLS_DER_H

#include "conf/bytes.h"

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BITS = 0x03,
	DER_OCTETS = 0x04,
	DER_OID = 0x06,
	DER_UTF8 = 0x0c,
	DER_PRINTABLE = 0x13,
	DER_TELETEX = 0x14,
	DER_IA5 = 0x16,
	DER_UTC_TIME = 0x17,
	DER_TIME = 0x18,
	DER_UNIVERSAL = 0x1c,
	DER_BMP = 0x1e,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};

struct der {
	unsigned tag;
	struct view whole;   /* tag, length and content */
	struct view content;
};

/* Takes the next element from the front of *rest. 1: got one, 0: nothing
 * left, -1: malformed. */
int der_next(struct view *rest, struct der *out);
/* The next element must be there and bear this tag: 0, or -1. */
int der_expect(struct view *rest, unsigned tag, struct der *out);
/* Takes the next element if it bears this tag: 1, 0, or -1. */
int der_optional(struct view *rest, unsigned tag, struct der *out);

/* A non-negative INTEGER's or BOOLEAN's value; -1 when above max or not
 * in shortest form. */
int der_number(struct view content, uint32_t max, uint32_t *value);
int der_boolean(struct view content, bool *value);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 allows them. */
int der_time(const struct der *element, int64_t *seconds);
/* The bytes of a BIT STRING without unused bits. */
int der_bits(struct view content, struct view *bytes);
/* Text of any of the string types, as UTF-8. -1 when it is none. */
int der_text(const struct der *element, struct buffer *out);
/* Content of an OID, given as a string constant of bytes. */
#define der_is(content, oid) view_equal(content, VIEW(oid))

#endif
