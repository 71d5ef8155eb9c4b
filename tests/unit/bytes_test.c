/*
 * Views, buffers, escaping, the checksum and error texts.
 */
#include "conf/bytes.h"
#include "conf/error.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_view(struct view got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.len ? got.at : (const unsigned char *)"", want,
			    got.len);
}

static void views_cut_and_compare(void **unused)
{
	struct view rest = VIEW("a,,b");

	(void)unused;
	assert_view(view_cut(&rest, ','), "a");
	assert_view(view_cut(&rest, ','), "");
	assert_view(view_cut(&rest, ','), "b");
	assert_int_equal(rest.len, 0);
	assert_view(view_cut(&rest, ','), "");
	assert_view(view_trim(VIEW(" \t x y\t ")), "x y");
	assert_view(view_trim(VIEW("  ")), "");
	assert_view(view_from(VIEW("abc"), 5), "");
	assert_true(view_equal_fold(VIEW("EhLo"), VIEW("ehlO")));
	assert_false(view_equal_fold(VIEW("a["), VIEW("a{")));
	assert_true(view_starts_fold(VIEW("SIZE=1"), VIEW("size=")));
	assert_false(view_starts_fold(VIEW("SIZ"), VIEW("size=")));
	assert_int_equal(view_index(VIEW("ab"), 'c'), 2);
	assert_true(view_equal((struct view){ 0 }, VIEW("")));
}

/* Every byte at every place of three words, behind plain and 8-bit text. */
static void low_bytes_are_found_where_they_are(void **unused)
{
	unsigned char text[24];

	(void)unused;
	for (unsigned byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < sizeof(text); at++) {
			bool has_8bit = false;
			size_t want = byte < 14 ? at : sizeof(text);

			memset(text, 14, sizeof(text));
			text[at] = (unsigned char)byte;
			assert_int_equal(view_low(view_make(text, sizeof(text)),
						  at / 2, &has_8bit), want);
			assert_int_equal(has_8bit, byte > 127);
			/* What lies behind the place was not passed. */
			memset(text + at, 0xff, sizeof(text) - at);
			text[at] = 13;
			has_8bit = false;
			assert_int_equal(view_low(view_make(text, sizeof(text)),
						  0, &has_8bit), at);
			assert_false(has_8bit);
		}
	assert_int_equal(view_low(VIEW("abc"), 3, &(bool){ false }), 3);
}

static void decimals_are_as_printf_writes_them(void **unused)
{
	static const uint64_t rows[] = { 0, 7, 10, 65535, 1000000,
					 UINT64_MAX };
	char digits[BYTES_DECIMAL_MAX], want[32];

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = bytes_decimal(rows[i], digits);

		snprintf(want, sizeof(want), "%" PRIu64, rows[i]);
		assert_view(view_make(digits, len), want);
	}
}

static void numbers_are_digits_within_bounds(void **unused)
{
	static const struct {
		const char *text;
		uint64_t max, value;
		int got;
	} rows[] = {
		{ "0",			  9,	      0,	  0  },
		{ "007",		  9,	      7,	  0  },
		{ "9",			  9,	      9,	  0  },
		{ "10",			  9,	      0,	  -1 },
		{ "8",			  7,	      0,	  -1 },
		{ "",			  9,	      0,	  -1 },
		{ "-1",			  9,	      0,	  -1 },
		{ "+1",			  9,	      0,	  -1 },
		{ "1 ",			  9,	      0,	  -1 },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX, 0  },
		{ "18446744073709551616", UINT64_MAX, 0,	  -1 },
		{ "99999999999999999999", UINT64_MAX, 0,	  -1 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t value = 0;

		assert_int_equal(view_number(view_of(rows[i].text),
					     rows[i].max, &value),
				 rows[i].got);
		assert_true(value == rows[i].value);
	}
}

