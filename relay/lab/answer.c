/*
 * Answers.  See answer.h.  Everything in a zone is authoritative: there are
 * no delegations, no wildcards, and its aliases lead to names of its own.
 */
#include "relay/lab/answer.h"

#include "relay/lab/zone.h"

#include <ctype.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEADER_LEN = 12,
	UDP_MIN = 512,   /* RFC 1035 4.2.1 */
	ALIASES_MAX = 8,
	OPT_VERSION = 0,
	BADVERS = 16,
	SIGNATURE = 8, /* its field of RRSIG, RFC 4034 3.1 */
};

/* --- questions -------------------------------------------------------- */

static unsigned number_at(struct view bytes, size_t at)
{
	return (unsigned)bytes.at[at] << 8 | bytes.at[at + 1];
}

/* A header that says no more than what is wrong. */
static void say_formerr(struct view bytes, struct buffer *reply)
{
	unsigned char header[HEADER_LEN] = { bytes.at[0], bytes.at[1] };

	/* QR, and opcode and RD as they came. */
	header[2] = (unsigned char)(0x80 | (bytes.at[2] & 0x79));
	header[3] = ANSWER_FORMERR;
	buffer_append(reply, view_make(header, HEADER_LEN));
}

/* One question, nothing else but one OPT; said by the counts, before the
 * rest is looked at. */
static bool is_plain(struct view bytes)
{
	return number_at(bytes, 4) == 1 && number_at(bytes, 6) == 0 &&
	       number_at(bytes, 8) == 0 && number_at(bytes, 10) <= 1;
}

static void name_question(struct question *question)
{
	const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_question(question->packet),
					    0);
	char *name = ldns_rdf2str(ldns_rr_owner(rr));
	char *type = ldns_rr_type2str(ldns_rr_get_type(rr));
	size_t len = name ? strlen(name) : 0;

	if (len > 1 && name[len - 1] == '.')
		len--;
	if (len >= sizeof(question->name))
		len = sizeof(question->name) - 1;
	for (size_t i = 0; i < len; i++)
		question->name[i] = (char)tolower((unsigned char)name[i]);
	question->name[len] = '\0';
	len = type ? strlen(type) : 0;
	if (len >= sizeof(question->type))
		len = sizeof(question->type) - 1;
	memcpy(question->type, type ? type : "", len);
	question->type[len] = '\0';
	free(name);
	free(type);
}

/* An answer's beginning: id, question, flags and EDNS as the client's. */
static ldns_pkt *begin_answer(const struct question *question)
{
	ldns_pkt *asked = question->packet;
	ldns_pkt *answer = ldns_pkt_new();

	ldns_pkt_set_id(answer, ldns_pkt_id(asked));
	ldns_pkt_set_qr(answer, true);
	ldns_pkt_set_opcode(answer, ldns_pkt_get_opcode(asked));
	ldns_pkt_set_rd(answer, ldns_pkt_rd(asked));
	ldns_pkt_set_cd(answer, ldns_pkt_cd(asked));
	ldns_pkt_push_rr_list(answer, LDNS_SECTION_QUESTION,
			      ldns_pkt_question(asked));
	if (ldns_pkt_edns(asked)) {
		ldns_pkt_set_edns_udp_size(answer, ANSWER_UDP_MAX);
		ldns_pkt_set_edns_do(answer, ldns_pkt_edns_do(asked));
	}
	return answer;
}

/* Its records are the zones' and the question's: only the lists are its
 * own. */
static void end_answer(ldns_pkt *answer)
{
	static const ldns_pkt_section sections[] = {
		LDNS_SECTION_QUESTION,
		LDNS_SECTION_ANSWER,
		LDNS_SECTION_AUTHORITY,
		LDNS_SECTION_ADDITIONAL,
	};

	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++)
		ldns_pkt_set_section_count(answer, sections[i], 0);
	ldns_rr_list_set_rr_count(ldns_pkt_question(answer), 0);
	ldns_rr_list_set_rr_count(ldns_pkt_answer(answer), 0);
	ldns_rr_list_set_rr_count(ldns_pkt_authority(answer), 0);
	ldns_rr_list_set_rr_count(ldns_pkt_additional(answer), 0);
	ldns_pkt_free(answer);
}

