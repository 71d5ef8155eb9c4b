/*
 * Transcripts of the lab's sessions: how lines read, that nothing breaks
 * out of one, and that files are bounded in size and number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/lab/transcript.h"

enum { ROOM = 2 * TRANSCRIPT_MAX };

static int make_store(void **state)
{
	char folder[] = "/tmp/transcript-XXXXXX";

	*state = mkdtemp(folder) ? strdup(folder) : NULL;
	return *state ? 0 : -1;
}

static int remove_store(void **state)
{
	char command[200];

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
	free(*state);
	return system(command);
}

static char *read_file(const char *store, const char *id)
{
	static char text[ROOM];
	char path[200];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/sessions/%s.txt", store, id);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static unsigned count_files(const char *store)
{
	char path[200];
	unsigned count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "%s/sessions", store);
	folder = opendir(path);
	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 2;
}

static struct transcripts *open_all(const char *store, unsigned kept)
{
	struct error error;
	struct transcripts *all = transcripts_open(store, kept, &error);

	assert_non_null(all);
	return all;
}

static void lines_say_who_and_when(void **state)
{
	struct transcripts *all = open_all(*state, 10);
	struct transcript *t = transcript_new(all, 100);

	transcript_said(t, VIEW("220 hello\r\n"), 100);
	transcript_heard(t, VIEW("EHLO c"), 100.0123);
	transcript_said(t, VIEW("250-mx\r\n250 DSN\r\n"), 100.5);
	transcript_heard(t, VIEW(""), 101);
	transcript_note(t, 1100.25, "%d bytes", 7);
	assert_string_equal(read_file(*state, transcript_id(t)),
			    "    0.000 S: 220 hello\n"
			    "    0.012 C: EHLO c\n"
			    "    0.500 S: 250-mx\n"
			    "    0.500 S: 250 DSN\n"
			    "    1.000 C: \n"
			    " 1000.250 -- 7 bytes\n");
	transcript_free(t);
	transcripts_close(all);
}

static void nothing_breaks_out_of_its_line(void **state)
{
	struct transcripts *all = open_all(*state, 10);
	struct transcript *t = transcript_new(all, 0);

	transcript_heard(t, VIEW("a\n0.0 S: 250 forged\x1b[2J\0\xff"), 0);
	assert_string_equal(read_file(*state, transcript_id(t)),
			    "    0.000 C: a\\x0a0.0 S: 250 forged"
			    "\\x1b[2J\\x00\\xff\n");
	transcript_free(t);
	transcripts_close(all);
}

static void a_file_is_bounded(void **state)
{
	struct transcripts *all = open_all(*state, 10);
	struct transcript *t = transcript_new(all, 0);
	unsigned char junk[5000] = { 0 };
	const char *text;

	for (int i = 0; i < 100; i++)
		transcript_heard(t, view_make(junk, sizeof(junk)), 0);
	transcript_note(t, 0, "unseen");
	text = read_file(*state, transcript_id(t));
	assert_true(strlen(text) < TRANSCRIPT_MAX + 100);
	assert_non_null(strstr(text, "\n(the rest is left out)\n"));
	assert_null(strstr(text, "unseen"));
	transcript_free(t);
	transcripts_close(all);
}

static void the_oldest_files_are_removed_in_later_runs_too(void **state)
{
	struct transcripts *all = open_all(*state, 5);
	char last[40], path[200];

	for (int i = 0; i < 8; i++) {
		struct transcript *t = transcript_new(all, 0);

		snprintf(last, sizeof(last), "%s", transcript_id(t));
		transcript_free(t);
	}
	assert_int_equal(count_files(*state), 5);
	transcripts_close(all);

	/* What is not ours stays. */
	snprintf(path, sizeof(path), "%s/sessions/notes.txt", (char *)*state);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	all = open_all(*state, 2);
	assert_int_equal(count_files(*state), 3);
	assert_string_equal(read_file(*state, last), "");
	for (int i = 0; i < 3; i++)
		transcript_free(transcript_new(all, 0));
	assert_int_equal(count_files(*state), 3);
	assert_int_equal(access(path, F_OK), 0);
	transcripts_close(all);
}

static void a_disk_that_fails_costs_only_the_transcript(void **state)
{
	struct transcripts *all = open_all(*state, 5);
	struct transcript *t;
	char path[200];

	snprintf(path, sizeof(path), "%s/sessions", (char *)*state);
	assert_int_equal(rmdir(path), 0);
	t = transcript_new(all, 0);
	transcript_heard(t, VIEW("EHLO c"), 0);
	assert_true(strlen(transcript_id(t)) > 0);
	transcript_free(t);
	transcripts_close(all);
}

int main(void)
{
#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, make_store, remove_store)
	const struct CMUnitTest tests[] = {
		CASE(lines_say_who_and_when),
		CASE(nothing_breaks_out_of_its_line),
		CASE(a_file_is_bounded),
		CASE(the_oldest_files_are_removed_in_later_runs_too),
		CASE(a_disk_that_fails_costs_only_the_transcript),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
