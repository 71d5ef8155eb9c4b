/*
 * What is written into an envelope file comes back as it was; what a file
 * says that cannot be is refused with its line.
 */
#include "relay/queue_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/control.h"

#define HEAD                                     \
	"postern-envelope: 1\n"                  \
	"id: 01M87YD6QR00CCAZER93TGJA6S\n"       \
	"sender: anna@example.net\n"             \
	"accepted: 2026-11-25T00:00:00Z\n"
#define JOB "destination: one\nattempts: 1\nto: b@one\ndomain: one\n"

static struct picked picked(void)
{
	struct picked p;
	struct envelope *e = envelope_new();
	struct result result = { .reply_code = 450 };
	struct recipient *r;

	memset(&p, 0, sizeof(p));
	memcpy(e->id, "01M87YD6QR00CCAZER93TGJA6S", sizeof(e->id));
	free(e->sender);
	e->sender = must_strdup("\"a \\\\ b\"@example.net");
	e->envid = must_strdup("");
	e->ret = RETURN_HEADERS;
	e->is_8bit = e->has_utf8_header = true;
	e->longest_line = 900;
	e->accepted = 1795564800;
	e->accepted_wall = 1795564807;
	envelope_add(e, "gone@one", "one");
	r = envelope_add(e, "j\xc3\xbcrgen@b\xc3\xbc" "cher.example",
			 "xn--bcher-kva.example");
	r->orcpt = must_strdup("utf-8;j\\x{FC}rgen@example");
	r->notify = NOTIFY_FAILURE;
	p.message.envelope = e;
	snprintf(p.key.lane, sizeof(p.key.lane), "*.one");
	progress_open(&p.progress, 1, "450 4.2.2 full\\x01");
	result_set(&result, OUTCOME_DEFERRED, BLAME_HOST, "4.2.1", "busy\n");
	snprintf(result.host, sizeof(result.host), "mx[192.0.2.1]:25");
	result.proof.is_verified = true;
	result.proof.pinned = 3;
	snprintf(result.proof.level, sizeof(result.proof.level), "verify");
	for (int i = 0; i < 20; i++)
		progress_attempt(&p.progress, &result,
				 (INT64_C(1795564800) + i) * 1000);
	p.progress.is_noticed = true;
	return p;
}

static void what_is_written_comes_back(void **state)
{
	struct picked p = picked();
	struct browse_job job = { .picked = &p, .due = BROWSE_NEVER,
				  .to_wall = 100 };
	struct buffer text = { NULL, 0, 0, 0 };
	struct restored r;
	struct error error;
	const struct envelope *e, *was = p.message.envelope;

	(void)state;
	queue_file_begin(&text, &job);
	queue_file_job(&text, &job);
	if (queue_file_read(buffer_view(&text), &r, &error))
		fail_msg("%s", error.text);
	e = r.envelope;
	assert_string_equal(e->id, was->id);
	assert_string_equal(e->sender, was->sender);
	assert_string_equal(e->envid, "");
	assert_int_equal(e->ret, RETURN_HEADERS);
	assert_true(e->is_8bit && e->has_utf8_header && !e->needs_utf8);
	assert_int_equal(e->accepted, was->accepted);
	assert_int_equal(e->accepted_wall, was->accepted_wall);
	assert_int_equal(e->longest_line, 900);
	assert_int_equal(e->recipient_count, 1);
	assert_string_equal(e->recipients[0].address,
			    was->recipients[1].address);
	assert_string_equal(e->recipients[0].domain, "xn--bcher-kva.example");
	assert_string_equal(e->recipients[0].orcpt, was->recipients[1].orcpt);
	assert_int_equal(e->recipients[0].notify, NOTIFY_FAILURE);
	assert_int_equal(r.job_count, 1);
	assert_int_equal(r.jobs[0].attempts, 20);
	assert_true(r.jobs[0].is_noticed);
	assert_true(r.jobs[0].due == TIME_NEVER);
	assert_string_equal(r.jobs[0].open[0].reason, "450 4.2.2 full\\x01");
	assert_int_equal(r.jobs[0].log_count, ATTEMPTS_KEPT);
	for (size_t i = 0; i < ATTEMPTS_KEPT; i++) {
		struct attempt a = p.progress.log[i];

		a.at += 100 * 1000;
		assert_memory_equal(&a.proof, &r.jobs[0].log[i].proof,
				    sizeof(a.proof));
		assert_int_equal(a.at, r.jobs[0].log[i].at);
		assert_string_equal(a.text, r.jobs[0].log[i].text);
	}
	restored_clear(&r);
	buffer_clear(&text);
	message_record_clear(&p.message);
	progress_clear(&p.progress);
}