static size_t put(ldns_pkt *answer, struct buffer *out)
{
	uint8_t *wire = NULL;
	size_t len = 0;

	if (ldns_pkt2wire(&wire, answer, &len) == LDNS_STATUS_OK)
		buffer_append(out, view_make(wire, len));
	free(wire);
	return len;
}

void answer_failure(const struct question *question, enum answer_rcode rcode,
		    struct buffer *out)
{
	ldns_pkt *answer = begin_answer(question);

	ldns_pkt_set_rcode(answer, (uint8_t)rcode);
	put(answer, out);
	end_answer(answer);
}

/* RFC 6891 6.1.3 */
static void say_bad_version(const struct question *question,
			    struct buffer *reply)
{
	ldns_pkt *answer = begin_answer(question);

	ldns_pkt_set_edns_extended_rcode(answer, BADVERS >> 4);
	put(answer, reply);
	end_answer(answer);
}

/* False: it was answered. */
static bool is_answerable(const struct question *question, struct buffer *reply)
{
	const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_question(question->packet),
					    0);
	unsigned type = ldns_rr_get_type(rr);

	if (ldns_pkt_get_opcode(question->packet) != LDNS_PACKET_QUERY)
		answer_failure(question, ANSWER_NOTIMP, reply);
	else if (ldns_pkt_edns(question->packet) &&
		 ldns_pkt_edns_version(question->packet) != OPT_VERSION)
		say_bad_version(question, reply);
	else if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
		 type == LDNS_RR_TYPE_AXFR || type == LDNS_RR_TYPE_IXFR)
		answer_failure(question, ANSWER_REFUSED, reply);
	else if (type == 0 || type == LDNS_RR_TYPE_OPT ||
		 (type >= LDNS_RR_TYPE_TKEY && type < LDNS_RR_TYPE_ANY))
		answer_failure(question, ANSWER_FORMERR, reply);
	else
		return true;
	return false;
}

int question_read(struct view bytes, struct question *question,
		  struct buffer *reply)
{
	if (bytes.len < HEADER_LEN || bytes.at[2] & 0x80)
		return -1;
	question->packet = NULL;
	if (bytes.len > ANSWER_QUERY_MAX || !is_plain(bytes) ||
	    ldns_wire2pkt(&question->packet, bytes.at, bytes.len) !=
		    LDNS_STATUS_OK ||
	    /* The one additional record is OPT, which the library takes out. */
	    ldns_rr_list_rr_count(ldns_pkt_question(question->packet)) != 1 ||
	    ldns_rr_list_rr_count(ldns_pkt_additional(question->packet)) > 0 ||
	    ldns_pkt_tsig(question->packet)) {
		question_clear(question);
		say_formerr(bytes, reply);
		return 0;
	}
	name_question(question);
	if (is_answerable(question, reply))
		return 1;
	question_clear(question);
	return 0;
}

void question_clear(struct question *question)
{
	ldns_pkt_free(question->packet);
	question->packet = NULL;
}

/* --- answers ---------------------------------------------------------- */

struct composing {
	const ldns_dnssec_zone *zone;
	const ldns_rdf *apex;
	ldns_pkt *answer;
	bool is_signed; /* the client wants RRSIG and NSEC */
	bool is_bogus;
	ldns_rr_list *spoilt; /* our own copies */
};

/* The tree's keys are names; its nodes, in canonical order. */
static const ldns_dnssec_name *find_name(const ldns_dnssec_zone *zone,
					 const ldns_rdf *name)
{
	const ldns_rbnode_t *node = ldns_rbtree_search(zone->names, name);

	return node ? node->data : NULL;
}

/* The last name that is not behind this one: its NSEC covers it. */
static const ldns_dnssec_name *find_before(const ldns_dnssec_zone *zone,
					   const ldns_rdf *name)
{
	ldns_rbnode_t *node = NULL;

	ldns_rbtree_find_less_equal(zone->names, name, &node);
	return node && node != LDNS_RBTREE_NULL ? node->data : zone->soa;
}

