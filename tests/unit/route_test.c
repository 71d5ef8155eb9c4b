/*
 * Routes from scripted DNS answers: which hosts, in which order, or which
 * verdict.
 */
#include "relay/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A zone: "type name answer"; an answer is a list of addresses or
 * "preference name" pairs, or one of the words below. */
struct zone_line {
	enum dns_type type;
	const char *name;
	const char *answer; /* "!nodata", "!nxdomain", "!error" or data */
};

struct scene {
	const char *domain;
	struct policy policy;
	struct zone_line zone[24];
	const char *own[4];    /* "address port" */
	const char *ignore[4];
	const char *bad;       /* host that lately failed */
	bool is_secure;
};

static struct net_address address(const char *text)
{
	struct net_address a;

	assert_int_equal(net_parse(view_of(text), &a), 0);
	return a;
}

static void answer_for(const struct scene *scene, enum dns_type type,
		       const char *name, struct dns_answer *answer,
		       struct dns_record *records)
{
	const struct zone_line *line = scene->zone;
	struct view rest, word;
	uint64_t number;

	memset(answer, 0, sizeof(*answer));
	answer->kind = DNS_NXDOMAIN;
	answer->records = records;
	answer->is_secure = scene->is_secure;
	while (line->name != NULL &&
	       (line->type != type || strcmp(line->name, name) != 0))
		line++;
	if (line->name == NULL)
		return;
	if (line->answer[0] == '!') {
		answer->kind = strcmp(line->answer, "!nodata") == 0 ? DNS_NODATA
			       : strcmp(line->answer, "!error") == 0
				       ? DNS_ERROR
				       : DNS_NXDOMAIN;
		strcpy(answer->why, "SERVFAIL");
		return;
	}
	answer->kind = DNS_DATA;
	for (rest = view_of(line->answer); rest.len > 0; answer->count++) {
		memset(&records[answer->count], 0, sizeof(*records));
		word = view_cut(&rest, ' ');
		if (type != DNS_MX) {
			assert_int_equal(
				net_parse(word,
					  &records[answer->count].address),
				0);
			continue;
		}
		assert_int_equal(view_number(word, 65535, &number), 0);
		records[answer->count].preference = (uint16_t)number;
		word = view_cut(&rest, ' ');
		if (!view_equal(word, VIEW(".")))
			memcpy(records[answer->count].name, word.at, word.len);
	}
}

static bool is_bad(void *arg, const char *host, const struct net_address *a)
{
	(void)a;
	return arg != NULL && strcmp(arg, host) == 0;
}

/* The candidates as "host[address]:port ...", or "!outcome status". */
static void find(const struct scene *scene, uint64_t seed, char out[1024])
{
	static struct dns_record records[DNS_RECORDS_MAX];
	struct candidate candidates[ROUTE_CANDIDATES_MAX];
	struct net_address own[4];
	struct net_block ignore[4];
	struct conf conf = {
		.mx_port = 25,
		.mx_ignore = ignore,
		.system_trust = { .bytes = VIEW("roots") },
	};
	struct route_own ourselves = { "relay.example.net", own, 0 };
	struct route_question question = {
		.conf = &conf,
		.policy = &scene->policy,
		.domain = scene->domain,
		.own = &ourselves,
		.is_bad = is_bad,
		.is_bad_arg = (void *)scene->bad,
		.seed = seed,
	};
	struct dns_answer answer;
	struct result verdict = { 0 };
	struct error error;
	struct route *route;
	enum dns_type type;
	const char *name;
	char text[NET_TEXT_MAX];
	size_t i, n, host;

	for (i = 0; i < 4 && scene->own[i] != NULL; i++)
		own[ourselves.count++] = address(scene->own[i]);
	for (i = 0; i < 4 && scene->ignore[i] != NULL; i++)
		assert_int_equal(
			net_block_parse(view_of(scene->ignore[i]),
					&ignore[conf.mx_ignore_count++],
					&error),
			0);
	route = route_new(&question);
	if (route_asks_mx(route)) {
		answer_for(scene, DNS_MX, scene->domain, &answer, records);
		route_take_mx(route, &answer);
	}
	while (route_ask(route, &host, &type, &name)) {
		answer_for(scene, type, name, &answer, records);
		route_take_address(route, host, type, &answer);
	}
	n = route_finish(route, candidates, &verdict);
	out[0] = '\0';
	for (i = 0; i < n; i++) {
		net_text_port(&candidates[i].address, text);
		snprintf(out + strlen(out), 1024 - strlen(out), "%s%s/%s",
			 i > 0 ? " " : "", candidates[i].host, text);
	}
	if (n == 0)
		snprintf(out, 1024, "%s %s",
			 verdict.outcome == OUTCOME_FAILED ? "!failed"
							   : "!deferred",
			 verdict.status);
	route_free(route);
}

