/*
 * Network addresses and blocks in CIDR form.  A v4-mapped IPv6 address
 * (::ffff:192.0.2.1) means its IPv4 address wherever two are compared, so
 * that no list can be walked around by writing an address differently.
 */
#include "conf/net.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { MAPPED_BITS = 96 };

_Static_assert(NET_TEXT_MAX > INET6_ADDRSTRLEN, "every address fits");

socklen_t net_length(const struct net_address *a)
{
	return a->sa.any.sa_family == AF_INET6 ? sizeof(a->sa.v6) :
						 sizeof(a->sa.v4);
}

uint16_t net_port(const struct net_address *a)
{
	return ntohs(a->sa.any.sa_family == AF_INET6 ? a->sa.v6.sin6_port :
						       a->sa.v4.sin_port);
}

void net_set_port(struct net_address *a, uint16_t port)
{
	if (a->sa.any.sa_family == AF_INET6)
		a->sa.v6.sin6_port = htons(port);
	else
		a->sa.v4.sin_port = htons(port);
}

/* The bytes that are compared: 4 for IPv4 and v4-mapped, else 16. */
static struct view host_bytes(const struct net_address *a)
{
	const struct in6_addr *v6 = &a->sa.v6.sin6_addr;

	if (a->sa.any.sa_family == AF_INET)
		return view_make(&a->sa.v4.sin_addr, 4);
	if (a->sa.any.sa_family != AF_INET6)
		return view_make(NULL, 0);
	if (IN6_IS_ADDR_V4MAPPED(v6))
		return view_make(v6->s6_addr + 12, 4);
	return view_make(v6->s6_addr, 16);
}

bool net_equal_host(const struct net_address *a, const struct net_address *b)
{
	struct view left = host_bytes(a), right = host_bytes(b);

	/* A link-local address means nothing without its interface. */
	if (left.len == 16 && right.len == 16 &&
	    a->sa.v6.sin6_scope_id != b->sa.v6.sin6_scope_id)
		return false;
	return left.len && view_equal(left, right);
}

/* Four numbers and the dots between them: inet_ntop() prints them. */
static void text_of_v4(const unsigned char at[4], char *out)
{
	for (int i = 0; i < 4; i++) {
		out += bytes_decimal(at[i], out);
		*out++ = i < 3 ? '.' : '\0';
	}
}

static void host_text(struct view host, char out[INET6_ADDRSTRLEN + 1])
{
	if (host.len == 4)
		text_of_v4(host.at, out);
	else if (!host.len ||
		 !inet_ntop(AF_INET6, host.at, out, INET6_ADDRSTRLEN))
		memcpy(out, "none", sizeof("none"));
}

void net_text(const struct net_address *a, char out[NET_TEXT_MAX])
{
	host_text(host_bytes(a), out);
}

void net_text_port(const struct net_address *a, char out[NET_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN + 1];
	struct view bytes = host_bytes(a);

	host_text(bytes, host);
	snprintf(out, NET_TEXT_MAX, bytes.len == 16 ? "[%s]:%u" : "%s:%u", host,
		 (unsigned)net_port(a));
}

void net_literal(const struct net_address *a, char out[NET_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN + 1];
	struct view bytes = host_bytes(a);

	host_text(bytes, host);
	snprintf(out, NET_TEXT_MAX, bytes.len == 16 ? "[IPv6:%s]" : "[%s]",
		 host);
}

int net_from_raw(const unsigned char *raw, size_t len, struct net_address *out)
{
	memset(out, 0, sizeof(*out));
	if (len == 4) {
		out->sa.v4.sin_family = AF_INET;
		memcpy(&out->sa.v4.sin_addr, raw, len);
	} else if (len == 16) {
		out->sa.v6.sin6_family = AF_INET6;
		memcpy(&out->sa.v6.sin6_addr, raw, len);
	} else {
		return -1;
	}
	return 0;
}

