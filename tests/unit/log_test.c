/*
 * The log: how lines look in both formats, that they stay bounded, that
 * nothing is lost or torn among threads, and that a stuck reader holds
 * nobody.
 */
#include "conf/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, LINES = 2000 };

static char *read_rest(int fd)
{
	struct buffer all = { 0 };
	char *text;
	ssize_t got;

	while ((got = read(fd, buffer_reserve(&all, 65536), 65536)) > 0)
		buffer_added(&all, (size_t)got);
	text = view_string(buffer_view(&all));
	buffer_clear(&all);
	return text;
}

/* Opens the log on a file that was removed already; returns the reader. */
static int open_on_file(enum log_format format, enum log_level least)
{
	const char *base = getenv("TMPDIR");
	char path[256];
	int fd, reader;

	snprintf(path, sizeof(path), "%s/log_test.XXXXXX",
		 base ? base : "/tmp");
	fd = mkstemp(path);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && reader >= 0);
	unlink(path);
	log_open(fd, format, least, "worker-0");
	return reader;
}

static void say_one(void)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "accepted");
	log_str(&line, "id", "abc");
	log_num(&line, "size", -5);
	log_str(&line, "helo", "a \"b\"=\\\r\n");
	log_view(&line, "from", VIEW(""));
	log_str(&line, "to", NULL);
	log_end(&line);
	log_say(LOG_DEBUG, "debug", "not shown");
}

static void text_lines_have_quoted_values(void **unused)
{
	int reader = open_on_file(LOG_TEXT, LOG_INFO);
	char *text;

	(void)unused;
	say_one();
	log_close();
	text = read_rest(reader);
	close(reader);
	assert_string_equal(strchr(text, ' '),
			    " info accepted process=worker-0 id=abc size=-5 "
			    "helo=\"a \\x22b\\x22=\\x5c\\x0d\\x0a\" from=\"\" "
			    "to=\"\"\n");
	/* 2026-01-02T03:04:05.678Z */
	assert_int_equal(strchr(text, ' ') - text, 24);
	assert_int_equal(text[10], 'T');
	assert_int_equal(text[23], 'Z');
	free(text);
}

static void json_lines_carry_the_same_values(void **unused)
{
	int reader = open_on_file(LOG_JSON, LOG_INFO);
	char *text;

	(void)unused;
	say_one();
	log_close();
	text = read_rest(reader);
	close(reader);
	assert_memory_equal(text, "{\"time\":\"2", 10);
	assert_string_equal(strstr(text, ",\"level\""),
			    ",\"level\":\"info\",\"event\":\"accepted\","
			    "\"process\":\"worker-0\",\"id\":\"abc\","
			    "\"size\":-5,\"helo\":\"a \\\"b\\\"=\\\\x5c\\\\x0d"
			    "\\\\x0a\",\"from\":\"\",\"to\":\"\"}\n");
	free(text);
}

static void lines_stay_bounded_and_say_so(void **unused)
{
	static const enum log_format formats[] = { LOG_TEXT, LOG_JSON };
	static const char *const ends[] = { " truncated=yes\n",
					    ",\"truncated\":true}\n" };
	char big[3000];

	(void)unused;
	memset(big, '"', sizeof(big));
	for (size_t f = 0; f < 2; f++) {
		int reader = open_on_file(formats[f], LOG_DEBUG);
		struct log_line line;
		char *text;

		log_begin(&line, LOG_DEBUG, "big");
		for (int i = 0; i < 20; i++)
			log_view(&line, "key", view_make(big, sizeof(big)));
		log_end(&line);
		log_close();
		text = read_rest(reader);
		close(reader);
		assert_true(strlen(text) <= LOG_LINE_MAX);
		assert_non_null(strstr(text, "..."));
		assert_string_equal(text + strlen(text) - strlen(ends[f]),
				    ends[f]);
		free(text);
	}
}

static void *say_many(void *arg)
{
	struct log_line line;

	for (int i = 0; i < LINES; i++) {
		log_begin(&line, LOG_INFO, "line");
		log_num(&line, "thread", *(int *)arg);
		log_num(&line, "n", i);
		log_end(&line);
	}
	return NULL;
}

