/*
 * The lab's zones say what they should, with signatures and proofs that
 * hold, and whatever else is sent is answered with an error or not at all.
 */
#include "relay/lab/answer.h"
#include "relay/lab/zone.h"

#include <ldns/ldns.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { NOW = 1700000000, EDNS = 1232 };

static char *const domains[] = { "de.tuv.com", "tuv.com", "partner.net" };

struct stage {
	struct net_address addresses[4];
	struct zone_gateway gateways[3];
	struct zone_contents contents;
	struct zones *zones;
	struct buffer out;
	ldns_pkt *reply;
};

static void set_address(struct net_address *address, const char *text)
{
	assert_int_equal(net_parse_port(view_of(text), 0, address), 0);
}

static int set_up(void **state)
{
	struct stage *stage = must_alloc(sizeof(*stage));
	struct error error = { .text = "" };

	set_address(&stage->addresses[0], "127.0.5.5:2525");
	set_address(&stage->addresses[1], "[::1]:2525");
	set_address(&stage->addresses[2], "127.0.5.6:25");
	stage->gateways[0] = (struct zone_gateway){
		.name = "mx5.de.tuv.com",
		.preference = 10,
		.addresses = &stage->addresses[0],
		.address_count = 2,
		.has_key = true,
		.key = "0123456789abcdef0123456789abcde",
	};
	stage->gateways[1] = (struct zone_gateway){
		.name = "mx6.de.tuv.com",
		.preference = 20,
		.addresses = &stage->addresses[2],
		.address_count = 1,
	};
	stage->gateways[2] = (struct zone_gateway){
		.name = "mail.elsewhere.org",
		.preference = 30,
		.addresses = &stage->addresses[2],
		.address_count = 1,
	};
	stage->contents.domains = domains;
	stage->contents.domain_count = 3;
	stage->contents.gateways = stage->gateways;
	stage->contents.gateway_count = 3;
	set_address(&stage->contents.nameserver, "127.0.5.53:5300");
	stage->zones = zones_new(&stage->contents, view_of(""), &error);
	assert_non_null(stage->zones);
	assert_int_equal(zones_build(stage->zones, &stage->contents, NOW,
				     &error),
			 0);
	*state = stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;

	ldns_pkt_free(stage->reply);
	buffer_clear(&stage->out);
	zones_free(stage->zones);
	free(stage);
	return 0;
}

static void rebuild(struct stage *stage)
{
	struct error error = { .text = "" };

	assert_int_equal(zones_build(stage->zones, &stage->contents, NOW,
				     &error),
			 0);
}

/* --- asking ------------------------------------------------------------ */

static struct buffer make_query(const char *name, ldns_rr_type type, int edns)
{
	ldns_pkt *query = ldns_pkt_query_new(ldns_dname_new_frm_str(name),
					     type, LDNS_RR_CLASS_IN, LDNS_RD);
	struct buffer bytes = { 0 };
	uint8_t *wire = NULL;
	size_t len = 0;

	ldns_pkt_set_id(query, 4711);
	if (edns > 0) {
		ldns_pkt_set_edns_udp_size(query, (uint16_t)edns);
		ldns_pkt_set_edns_do(query, true);
	}
	assert_int_equal(ldns_pkt2wire(&wire, query, &len), LDNS_STATUS_OK);
	buffer_append(&bytes, view_make(wire, len));
	free(wire);
	ldns_pkt_free(query);
	return bytes;
}

/* Asks; -1: no answer. */
static int give(struct stage *stage, struct view bytes,
		const struct answer_manner *manner)
{
	struct question question;
	int status;

	ldns_pkt_free(stage->reply);
	stage->reply = NULL;
	buffer_reset(&stage->out);
	status = question_read(bytes, &question, &stage->out);
	if (status == 1) {
		answer_compose(stage->zones, &question, manner, &stage->out);
		question_clear(&question);
	}
	if (status == -1) {
		assert_int_equal(buffer_len(&stage->out), 0);
		return -1;
	}
	assert_int_equal(ldns_wire2pkt(&stage->reply,
				       buffer_view(&stage->out).at,
				       buffer_len(&stage->out)),
			 LDNS_STATUS_OK);
	assert_true(ldns_pkt_qr(stage->reply));
	return (int)ldns_pkt_get_rcode(stage->reply);
}

