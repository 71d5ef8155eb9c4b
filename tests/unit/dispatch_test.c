/*
 * What becomes of mail on its way to gateways: TLS, warm connections,
 * faults of hosts, stops.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/rules.h"
#include "tests/unit/certs.h"
#include "tests/unit/field.h"

static void delivers_over_verified_tls(void **state)
{
	struct field *f = *state;

	f->sinks[0].tls = f->good;
	field_gateway(f, field_policy(f, "a.test", TLS_VERIFY), &f->sinks[0]);
	field_begin(f);
	field_send(f, "one@a.test two@a.test");
	field_expect(f, DELIVERED, 2, 5);
	assert_int_equal(f->sinks[0].messages, 1);
	assert_false(f->sinks[0].has_clear_mail);
	assert_true(view_equal(buffer_view(&f->sinks[0].body),
			       VIEW("Subject: x\r\n\r\n..hello\r\n")));
	assert_int_equal(dispatch_active(f->dispatch), 0);
}

static void an_unmet_demand_goes_to_the_next_gateway(void **state)
{
	struct field *f = *state;
	size_t p;

	f->sinks[0].tls = f->bad;
	f->sinks[1].tls = f->good;
	p = field_policy(f, "a.test", TLS_VERIFY);
	field_gateway(f, p, &f->sinks[0]);
	field_gateway(f, p, &f->sinks[1]);
	field_begin(f);
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 1, 5);
	assert_int_equal(f->sinks[0].mails, 0);
	assert_int_equal(f->sinks[1].messages, 1);
}

static void no_gateway_that_holds_defers_and_sends_nothing(void **state)
{
	struct field *f = *state;
	size_t p;

	f->sinks[0].tls = f->bad;
	f->sinks[1].tls = NULL; /* offers no TLS */
	f->sinks[2].tls = f->good;
	f->sinks[2].breaks_tls = true;
	p = field_policy(f, "a.test", TLS_VERIFY);
	field_gateway(f, p, &f->sinks[0]);
	field_gateway(f, p, &f->sinks[1]);
	field_gateway(f, p, &f->sinks[2]);
	field_begin(f);
	field_send(f, "one@a.test");
	field_expect(f, DEFERRED, 1, 5);
	assert_int_equal(f->sinks[0].mails + f->sinks[1].mails +
				 f->sinks[2].mails, 0);
}

/* TLS that is not as demanded waits for somebody who mends it; that another
 * gateway is down just now says nothing to him, whichever came last. */
static void what_tls_lacks_is_told_before_who_is_down(void **state)
{
	struct field *f = *state;
	struct queue_trouble told[2];
	size_t i, p, all;

	f->sinks[0].tls = f->bad;
	p = field_policy(f, "a.test", TLS_VERIFY);
	field_gateway(f, p, &f->sinks[0]);
	field_gateway(f, p, &f->sinks[3]);
	p = field_policy(f, "b.test", TLS_VERIFY);
	field_gateway(f, p, &f->sinks[3]);
	field_gateway(f, p, &f->sinks[0]);
	sink_close(&f->sinks[3]);
	field_begin(f);
	field_send(f, "one@a.test");
	field_send(f, "one@b.test");
	field_expect(f, DEFERRED, 2, 5);
	sink_open(&f->sinks[3], f->rig.loop);
	assert_int_equal(queue_troubles(f->rig.queue, told, 2, &all), 2);
	for (i = 0; i < 2; i++)
		assert_non_null(strstr(told[i].text, "self-signed"));
}

static void may_falls_back_on_a_new_connection(void **state)
{
	struct field *f = *state;

	f->sinks[0].tls = f->good;
	f->sinks[0].breaks_tls = true;
	f->sinks[1].tls = f->good;
	f->sinks[1].starttls = "454 not now\r\n";
	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	field_gateway(f, field_policy(f, "b.test", TLS_MAY), &f->sinks[1]);
	field_begin(f);
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 1, 5);
	assert_int_equal(f->sinks[0].connections, 2);
	field_send(f, "one@b.test");
	field_expect(f, DELIVERED, 2, 5);
	assert_int_equal(f->sinks[1].connections, 2);
}

static void may_takes_any_certificate(void **state)
{
	struct field *f = *state;

	f->sinks[0].tls = f->bad;
	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	field_begin(f);
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 1, 5);
	assert_int_equal(f->sinks[0].connections, 1);
	assert_false(f->sinks[0].has_clear_mail);
}