int net_parse(struct view text, struct net_address *out)
{
	unsigned char raw[16];
	char copy[NET_TEXT_MAX];
	bool bracketed = text.len > 2 && text.at[0] == '[' &&
			 text.at[text.len - 1] == ']';

	if (bracketed)
		text = view_first(view_from(text, 1), text.len - 2);
	if (text.len >= sizeof(copy) || view_index(text, '\0') < text.len)
		return -1;
	snprintf(copy, sizeof(copy), "%.*s", (int)text.len,
		 text.len ? (const char *)text.at : "");
	if (!bracketed && inet_pton(AF_INET, copy, raw) == 1)
		return net_from_raw(raw, 4, out);
	if (inet_pton(AF_INET6, copy, raw) == 1)
		return net_from_raw(raw, 16, out);
	return -1;
}

int net_split_port(struct view text, struct view *host, uint16_t *port)
{
	size_t end = 0, colon;
	uint64_t number;

	*host = text;
	if (text.len && text.at[0] == '[') {
		end = view_index(text, ']');
		if (end == text.len)
			return -1;
		end++;
	}
	colon = end + view_index(view_from(text, end), ':');
	if (colon >= text.len)
		return end && end != text.len ? -1 : 0;
	/* A second colon: IPv6 without brackets, which has no port. */
	if (!end && view_index(view_from(text, colon + 1), ':') <
			    text.len - colon - 1)
		return 0;
	if ((end && colon != end) ||
	    view_number(view_from(text, colon + 1), UINT16_MAX, &number))
		return -1;
	*host = view_first(text, colon);
	*port = (uint16_t)number;
	return 0;
}

int net_parse_port(struct view text, uint16_t port, struct net_address *out)
{
	struct view host;

	if (net_split_port(text, &host, &port) || net_parse(host, out))
		return -1;
	net_set_port(out, port);
	return 0;
}

static bool bits_equal(const unsigned char *a, const unsigned char *b,
		       unsigned bits)
{
	size_t whole = bits / 8;
	unsigned char mask = (unsigned char)(0xff00u >> bits % 8);

	if (memcmp(a, b, whole))
		return false;
	return bits % 8 == 0 || !((a[whole] ^ b[whole]) & mask);
}

static int check_block(struct view text, const struct net_block *block,
		       struct error *error)
{
	struct view host = host_bytes(&block->base);
	unsigned char masked[16] = { 0 };
	struct net_address right;
	char shown[NET_TEXT_MAX];

	memcpy(masked, host.at, host.len);
	for (size_t bit = block->bits; bit < host.len * 8; bit++)
		masked[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
	if (view_equal(host, view_make(masked, host.len)))
		return 0;
	net_from_raw(masked, host.len, &right);
	net_text(&right, shown);
	return error_set(error, "%.*s has bits set beyond /%u; write %s/%u",
			 (int)text.len, (const char *)text.at, block->bits,
			 shown, block->bits);
}

int net_block_parse(struct view text, struct net_block *out,
		    struct error *error)
{
	struct view rest = text, host = view_cut(&rest, '/');
	bool has_bits = host.len < text.len;
	uint64_t bits, max;

	if (net_parse(host, &out->base))
		return error_set(error, "\"%.*s\" is no network; write an "
				 "address or ADDRESS/BITS",
				 (int)text.len, (const char *)text.at);
	max = out->base.sa.any.sa_family == AF_INET ? 32 : 128;
	bits = max;
	if (has_bits && view_number(rest, max, &bits))
		return error_set(error, "\"%.*s\": behind the / must stand a "
				 "number from 0 to %u",
				 (int)text.len, (const char *)text.at,
				 (unsigned)max);
	/* A v4-mapped block is the IPv4 block inside it. */
	if (max == 128 && host_bytes(&out->base).len == 4) {
		if (bits < MAPPED_BITS)
			return error_set(error, "\"%.*s\": a v4-mapped network "
					 "has at least /96",
					 (int)text.len, (const char *)text.at);
		bits -= MAPPED_BITS;
	}
	out->bits = (unsigned)bits;
	return check_block(text, out, error);
}

bool net_block_has(const struct net_block *block, const struct net_address *a)
{
	struct view base = host_bytes(&block->base), host = host_bytes(a);

	return host.len && base.len == host.len &&
	       bits_equal(base.at, host.at, block->bits);
}

bool net_blocks_have(const struct net_block *blocks, size_t count,
		     const struct net_address *a)
{
	for (size_t i = 0; i < count; i++)
		if (net_block_has(&blocks[i], a))
			return true;
	return false;
}