/* Nothing stands there, but something below (RFC 4592 2.2.2). */
static bool is_empty_nonterminal(const ldns_dnssec_zone *zone,
				 const ldns_rdf *name)
{
	ldns_rbnode_t *node = NULL;
	const ldns_dnssec_name *next;

	ldns_rbtree_find_less_equal(zone->names, name, &node);
	if (!node || node == LDNS_RBTREE_NULL)
		return false;
	node = ldns_rbtree_next(node);
	if (node == LDNS_RBTREE_NULL)
		return false;
	next = node->data;
	return ldns_dname_is_subdomain(next->name, name);
}

static ldns_rr *spoil(struct composing *c, const ldns_rr *signature)
{
	ldns_rr *copy = ldns_rr_clone(signature);

	ldns_rdf_data(ldns_rr_rdf(copy, SIGNATURE))[0] ^= 0xff;
	ldns_rr_list_push_rr(c->spoilt, copy);
	return copy;
}

static void push_rrs(struct composing *c, ldns_pkt_section section,
		     const ldns_dnssec_rrs *rrs)
{
	for (; rrs; rrs = rrs->next)
		ldns_pkt_push_rr(c->answer, section, rrs->rr);
}

static void push_signatures(struct composing *c, ldns_pkt_section section,
			    const ldns_dnssec_rrs *rrs)
{
	for (; rrs; rrs = rrs->next)
		ldns_pkt_push_rr(c->answer, section,
				 c->is_bogus ? spoil(c, rrs->rr) : rrs->rr);
}

static void push_set(struct composing *c, ldns_pkt_section section,
		     const ldns_dnssec_rrsets *set)
{
	push_rrs(c, section, set->rrs);
	if (c->is_signed)
		push_signatures(c, section, set->signatures);
}

static void push_nsec(struct composing *c, const ldns_dnssec_name *name)
{
	const ldns_rr_list *so_far = ldns_pkt_authority(c->answer);

	if (!name || !name->nsec)
		return;
	for (size_t i = 0; i < ldns_rr_list_rr_count(so_far); i++)
		if (ldns_rr_list_rr(so_far, i) == name->nsec)
			return;
	ldns_pkt_push_rr(c->answer, LDNS_SECTION_AUTHORITY, name->nsec);
	push_signatures(c, LDNS_SECTION_AUTHORITY, name->nsec_signatures);
}

/* RFC 2308 2.1, 2.2 */
static void push_soa(struct composing *c)
{
	push_set(c, LDNS_SECTION_AUTHORITY,
		 ldns_dnssec_name_find_rrset(c->zone->soa, LDNS_RR_TYPE_SOA));
}

/* The longest part of the name that exists. */
static ldns_rdf *closest_encloser(const struct composing *c,
				  const ldns_rdf *name)
{
	ldns_rdf *at = ldns_dname_left_chop(name);

	while (at && ldns_dname_compare(at, c->apex) != 0 &&
	       !find_name(c->zone, at) && !is_empty_nonterminal(c->zone, at)) {
		ldns_rdf *shorter = ldns_dname_left_chop(at);

		ldns_rdf_deep_free(at);
		at = shorter;
	}
	return at;
}

/* RFC 4035 3.1.3.2: neither the name nor a wildcard for it. */
static void prove_nxdomain(struct composing *c, const ldns_rdf *name)
{
	ldns_rdf *encloser = closest_encloser(c, name);
	ldns_rdf *star = NULL, *wildcard = NULL;

	push_nsec(c, find_before(c->zone, name));
	if (encloser && ldns_str2rdf_dname(&star, "*") == LDNS_STATUS_OK)
		wildcard = ldns_dname_cat_clone(star, encloser);
	if (wildcard)
		push_nsec(c, find_before(c->zone, wildcard));
	ldns_rdf_deep_free(wildcard);
	ldns_rdf_deep_free(star);
	ldns_rdf_deep_free(encloser);
}

static enum answer_rcode answer_nothing(struct composing *c,
					const ldns_rdf *name,
					const ldns_dnssec_name *found)
{
	push_soa(c);
	if (found || is_empty_nonterminal(c->zone, name)) {
		if (c->is_signed)
			push_nsec(c, found ? found :
					     find_before(c->zone, name));
		return ANSWER_NOERROR;
	}
	if (c->is_signed)
		prove_nxdomain(c, name);
	return ANSWER_NXDOMAIN;
}