static void what_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "line 1" },
		{ "postern-envelope: 2\n" JOB, "line 1" },
		{ HEAD, "nobody" },
		{ "postern-envelope: 1\n" JOB, "id is missing" },
		{ HEAD "destination: one\nattempts: 0\n", "without a" },
		{ HEAD JOB "x\n", "line 9: this is no" },
		{ HEAD JOB "x: y\n", "line 9: x: is not known" },
		{ HEAD JOB "notify: 16\n", "notify" },
		{ HEAD JOB "domain: a..b\n", "domain" },
		{ HEAD JOB "orcpt: \\x0\n", "this is no" },
		{ HEAD JOB "orcpt: \\x00\n", "this is no" },
		{ HEAD JOB "reason: a\\x0ab\n", "control" },
		{ HEAD JOB "attempt: now\n", "attempt" },
		{ HEAD "id: short\n" JOB, "id" },
		{ HEAD "sender: no address\n" JOB, "sender" },
		{ HEAD "8bit: 2\n" JOB, "8bit" },
		{ HEAD "return: 3\n" JOB, "return" },
		{ HEAD "longest-line: 4294967296\n" JOB, "longest-line" },
		{ HEAD "to: b@one\n" JOB, "to" },
		{ HEAD "destination: one\nattempts: 0\nto: b@one\n"
		       "attempt: 2026-11-25T00:00:00Z\n", "more attempts" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct restored r;
		struct error error = { .text = "" };

		assert_int_equal(queue_file_read(view_of(rows[i].text), &r,
						 &error), -1);
		if (!strstr(error.text, rows[i].why))
			fail_msg("%zu: %s", i, error.text);
		assert_null(r.envelope);
	}
}

/* A recipient belongs to one job, and every recipient to some. */
static void recipients_have_one_place_each(void **state)
{
	struct restored r;
	struct restored_place *places;
	struct error error;

	(void)state;
	assert_int_equal(queue_file_read(VIEW(HEAD JOB JOB), &r, &error), 0);
	places = restored_places(&r);
	assert_non_null(places);
	assert_int_equal(places[0].job, 0);
	assert_int_equal(places[1].job, 1);
	free(places);
	r.jobs[1].open[0].index = 0;
	assert_null(restored_places(&r));
	r.jobs[1].open[0].index = 2;
	assert_null(restored_places(&r));
	restored_clear(&r);
}

static void words_cross_the_control_socket_as_they_were(void **state)
{
	static const char *const words[] = {
		"", "example.org", "\"a b\\\" c\"@x", "=", " ", "\n\r\t\x7f",
		"j\xc3\xbcrgen@b", "\\x20",
	};
	struct buffer line = { NULL, 0, 0, 0 };
	struct view rest;
	char out[64];

	(void)state;
	buffer_append(&line, VIEW("word"));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		control_put(&line, words[i]);
	rest = buffer_view(&line);
	assert_int_equal(view_index(rest, '\n'), rest.len);
	assert_int_equal(control_word(&rest, out, sizeof(out)), 0);
	assert_string_equal(out, "word");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		assert_int_equal(control_word(&rest, out, sizeof(out)), 0);
		assert_string_equal(out, words[i]);
	}
	assert_int_equal(control_word(&rest, out, sizeof(out)), -1);
	rest = VIEW("toolong");
	assert_int_equal(control_word(&rest, out, 7), -1);
	buffer_clear(&line);
}

static void a_word_says_which_mail_is_meant(void **state)
{
	static const struct {
		const char *word;
		enum select_kind kind;
		const char *value;
	} rows[] = {
		{ "all", SELECT_ALL, "" },
		{ "01M87YD6QR00CCAZER93TGJA6S", SELECT_ID,
		  "01M87YD6QR00CCAZER93TGJA6S" },
		{ "01m87yd6qr00ccazer93tgja6s", SELECT_ID,
		  "01M87YD6QR00CCAZER93TGJA6S" },
		{ "Example.ORG.", SELECT_DOMAIN, "example.org" },
		{ "b\xc3\xbc" "cher.example", SELECT_DOMAIN,
		  "xn--bcher-kva.example" },
		{ "Anna@Example.org", SELECT_SENDER, "anna@example.org" },
		{ "<anna@example.org>", SELECT_SENDER, "anna@example.org" },
		{ "<>", SELECT_SENDER, "" },
		{ "[192.0.2.1]", SELECT_DOMAIN, "[192.0.2.1]" },
	};
	static const char *const none[] = { "", "a b", "a..b", "<a@b> c",
					    "@", "<" };
	struct selector selector;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (selector_parse(rows[i].word, &selector, &error))
			fail_msg("%s", error.text);
		assert_int_equal(selector.kind, rows[i].kind);
		assert_string_equal(selector.value, rows[i].value);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_int_equal(selector_parse(none[i], &selector, &error),
				 -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_comes_back),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(recipients_have_one_place_each),
		cmocka_unit_test(words_cross_the_control_socket_as_they_were),
		cmocka_unit_test(a_word_says_which_mail_is_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
