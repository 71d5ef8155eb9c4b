/*
 * Several workers that note certificates in one spool: each sighting ends
 * in the file, whoever writes it, and the loop goes on meanwhile.
 */
#include "relay/certwatch.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char title[] = "*.tuv.com";
static char spool[64];

static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void turn(struct ev_loop *loop, double seconds)
{
	ev_timer timer;

	ev_timer_init(&timer, on_time, seconds, 0.);
	ev_timer_start(loop, &timer);
	ev_run(loop, 0);
	ev_timer_stop(loop, &timer);
}

static void saw(struct certwatch *watch, const char *host, unsigned char which)
{
	static const struct policy policy = { .title = title,
					      .tls = TLS_VERIFY };
	static const struct judgement judgement = { .reason_code = "" };
	char names[1][256] = { "mx5.de.tuv.com" };
	struct tls_facts facts = {
		.is_tls = true, .presented = 1, .names = names,
		.name_count = 1,
		.leaf = { .issuer = "CA", .sha256 = { which },
			  .not_after = INT64_MAX / 2 },
	};

	certwatch_judged(watch, &policy, host, &facts, &judgement);
}

static struct certbook load(void)
{
	struct certbook book;
	struct error error;

	if (certwatch_load(spool, &book, &error))
		fail_msg("%s", error.text);
	return book;
}

static void workers_share_one_book(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct certwatch *a = certwatch_new(loop, spool);
	struct certwatch *b = certwatch_new(loop, spool);
	struct certbook book = load();
	const struct certbook_entry *e;

	(void)state;
	assert_int_equal(book.count, 0);
	saw(a, "mx5[192.0.2.1]:25", 1);
	saw(b, "mx6[192.0.2.2]:25", 1);
	turn(loop, 1.5);
	book = load();
	assert_int_equal(book.count, 2);
	certbook_clear(&book);
	/* news is written soon, what is known seldom or at the end */
	saw(a, "mx5[192.0.2.1]:25", 2);
	saw(b, "mx6[192.0.2.2]:25", 1);
	turn(loop, 1.5);
	saw(b, "mx5[192.0.2.1]:25", 2);
	certwatch_free(a);
	certwatch_free(b);
	book = load();
	e = certbook_find(&book, title, "mx5[192.0.2.1]:25");
	assert_non_null(e);
	assert_int_equal(e->changes, 1);
	assert_string_equal(e->verdict, "deliver");
	assert_string_equal(e->names, "mx5.de.tuv.com");
	assert_int_equal(strncmp(e->sha256, "sha256:02", 9), 0);
	assert_int_equal(strncmp(e->previous, "sha256:01", 9), 0);
	certbook_clear(&book);
	ev_loop_destroy(loop);
}

static void below_verify_nothing_is_noted(void **state)
{
	static const struct policy policy = { .title = title,
					      .tls = TLS_MAY };
	static const struct judgement judgement = { .reason_code = "" };
	static const struct tls_facts facts = { .is_tls = true };
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct certwatch *watch = certwatch_new(loop, spool);
	struct certbook before = load(), after;

	(void)state;
	certwatch_judged(watch, &policy, "mx", &facts, &judgement);
	certwatch_would_fail(watch, &policy, "mx", "certificate-expired");
	certwatch_judged(NULL, &policy, "mx", &facts, &judgement);
	certwatch_free(watch);
	after = load();
	assert_int_equal(before.count, after.count);
	certbook_clear(&before);
	certbook_clear(&after);
	ev_loop_destroy(loop);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(spool, sizeof(spool), "/tmp/postern-certs-XXXXXX");
	return mkdtemp(spool) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", spool);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_share_one_book),
		cmocka_unit_test(below_verify_nothing_is_noted),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
