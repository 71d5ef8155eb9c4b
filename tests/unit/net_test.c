/*
 * Network addresses and blocks: what is read, what is refused, how it is
 * written, and that no spelling of an address walks around a block.
 */
#include "conf/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void addresses_are_read_and_written(void **unused)
{
	static const struct {
		const char *text, *plain, *port, *literal;
	} rows[] = {
		{ "192.0.2.1",	      "192.0.2.1",   "192.0.2.1:7",
		  "[192.0.2.1]"						    },
		{ "[2001:DB8::1]",    "2001:db8::1", "[2001:db8::1]:7",
		  "[IPv6:2001:db8::1]"					    },
		{ "::1",	      "::1",	     "[::1]:7",	"[IPv6:::1]" },
		{ "::ffff:192.0.2.1", "192.0.2.1",   "192.0.2.1:7",
		  "[192.0.2.1]"						    },
	};
	static const char *const bad[] = {
		"",	     "1.2.3",	 "1.2.3.4.5", "256.1.1.1", "01.2.3.4x",
		"[1.2.3.4]", "[::1",	 "::1]",      "[]",	   "a.b.c.d",
		"::g",	     "1.2.3.4 ", "1.2.3.4:5", "fe80::1%lo",
	};
	struct net_address a;
	char text[NET_TEXT_MAX];

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(net_parse(view_of(rows[i].text), &a), 0);
		net_set_port(&a, 7);
		assert_int_equal(net_port(&a), 7);
		net_text(&a, text);
		assert_string_equal(text, rows[i].plain);
		net_text_port(&a, text);
		assert_string_equal(text, rows[i].port);
		net_literal(&a, text);
		assert_string_equal(text, rows[i].literal);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(net_parse(view_of(bad[i]), &a), -1);
	assert_int_equal(net_parse(view_make("1.2.3.4\0", 8), &a), -1);
	memset(&a, 0, sizeof(a));
	net_text_port(&a, text);
	assert_string_equal(text, "none:0");
}

static void ports_are_split_off(void **unused)
{
	static const struct {
		const char *text, *host;
		int port; /* -1: refused; 9 is what was there before */
	} rows[] = {
		{ "mx.example:25", "mx.example", 25    },
		{ "mx.example",	   "mx.example", 9     },
		{ "[::1]:65535",   "[::1]",	 65535 },
		{ "[::1]",	   "[::1]",	 9     },
		{ "::1",	   "::1",	 9     },
		{ ":25",	   "",		 25    },
		{ "a:",		   "",		 -1    },
		{ "a:65536",	   "",		 -1    },
		{ "a:x",	   "",		 -1    },
		{ "[::1",	   "",		 -1    },
		{ "[::1]25",	   "",		 -1    },
		{ "[::1]x:25",	   "",		 -1    },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct view host;
		uint16_t port = 9;
		int got = net_split_port(view_of(rows[i].text), &host, &port);

		assert_int_equal(got, rows[i].port < 0 ? -1 : 0);
		if (got)
			continue;
		assert_int_equal(port, rows[i].port);
		assert_true(view_equal(host, view_of(rows[i].host)));
	}
}

static void blocks_hold_what_lies_in_them(void **unused)
{
	static const struct {
		const char *block, *address;
		bool in;
	} rows[] = {
		{ "127.0.0.0/8",	"127.255.0.1",	     true  },
		{ "127.0.0.0/8",	"128.0.0.1",	     false },
		{ "127.0.0.0/8",	"::ffff:127.0.0.1",  true  },
		{ "::ffff:10.0.0.0/104", "10.200.0.1",	     true  },
		{ "192.168.10.0/23",	"192.168.11.9",	     true  },
		{ "192.168.10.0/23",	"192.168.12.0",	     false },
		{ "192.0.2.1",		"192.0.2.1",	     true  },
		{ "192.0.2.1",		"192.0.2.2",	     false },
		{ "0.0.0.0/0",		"8.8.8.8",	     true  },
		{ "0.0.0.0/0",		"2001:db8::1",	     false },
		{ "::/0",		"2001:db8::1",	     true  },
		{ "::/0",		"8.8.8.8",	     false },
		{ "::/0",		"::ffff:8.8.8.8",    false },
		{ "::1",		"::1",		     true  },
		{ "[2001:db8::]/33",	"2001:db8:7fff::1",  true  },
		{ "[2001:db8::]/33",	"2001:db8:8000::1",  false },
	};
	struct net_block block;
	struct net_address a;
	struct error error;

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(net_block_parse(view_of(rows[i].block),
						 &block, &error), 0);
		assert_int_equal(net_parse(view_of(rows[i].address), &a), 0);
		assert_int_equal(net_block_has(&block, &a), rows[i].in);
		assert_int_equal(net_blocks_have(&block, 1, &a), rows[i].in);
	}
	memset(&a, 0, sizeof(a));
	assert_false(net_block_has(&block, &a));
}

static void a_wrong_block_says_what_would_be_right(void **unused)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{ "192.168.10.7/24",	"write 192.168.10.0/24" },
		{ "2001:db8::1/32",	"write 2001:db8::/32"	},
		{ "10.0.0.0/33",	"from 0 to 32"		},
		{ "10.0.0.0/",		"from 0 to 32"		},
		{ "::/129",		"from 0 to 128"		},
		{ "::ffff:0.0.0.0/95",	"at least /96"		},
		{ "example.org/8",	"ADDRESS/BITS"		},
	};
	struct net_block block;
	struct error error;

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(net_block_parse(view_of(rows[i].text),
						 &block, &error), -1);
		assert_non_null(strstr(error.text, rows[i].part));
	}
}

static void hosts_are_compared_without_port_and_mapping(void **unused)
{
	struct net_address a, b;
	static const unsigned char raw[4] = { 10, 0, 0, 1 };

	(void)unused;
	net_parse(VIEW("::ffff:10.0.0.1"), &a);
	assert_int_equal(net_from_raw(raw, 4, &b), 0);
	net_set_port(&b, 25);
	assert_true(net_equal_host(&a, &b));
	net_parse(VIEW("10.0.0.2"), &a);
	assert_false(net_equal_host(&a, &b));
	assert_int_equal(net_from_raw(raw, 3, &b), -1);
	net_parse(VIEW("fe80::1"), &a);
	b = a;
	b.sa.v6.sin6_scope_id = 2;
	assert_false(net_equal_host(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(ports_are_split_off),
		cmocka_unit_test(blocks_hold_what_lies_in_them),
		cmocka_unit_test(a_wrong_block_says_what_would_be_right),
		cmocka_unit_test(hosts_are_compared_without_port_and_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
