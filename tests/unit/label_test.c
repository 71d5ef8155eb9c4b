/*
 * The label on what the lab stored: what stands there, and that nothing a
 * client says can forge or break it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "relay/lab/label.h"

static void write_one(struct buffer *out, const struct label *label)
{
	label_write(out, label);
	buffer_append(out, VIEW("Received: from x\r\n"
				"X-Lab-Gateway: forged\r\n\r\nbody"));
}

static struct label sample(void)
{
	static struct label_path to[] = {
		{ "c@d.example", NULL },
		{ "e@f.example", "NOTIFY=NEVER" },
	};

	return (struct label){
		.gateway = "mx5.de.tuv.com", .session = "s1",
		.client = "127.0.0.1:4321", .helo = "client.example",
		.protocol = "ESMTP", .received = 1700000000,
		.from = { "a@b.example", "SIZE=100 BODY=8BITMIME" },
		.to = to, .to_count = 2,
	};
}

static void a_label_says_how_the_message_came(void **state)
{
	struct label label = sample();
	struct buffer out = { 0 };

	(void)state;
	label_write(&out, &label);
	assert_true(view_equal(
		buffer_view(&out),
		VIEW("X-Lab-Gateway: mx5.de.tuv.com\r\n"
		     "X-Lab-Session: s1\r\n"
		     "X-Lab-Received: 2023-11-14T22:13:20Z\r\n"
		     "X-Lab-Client: 127.0.0.1:4321\r\n"
		     "X-Lab-Helo: client.example\r\n"
		     "X-Lab-Protocol: ESMTP\r\n"
		     "X-Lab-TLS: none\r\n"
		     "X-Lab-From: <a@b.example> SIZE=100 BODY=8BITMIME\r\n"
		     "X-Lab-To: <c@d.example>\r\n"
		     "X-Lab-To: <e@f.example> NOTIFY=NEVER\r\n")));
	buffer_clear(&out);
}

static void tls_facts_stand_there(void **state)
{
	struct tls_facts facts = {
		.is_tls = true, .version = "TLSv1.3", .cipher = "AES",
	};
	struct label label = sample();
	struct buffer out = { 0 };

	(void)state;
	label.facts = &facts;
	label_write(&out, &label);
#define FIND(name) label_find(buffer_view(&out), name)
	assert_true(view_equal(FIND("tls"), VIEW("TLSv1.3 AES")));
	assert_true(view_equal(FIND("SNI"), VIEW("none")));
	assert_true(view_equal(FIND("Client-Certificate"), VIEW("none")));
	buffer_reset(&out);
	strcpy(facts.sni, "a b\r\nX-Lab-TLS: forged");
	facts.presented = 1;
	facts.leaf.sha256[0] = 0xab;
	strcpy(facts.leaf.subject, "client");
	strcpy(facts.leaf.issuer, "root");
	label_write(&out, &label);
	assert_true(view_equal(FIND("SNI"),
			       VIEW("a b\\x0d\\x0aX-Lab-TLS: forged")));
	assert_true(view_starts_fold(FIND("Client-Certificate"),
				     VIEW("sha256:ab00")));
	assert_non_null(memmem(FIND("Client-Certificate").at, 200,
			       " subject=client issuer=root\r\n", 29));
	buffer_clear(&out);
}

static void nothing_a_client_says_breaks_the_block(void **state)
{
	static struct label_path to = { "x", "A=\r\n\r\nX-Lab-To: <y>" };
	struct label label = sample();
	struct view rest, name, value;
	struct buffer out = { 0 };
	char helo[3000];
	unsigned lines = 0;

	(void)state;
	memset(helo, '\n', sizeof(helo) - 1);
	helo[sizeof(helo) - 1] = '\0';
	label.helo = helo;
	label.to = &to;
	label.to_count = 1;
	label.foreign = 3;
	write_one(&out, &label);
	rest = buffer_view(&out);
	while (label_next(&rest, &name, &value)) {
		assert_true(value.len <= LABEL_VALUE_MAX + 3);
		lines++;
	}
	assert_int_equal(lines, 10);
	assert_true(view_starts_fold(rest, VIEW("Received: ")));
	assert_true(view_equal(FIND("gateway"), VIEW("mx5.de.tuv.com")));
	assert_true(view_starts_fold(FIND("Foreign"), VIEW("3 (such")));
	buffer_clear(&out);
}

static void a_file_that_is_cut_ends_its_label(void **state)
{
	struct view rest = VIEW("X-Lab-A: 1\r\nX-Lab-B: 2"), name, value;

	(void)state;
	assert_true(label_next(&rest, &name, &value));
	assert_true(view_equal(name, VIEW("A")));
	assert_true(view_equal(value, VIEW("1")));
	assert_false(label_next(&rest, &name, &value));
	assert_int_equal(label_find(VIEW("Subject: x\r\n"), "A").len, 0);
}

static void addresses_and_parameters_are_told_apart(void **state)
{
	static const struct {
		const char *argument, *params;
	} arguments[] = {
		{ "FROM:<a@b>", "" },
		{ "FROM:<a@b> SIZE=1 BODY=7BIT", "SIZE=1 BODY=7BIT" },
		{ "FROM: <a@b>  SIZE=1 ", "SIZE=1" },
		{ "TO:<\"a> b\\\">\"@c> NOTIFY=NEVER", "NOTIFY=NEVER" },
		{ "TO:a@b ORCPT=rfc822;x", "ORCPT=rfc822;x" },
		{ "FROM:<", "" },
		{ "FROM:", "" },
		{ "", "" },
		{ "FROM:<\"a\\", "" },
	};
	static const struct {
		const char *value, *address;
	} values[] = {
		{ "<a@b> SIZE=1", "a@b" }, { "<>", "" },
		{ "<a@b>", "a@b" },	   { "a@b", "a@b" },
		{ "<\"x>y\"@b> A", "\"x>y\"@b" },
		{ "<\"x\\x5c\">y\"@b> A", "\"x\\x5c\">y\"@b" },
		{ "<\"x\\x5c\\x5c\"@b> >", "\"x\\x5c\\x5c\"@b" },
		{ "<x\\x5c\\x00@b> >", "x\\x5c\\x00@b" },
		{ "<x@b\\xe2>y", "x@b\\xe2" },
	        { "<", "<" }, { "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++)
		assert_true(view_equal(
			label_params(view_of(arguments[i].argument)),
			view_of(arguments[i].params)));
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		assert_true(view_equal(
			label_address(view_of(values[i].value)),
			view_of(values[i].address)));
}

static void fields_that_look_like_ours_are_counted(void **state)
{
	(void)state;
	assert_int_equal(label_foreign(VIEW("")), 0);
	assert_int_equal(label_foreign(VIEW("Received: x\r\nx-lab-to: 1\r\n"
					    "Subject: X-Lab-To\r\n"
					    "X-LAB-A: 2\r\n\r\n"
					    "X-Lab-B: 3\r\n")), 2);
	assert_int_equal(label_foreign(VIEW("X-Lab-A")), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_label_says_how_the_message_came),
		cmocka_unit_test(tls_facts_stand_there),
		cmocka_unit_test(nothing_a_client_says_breaks_the_block),
		cmocka_unit_test(a_file_that_is_cut_ends_its_label),
		cmocka_unit_test(addresses_and_parameters_are_told_apart),
		cmocka_unit_test(fields_that_look_like_ours_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