static void a_tightened_policy_binds_what_is_queued(void **state)
{
	struct field *f = *state;
	struct conf tight;

	f->sinks[0].mail = "451 4.3.0 later\r\n";
	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	f->rig.conf.retry_first = 1;
	f->rig.conf.retry_max = 1;
	field_begin(f);
	f->rig.conf.retry_first = f->rig.conf.retry_max = 1;
	field_send(f, "one@a.test");
	field_expect(f, DEFERRED, 1, 5);
	assert_int_equal(f->sinks[0].mails, 1);
	assert_true(f->sinks[0].has_clear_mail);

	/* the same domain, now verify: the sink still offers no TLS */
	tight = f->rig.conf;
	f->policy_count = 0;
	tight.policies = &f->policies[1];
	f->policies[1] = f->policies[0];
	f->policies[1].tls = TLS_VERIFY;
	f->policies[1].names = (struct strings){ f->cert_name, 1, true };
	f->policies[1].trust.path = (char *)"root.pem";
	f->policies[1].trust.bytes = certs_get("root.pem");
	tight.patterns = NULL;
	tight.generation = 2;
	rules_index(&tight);
	f->sinks[0].mail = NULL;
	dispatch_configure(f->dispatch, &tight);
	queue_configure(f->rig.queue, &tight);
	queue_retry_all(f->rig.queue);
	field_expect(f, DEFERRED, 2, 5);
	assert_int_equal(f->sinks[0].mails, 1);
	assert_int_equal(field_count(f, DELIVERED), 0);
	dispatch_configure(f->dispatch, &f->rig.conf);
	queue_configure(f->rig.queue, &f->rig.conf);
	free(tight.patterns);
}

static void connections_are_kept_and_shared_by_turns(void **state)
{
	struct field *f = *state;
	int i;

	f->sinks[0].tls = f->good;
	field_gateway(f, field_policy(f, "a.test", TLS_VERIFY), &f->sinks[0]);
	field_begin(f);
	for (i = 0; i < 6; i++) {
		field_send(f, "one@a.test");
		field_expect(f, DELIVERED, (uint64_t)i + 1, 5);
	}
	assert_int_equal(f->sinks[0].connections, 1);
	assert_int_equal(f->sinks[0].messages, 6);
}

static void a_connection_serves_so_many_messages(void **state)
{
	struct field *f = *state;
	int i;

	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	field_begin(f);
	f->rig.conf.connection_messages = 2;
	for (i = 0; i < 5; i++) {
		field_send(f, "one@a.test");
		field_expect(f, DELIVERED, (uint64_t)i + 1, 5);
	}
	assert_int_equal(f->sinks[0].connections, 3);
}

static void a_kept_connection_that_died_costs_nothing(void **state)
{
	struct field *f = *state;

	f->sinks[0].closes_after = true;
	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	field_begin(f);
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 1, 5);
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 2, 5);
	assert_int_equal(field_count(f, DEFERRED), 0);
}

static void hosts_that_refuse_are_passed_over(void **state)
{
	struct field *f = *state;
	size_t p;

	f->sinks[0].greeting = "554 5.3.2 not today\r\n";
	p = field_policy(f, "a.test", TLS_MAY);
	field_gateway(f, p, &f->sinks[3]);
	field_gateway(f, p, &f->sinks[0]);
	field_gateway(f, p, &f->sinks[1]);
	/* nobody listens there any more */
	sink_close(&f->sinks[3]);
	field_begin(f);
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 1, 5);
	assert_int_equal(f->sinks[0].connections, 1);
	/* and remembered: the next one goes to the good one at once */
	f->sinks[1].closes_after = true;
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 2, 5);
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 3, 5);
	assert_int_equal(f->sinks[0].connections, 1);
	sink_open(&f->sinks[3], f->rig.loop);
}

static void outcomes_reach_the_queue(void **state)
{
	struct field *f = *state;

	f->sinks[0].rcpt = "550 5.1.1 unknown\r\n";
	f->sinks[1].rcpt = "450 4.2.1 grey\r\n";
	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	field_gateway(f, field_policy(f, "b.test", TLS_MAY), &f->sinks[1]);
	field_begin(f);
	rig_accept(&f->rig, "", "one@a.test one@b.test", VIEW("x\r\n"));
	field_expect(f, FAILED, 1, 5);
	field_expect(f, DEFERRED, 1, 5);
}

static void a_loss_after_the_dot_is_not_tried_elsewhere(void **state)
{
	struct field *f = *state;
	size_t p;

	f->sinks[0].closes_at_dot = true;
	p = field_policy(f, "a.test", TLS_MAY);
	field_gateway(f, p, &f->sinks[0]);
	field_gateway(f, p, &f->sinks[1]);
	field_begin(f);
	field_send(f, "one@a.test");
	field_expect(f, DEFERRED, 1, 5);
	assert_int_equal(f->sinks[1].connections, 0);
}

static void a_421_goes_to_the_next_host(void **state)
{
	struct field *f = *state;
	size_t p;

	f->sinks[0].rcpt = "421 4.3.2 going down\r\n";
	p = field_policy(f, "a.test", TLS_MAY);
	field_gateway(f, p, &f->sinks[0]);
	field_gateway(f, p, &f->sinks[1]);
	field_begin(f);
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 1, 5);
	assert_int_equal(f->sinks[1].messages, 1);
}