static void threads_neither_tear_nor_reorder(void **unused)
{
	int reader = open_on_file(LOG_TEXT, LOG_INFO);
	pthread_t threads[THREADS];
	int numbers[THREADS], seen[THREADS] = { 0 };
	long dropped = 0;
	char *text, *at;

	(void)unused;
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, say_many, &numbers[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_close();
	text = read_rest(reader);
	close(reader);
	for (at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
		const char *thread = strstr(at, " thread=");
		const char *lost = strstr(at, "log-dropped");

		if (lost) {
			dropped += atol(strstr(at, " count=") + 7);
			continue;
		}
		assert_non_null(thread);
		assert_non_null(strstr(at, " n="));
		seen[atoi(thread + 8)]++;
	}
	for (int i = 0; i < THREADS; i++)
		dropped += seen[i];
	assert_int_equal(dropped, THREADS * LINES);
	free(text);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *read_all(void *arg)
{
	return read_rest(*(int *)arg);
}

static void a_stuck_reader_costs_lines_not_time(void **unused)
{
	int ends[2];
	double start = seconds();
	pthread_t reader;
	char *text = NULL;
	void *got;

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	log_open(ends[1], LOG_TEXT, LOG_INFO, "");
	for (int i = 0; i < 20000; i++)
		log_say(LOG_INFO, "line", "number %d of many that nobody reads",
			i);
	assert_true(seconds() - start < 5);
	/* Once it is read again, the loss is told. */
	pthread_create(&reader, NULL, read_all, &ends[0]);
	for (int i = 0; i < 50; i++) {
		usleep(10000);
		log_say(LOG_INFO, "line", "again");
	}
	log_close();
	close(ends[1]);
	pthread_join(reader, &got);
	text = got;
	assert_non_null(strstr(text, " warning log-dropped count="));
	assert_non_null(strstr(text, "again"));
	free(text);
	close(ends[0]);
}

static void closing_waits_one_second_at_most(void **unused)
{
	int ends[2], reader;
	double start;
	char *text;

	(void)unused;
	assert_int_equal(pipe(ends), 0);
	log_open(ends[1], LOG_TEXT, LOG_INFO, "");
	for (int i = 0; i < 3000; i++)
		log_say(LOG_INFO, "line", "number %d of many that nobody reads",
			i);
	start = seconds();
	log_close();
	assert_true(seconds() - start > 0.8 && seconds() - start < 2);
	/* The next log is not disturbed by the thread that is still stuck. */
	reader = open_on_file(LOG_TEXT, LOG_INFO);
	log_say(LOG_INFO, "fresh", "x");
	log_close();
	text = read_rest(reader);
	assert_non_null(strstr(text, "fresh"));
	free(text);
	close(reader);
	/* The stuck thread ends by EPIPE; the write end stays its own. */
	close(ends[0]);
}

static void a_target_that_refuses_is_no_busy_loop(void **unused)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	clock_t before;

	(void)unused;
	assert_true(full >= 0);
	log_open(full, LOG_TEXT, LOG_INFO, "");
	log_say(LOG_INFO, "line", "lost");
	before = clock();
	usleep(300000);
	assert_true(clock() - before < CLOCKS_PER_SEC / 5);
	log_close();
	close(full);
	/* What was lost before does not end up in the next test's log. */
	close(open_on_file(LOG_TEXT, LOG_INFO));
	log_say(LOG_INFO, "line", "clears the count");
	log_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_lines_have_quoted_values),
		cmocka_unit_test(json_lines_carry_the_same_values),
		cmocka_unit_test(lines_stay_bounded_and_say_so),
		cmocka_unit_test(threads_neither_tear_nor_reorder),
		cmocka_unit_test(a_stuck_reader_costs_lines_not_time),
		cmocka_unit_test(closing_waits_one_second_at_most),
		cmocka_unit_test(a_target_that_refuses_is_no_busy_loop),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