/* NSEC is kept beside the sets of a name. */
static bool answer_nsec(struct composing *c, const ldns_dnssec_name *name)
{
	if (!name->nsec)
		return false;
	ldns_pkt_push_rr(c->answer, LDNS_SECTION_ANSWER, name->nsec);
	if (c->is_signed)
		push_signatures(c, LDNS_SECTION_ANSWER, name->nsec_signatures);
	return true;
}

static const ldns_dnssec_rrsets *find_set(const ldns_dnssec_name *name,
					  ldns_rr_type type)
{
	/* RFC 8482 4.1: of all, one. */
	if (type == LDNS_RR_TYPE_ANY)
		return name->rrsets;
	return ldns_dnssec_name_find_rrset(name, type);
}

/* Follows aliases within the zone. */
static enum answer_rcode answer_from(struct composing *c, const ldns_rdf *name,
				     ldns_rr_type type)
{
	for (int i = 0; i < ALIASES_MAX; i++) {
		const ldns_dnssec_name *found = find_name(c->zone, name);
		const ldns_dnssec_rrsets *set = NULL;

		if (found && type == LDNS_RR_TYPE_NSEC && answer_nsec(c, found))
			return ANSWER_NOERROR;
		if (found)
			set = find_set(found, type);
		if (set) {
			push_set(c, LDNS_SECTION_ANSWER, set);
			return ANSWER_NOERROR;
		}
		if (found)
			set = ldns_dnssec_name_find_rrset(found,
							  LDNS_RR_TYPE_CNAME);
		if (!set)
			return answer_nothing(c, name, found);
		push_set(c, LDNS_SECTION_ANSWER, set);
		name = ldns_rr_rdf(set->rrs->rr, 0);
	}
	return ANSWER_NOERROR;
}

static size_t room_for(const struct question *question, bool is_stream)
{
	size_t size;

	if (is_stream)
		return UINT16_MAX;
	if (!ldns_pkt_edns(question->packet))
		return UDP_MIN;
	size = ldns_pkt_edns_udp_size(question->packet);
	return size < UDP_MIN ? UDP_MIN :
	       size > ANSWER_UDP_MAX ? ANSWER_UDP_MAX : size;
}

static void say_truncated(const struct question *question,
			  enum answer_rcode rcode, struct buffer *out)
{
	ldns_pkt *answer = begin_answer(question);

	ldns_pkt_set_rcode(answer, (uint8_t)rcode);
	ldns_pkt_set_aa(answer, true);
	ldns_pkt_set_tc(answer, true);
	put(answer, out);
	end_answer(answer);
}

static enum answer_rcode answer_within(struct composing *c,
				       const struct question *question,
				       bool is_denied)
{
	const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_question(question->packet),
					    0);

	if (!is_denied)
		return answer_from(c, ldns_rr_owner(rr), ldns_rr_get_type(rr));
	push_soa(c);
	return ANSWER_NXDOMAIN;
}

enum answer_rcode answer_compose(const struct zones *zones,
				 const struct question *question,
				 const struct answer_manner *manner,
				 struct buffer *out)
{
	const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_question(question->packet),
					    0);
	struct composing c = {
		.is_signed = ldns_pkt_edns_do(question->packet),
		.is_bogus = manner->is_bogus,
	};
	enum answer_rcode rcode;
	size_t len;

	c.zone = zones_find(zones, ldns_rr_owner(rr), &c.apex);
	if (!c.zone) {
		answer_failure(question, ANSWER_REFUSED, out);
		return ANSWER_REFUSED;
	}
	c.spoilt = ldns_rr_list_new();
	c.answer = begin_answer(question);
	ldns_pkt_set_aa(c.answer, true);
	rcode = answer_within(&c, question, manner->is_denied);
	ldns_pkt_set_rcode(c.answer, (uint8_t)rcode);
	len = put(c.answer, out);
	end_answer(c.answer);
	ldns_rr_list_deep_free(c.spoilt);
	if (len > room_for(question, manner->is_stream)) {
		out->end -= len;
		say_truncated(question, rcode, out);
	}
	return rcode;
}
