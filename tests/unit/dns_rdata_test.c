/*
 * Foreign record data becomes a record or is refused; never something in
 * between.
 */
#include "relay/dns_rdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define BYTES(text) (text), sizeof(text) - 1

static const struct {
	enum dns_type type;
	const char *bytes;
	size_t len;
	const char *name; /* NULL: refused */
} names[] = {
	{DNS_MX,	  BYTES("\0\12\3mx1\7example\3org\0"), "mx1.example.org"},
	{ DNS_MX,	  BYTES("\0\12\3MX1\7eXample\3org\0"), "mx1.example.org"},
	{ DNS_MX,	  BYTES("\0\12\4_mx1\7example\0"),	   "_mx1.example"	  },
 /* null MX, RFC 7505 */
	{ DNS_MX,	  BYTES("\0\0\0"),			   ""		      },
	{ DNS_CNAME, BYTES("\1a\0"),			     "a"		 },
	{ DNS_MX,	  BYTES(""),			     NULL		  },
	{ DNS_MX,	  BYTES("\0\12"),			  NULL	       },
	{ DNS_MX,	  BYTES("\0\12\3mx1"),		       NULL		    },
	{ DNS_MX,	  BYTES("\0\12\3mx1\7exam\0"),	       NULL		    },
	{ DNS_MX,	  BYTES("\0\12\3mx1\0x"),		  NULL	       },
 /* a compression pointer has no business here */
	{ DNS_MX,	  BYTES("\0\12\300\14"),		 NULL	      },
 /* a dot, a blank, a control byte inside a label */
	{ DNS_MX,	  BYTES("\0\12\3a.b\3org\0"),	      NULL		   },
	{ DNS_MX,	  BYTES("\0\12\3a b\3org\0"),	      NULL		   },
	{ DNS_MX,	  BYTES("\0\12\3a\0b\3org\0"),	       NULL		    },
	{ DNS_MX,	  BYTES("\0\12\3a\nb\3org\0"),	       NULL		    },
	{ DNS_CNAME, BYTES("\3a\377b\0"),		  NULL	       },
};

static void names_are_canonical_or_refused(void **state)
{
	struct dns_record record;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int got = dns_rdata_read(
			names[i].type, view_make(names[i].bytes, names[i].len),
			&record);

		assert_int_equal(got, names[i].name ? 0 : -1);
		if (names[i].name)
			assert_string_equal(record.name, names[i].name);
	}
}

static void the_longest_name_passes_and_one_more_byte_does_not(void **state)
{
	unsigned char bytes[400] = { 0, 10 };
	struct dns_record record;
	size_t len = 2;

	(void)state;
	for (int i = 0; i < 3; i++) {
		bytes[len] = 63;
		memset(bytes + len + 1, 'a', 63);
		len += 64;
	}
	bytes[len] = 61;
	memset(bytes + len + 1, 'b', 61);
	bytes[len + 62] = 0;
	assert_int_equal(
		dns_rdata_read(DNS_MX, view_make(bytes, len + 63), &record), 0);
	assert_int_equal(strlen(record.name), 253);
	bytes[len] = 64;
	memset(bytes + len + 1, 'b', 64);
	bytes[len + 65] = 0;
	assert_int_equal(dns_rdata_read(DNS_MX, view_make(bytes, len + 66),
					&record),
			 -1);
	bytes[len] = 63;
	bytes[len + 64] = 63;
	memset(bytes + len + 65, 'c', 63);
	bytes[len + 128] = 0;
	assert_int_equal(dns_rdata_read(DNS_MX, view_make(bytes, len + 129),
					&record),
			 -1);
}

static void addresses_have_their_length(void **state)
{
	static const unsigned char bytes[17] = { 192, 0, 2, 1 };
	struct dns_record record;

	(void)state;
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		assert_int_equal(dns_rdata_read(DNS_A, view_make(bytes, len),
						&record),
				 len == 4 ? 0 : -1);
		assert_int_equal(dns_rdata_read(DNS_AAAA, view_make(bytes, len),
						&record),
				 len == 16 ? 0 : -1);
	}
}

static void strings_of_a_text_are_joined(void **state)
{
	struct dns_record record;

	(void)state;
	assert_int_equal(dns_rdata_read(DNS_TXT, view_make("\3abc\0\2de", 8),
					&record),
			 0);
	assert_int_equal(record.raw_len, 5);
	assert_memory_equal(record.raw, "abcde", 5);
	assert_int_equal(
		dns_rdata_read(DNS_TXT, view_make("\4abc", 4), &record), -1);
}

static void what_is_too_long_is_refused_not_cut(void **state)
{
	unsigned char bytes[3 * 256] = { 255 };
	struct dns_record record;

	(void)state;
	bytes[256] = bytes[512] = 255;
	assert_int_equal(
		dns_rdata_read(DNS_TXT, view_make(bytes, 512), &record), 0);
	assert_int_equal(record.raw_len, 510);
	assert_int_equal(
		dns_rdata_read(DNS_TXT, view_make(bytes, 768), &record), -1);
	assert_int_equal(dns_rdata_read(DNS_TLSA, view_make(bytes, DNS_RAW_MAX),
					&record),
			 0);
	assert_int_equal(dns_rdata_read(DNS_TLSA,
					view_make(bytes, DNS_RAW_MAX + 1),
					&record),
			 -1);
	assert_int_equal(dns_rdata_read(DNS_TLSA, view_make(bytes, 2), &record),
			 -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_canonical_or_refused),
		cmocka_unit_test(
			the_longest_name_passes_and_one_more_byte_does_not),
		cmocka_unit_test(addresses_have_their_length),
		cmocka_unit_test(strings_of_a_text_are_joined),
		cmocka_unit_test(what_is_too_long_is_refused_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
