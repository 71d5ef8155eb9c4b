/*
 * Addresses, domains, networks and xtext from arbitrary bytes.  What is
 * accepted must be bounded, canonical, and read the same a second time.
 */
#include "conf/addr.h"
#include "conf/net.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_path(struct view text, bool utf8)
{
	char ascii[ADDR_PATH_MAX * 2];
	struct address a, again;
	struct error error;
	size_t used;

	if (address_parse_path(text, utf8, &a, &used, &error))
		return;
	require(used <= text.len);
	require(a.local_len <= ADDR_LOCAL_MAX);
	require(strlen(a.text) <= ADDR_PATH_MAX - 2);
	require(utf8 || (!a.needs_utf8 && !a.has_u_label));
	require(!strpbrk(a.text, "\r\n"));
	if (!a.domain[0])
		return;
	require(!address_parse(view_of(a.text), &again, &error));
	require(!strcmp(a.domain, again.domain));
	address_ascii(&a, ascii, sizeof(ascii));
}

static void check_domain(struct view text)
{
	char out[ADDR_DOMAIN_MAX + 1], again[ADDR_DOMAIN_MAX + 1];
	struct error error;

	if (domain_canonical(text, out, &error))
		return;
	require(!domain_canonical(view_of(out), again, &error));
	require(!strcmp(out, again));
}

static void check_net(struct view text)
{
	struct net_address a, again;
	struct net_block block;
	struct error error;
	char out[NET_TEXT_MAX];

	net_block_parse(text, &block, &error);
	if (net_parse_port(text, 25, &a))
		return;
	net_text_port(&a, out);
	require(!net_parse_port(view_of(out), 1, &again));
	require(net_equal_host(&a, &again) && net_port(&a) == net_port(&again));
}

static void check_xtext(struct view text)
{
	struct buffer encoded = { 0 };
	char *out = must_alloc(text.len + 1);

	if (!xtext_decode(text, out, text.len + 1)) {
		struct view plain = view_of(out);
		char *back = must_alloc(plain.len + 1);

		xtext_encode(&encoded, plain);
		require(!xtext_decode(buffer_view(&encoded), back,
				      plain.len + 1));
		require(!strcmp(out, back));
		free(back);
	}
	buffer_clear(&encoded);
	free(out);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct view text = view_make(data, size);
	struct buffer escaped = { 0 };

	check_path(text, false);
	check_path(text, true);
	check_domain(text);
	check_net(text);
	check_xtext(text);
	bytes_escape(&escaped, text, 128);
	require(buffer_len(&escaped) <= 128 + 3);
	buffer_clear(&escaped);
	return 0;
}