static void send_eight_bit(struct field *f, const char *to)
{
	struct intake *intake = rig_begin(&f->rig);
	struct envelope *envelope = rig_envelope("", to);
	unsigned stored = f->rig.stored;

	envelope->is_8bit = true;
	intake_append(intake, VIEW("x: \xc3\xa4\r\n"));
	intake_commit(intake, envelope);
	assert_true(rig_wait(&f->rig, &f->rig.stored, stored + 1, 5));
}

static void what_one_gateway_lacks_another_may_have(void **state)
{
	struct field *f = *state;
	size_t p;

	f->sinks[1].ehlo = "250 8BITMIME\r\n";
	p = field_policy(f, "a.test", TLS_MAY);
	field_gateway(f, p, &f->sinks[0]);
	field_gateway(f, p, &f->sinks[1]);
	field_gateway(f, field_policy(f, "b.test", TLS_MAY), &f->sinks[0]);
	p = field_policy(f, "c.test", TLS_MAY);
	field_gateway(f, p, &f->sinks[0]);
	field_gateway(f, p, &f->sinks[2]);
	f->sinks[2].greeting = "421 busy\r\n";
	field_begin(f);
	send_eight_bit(f, "one@a.test");
	field_expect(f, DELIVERED, 1, 5);
	assert_int_equal(f->sinks[1].messages, 1);
	/* none has it: 5.6.3 */
	send_eight_bit(f, "one@b.test");
	field_expect(f, FAILED, 1, 5);
	/* one could not be asked: it might */
	send_eight_bit(f, "one@c.test");
	field_expect(f, DEFERRED, 1, 5);
	assert_int_equal(f->sinks[0].mails, 0);
}

static void large_bodies_pass_whole(void **state)
{
	enum { SIZE = 5 * 1024 * 1024 };
	struct field *f = *state;
	struct buffer body = { 0 };
	size_t i;

	f->sinks[0].tls = f->good;
	field_gateway(f, field_policy(f, "a.test", TLS_VERIFY), &f->sinks[0]);
	field_begin(f);
	for (i = 0; buffer_len(&body) < SIZE; i++)
		buffer_printf(&body, "line %zu of some length or other\r\n", i);
	rig_accept(&f->rig, "", "one@a.test", buffer_view(&body));
	field_expect(f, DELIVERED, 1, 20);
	assert_true(view_equal(buffer_view(&f->sinks[0].body),
			       buffer_view(&body)));
	buffer_clear(&body);
}

static void a_stop_gives_back_what_is_untouched(void **state)
{
	struct field *f = *state;

	f->sinks[0].greeting = NULL;
	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	field_begin(f);
	field_send(f, "one@a.test");
	rig_run(&f->rig, 0.2);
	assert_int_equal(dispatch_active(f->dispatch), 1);
	/* there is nothing in hand that a stop would have to wait for */
	dispatch_stop(f->dispatch);
	assert_int_equal(dispatch_active(f->dispatch), 0);
	dispatch_free(f->dispatch);
	f->dispatch = NULL;
	queue_close(f->rig.queue);
	assert_int_equal(f->sinks[0].messages, 0);
	/* the next worker delivers it */
	f->sinks[0].greeting = "220 at last\r\n";
	field_begin(f);
	field_expect(f, DELIVERED, 1, 5);
}

static void a_stop_takes_nothing_new(void **state)
{
	struct field *f = *state;

	f->sinks[0].holds = true;
	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	field_begin(f);
	field_send(f, "one@a.test");
	rig_run(&f->rig, 0.2);
	dispatch_stop(f->dispatch);
	field_send(f, "two@a.test");
	rig_run(&f->rig, 0.2);
	sink_release(&f->sinks[0]);
	field_expect(f, DELIVERED, 1, 5);
	rig_run(&f->rig, 0.2);
	assert_int_equal(f->sinks[0].mails, 1);
	assert_int_equal(dispatch_active(f->dispatch), 0);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, field_set_up, field_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(delivers_over_verified_tls),
		CASE(an_unmet_demand_goes_to_the_next_gateway),
		CASE(no_gateway_that_holds_defers_and_sends_nothing),
		CASE(what_tls_lacks_is_told_before_who_is_down),
		CASE(may_falls_back_on_a_new_connection),
		CASE(may_takes_any_certificate),
		CASE(a_tightened_policy_binds_what_is_queued),
		CASE(connections_are_kept_and_shared_by_turns),
		CASE(a_connection_serves_so_many_messages),
		CASE(a_kept_connection_that_died_costs_nothing),
		CASE(hosts_that_refuse_are_passed_over),
		CASE(outcomes_reach_the_queue),
		CASE(a_loss_after_the_dot_is_not_tried_elsewhere),
		CASE(a_421_goes_to_the_next_host),
		CASE(what_one_gateway_lacks_another_may_have),
		CASE(large_bodies_pass_whole),
		CASE(a_stop_gives_back_what_is_untouched),
		CASE(a_stop_takes_nothing_new),
	};
	int failed;

	tls_start();
	if (certs_make(true) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	certs_remove();
	return failed;
}