#define A4(name, data) { DNS_A, name, data }
#define A6(name, data) { DNS_AAAA, name, data }
#define MX(name, data) { DNS_MX, name, data }

static struct gateway gateways[] = {
	{ .host = (char *)"gw1.example", .port = 2525 },
	{ .host = (char *)"gw2.example", .port = 465, .is_tls_first = true },
};

static const struct {
	const char *what;
	struct scene scene;
	const char *expect;
} rows[] = {
	{ "preferences in order",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "20 b.example 10 a.example"),
		      A4("a.example", "192.0.2.1"),
		      A4("b.example", "192.0.2.2") } },
	  "a.example/192.0.2.1:25 b.example/192.0.2.2:25" },
	{ "families by turns, IPv6 first",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "10 a.example"),
		      A4("a.example", "192.0.2.1 192.0.2.2"),
		      A6("a.example", "2001:db8::1") } },
	  "a.example/[2001:db8::1]:25 a.example/192.0.2.1:25 "
	  "a.example/192.0.2.2:25" },
	{ "five at most, and both families among them",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "10 a.example 20 b.example"),
		      A6("a.example", "2001:db8::1 2001:db8::2 "
				      "2001:db8::3 2001:db8::4 "
				      "2001:db8::5 2001:db8::6"),
		      A4("b.example", "192.0.2.2") } },
	  "a.example/[2001:db8::1]:25 a.example/[2001:db8::2]:25 "
	  "a.example/[2001:db8::3]:25 a.example/[2001:db8::4]:25 "
	  "b.example/192.0.2.2:25" },
	{ "who failed lately goes last",
	  { .domain = "d.example",
	    .bad = "a.example",
	    .zone = { MX("d.example", "10 a.example 20 b.example"),
		      A4("a.example", "192.0.2.1"),
		      A4("b.example", "192.0.2.2") } },
	  "b.example/192.0.2.2:25 a.example/192.0.2.1:25" },
	{ "no MX: the domain itself",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "!nodata"),
		      A4("d.example", "192.0.2.1") } },
	  "d.example/192.0.2.1:25" },
	{ "no MX and no address",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "!nodata"),
		      A4("d.example", "!nodata"),
		      A6("d.example", "!nodata") } },
	  "!failed 5.4.4" },
	{ "no such domain",
	  { .domain = "d.example" },
	  "!failed 5.1.2" },
	{ "an error is not an answer",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "!error"),
		      A4("d.example", "192.0.2.1") } },
	  "!deferred 4.4.3" },
	{ "null MX",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "0 ."),
		      A4("d.example", "192.0.2.1") } },
	  "!failed 5.1.10" },
	{ "a null MX beside a real one",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "0 . 10 a.example"),
		      A4("a.example", "192.0.2.1") } },
	  "a.example/192.0.2.1:25" },
	{ "an MX without addresses never leads to the domain itself",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "10 a.example"),
		      A4("d.example", "192.0.2.1") } },
	  "!failed 5.4.4" },
	{ "one name in error keeps the mail",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "10 a.example 20 b.example"),
		      A4("a.example", "!nodata"),
		      A4("b.example", "!error") } },
	  "!deferred 4.4.3" },
	{ "a host in error is skipped",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "10 a.example 20 b.example"),
		      A4("a.example", "!error"),
		      A6("a.example", "!error"),
		      A4("b.example", "192.0.2.2") } },
	  "b.example/192.0.2.2:25" },
	{ "one family in error: the other",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "10 a.example"),
		      A4("a.example", "192.0.2.1"),
		      A6("a.example", "!error") } },
	  "a.example/192.0.2.1:25" },
	{ "ourselves by address, and what is not better",
	  { .domain = "d.example",
	    .own = { "192.0.2.2" },
	    .zone = { MX("d.example", "10 a.example 20 b.example "
				      "20 c.example 30 d.example"),
		      A4("a.example", "192.0.2.1"),
		      A4("b.example", "192.0.2.2"),
		      A4("c.example", "192.0.2.3"),
		      A4("d.example", "192.0.2.4") } },
	  "a.example/192.0.2.1:25" },
	{ "ourselves by name, though the name does not resolve",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "10 relay.example.net "
				      "20 b.example"),
		      A4("relay.example.net", "!error"),
		      A4("b.example", "192.0.2.2") } },
	  "!failed 5.4.6" },
	{ "a better host that is in error keeps the mail",
	  { .domain = "d.example",
	    .own = { "192.0.2.2" },
	    .zone = { MX("d.example", "10 a.example 20 b.example"),
		      A4("a.example", "!error"),
		      A4("b.example", "192.0.2.2") } },
	  "!deferred 4.4.3" },
	{ "the implicit MX is ourselves",
	  { .domain = "d.example",
	    .own = { "192.0.2.2" },
	    .zone = { MX("d.example", "!nodata"),
		      A4("d.example", "192.0.2.2") } },
	  "!failed 5.4.6" },
	{ "ignored addresses, mapped ones too",
	  { .domain = "d.example",
	    .ignore = { "127.0.0.0/8" },
	    .zone = { MX("d.example", "10 a.example 20 b.example"),
		      A4("a.example", "127.0.0.1"),
		      A6("a.example", "::ffff:127.0.0.1"),
		      A4("b.example", "192.0.2.2") } },
	  "b.example/192.0.2.2:25" },
	{ "nothing but ignored addresses",
	  { .domain = "d.example",
	    .ignore = { "127.0.0.0/8" },
	    .zone = { MX("d.example", "!nodata"),
		      A4("d.example", "127.0.0.1") } },
	  "!failed 5.4.4" },
	{ "a host that the policy forbids",
	  { .domain = "d.example",
	    .policy = { .tls = TLS_VERIFY },
	    .zone = { MX("d.example", "10 a.example 20 b.d.example"),
		      A4("a.example", "192.0.2.1"),
		      A4("b.d.example", "192.0.2.2") } },
	  "b.d.example/192.0.2.2:25" },
	{ "the same host, vouched for by DNSSEC",
	  { .domain = "d.example",
	    .is_secure = true,
	    .policy = { .tls = TLS_VERIFY },
	    .zone = { MX("d.example", "10 a.example"),
		      A4("a.example", "192.0.2.1") } },
	  "a.example/192.0.2.1:25" },
	{ "nothing but hosts that the policy forbids",
	  { .domain = "d.example",
	    .policy = { .tls = TLS_VERIFY },
	    .zone = { MX("d.example", "10 a.example"),
		      A4("a.example", "192.0.2.1") } },
	  "!deferred 4.7.0" },
	{ "one family alone",
	  { .domain = "d.example",
	    .policy = { .family = AF_INET },
	    .zone = { MX("d.example", "10 a.example"),
		      A4("a.example", "192.0.2.1"),
		      A6("a.example", "2001:db8::1") } },
	  "a.example/192.0.2.1:25" },
	{ "gateways in their order, exempt from mx-ignore",
	  { .domain = "d.example",
	    .policy = { .gateways = gateways, .gateway_count = 2 },
	    .ignore = { "127.0.0.0/8" },
	    .own = { "127.0.0.1" },
	    .zone = { MX("d.example", "!nxdomain"),
		      A4("gw1.example", "127.0.0.1"),
		      A4("gw2.example", "127.0.0.2") } },
	  "gw1.example/127.0.0.1:2525 gw2.example/127.0.0.2:465" },
	{ "gateways that do not resolve are a mistake, not an answer",
	  { .domain = "d.example",
	    .policy = { .title = (char *)"*",
			.gateways = gateways,
			.gateway_count = 2 } },
	  "!deferred 4.4.4" },
	{ "a literal",
	  { .domain = "[192.0.2.9]" },
	  "192.0.2.9/192.0.2.9:25" },
	{ "an IPv6 literal",
	  { .domain = "[IPv6:2001:db8::9]" },
	  "2001:db8::9/[2001:db8::9]:25" },
	{ "a literal that is ourselves",
	  { .domain = "[192.0.2.9]", .own = { "192.0.2.9" } },
	  "!failed 5.4.6" },
	{ "a literal that is none",
	  { .domain = "[x]" },
	  "!failed 5.1.3" },
	{ "the same name twice counts once, by the better",
	  { .domain = "d.example",
	    .zone = { MX("d.example", "20 a.example 15 b.example "
				      "10 a.example"),
		      A4("a.example", "192.0.2.1"),
		      A4("b.example", "192.0.2.2") } },
	  "a.example/192.0.2.1:25 b.example/192.0.2.2:25" },
};

