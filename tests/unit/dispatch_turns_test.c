/*
 * Who is delivered to, how much at once, and what others have to wait for:
 * the pace of a destination, dead gateways, shares of slots.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

#include "tests/unit/field.h"

static void a_new_destination_gets_two_at_once(void **state)
{
	struct field *f = *state;
	int i;

	f->sinks[0].holds = true;
	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	field_begin(f);
	for (i = 0; i < 8; i++)
		field_send(f, "one@a.test");
	rig_run(&f->rig, 0.3);
	assert_int_equal(f->sinks[0].peak, 2);
	/* and more as it goes well */
	for (i = 0; i < 4; i++) {
		sink_release(&f->sinks[0]);
		rig_run(&f->rig, 0.1);
	}
	assert_true(f->sinks[0].peak > 2);
	f->sinks[0].holds = false;
	sink_release(&f->sinks[0]);
	field_expect(f, DELIVERED, 8, 5);
}

/* Nobody answers there: who connects waits. */
struct hole {
	struct sink sink;      /* its port alone */
	int fd, guests[4];
};

static void hole_open(struct hole *h)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);

	memset(h, 0, sizeof(*h));
	h->fd = socket(AF_INET, SOCK_STREAM, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(h->fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(h->fd, 0), 0);
	assert_int_equal(getsockname(h->fd, (struct sockaddr *)&at, &len), 0);
	h->sink.port = ntohs(at.sin_port);
	/* They take what room there is to wait in. */
	for (size_t i = 0; i < 4; i++) {
		h->guests[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(h->guests[i], (struct sockaddr *)&at, len);
	}
}

static void hole_close(struct hole *h)
{
	for (size_t i = 0; i < 4; i++)
		close(h->guests[i]);
	close(h->fd);
}

static void a_dead_gateway_costs_its_timeout_once(void **state)
{
	struct field *f = *state;
	struct hole hole;
	ev_tstamp begun;
	size_t p;
	int i;

	hole_open(&hole);
	p = field_policy(f, "a.test", TLS_MAY);
	field_gateway(f, p, &hole.sink);
	field_gateway(f, p, &f->sinks[0]);
	f->sinks[0].closes_after = true;
	field_begin(f);
	f->rig.conf.timeout_connect = 1;
	begun = ev_time();
	field_send(f, "one@a.test");
	field_expect(f, DELIVERED, 1, 5);
	assert_true(ev_time() - begun > 0.9);
	begun = ev_time();
	for (i = 1; i < 6; i++) {
		field_send(f, "one@a.test");
		field_expect(f, DELIVERED, (uint64_t)i + 1, 5);
	}
	/* Not five times a second. */
	assert_true(ev_time() - begun < 3);
	assert_int_equal(f->sinks[0].connections, 6);
	hole_close(&hole);
}

static void a_host_with_few_places_gets_its_mail(void **state)
{
	struct field *f = *state;
	int i;

	f->sinks[0].holds = true;
	f->sinks[0].places = 3;
	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	field_begin(f);
	f->rig.conf.retry_first = f->rig.conf.retry_max = 1;
	for (i = 0; i < 40; i++)
		field_send(f, "one@a.test");
	/* It is asked for more and refuses; who is there goes on. */
	for (i = 0; i < 200 && field_count(f, DELIVERED) < 40; i++) {
		rig_run(&f->rig, 0.05);
		sink_release(&f->sinks[0]);
	}
	assert_int_equal(field_count(f, DELIVERED), 40);
	assert_true(field_count(f, DEFERRED) > 0);
	assert_true(f->sinks[0].peak <= 5);
}

static void totals_are_shared_among_workers(void **state)
{
	struct field *f = *state;

	f->workers = 3;
	f->sinks[0].holds = true;
	field_gateway(f, field_policy(f, "a.test", TLS_MAY), &f->sinks[0]);
	field_gateway(f, field_policy(f, "b.test", TLS_MAY), &f->sinks[0]);
	field_gateway(f, field_policy(f, "c.test", TLS_MAY), &f->sinks[0]);
	field_begin(f);
	f->rig.conf.max_outbound = 6;
	f->rig.conf.max_per_destination = 3;
	dispatch_configure(f->dispatch, &f->rig.conf);
	field_send(f, "one@a.test");
	field_send(f, "two@a.test");
	rig_run(&f->rig, 0.2);
	assert_int_equal(f->sinks[0].peak, 1);
	field_send(f, "one@b.test");
	field_send(f, "one@c.test");
	rig_run(&f->rig, 0.2);
	assert_int_equal(f->sinks[0].peak, 2);
	f->sinks[0].holds = false;
	sink_release(&f->sinks[0]);
	field_expect(f, DELIVERED, 4, 5);
}

/* So many domains whose host says nothing, and two good ones. */
static void begin_with_hanging(struct field *f, size_t count, unsigned slots)
{
	char domain[64];
	size_t i;

	f->sinks[0].greeting = NULL;
	for (i = 0; i < count; i++) {
		snprintf(domain, sizeof(domain), "hang%zu.test", i);
		field_gateway(f, field_policy(f, domain, TLS_MAY),
			      &f->sinks[0]);
	}
	field_gateway(f, field_policy(f, "good.test", TLS_MAY), &f->sinks[1]);
	field_gateway(f, field_policy(f, "new.test", TLS_MAY), &f->sinks[2]);
	field_begin(f);
	f->rig.conf.max_outbound = slots;
	dispatch_configure(f->dispatch, &f->rig.conf);
}

static void send_to_hanging(struct field *f, size_t count)
{
	char to[64];
	size_t i;

	for (i = 0; i < count; i++) {
		snprintf(to, sizeof(to), "one@hang%zu.test", i);
		field_send(f, to);
	}
}

static void hosts_that_hang_do_not_keep_others_waiting(void **state)
{
	struct field *f = *state;

	begin_with_hanging(f, 30, 16);
	field_send(f, "one@good.test");
	field_expect(f, DELIVERED, 1, 5);
	send_to_hanging(f, 30);
	/* There is a slot for whom all is well with, at once ... */
	field_send(f, "two@good.test");
	field_expect(f, DELIVERED, 2, 0.3);
	/* ... and for one that was never met, after a moment. */
	rig_run(&f->rig, 1);
	field_send(f, "one@new.test");
	field_expect(f, DELIVERED, 3, 1);
	assert_true(dispatch_active(f->dispatch) <= 16);
	/* Nothing was deferred for it. */
	assert_int_equal(field_count(f, DEFERRED), 0);
}

static void hosts_that_hang_though_they_were_good_make_room(void **state)
{
	struct field *f = *state;
	uint64_t sent = 0;

	begin_with_hanging(f, 4, 8);
	f->sinks[0].closes_after = true;
	sink_greet(&f->sinks[0], "220 well\r\n");
	for (int i = 0; i < 4; i++) {
		send_to_hanging(f, 4);
		field_expect(f, DELIVERED, sent += 4, 5);
	}
	f->sinks[0].greeting = NULL;
	for (int i = 0; i < 4; i++)
		send_to_hanging(f, 4);
	field_send(f, "one@new.test");
	field_expect(f, DELIVERED, ++sent, 3);
	sink_greet(&f->sinks[0], "220 well again\r\n");
	field_expect(f, DELIVERED, sent + 16, 5);
	assert_int_equal(field_count(f, DEFERRED), 0);
}

/* What was given back comes to its turn, and is then waited for, however
 * many others come and go. */
static void hosts_that_hesitate_are_served_in_the_end(void **state)
{
	struct field *f = *state;
	uint64_t sent = 0;
	int i;

	begin_with_hanging(f, 16, 8);
	send_to_hanging(f, 16);
	rig_run(&f->rig, 1);
	assert_true(f->sinks[0].connections > 8);
	for (i = 0; i < 5; i++) {
		field_send(f, "one@good.test");
		field_expect(f, DELIVERED, ++sent, 5);
	}
	sink_greet(&f->sinks[0], "220 at last\r\n");
	field_expect(f, DELIVERED, sent + 16, 5);
	assert_int_equal(field_count(f, DEFERRED), 0);
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, field_set_up, field_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_new_destination_gets_two_at_once),
		CASE(a_host_with_few_places_gets_its_mail),
		CASE(a_dead_gateway_costs_its_timeout_once),
		CASE(totals_are_shared_among_workers),
		CASE(hosts_that_hang_do_not_keep_others_waiting),
		CASE(hosts_that_hang_though_they_were_good_make_room),
		CASE(hosts_that_hesitate_are_served_in_the_end),
	};

	tls_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
