/*
 * The lab's journal: what is counted, what is kept, and that foreign bytes
 * are bounded and harmless in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "relay/lab/journal.h"

static struct journal_session *open_one(struct journal *journal,
					const char *gateway, unsigned number)
{
	char id[JOURNAL_ID_MAX];

	snprintf(id, sizeof(id), "s%u", number);
	return journal_open(journal, journal_gateway(journal, gateway), id,
			    1000 + number);
}

static void a_session_is_counted_at_its_gateway(void **state)
{
	struct journal *journal = journal_new(10);
	struct journal_session *s = open_one(journal, "mx5", 1);
	struct tls_facts facts = {
		.is_tls = true, .version = "TLSv1.3", .cipher = "C",
		.sni = "mx5\n", .presented = 1, .leaf = { .subject = "me" },
	};
	const struct journal_gateway *g = journal_gateways(journal);

	(void)state;
	journal_gateway(journal, "mx6");
	journal_heard(s, VIEW("EHLO \x1b[2Jx"));
	journal_named(s, "x");
	journal_said(s, VIEW("250-a\r\n250 b\r\n550 5.1.1 no\r\n"));
	journal_said(s, VIEW("451-4.0.0 one\r\n451 4.0.0 two\r\n"));
	journal_secured(s, &facts);
	journal_stored(s, "m1");
	journal_played(s, "450-rcpt");
	journal_played(s, "450-rcpt");
	journal_played(s, "stall-data");
	assert_string_equal(g->name, "mx5");
	assert_string_equal(g->next->name, "mx6");
	assert_ptr_equal(s->gateway, g);
	assert_int_equal(g->open, 1);
	assert_int_equal(g->connections, 1);
	assert_int_equal(g->handshakes, 1);
	assert_int_equal(g->messages, 1);
	assert_int_equal(g->refusals, 2);
	assert_int_equal(g->faults, 3);
	assert_string_equal(s->command, "EHLO \\x1b[2Jx");
	assert_string_equal(s->reply, "451 4.0.0 two");
	assert_string_equal(s->sni, "mx5\\x0a");
	assert_string_equal(s->peer, "me");
	assert_int_equal(strlen(s->fingerprint), 64);
	assert_int_equal(s->fault_names, 2);
	assert_string_equal(s->faults[1], "stall-data");
	assert_string_equal(s->messages[0], "m1");
	journal_close(s, "the client left", 2000);
	assert_int_equal(g->open, 0);
	s = NULL;
	assert_string_equal(journal_find(journal, "s1")->outcome,
			    "the client left");
	assert_int_equal(journal_newest(journal)->ended, 2000);
	journal_free(journal);
}

static void the_oldest_that_is_over_is_forgotten(void **state)
{
	struct journal *journal = journal_new(3);
	struct journal_session *open = open_one(journal, "mx5", 0);
	const struct journal_session *s;
	unsigned count = 0;

	(void)state;
	for (unsigned i = 1; i <= 7; i++)
		journal_close(open_one(journal, "mx5", i), "", 1);
	for (s = journal_newest(journal); s; s = s->older)
		count++;
	assert_int_equal(count, 4);
	assert_string_equal(journal_newest(journal)->id, "s7");
	assert_ptr_equal(journal_find(journal, "s0"), open);
	assert_null(journal_find(journal, "s4"));
	journal_close(open, "", 2);
	assert_null(journal_find(journal, "s0"));
	assert_string_equal(journal_find(journal, "s5")->id, "s5");
	assert_null(journal_find(journal, "s5")->older);
	journal_free(journal);
}

static void one_that_keeps_none_forgets_at_once(void **state)
{
	struct journal *journal = journal_new(0);

	(void)state;
	journal_close(open_one(journal, "mx5", 1), "", 1);
	assert_null(journal_newest(journal));
	assert_int_equal(journal_gateways(journal)->connections, 1);
	journal_free(journal);
}

static void whatever_changes_is_seen(void **state)
{
	struct journal *journal = journal_new(3);
	uint64_t seen = journal_changes(journal);
	struct journal_session *s = open_one(journal, "mx5", 1);

	(void)state;
	assert_true(journal_changes(journal) > seen);
	seen = journal_changes(journal);
	journal_state(s, JOURNAL_BODY);
	assert_true(journal_changes(journal) > seen);
	assert_string_equal(journal_state_word(s->state), "body");
	journal_free(journal);
}

static void long_texts_are_cut(void **state)
{
	struct journal *journal = journal_new(3);
	struct journal_session *s = open_one(journal, "mx5", 1);
	char line[2000];

	(void)state;
	memset(line, 'x', sizeof(line));
	journal_heard(s, view_make(line, sizeof(line)));
	assert_true(strlen(s->command) < sizeof(s->command));
	assert_string_equal(s->command + strlen(s->command) - 3, "...");
	memset(line, 1, sizeof(line));
	journal_said(s, view_make(line, sizeof(line)));
	assert_true(strlen(s->reply) < sizeof(s->reply));
	for (unsigned i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "m%u", i);
		journal_stored(s, line);
		journal_played(s, line);
	}
	assert_int_equal(s->message_count, 100);
	assert_int_equal(s->fault_names, JOURNAL_FAULTS_MAX);
	journal_free(journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_counted_at_its_gateway),
		cmocka_unit_test(the_oldest_that_is_over_is_forgotten),
		cmocka_unit_test(one_that_keeps_none_forgets_at_once),
		cmocka_unit_test(whatever_changes_is_seen),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
