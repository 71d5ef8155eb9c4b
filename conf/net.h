/*
 * Addresses of the network: host:port, networks in CIDR form, and their
 * text.  Pure; nothing is resolved here.
 */
#ifndef CONF_NET_H
#define CONF_NET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "conf/bytes.h"
#include "conf/error.h"

/* An IPv4 or IPv6 address with a port (0: none given). */
struct net_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa;
};

struct net_block {
	struct net_address base;
	unsigned bits;
};

enum { NET_TEXT_MAX = 64 };

socklen_t net_length(const struct net_address *a);
uint16_t net_port(const struct net_address *a);
void net_set_port(struct net_address *a, uint16_t port);
bool net_equal_host(const struct net_address *a, const struct net_address *b);
/* "192.0.2.1" or "2001:db8::1"; v4-mapped addresses come out as IPv4. */
void net_text(const struct net_address *a, char out[NET_TEXT_MAX]);
/* "192.0.2.1:25" or "[2001:db8::1]:25" */
void net_text_port(const struct net_address *a, char out[NET_TEXT_MAX]);
/* As an address literal of RFC 5321 4.1.3, with its brackets. */
void net_literal(const struct net_address *a, char out[NET_TEXT_MAX]);

/* An address without port, with or without brackets round IPv6. */
int net_parse(struct view text, struct net_address *out);
/*
 * Takes `host:port`, `[v6]:port` or either without port apart; the host
 * keeps its brackets, *port stays as it was when none is written.  -1 when
 * a port is no number or brackets do not close.
 */
int net_split_port(struct view text, struct view *host, uint16_t *port);
/* An address and its port, or `port` where none is written. */
int net_parse_port(struct view text, uint16_t port, struct net_address *out);
/* raw is 4 or 16 bytes in network order. */
int net_from_raw(const unsigned char *raw, size_t len, struct net_address *out);

int net_block_parse(struct view text, struct net_block *out,
		    struct error *error);
/* v4-mapped IPv6 addresses match IPv4 blocks. */
bool net_block_has(const struct net_block *block, const struct net_address *a);
bool net_blocks_have(const struct net_block *blocks, size_t count,
		     const struct net_address *a);

#endif
