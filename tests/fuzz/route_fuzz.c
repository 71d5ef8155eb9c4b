/*
 * Routes from arbitrary DNS answers: never ourselves, never an ignored
 * address, never more than may be tried, and always a verdict when there
 * is no candidate.
 */
#include "relay/route.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static unsigned char take(struct view *rest)
{
	unsigned char byte = rest->len > 0 ? rest->at[0] : 0;

	*rest = view_from(*rest, 1);
	return byte;
}

static void make_record(struct view *rest, enum dns_type type,
			struct dns_record *record)
{
	static const char *const names[] = {
		"", "a.example", "b.example", "c.d.example", "d.example",
		"relay.example", "e.example", "f.example",
	};
	unsigned char raw[16] = { 0 };
	unsigned char byte = take(rest);

	memset(record, 0, sizeof(*record));
	record->preference = byte / 8;
	strcpy(record->name, names[byte % 8]);
	memcpy(raw, byte & 1 ? "\x7f\0\0" : "\xc0\0\2", 3);
	raw[3] = byte / 2;
	if (type == DNS_AAAA)
		raw[0] = 0x20;
	net_from_raw(raw, type == DNS_AAAA ? 16 : 4, &record->address);
}

static void make_answer(struct view *rest, enum dns_type type,
			struct dns_answer *answer)
{
	unsigned char byte = take(rest);

	answer->kind = (enum dns_kind)(byte % 4);
	answer->is_secure = byte & 4;
	answer->count = 0;
	if (answer->kind == DNS_DATA)
		while (answer->count < (byte & 0xf8u) / 4)
			make_record(rest, type,
				    &answer->records[answer->count++]);
}

static bool is_bad(void *arg, const char *host,
		   const struct net_address *address)
{
	(void)arg;
	(void)address;
	return host[0] == 'b';
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct dns_record records[DNS_RECORDS_MAX];
	struct view rest = view_make(data, size);
	struct net_address own[1];
	struct net_block ignore[1];
	struct conf conf = { .mx_port = 25, .mx_ignore = ignore,
			     .mx_ignore_count = 1,
			     .system_trust = { .bytes = VIEW("x") } };
	struct route_own ourselves = { "relay.example", own, 1 };
	struct policy policy = { .tls = TLS_MAY };
	struct route_question question = { .conf = &conf, .policy = &policy,
					   .domain = "d.example",
					   .own = &ourselves,
					   .is_bad = is_bad };
	struct candidate out[ROUTE_CANDIDATES_MAX];
	struct dns_answer answer = { .records = records };
	struct result verdict = { 0 };
	struct error error;
	struct route *route;
	enum dns_type type;
	const char *name;
	size_t host, count, i, asked = 0;

	net_parse(VIEW("192.0.2.7"), &own[0]);
	net_block_parse(VIEW("127.0.0.0/8"), &ignore[0], &error);
	question.seed = take(&rest);
	if (take(&rest) & 1)
		policy.tls = TLS_VERIFY;
	route = route_new(&question);
	require(route_asks_mx(route));
	make_answer(&rest, DNS_MX, &answer);
	route_take_mx(route, &answer);
	while (route_ask(route, &host, &type, &name)) {
		make_answer(&rest, type, &answer);
		route_take_address(route, host, type, &answer);
		require(++asked <= 2 * DNS_RECORDS_MAX);
	}
	count = route_finish(route, out, &verdict);
	require(count <= ROUTE_CANDIDATES_MAX);
	for (i = 0; i < count; i++) {
		require(!net_equal_host(&out[i].address, &own[0]));
		require(!net_blocks_have(ignore, 1, &out[i].address));
		require(net_port(&out[i].address) == 25);
		require(strcmp(out[i].host, "relay.example") != 0);
	}
	if (count == 0) {
		require(verdict.outcome != OUTCOME_DELIVERED);
		require(verdict.status[0] ==
			(verdict.outcome == OUTCOME_FAILED ? '5' : '4'));
		require(verdict.text[0] != '\0');
	}
	route_free(route);
	return 0;
}