static int ask_as(struct stage *stage, const char *name, ldns_rr_type type,
		  int edns, struct answer_manner manner)
{
	struct buffer query = make_query(name, type, edns);
	int rcode = give(stage, buffer_view(&query), &manner);

	assert_int_equal(ldns_pkt_id(stage->reply), 4711);
	buffer_clear(&query);
	return rcode;
}

static int ask(struct stage *stage, const char *name, ldns_rr_type type)
{
	return ask_as(stage, name, type, EDNS, (struct answer_manner){ 0 });
}

/* --- looking at an answer ---------------------------------------------- */

static ldns_rr_list *key_of(struct stage *stage, const char *zone)
{
	struct buffer text = { 0 };
	ldns_rr_list *keys = ldns_rr_list_new();
	ldns_rr *rr = NULL;

	for (size_t i = 0; i < zones_count(stage->zones); i++)
		if (strcmp(zones_name(stage->zones, i), zone) == 0)
			zones_anchor(stage->zones, i, &text);
	buffer_append_byte(&text, 0);
	assert_int_equal(ldns_rr_new_frm_str(&rr, (const char *)text.data, 0,
					     NULL, NULL),
			 LDNS_STATUS_OK);
	ldns_rr_list_push_rr(keys, rr);
	buffer_clear(&text);
	return keys;
}

/* Every set of the section is signed, and the signatures hold. */
static bool is_proven(struct stage *stage, ldns_rr_list *section,
		      const char *zone)
{
	ldns_rr_list *keys = key_of(stage, zone), *rest, *set;
	bool is_good = ldns_rr_list_rr_count(section) > 0;

	rest = ldns_rr_list_clone(section);
	while ((set = ldns_rr_list_pop_rrset(rest))) {
		const ldns_rr *first = ldns_rr_list_rr(set, 0);

		if (ldns_rr_get_type(first) != LDNS_RR_TYPE_RRSIG) {
			ldns_rr_list *signatures =
				ldns_dnssec_pkt_get_rrsigs_for_name_and_type(
					stage->reply, ldns_rr_owner(first),
					ldns_rr_get_type(first));

			is_good = is_good && signatures &&
				  ldns_verify_time(set, signatures, keys, NOW,
						   NULL) == LDNS_STATUS_OK;
			ldns_rr_list_deep_free(signatures);
		}
		ldns_rr_list_deep_free(set);
	}
	ldns_rr_list_deep_free(rest);
	ldns_rr_list_deep_free(keys);
	return is_good;
}

static size_t count_type(const ldns_rr_list *list, ldns_rr_type type)
{
	size_t count = 0;

	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
		count += ldns_rr_get_type(ldns_rr_list_rr(list, i)) == type;
	return count;
}

static bool says(const ldns_rr_list *list, const char *text)
{
	bool found = false;

	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *line = ldns_rr2str(ldns_rr_list_rr(list, i));

		found = found || strstr(line, text);
		free(line);
	}
	return found;
}

/* --- cases -------------------------------------------------------------- */

static void one_zone_holds_the_domains_below_it(void **state)
{
	struct stage *stage = *state;

	assert_int_equal(zones_count(stage->zones), 3);
	assert_string_equal(zones_name(stage->zones, 0), "tuv.com");
	assert_string_equal(zones_name(stage->zones, 1), "partner.net");
	assert_string_equal(zones_name(stage->zones, 2), "elsewhere.org");
}

static void the_key_stays_the_same_when_it_is_kept(void **state)
{
	struct stage *stage = *state;
	struct error error = { .text = "" };
	struct buffer key = { 0 }, before = { 0 }, after = { 0 };
	struct zones *again;

	zones_key(stage->zones, &key);
	zones_anchor(stage->zones, 0, &before);
	again = zones_new(&stage->contents, buffer_view(&key), &error);
	assert_non_null(again);
	zones_anchor(again, 0, &after);
	assert_true(view_equal(buffer_view(&before), buffer_view(&after)));
	zones_free(again);
	assert_null(zones_new(&stage->contents, VIEW("no key"), &error));
	assert_non_null(strstr(error.text, "cannot be read"));
	buffer_wipe(&key);
	buffer_clear(&before);
	buffer_clear(&after);
}

