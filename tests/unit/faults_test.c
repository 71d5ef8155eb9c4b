/*
 * A gateway's faults while it runs: when each strikes, and that they can be
 * replaced.
 */
#include "relay/lab/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void add(struct faults *faults, const char *text)
{
	struct fault fault;
	struct error error;

	if (fault_parse(view_of(text), &fault, &error))
		fail_msg("%s: %s", text, error.text);
	faults_set(faults, &fault);
	fault_clear(&fault);
}

static void limits_count_occasions(void **unused)
{
	static const struct {
		const char *text, *strikes; /* '!' where it strikes */
	} rows[] = {
		{ "expired",		       "!!!!!!!!" },
		{ "expired first 3",	       "!!!....." },
		{ "expired every 3",	       "..!..!.." },
		{ "expired every 2 first 2",   ".!.!...." },
		{ "expired every 1",	       "!!!!!!!!" },
	};

	struct faults *strip = faults_new(NULL, 0);

	(void)unused;
	add(strip, "strip 3");
	for (int i = 1; i <= 6; i++)
		assert_int_equal(faults_strike(strip, FAULT_STRIP, NULL) !=
				 NULL, i % 3 == 0);
	faults_free(strip);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct faults *faults = faults_new(NULL, 0);

		add(faults, rows[i].text);
		for (const char *c = rows[i].strikes; *c; c++)
			assert_int_equal(faults_strike(faults, FAULT_EXPIRED,
						       NULL) != NULL,
					 *c == '!');
		faults_free(faults);
	}
}

static void patterns_and_steps_choose_the_moment(void **unused)
{
	struct faults *faults = faults_new(NULL, 0);
	struct fault_moment null_path = { .from = "" };
	struct fault_moment x = { .from = "", .to = "a@x.example" };
	struct fault_moment y = { .from = "u@z", .to = "a@y.example" };

	(void)unused;
	add(faults, "450-rcpt to *@x.example first 1");
	add(faults, "551-rcpt from u@*");
	add(faults, "reply-split at ehlo");
	add(faults, "starttls-454");
	assert_null(faults_strike_reply(faults, STEP_RCPT, NULL));
	assert_null(faults_strike_reply(faults, STEP_MAIL, &null_path));
	assert_int_equal(faults_strike_reply(faults, STEP_RCPT, &x)->code,
			 450);
	assert_null(faults_strike_reply(faults, STEP_RCPT, &x));
	assert_int_equal(faults_strike_reply(faults, STEP_RCPT, &y)->code,
			 551);
	assert_int_equal(faults_strike_reply(faults, STEP_STARTTLS, NULL)
				 ->kind, FAULT_STARTTLS_454);
	assert_null(faults_strike_at(faults, FAULT_REPLY_SPLIT, STEP_MAIL,
				     NULL));
	assert_non_null(faults_strike_at(faults, FAULT_REPLY_SPLIT, STEP_EHLO,
					 NULL));
	assert_null(faults_strike_class(faults, FAULT_CERTIFICATE, NULL));
	assert_true(faults_have(faults, FAULT_REPLY_SPLIT));
	assert_false(faults_have(faults, FAULT_EXPIRED));
	assert_int_equal(faults_struck(faults, 1), 1);
	faults_free(faults);
}

static void the_first_that_strikes_wins_and_all_count(void **unused)
{
	struct faults *faults = faults_new(NULL, 0);

	(void)unused;
	add(faults, "expired every 2");
	add(faults, "wrong-name every 3");
	for (int i = 1; i <= 6; i++) {
		const struct fault *f = faults_strike_class(
			faults, FAULT_CERTIFICATE, NULL);

		if (i % 2 == 0)
			assert_int_equal(f->kind, FAULT_EXPIRED);
		else if (i % 3 == 0)
			assert_int_equal(f->kind, FAULT_WRONG_NAME);
		else
			assert_null(f);
	}
	faults_free(faults);
}

static void they_are_replaced_and_removed_by_name(void **unused)
{
	struct faults *faults = faults_new(NULL, 0);
	struct fault like;
	struct error error;

	(void)unused;
	add(faults, "expired first 1");
	assert_non_null(faults_strike(faults, FAULT_EXPIRED, NULL));
	assert_null(faults_strike(faults, FAULT_EXPIRED, NULL));
	add(faults, "expired first 1");
	assert_int_equal(faults_count(faults), 1);
	assert_non_null(faults_strike(faults, FAULT_EXPIRED, NULL));
	add(faults, "450-rcpt to a@x");
	add(faults, "450-rcpt to b@x");
	add(faults, "450-mail");
	add(faults, "dribble at ehlo");
	add(faults, "dribble at mail");
	assert_int_equal(faults_count(faults), 6);
	assert_int_equal(fault_parse(VIEW("450-rcpt"), &like, &error), 0);
	assert_int_equal(faults_remove(faults, &like), 2);
	assert_int_equal(fault_parse(VIEW("dribble"), &like, &error), 0);
	assert_int_equal(faults_remove(faults, &like), 2);
	assert_int_equal(faults_at(faults, 1)->step, STEP_MAIL);
	assert_int_equal(faults_remove(faults, &like), 0);
	assert_int_equal(faults_remove(faults, NULL), 2);
	assert_int_equal(faults_count(faults), 0);
	faults_free(faults);
	faults_free(NULL);
}

static void one_of_several_recipients_is_enough(void **unused)
{
	const char *to[] = { "a@x.example", "b@y.example" };
	struct fault_moment moment = { .any_to = to, .any_count = 2 };
	struct faults *faults = faults_new(NULL, 0);

	(void)unused;
	add(faults, "450-dot to *@y.example every 2");
#define STRIKES() (faults_strike_at(faults, FAULT_REPLY, STEP_DOT, &moment))
	assert_null(STRIKES());
	assert_non_null(STRIKES());
	moment.any_count = 1;
	assert_null(STRIKES());
	moment.any_count = 0;
	assert_null(STRIKES());
	/* Those were no occasions. */
	moment.any_count = 2;
	assert_null(STRIKES());
	assert_non_null(STRIKES());
	faults_free(faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_count_occasions),
		cmocka_unit_test(patterns_and_steps_choose_the_moment),
		cmocka_unit_test(one_of_several_recipients_is_enough),
		cmocka_unit_test(the_first_that_strikes_wins_and_all_count),
		cmocka_unit_test(they_are_replaced_and_removed_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
