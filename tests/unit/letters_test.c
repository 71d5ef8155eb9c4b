/*
 * Reading what lies in the lab's store: beside a mail program that moves
 * files, with foreign files in it, and what is asked of letters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/lab/letters.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbb"
#define NAME_A "1700000000.M000002Q" ID_A ".mx5.example"
#define NAME_B "1700000000.M000001Q" ID_B ".mx6.example"

#define LABEL \
	"X-Lab-Gateway: mx5.example\r\n" \
	"X-Lab-From: <a@b.example> SIZE=3\r\n" \
	"X-Lab-To: <c@d.example>\r\n" \
	"X-Lab-To: <E@f.example> NOTIFY=NEVER\r\n"
#define HEADER \
	"Received: x\r\nX-Lab-To: <forged@x.example>\r\n" \
	"subject : Quarterly\r\n\tfigures\r\nSubject: second\r\n\r\n" \
	"Subject: body\r\n"

static int make_store(void **state)
{
	char folder[] = "/tmp/letters-XXXXXX";
	char path[200];

	*state = mkdtemp(folder) ? strdup(folder) : NULL;
	if (!*state)
		return -1;
	snprintf(path, sizeof(path), "%s/new", folder);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/cur", folder);
	return mkdir(path, 0755);
}

static int remove_store(void **state)
{
	char command[200];

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
	free(*state);
	return system(command);
}

static void put(const char *store, const char *name, const char *text)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", store, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void move(const char *store, const char *from, const char *to)
{
	char old[300], new[300];

	snprintf(old, sizeof(old), "%s/%s", store, from);
	snprintf(new, sizeof(new), "%s/%s", store, to);
	assert_int_equal(rename(old, new), 0);
}

static void refresh(struct letters *letters, const char *store)
{
	struct error error;

	assert_int_equal(letters_refresh(letters, store, &error), 0);
}

static void letters_come_in_the_order_of_arrival_and_once(void **state)
{
	struct letters letters = { 0 };

	put(*state, "new/" NAME_A, LABEL HEADER);
	put(*state, "new/notes", "not a letter");
	put(*state, "new/1700000000.Q.mx", "nor this");
	refresh(&letters, *state);
	assert_int_equal(letters.count, 1);
	assert_int_equal(letters.at[0].size, strlen(LABEL HEADER));
	put(*state, "cur/" NAME_B ":2,S", LABEL HEADER);
	move(*state, "new/" NAME_A, "cur/" NAME_A ":2,");
	refresh(&letters, *state);
	assert_int_equal(letters.count, 2);
	assert_string_equal(letters.at[0].id, ID_B);
	assert_string_equal(letters.at[1].id, ID_A);
	assert_ptr_equal(letters_find(&letters, ID_B), &letters.at[0]);
	assert_null(letters_find(&letters, "x"));
	letters_clear(&letters);
}

static void what_a_letter_says_is_found(void **state)
{
	struct letters letters = { 0 };
	struct buffer text = { 0 };

	put(*state, "new/" NAME_A, LABEL HEADER);
	refresh(&letters, *state);
	assert_true(view_equal(letter_field(&letters.at[0], "Gateway"),
			       VIEW("mx5.example")));
	assert_int_equal(letter_field(&letters.at[0], "SNI").len, 0);
	letter_header(&letters.at[0], "Subject", &text);
	assert_true(view_equal(buffer_view(&text), VIEW("Quarterly\tfigures")));
	buffer_clear(&text);
	letter_header(&letters.at[0], "X-None", &text);
	assert_int_equal(buffer_len(&text), 0);
	letters_clear(&letters);
}

static void letters_are_chosen_by_envelope_and_subject(void **state)
{
	static const struct {
		struct letter_filter filter;
		bool fits;
	} rows[] = {
		{ { 0 }, true },
		{ { .to = "c@d.example" }, true },
		{ { .to = "<e@F.example>" }, true },
		{ { .to = "*@f.example" }, true },
		{ { .to = "@f.example" }, false },
		{ { .to = "forged@x.example" }, false },
		{ { .from = "a@b.example" }, true },
		{ { .from = "<>" }, false },
		{ { .from = "a@b.example", .to = "x@y" }, false },
		{ { .subject = "figures" }, true },
		{ { .subject = "QUARTERLY*figures" }, true },
		{ { .subject = "figures*" }, false },
		{ { .subject = "second" }, false },
		{ { .subject = "body" }, false },
	};
	struct letters letters = { 0 };

	put(*state, "new/" NAME_A, LABEL HEADER);
	refresh(&letters, *state);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(letter_fits(&letters.at[0], &rows[i].filter),
				 rows[i].fits);
	letters_clear(&letters);
}

static void an_unreadable_or_odd_file_is_no_trouble(void **state)
{
	struct letters letters = { 0 };
	struct letter_filter filter = { .to = "*" };
	struct error error;

	put(*state, "new/" NAME_A, "");
	put(*state, "cur/" NAME_B, "X-Lab-To");
	refresh(&letters, *state);
	assert_int_equal(letters.count, 2);
	assert_false(letter_fits(&letters.at[0], &filter));
	assert_false(letter_fits(&letters.at[1], &filter));
	letters_clear(&letters);
	assert_int_equal(letters_refresh(&letters, "/nonexistent", &error), -1);
	assert_non_null(strstr(error.text, "/nonexistent/new"));
	letters_clear(&letters);
}

int main(void)
{
#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, make_store, remove_store)
	const struct CMUnitTest tests[] = {
		CASE(letters_come_in_the_order_of_arrival_and_once),
		CASE(what_a_letter_says_is_found),
		CASE(letters_are_chosen_by_envelope_and_subject),
		CASE(an_unreadable_or_odd_file_is_no_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