static void what_is_there_is_answered_and_signed(void **state)
{
	static const struct {
		const char *name;
		ldns_rr_type type;
		const char *zone, *says;
	} rows[] = {
		{ "tuv.com", LDNS_RR_TYPE_MX, "tuv.com",
		  "MX\t10 mx5.de.tuv.com." },
		{ "DE.tuv.com", LDNS_RR_TYPE_MX, "tuv.com",
		  "MX\t20 mx6.DE.tuv.com." }, /* names as they were asked */
		{ "partner.net", LDNS_RR_TYPE_MX, "partner.net",
		  "MX\t30 mail.elsewhere.org." },
		{ "mx5.de.tuv.com", LDNS_RR_TYPE_A, "tuv.com", "127.0.5.5" },
		{ "mx5.de.tuv.com", LDNS_RR_TYPE_AAAA, "tuv.com", "::1" },
		{ "_25._tcp.mx5.de.tuv.com", LDNS_RR_TYPE_TLSA, "tuv.com",
		  "TLSA\t3 1 1 3031323334" },
		{ "_2525._tcp.mx5.de.tuv.com", LDNS_RR_TYPE_TLSA, "tuv.com",
		  "TLSA\t3 1 1 3031323334" },
		{ "tuv.com", LDNS_RR_TYPE_SOA, "tuv.com", "ns.tuv.com." },
		{ "tuv.com", LDNS_RR_TYPE_NS, "tuv.com", "ns.tuv.com." },
		{ "ns.tuv.com", LDNS_RR_TYPE_A, "tuv.com", "127.0.5.53" },
		{ "tuv.com", LDNS_RR_TYPE_DNSKEY, "tuv.com", "257 3 13" },
		{ "tuv.com", LDNS_RR_TYPE_NSEC, "tuv.com", "de.tuv.com." },
		{ "tuv.com", LDNS_RR_TYPE_ANY, "tuv.com", "RRSIG" },
		{ "mail.elsewhere.org", LDNS_RR_TYPE_A, "elsewhere.org",
		  "127.0.5.6" },
	};
	struct stage *stage = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(ask(stage, rows[i].name, rows[i].type),
				 ANSWER_NOERROR);
		assert_true(ldns_pkt_aa(stage->reply));
		if (!says(ldns_pkt_answer(stage->reply), rows[i].says) ||
		    !is_proven(stage, ldns_pkt_answer(stage->reply),
			       rows[i].zone)) {
			ldns_pkt_print(stderr, stage->reply);
			fail_msg("%s", rows[i].name);
		}
	}
}

static void what_is_not_there_is_proven(void **state)
{
	static const struct {
		const char *name;
		ldns_rr_type type;
		int rcode;
		size_t nsecs;
	} rows[] = {
		{ "tuv.com", LDNS_RR_TYPE_A, ANSWER_NOERROR, 1 },
		{ "tuv.com", LDNS_RR_TYPE_DS, ANSWER_NOERROR, 1 },
		{ "mx6.de.tuv.com", LDNS_RR_TYPE_AAAA, ANSWER_NOERROR, 1 },
		{ "_tcp.mx5.de.tuv.com", LDNS_RR_TYPE_A, ANSWER_NOERROR, 1 },
		{ "_25._tcp.mx6.de.tuv.com", LDNS_RR_TYPE_TLSA,
		  ANSWER_NXDOMAIN, 1 },
		{ "nobody.tuv.com", LDNS_RR_TYPE_MX, ANSWER_NXDOMAIN, 2 },
		{ "a.b.c.zzz.tuv.com", LDNS_RR_TYPE_A, ANSWER_NXDOMAIN, 2 },
		{ "_mta-sts.tuv.com", LDNS_RR_TYPE_TXT, ANSWER_NXDOMAIN, 1 },
	};
	struct stage *stage = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const ldns_rr_list *authority;

		assert_int_equal(ask(stage, rows[i].name, rows[i].type),
				 rows[i].rcode);
		authority = ldns_pkt_authority(stage->reply);
		assert_int_equal(count_type(authority, LDNS_RR_TYPE_SOA), 1);
		if (count_type(authority, LDNS_RR_TYPE_NSEC) != rows[i].nsecs ||
		    !is_proven(stage, ldns_pkt_authority(stage->reply),
			       "tuv.com")) {
			ldns_pkt_print(stderr, stage->reply);
			fail_msg("%s", rows[i].name);
		}
	}
}

