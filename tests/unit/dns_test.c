/*
 * The workers' side of DNS against a resolver that the test plays: answers
 * find their question, what is cancelled stays silent, and a resolver that
 * is restarted is asked again.
 */
#include "relay/dns.h"

#include "relay/channel.h"
#include "relay/dns_wire.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { HEARD_MAX = 16 };

struct house {
	struct ev_loop *loop;
	struct dns *dns;
	int resolver;	/* the resolver's end */
	unsigned count; /* callbacks so far */
	struct dns_answer heard[HEARD_MAX];
	struct dns_query *to_cancel;
};

static void open_pair(int ends[2])
{
	struct error error;

	assert_int_equal(channel_pair(ends, &error), 0);
}

static void open_house(struct house *house)
{
	int ends[2];

	memset(house, 0, sizeof(*house));
	open_pair(ends);
	house->loop = ev_loop_new(EVFLAG_AUTO);
	house->dns = dns_new(house->loop, ends[0]);
	house->resolver = ends[1];
}

static void close_house(struct house *house)
{
	dns_free(house->dns);
	ev_loop_destroy(house->loop);
	close(house->resolver);
}

static void hear(void *arg, const struct dns_answer *answer)
{
	struct house *house = arg;

	house->heard[house->count++ % HEARD_MAX] = *answer;
	if (house->to_cancel)
		dns_cancel(house->to_cancel);
	house->to_cancel = NULL;
}

static int read_question(const struct house *house, struct dns_question *out)
{
	unsigned char bytes[DNS_WIRE_QUESTION_MAX + 1];
	ssize_t n = recv(house->resolver, bytes, sizeof(bytes), 0);

	return n <= 0 ? -1
		      : dns_wire_get_question(view_make(bytes, (size_t)n), out);
}

static void reply(const struct house *house, uint32_t id, enum dns_type type,
		  const char *canonical)
{
	struct dns_answer answer = { .kind = DNS_NODATA };
	struct buffer bytes = { 0 };

	strcpy(answer.canonical, canonical);
	dns_wire_put_answer(&bytes, id, type, &answer);
	assert_int_equal(send(house->resolver, buffer_view(&bytes).at,
			      buffer_len(&bytes), 0),
			 buffer_len(&bytes));
	buffer_clear(&bytes);
}

static void turn(const struct house *house)
{
	for (int i = 0; i < 3; i++)
		ev_run(house->loop, EVRUN_NOWAIT);
}

static void answers_find_their_question_in_any_order(void **state)
{
	struct house house;
	struct dns_question first, second;

	(void)state;
	open_house(&house);
	dns_ask(house.dns, DNS_MX, "one.example", hear, &house);
	dns_ask(house.dns, DNS_A, "two.example", hear, &house);
	assert_int_equal(house.count, 0);
	assert_int_equal(read_question(&house, &first), 0);
	assert_int_equal(read_question(&house, &second), 0);
	assert_string_equal(first.name, "one.example");
	assert_int_equal(second.type, DNS_A);
	reply(&house, second.id, DNS_A, "two");
	reply(&house, first.id, DNS_MX, "one");
	/* said twice, it is heard once */
	reply(&house, first.id, DNS_MX, "one");
	turn(&house);
	assert_int_equal(house.count, 2);
	assert_string_equal(house.heard[0].canonical, "two");
	assert_string_equal(house.heard[1].canonical, "one");
	close_house(&house);
}

static void what_is_cancelled_stays_silent(void **state)
{
	struct house house;
	struct dns_question one, two, three;
	struct dns_query *first, *third;

	(void)state;
	open_house(&house);
	first = dns_ask(house.dns, DNS_MX, "one", hear, &house);
	dns_ask(house.dns, DNS_MX, "two", hear, &house);
	third = dns_ask(house.dns, DNS_MX, "three", hear, &house);
	assert_int_equal(read_question(&house, &one), 0);
	assert_int_equal(read_question(&house, &two), 0);
	assert_int_equal(read_question(&house, &three), 0);
	dns_cancel(first);
	/* the third is cancelled inside the callback of the second */
	house.to_cancel = third;
	reply(&house, one.id, DNS_MX, "one");
	reply(&house, two.id, DNS_MX, "two");
	reply(&house, three.id, DNS_MX, "three");
	turn(&house);
	assert_int_equal(house.count, 1);
	assert_string_equal(house.heard[0].canonical, "two");
	close_house(&house);
}

