/*
 * Questions and answers survive the way between worker and resolver, and
 * nothing that is not exactly one of them is taken.
 */
#include "relay/dns_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct dns_question question(const char *name)
{
	struct dns_question q = { .id = 0xfffefdfc, .type = DNS_MX };

	snprintf(q.name, sizeof(q.name), "%s", name);
	return q;
}

static void a_question_comes_back_as_it_was(void **state)
{
	struct dns_question in = question("_25._tcp.mx-1.example.org"), out;
	struct buffer bytes = { 0 };

	(void)state;
	dns_wire_put_question(&bytes, &in);
	assert_true(buffer_len(&bytes) <= DNS_WIRE_QUESTION_MAX);
	assert_int_equal(dns_wire_get_question(buffer_view(&bytes), &out), 0);
	assert_int_equal(out.id, in.id);
	assert_int_equal(out.type, in.type);
	assert_string_equal(out.name, in.name);
	buffer_clear(&bytes);
}

static void a_cut_or_longer_question_is_refused(void **state)
{
	struct dns_question in = question("example.org"), out;
	struct buffer bytes = { 0 };

	(void)state;
	dns_wire_put_question(&bytes, &in);
	for (size_t len = 0; len < buffer_len(&bytes); len++)
		assert_int_equal(dns_wire_get_question(
					 view_first(buffer_view(&bytes), len),
					 &out),
				 -1);
	buffer_append_byte(&bytes, 0);
	assert_int_equal(dns_wire_get_question(buffer_view(&bytes), &out), -1);
	buffer_clear(&bytes);
}

static void a_question_that_no_worker_would_ask_is_refused(void **state)
{
	static const char *const names[] = { "UPPER.example", "a b",
					     "caf\xc3\xa9", "x\\.y", "a/b" };
	struct dns_question in, out;
	struct buffer bytes = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		in = question(names[i]);
		dns_wire_put_question(&bytes, &in);
		assert_int_equal(
			dns_wire_get_question(buffer_view(&bytes), &out), -1);
		buffer_reset(&bytes);
	}
	in = question("example.org");
	in.type = (enum dns_type)255;
	dns_wire_put_question(&bytes, &in);
	assert_int_equal(dns_wire_get_question(buffer_view(&bytes), &out), -1);
	buffer_clear(&bytes);
}

static void fill(struct dns_record *record, enum dns_type type, size_t i)
{
	unsigned char raw[16] = { 192, 0, 2, (unsigned char)i };

	memset(record, 0, sizeof(*record));
	switch (type) {
	case DNS_A: net_from_raw(raw, 4, &record->address); break;
	case DNS_AAAA:
		raw[0] = 0x20;
		net_from_raw(raw, 16, &record->address);
		break;
	case DNS_MX:
		record->preference = (uint16_t)(i * 1000);
		if (i > 0)
			snprintf(record->name, sizeof(record->name),
				 "mx%zu.example.org", i);
		break;
	case DNS_CNAME: strcpy(record->name, "alias.example.org"); break;
	case DNS_TXT:
	case DNS_TLSA:
		record->raw_len = DNS_RAW_MAX - i;
		memset(record->raw, (int)i, record->raw_len);
		break;
	}
}

static const enum dns_type all_types[] = { DNS_A,   DNS_AAAA, DNS_MX,
					   DNS_TXT, DNS_TLSA, DNS_CNAME };

static void full_answer(struct dns_answer *answer, struct dns_record *records,
			enum dns_type type)
{
	memset(answer, 0, sizeof(*answer));
	answer->kind = DNS_DATA;
	answer->is_secure = true;
	answer->ttl = 0x80000001;
	answer->dropped = 70000;
	answer->count = DNS_RECORDS_MAX;
	answer->records = records;
	memset(answer->canonical, 'a', ADDR_DOMAIN_MAX);
	memset(answer->why, 'w', sizeof(answer->why) - 1);
	for (size_t i = 0; i < answer->count; i++)
		fill(&records[i], type, i);
}