static void who_does_not_ask_for_signatures_gets_none(void **state)
{
	struct stage *stage = *state;

	ask_as(stage, "tuv.com", LDNS_RR_TYPE_MX, 0,
	       (struct answer_manner){ 0 });
	assert_false(ldns_pkt_edns(stage->reply));
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_answer(stage->reply)),
			 3);
	ask_as(stage, "nobody.tuv.com", LDNS_RR_TYPE_MX, 0,
	       (struct answer_manner){ 0 });
	assert_int_equal(ldns_rr_list_rr_count(
				 ldns_pkt_authority(stage->reply)),
			 1);
}

static void what_is_too_long_is_cut_for_udp_and_whole_in_a_stream(void **state)
{
	struct stage *stage = *state;
	struct zone_gateway many[40];
	char names[40][80];

	for (size_t i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]),
			 "a-gateway-with-a-long-name-%zu.some.where.tuv.com",
			 i);
		many[i] = stage->gateways[1];
		many[i].name = names[i];
	}
	stage->contents.gateways = many;
	stage->contents.gateway_count = 40;
	rebuild(stage);
	assert_int_equal(ask(stage, "tuv.com", LDNS_RR_TYPE_MX), 0);
	assert_true(ldns_pkt_tc(stage->reply));
	assert_true(buffer_len(&stage->out) <= 512);
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_answer(stage->reply)),
			 0);
	ask_as(stage, "tuv.com", LDNS_RR_TYPE_MX, EDNS,
	       (struct answer_manner){ .is_stream = true });
	assert_false(ldns_pkt_tc(stage->reply));
	assert_int_equal(count_type(ldns_pkt_answer(stage->reply),
				    LDNS_RR_TYPE_MX),
			 40);
	/* A client cannot ask for more than goes in one piece. */
	ask_as(stage, "tuv.com", LDNS_RR_TYPE_MX, 65535,
	       (struct answer_manner){ 0 });
	assert_true(ldns_pkt_tc(stage->reply));
}

static void lies_are_signed_like_the_truth(void **state)
{
	static const struct {
		unsigned lie;
		const char *name;
		ldns_rr_type type;
		int rcode;
		const char *says;
	} rows[] = {
		{ ZONE_NULL_MX, "tuv.com", LDNS_RR_TYPE_MX, 0, "MX\t0 ." },
		{ ZONE_NXDOMAIN, "mx5.de.tuv.com", LDNS_RR_TYPE_A,
		  ANSWER_NXDOMAIN, NULL },
		{ ZONE_MX_TO_CNAME, "mx5.de.tuv.com", LDNS_RR_TYPE_A, 0,
		  "CNAME\talias-target.mx5.de.tuv.com." },
		{ ZONE_MX_TO_CNAME, "mx5.de.tuv.com", LDNS_RR_TYPE_A, 0,
		  "A\t127.0.5.5" },
		{ ZONE_TLSA_MISMATCH, "_25._tcp.mx5.de.tuv.com",
		  LDNS_RR_TYPE_TLSA, 0, "3 1 1 cfcecdcccb" },
		{ ZONE_STS_BROKEN, "_mta-sts.tuv.com", LDNS_RR_TYPE_TXT, 0,
		  "v=STSv1; id=" },
	};
	struct stage *stage = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ldns_rr_list *section;

		stage->gateways[0].lies = rows[i].lie;
		rebuild(stage);
		assert_int_equal(ask(stage, rows[i].name, rows[i].type),
				 rows[i].rcode);
		section = rows[i].says ? ldns_pkt_answer(stage->reply) :
					 ldns_pkt_authority(stage->reply);
		assert_true(!rows[i].says || says(section, rows[i].says));
		assert_true(is_proven(stage, section, "tuv.com"));
	}
}