static void buffers_grow_and_are_consumed(void **unused)
{
	struct buffer b = { 0 };
	size_t in = 0, out = 0;

	(void)unused;
	assert_int_equal(buffer_view(&b).len, 0);
	/* In and out at different paces, as on a connection. */
	while (out < 100000) {
		for (int i = 0; i < 700 && in < 100000; i++)
			buffer_append_byte(&b, (unsigned char)(in++ % 251));
		for (int i = 0; i < 650 && buffer_len(&b); i++) {
			assert_int_equal(*buffer_view(&b).at, out++ % 251);
			buffer_consume(&b, 1);
		}
	}
	assert_int_equal(buffer_len(&b), 0);
	buffer_printf(&b, "%s-%d", "abc", 7);
	assert_view(buffer_view(&b), "abc-7");
	memcpy(buffer_reserve(&b, 3), "xyz", 3);
	buffer_added(&b, 3);
	buffer_consume(&b, 4);
	assert_view(buffer_view(&b), "7xyz");
	buffer_wipe(&b);
	assert_null(b.data);
}

static void foreign_bytes_are_escaped(void **unused)
{
	static const struct {
		const char *text;
		size_t max;
		const char *want;
	} rows[] = {
		{ "plain text",		   99, "plain text"		    },
		{ "a\r\nb\\",		   99, "a\\x0d\\x0ab\\x5c"	    },
		{ "\x1b[31m\x7f",	   99, "\\x1b[31m\\x7f"		    },
		{ "t\xc3\xbcv",		   99, "t\xc3\xbcv"		    },
		{ "\xff\xc3",		   99, "\\xff\\xc3"		    },
		{ "\xc0\xaf",		   99, "\\xc0\\xaf"		    },
		{ "\xed\xa0\x80",	   99, "\\xed\\xa0\\x80"	    },
		{ "\xf4\x90\x80\x80",	   99, "\\xf4\\x90\\x80\\x80"	    },
		{ "\xf0\x9f\x93\xa7",	   99, "\xf0\x9f\x93\xa7"	    },
		{ "\xc2\x85",		   99, "\\xc2\\x85"		    },
		{ "\xe2\x80\xae",	   99, "\\xe2\\x80\\xae"	    },
		{ "abcdef",		   6,  "abcdef"			    },
		{ "abcdefg",		   6,  "abcdef..."		    },
		{ "abcd\n",		   6,  "abcd..."		    },
		{ "abcde\xc3\xbc",	   6,  "abcde..."		    },
	};
	struct buffer b = { 0 };

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bytes_escape(&b, view_of(rows[i].text), rows[i].max);
		assert_view(buffer_view(&b), rows[i].want);
		buffer_reset(&b);
	}
	bytes_escape(&b, view_make("a\0b", 3), 99);
	assert_view(buffer_view(&b), "a\\x00b");
	buffer_clear(&b);
}

static void the_checksum_is_castagnolis(void **unused)
{
	unsigned char bytes[1021];
	uint32_t whole, parts = 0;

	(void)unused;
	/* RFC 3720 B.4 */
	assert_int_equal(bytes_crc32c(0, "123456789", 9), 0xe3069283u);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(bytes_crc32c(0, bytes, 32), 0x8a9136aau);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7);
	whole = bytes_crc32c(0, bytes, sizeof(bytes));
	/* By single bytes, hence by the table alone. */
	for (size_t i = 0; i < sizeof(bytes); i++)
		parts = bytes_crc32c(parts, bytes + i, 1);
	assert_int_equal(whole, parts);
	assert_int_equal(bytes_crc32c(5, bytes, 0), 5);
}

static void errors_are_cut_and_prefixed(void **unused)
{
	struct error error;
	char big[2 * ERROR_TEXT_MAX];

	(void)unused;
	assert_int_equal(error_set(&error, "wrong %d", 1), -1);
	error_prefix(&error, "%s:%d", "file", 3);
	assert_string_equal(error.text, "file:3: wrong 1");
	errno = ENOENT;
	error_errno(&error, "open x");
	assert_string_equal(error.text, "open x: No such file or directory");
	assert_int_equal(errno, ENOENT);
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	error_set(&error, "%s", big);
	assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
	error_prefix(&error, "p");
	assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
	assert_memory_equal(error.text, "p: xx", 5);
	error_errno(&error, "%s", big);
	assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(views_cut_and_compare),
		cmocka_unit_test(low_bytes_are_found_where_they_are),
		cmocka_unit_test(decimals_are_as_printf_writes_them),
		cmocka_unit_test(numbers_are_digits_within_bounds),
		cmocka_unit_test(buffers_grow_and_are_consumed),
		cmocka_unit_test(foreign_bytes_are_escaped),
		cmocka_unit_test(the_checksum_is_castagnolis),
		cmocka_unit_test(errors_are_cut_and_prefixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