static void routes_as_dns_says(void **state)
{
	char seen[1024];
	uint64_t seed;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (seed = 0; seed < 8; seed++) {
			find(&rows[i].scene, seed, seen);
			if (strcmp(seen, rows[i].expect) != 0)
				fail_msg("%s: expected %s, got %s",
					 rows[i].what, rows[i].expect, seen);
		}
}

static void equals_are_shuffled_fairly(void **state)
{
	const struct scene scene = {
		.domain = "d.example",
		.zone = { MX("d.example",
			     "10 a.example 10 b.example 10 c.example"),
			  A4("a.example", "192.0.2.1"),
			  A4("b.example", "192.0.2.2"),
			  A4("c.example", "192.0.2.3") },
	};
	unsigned first[3] = { 0 };
	char seen[1024];
	uint64_t seed;

	(void)state;
	for (seed = 0; seed < 3000; seed++) {
		find(&scene, seed * 77, seen);
		first[seen[0] - 'a']++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(first[i], 800, 1200);
}

static void the_source_says_what_proved_the_name(void **state)
{
	static struct dns_record record = { .name = "mx.example" };
	struct dns_answer answer = { .count = 1, .records = &record };
	struct conf conf = { .mx_port = 2525 };
	struct route_own own = { .hostname = "r.example" };
	struct policy policy = { 0 };
	struct route_question question = { .conf = &conf,
					   .policy = &policy,
					   .domain = "d.example",
					   .own = &own };
	struct candidate out[ROUTE_CANDIDATES_MAX];
	struct result verdict;
	struct route *route;
	int secure;

	(void)state;
	for (secure = 0; secure < 2; secure++) {
		memset(&verdict, 0, sizeof(verdict));
		route = route_new(&question);
		answer.is_secure = secure;
		answer.kind = DNS_DATA;
		strcpy(record.name, "mx.example");
		route_take_mx(route, &answer);
		record.address = address("192.0.2.1");
		/* A target of a CNAME is never the name to bear. */
		strcpy(answer.canonical, "target.example");
		route_take_address(route, 0, DNS_A, &answer);
		assert_int_equal(route_finish(route, out, &verdict), 1);
		assert_string_equal(out[0].host, "mx.example");
		assert_int_equal(out[0].source,
				 secure ? HOST_MX_SECURE : HOST_MX);
		assert_int_equal(net_port(&out[0].address), 2525);
		route_free(route);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_as_dns_says),
		cmocka_unit_test(equals_are_shuffled_fairly),
		cmocka_unit_test(the_source_says_what_proved_the_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