static void a_name_that_is_left_out_is_proven_to_be_absent(void **state)
{
	struct stage *stage = *state;

	stage->contents.absent = "de.tuv.com";
	rebuild(stage);
	assert_int_equal(ask(stage, "de.tuv.com", LDNS_RR_TYPE_MX),
			 ANSWER_NXDOMAIN);
	assert_true(is_proven(stage, ldns_pkt_authority(stage->reply),
			      "tuv.com"));
	assert_int_equal(ask(stage, "mx5.de.tuv.com", LDNS_RR_TYPE_A),
			 ANSWER_NXDOMAIN);
	stage->contents.absent = "tuv.com";
	rebuild(stage);
	assert_int_equal(ask(stage, "tuv.com", LDNS_RR_TYPE_MX),
			 ANSWER_NOERROR);
}

static void a_null_mx_of_all_gateways_stands_alone(void **state)
{
	struct stage *stage = *state;

	for (size_t i = 0; i < 3; i++)
		stage->gateways[i].lies = ZONE_NULL_MX;
	rebuild(stage);
	ask(stage, "tuv.com", LDNS_RR_TYPE_MX);
	assert_int_equal(count_type(ldns_pkt_answer(stage->reply),
				    LDNS_RR_TYPE_MX),
			 1);
}

static void a_bogus_answer_bears_signatures_that_do_not_hold(void **state)
{
	struct stage *stage = *state;
	struct answer_manner manner = { .is_bogus = true };

	ask_as(stage, "tuv.com", LDNS_RR_TYPE_MX, EDNS, manner);
	assert_int_equal(count_type(ldns_pkt_answer(stage->reply),
				    LDNS_RR_TYPE_RRSIG),
			 1);
	assert_false(is_proven(stage, ldns_pkt_answer(stage->reply),
			       "tuv.com"));
	ask_as(stage, "nobody.tuv.com", LDNS_RR_TYPE_MX, EDNS, manner);
	assert_false(is_proven(stage, ldns_pkt_authority(stage->reply),
			       "tuv.com"));
	/* The zone itself is as it was. */
	ask(stage, "tuv.com", LDNS_RR_TYPE_MX);
	assert_true(is_proven(stage, ldns_pkt_answer(stage->reply),
			      "tuv.com"));
}

static void foreign_names_and_odd_questions_are_refused(void **state)
{
	static const struct {
		const char *name;
		ldns_rr_type type;
		int rcode;
	} rows[] = {
		{ "example.net", LDNS_RR_TYPE_MX, ANSWER_REFUSED },
		{ "com", LDNS_RR_TYPE_NS, ANSWER_REFUSED },
		{ ".", LDNS_RR_TYPE_NS, ANSWER_REFUSED },
		{ "xtuv.com", LDNS_RR_TYPE_MX, ANSWER_REFUSED },
		{ "tuv.com", LDNS_RR_TYPE_AXFR, ANSWER_REFUSED },
		{ "tuv.com", LDNS_RR_TYPE_OPT, ANSWER_FORMERR },
	};
	struct stage *stage = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(ask(stage, rows[i].name, rows[i].type),
				 rows[i].rcode);
}

