/*
 * Mail by MX, with DNS answers from a list.
 */
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/certs.h"
#include "tests/unit/field.h"

struct dns_query {
	ev_timer timer;
	dns_callback *call;
	void *arg;
	enum dns_type type;
};

static struct ev_loop *dns_loop;
static enum dns_kind dns_says[64]; /* by type */
static unsigned dns_asked, dns_cancelled;
static bool dns_hangs;

static void on_dns(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct dns_query *query = timer->data;
	struct dns_record record = { .preference = 10 };
	struct dns_answer answer = { .kind = dns_says[query->type],
				     .why = "SERVFAIL" };

	(void)loop;
	(void)events;
	if (answer.kind == DNS_DATA) {
		answer.count = 1;
		answer.records = &record;
		strcpy(record.name, "mx5.example.test");
		net_parse(query->type == DNS_A ? VIEW("127.0.0.1")
					       : VIEW("::1"), &record.address);
	}
	query->call(query->arg, &answer);
	free(query);
}

struct dns_query *dns_ask(struct dns *dns, enum dns_type type,
			  const char *name, dns_callback *call, void *arg)
{
	struct dns_query *query = calloc(1, sizeof(*query));

	(void)dns;
	(void)name;
	dns_asked++;
	query->call = call;
	query->arg = arg;
	query->type = type;
	ev_timer_init(&query->timer, on_dns, 0., 0.);
	query->timer.data = query;
	if (!dns_hangs)
		ev_timer_start(dns_loop, &query->timer);
	return query;
}

void dns_cancel(struct dns_query *query)
{
	dns_cancelled++;
	ev_timer_stop(dns_loop, &query->timer);
	free(query);
}

static void the_route_comes_from_dns(void **state)
{
	struct field *f = *state;

	dns_loop = f->rig.loop;
	field_begin(f);
	f->rig.conf.mx_port = f->sinks[0].port;
	dns_says[DNS_MX] = DNS_DATA;
	dns_says[DNS_A] = DNS_DATA;
	dns_says[DNS_AAAA] = DNS_ERROR;
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 1, 5);
	assert_int_equal(dns_asked, 3);
	/* a warm connection asks nothing */
	field_send(f, "two@a.test");
	field_expect(f, DELIVERED, 2, 5);
	assert_int_equal(dns_asked, 3);
	assert_int_equal(f->sinks[0].connections, 1);
	/* another domain with the same host finds it after its questions */
	field_send(f, "two@b.test");
	field_expect(f, DELIVERED, 3, 5);
	assert_int_equal(f->sinks[0].connections, 1);
	dns_says[DNS_MX] = DNS_NXDOMAIN;
	rig_accept(&f->rig, "", "one@c.test", VIEW("x\r\n"));
	field_expect(f, FAILED, 1, 5);
	dns_says[DNS_MX] = DNS_ERROR;
	field_send(f, "one@d.test");
	field_expect(f, DEFERRED, 1, 5);
}

static void a_stop_does_not_wait_for_dns(void **state)
{
	struct field *f = *state;

	dns_loop = f->rig.loop;
	dns_hangs = true;
	field_begin(f);
	field_send(f, "one@a.test");
	rig_run(&f->rig, 0.2);
	assert_int_equal(dispatch_active(f->dispatch), 1);
	dispatch_stop(f->dispatch);
	assert_int_equal(dispatch_active(f->dispatch), 0);
	assert_int_equal(dns_cancelled, 1);
	dispatch_free(f->dispatch);
	f->dispatch = NULL;
	queue_close(f->rig.queue);
	/* the next worker asks again */
	dns_hangs = false;
	dns_says[DNS_MX] = dns_says[DNS_A] = DNS_DATA;
	dns_says[DNS_AAAA] = DNS_ERROR;
	field_begin(f);
	f->rig.conf.mx_port = f->sinks[0].port;
	field_expect(f, DELIVERED, 1, 5);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, field_set_up, field_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_route_comes_from_dns),
		CASE(a_stop_does_not_wait_for_dns),
	};
	int failed;

	tls_start();
	if (certs_make(true) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	certs_remove();
	return failed;
}