static void an_answer_of_another_type_is_none(void **state)
{
	struct house house;
	struct dns_question question;

	(void)state;
	open_house(&house);
	dns_ask(house.dns, DNS_MX, "one", hear, &house);
	assert_int_equal(read_question(&house, &question), 0);
	reply(&house, question.id, DNS_TXT, "one");
	assert_int_equal(send(house.resolver, "junk", 4, 0), 4);
	turn(&house);
	assert_int_equal(house.count, 0);
	reply(&house, question.id, DNS_MX, "one");
	turn(&house);
	assert_int_equal(house.count, 1);
	close_house(&house);
}

static void a_restarted_resolver_is_asked_again(void **state)
{
	struct house house;
	struct dns_question question;
	int ends[2];

	(void)state;
	open_house(&house);
	dns_ask(house.dns, DNS_MX, "one", hear, &house);
	dns_ask(house.dns, DNS_MX, "two", hear, &house);
	assert_int_equal(read_question(&house, &question), 0);
	reply(&house, question.id, DNS_MX, "one");
	assert_int_equal(read_question(&house, &question), 0);
	close(house.resolver);
	turn(&house);
	assert_int_equal(house.count, 1);
	dns_ask(house.dns, DNS_MX, "three", hear, &house);
	open_pair(ends);
	house.resolver = ends[1];
	dns_reconnect(house.dns, ends[0]);
	assert_int_equal(read_question(&house, &question), 0);
	assert_string_equal(question.name, "two");
	reply(&house, question.id, DNS_MX, "two");
	assert_int_equal(read_question(&house, &question), 0);
	assert_string_equal(question.name, "three");
	reply(&house, question.id, DNS_MX, "three");
	turn(&house);
	assert_int_equal(house.count, 3);
	close_house(&house);
}

static void more_than_the_socket_takes_is_asked_in_the_end(void **state)
{
	enum { MANY = 3000 };
	struct house house;
	struct dns_question question;
	unsigned asked = 0;

	(void)state;
	open_house(&house);
	for (int i = 0; i < MANY; i++)
		dns_ask(house.dns, DNS_A, "many.example", hear, &house);
	for (int turns = 0; asked < MANY && turns < MANY; turns++) {
		while (read_question(&house, &question) == 0) {
			assert_int_equal(question.id, ++asked);
			reply(&house, question.id, DNS_A, "many");
			if (asked % 100 == 0)
				break;
		}
		turn(&house);
	}
	assert_int_equal(asked, MANY);
	assert_int_equal(house.count, MANY);
	close_house(&house);
}

static void what_is_no_name_is_an_error_but_never_at_once(void **state)
{
	struct house house;
	struct dns_question question;
	char longer[ADDR_DOMAIN_MAX + 2];

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	open_house(&house);
	dns_ask(house.dns, DNS_A, "fine.example", hear, &house);
	dns_ask(house.dns, DNS_A, longer, hear, &house);
	dns_ask(house.dns, DNS_A, "not a name", hear, &house);
	assert_int_equal(house.count, 0);
	turn(&house);
	assert_int_equal(house.count, 2);
	assert_int_equal(house.heard[0].kind, DNS_ERROR);
	assert_int_equal(read_question(&house, &question), 0);
	assert_string_equal(question.name, "fine.example");
	assert_int_equal(read_question(&house, &question), -1);
	close_house(&house);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_find_their_question_in_any_order),
		cmocka_unit_test(what_is_cancelled_stays_silent),
		cmocka_unit_test(an_answer_of_another_type_is_none),
		cmocka_unit_test(a_restarted_resolver_is_asked_again),
		cmocka_unit_test(
			more_than_the_socket_takes_is_asked_in_the_end),
		cmocka_unit_test(what_is_no_name_is_an_error_but_never_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