static void what_is_no_question_is_formerr_or_dropped(void **state)
{
	static const struct {
		size_t at;
		unsigned char byte;
		int rcode; /* -1: no answer */
	} rows[] = {
		{ 2, 0x80, -1 },             /* an answer */
		{ 2, 0x10, ANSWER_NOTIMP },  /* STATUS */
		{ 5, 0, ANSWER_FORMERR },    /* no question */
		{ 5, 2, ANSWER_FORMERR },    /* two, of which one is there */
		{ 7, 1, ANSWER_FORMERR },    /* an answer's record */
		{ 11, 2, ANSWER_FORMERR },   /* two OPTs */
		{ 12, 0xc0, ANSWER_FORMERR }, /* a name that points at itself */
		{ 12, 0x47, ANSWER_FORMERR }, /* a label beyond the end */
		{ 24, 9, ANSWER_REFUSED },   /* class */
	};
	struct stage *stage = *state;
	struct buffer query = make_query("tuv.com", LDNS_RR_TYPE_MX, EDNS);
	struct answer_manner manner = { 0 };
	struct buffer long_one = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned char *at = query.data + query.start + rows[i].at;
		unsigned char saved = *at;

		*at = rows[i].byte;
		assert_int_equal(give(stage, buffer_view(&query), &manner),
				 rows[i].rcode);
		*at = saved;
	}
	for (size_t len = 0; len < 12; len++)
		assert_int_equal(give(stage,
				      view_first(buffer_view(&query), len),
				      &manner),
				 -1);
	buffer_append(&long_one, buffer_view(&query));
	while (buffer_len(&long_one) <= ANSWER_QUERY_MAX)
		buffer_append_byte(&long_one, 0);
	assert_int_equal(give(stage, buffer_view(&long_one), &manner),
			 ANSWER_FORMERR);
	buffer_clear(&long_one);
	buffer_clear(&query);
}

static void another_version_of_edns_is_told_so(void **state)
{
	struct stage *stage = *state;
	struct buffer query = make_query("tuv.com", LDNS_RR_TYPE_MX, EDNS);
	struct answer_manner manner = { 0 };

	/* root name, OPT, size, then extended rcode and version */
	query.data[query.end - 5] = 1;
	assert_int_equal(give(stage, buffer_view(&query), &manner), 0);
	assert_int_equal(ldns_pkt_edns_extended_rcode(stage->reply), 1);
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_answer(stage->reply)),
			 0);
	buffer_clear(&query);
}

/* A small generator of our own: the same bytes every time. */
static uint32_t next_chance(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 16;
}

static void mutated_questions_do_no_harm(void **state)
{
	enum { ROUNDS = 20000, CHANGES = 4 };
	struct stage *stage = *state;
	struct buffer query = make_query("_25._tcp.mx5.de.tuv.com",
					 LDNS_RR_TYPE_TLSA, EDNS);
	uint32_t seed = 1;

	for (int i = 0; i < ROUNDS; i++) {
		unsigned char bytes[512];
		size_t len = buffer_len(&query);
		struct question question;
		struct answer_manner manner = { .is_stream = i & 1 };

		memcpy(bytes, buffer_view(&query).at, len);
		for (int k = 0; k < CHANGES; k++)
			bytes[next_chance(&seed) % len] =
				(unsigned char)next_chance(&seed);
		if (i % 3 == 0)
			len = next_chance(&seed) % (len + 1);
		bytes[2] &= 0x7f;
		buffer_reset(&stage->out);
		if (question_read(view_make(bytes, len), &question,
				  &stage->out) == 1) {
			answer_compose(stage->zones, &question, &manner,
				       &stage->out);
			question_clear(&question);
		}
		assert_true(len < 12 || buffer_len(&stage->out) >= 12);
	}
	buffer_clear(&query);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_zone_holds_the_domains_below_it),
		CASE(the_key_stays_the_same_when_it_is_kept),
		CASE(what_is_there_is_answered_and_signed),
		CASE(what_is_not_there_is_proven),
		CASE(who_does_not_ask_for_signatures_gets_none),
		CASE(what_is_too_long_is_cut_for_udp_and_whole_in_a_stream),
		CASE(lies_are_signed_like_the_truth),
		CASE(a_name_that_is_left_out_is_proven_to_be_absent),
		CASE(a_null_mx_of_all_gateways_stands_alone),
		CASE(a_bogus_answer_bears_signatures_that_do_not_hold),
		CASE(foreign_names_and_odd_questions_are_refused),
		CASE(what_is_no_question_is_formerr_or_dropped),
		CASE(another_version_of_edns_is_told_so),
		CASE(mutated_questions_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