static void a_full_answer_of_every_type_comes_back(void **state)
{
	struct dns_record records[DNS_RECORDS_MAX];
	struct dns_answer in, out;
	struct buffer bytes = { 0 };

	(void)state;
	for (size_t t = 0; t < sizeof(all_types) / sizeof(*all_types); t++) {
		enum dns_type type;
		uint32_t id;

		full_answer(&in, records, all_types[t]);
		dns_wire_put_answer(&bytes, 7, all_types[t], &in);
		assert_true(buffer_len(&bytes) <= DNS_WIRE_ANSWER_MAX);
		assert_int_equal(dns_wire_get_answer(buffer_view(&bytes), &id,
						     &type, &out),
				 0);
		assert_int_equal(id, 7);
		assert_int_equal(type, all_types[t]);
		assert_int_equal(out.kind, DNS_DATA);
		assert_true(out.is_secure);
		assert_false(out.is_bogus);
		assert_int_equal(out.ttl, in.ttl);
		assert_int_equal(out.dropped, in.dropped);
		assert_string_equal(out.canonical, in.canonical);
		assert_string_equal(out.why, in.why);
		assert_int_equal(out.count, in.count);
		assert_memory_equal(out.records, records, sizeof(records));
		dns_answer_clear(&out);
		buffer_reset(&bytes);
	}
	buffer_clear(&bytes);
}

static void a_cut_answer_is_refused_and_leaks_nothing(void **state)
{
	struct dns_record records[DNS_RECORDS_MAX];
	struct dns_answer in, out;
	struct buffer bytes = { 0 };
	enum dns_type type;
	uint32_t id;

	(void)state;
	full_answer(&in, records, DNS_MX);
	in.count = 2;
	dns_wire_put_answer(&bytes, 7, DNS_MX, &in);
	for (size_t len = 0; len < buffer_len(&bytes); len++)
		assert_int_equal(dns_wire_get_answer(
					 view_first(buffer_view(&bytes), len),
					 &id, &type, &out),
				 -1);
	buffer_append_byte(&bytes, 0);
	assert_int_equal(
		dns_wire_get_answer(buffer_view(&bytes), &id, &type, &out), -1);
	buffer_clear(&bytes);
}

/* Offsets into the answer's head. */
enum { AT_TYPE = 5, AT_KIND = 6, AT_FLAGS = 7, AT_COUNT = 17 };

static void a_lying_head_is_refused(void **state)
{
	static const struct {
		size_t at;
		unsigned char value;
	} lies[] = {
		{AT_TYPE,   99	      },
		 { AT_KIND,  4	      },
		   { AT_KIND,  DNS_ERROR},
		{ AT_FLAGS, 4	      },
		 { AT_COUNT, 65	},
		   { AT_COUNT, 1	 },
		{ AT_TYPE,  28	      },
	};
	struct dns_record records[DNS_RECORDS_MAX];
	struct dns_answer in, out;
	enum dns_type type;
	uint32_t id;

	(void)state;
	full_answer(&in, records, DNS_A);
	in.count = 2;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct buffer bytes = { 0 };

		dns_wire_put_answer(&bytes, 7, DNS_A, &in);
		bytes.data[bytes.start + lies[i].at] = lies[i].value;
		assert_int_equal(dns_wire_get_answer(buffer_view(&bytes), &id,
						     &type, &out),
				 -1);
		buffer_clear(&bytes);
	}
}

static void an_error_carries_its_reason_and_no_records(void **state)
{
	struct dns_answer in = { .kind = DNS_ERROR, .is_bogus = true }, out;
	struct buffer bytes = { 0 };
	enum dns_type type;
	uint32_t id;

	(void)state;
	strcpy(in.why, "signature expired");
	dns_wire_put_answer(&bytes, 1, DNS_TLSA, &in);
	assert_int_equal(
		dns_wire_get_answer(buffer_view(&bytes), &id, &type, &out), 0);
	assert_int_equal(out.kind, DNS_ERROR);
	assert_true(out.is_bogus);
	assert_string_equal(out.why, "signature expired");
	assert_null(out.records);
	dns_answer_clear(&out);
	buffer_clear(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_comes_back_as_it_was),
		cmocka_unit_test(a_cut_or_longer_question_is_refused),
		cmocka_unit_test(
			a_question_that_no_worker_would_ask_is_refused),
		cmocka_unit_test(a_full_answer_of_every_type_comes_back),
		cmocka_unit_test(a_cut_answer_is_refused_and_leaks_nothing),
		cmocka_unit_test(a_lying_head_is_refused),
		cmocka_unit_test(an_error_carries_its_reason_and_no_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
