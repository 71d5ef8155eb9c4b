/*
 * The lab's web page: its gateways with their faults and counters, the
 * sessions as they happen, the messages, and a switch for every fault.
 * libmicrohttpd on the lab's loop, without threads.
 *
 * Who may use it is whoever reaches the address; no other site's page may
 * make a browser do so: requests by another name than an address or
 * `localhost` are refused (DNS rebinding), and so is what does not come from
 * the page itself (a token, Origin and Sec-Fetch-Site).
 */
#ifndef RELAY_LAB_PAGE_H
#define RELAY_LAB_PAGE_H

#include "conf/net.h"
#include "relay/lab/faults.h"
#include "relay/lab/journal.h"

struct ev_loop;
struct page;

/* A gateway, or what answers for the lab's names. */
struct page_gateway {
	const char *name;
	const char *address; /* "127.0.5.5:2525", for people */
	unsigned preference;
	struct faults *faults;
	bool is_dns;
};

/* All of it must last as long as the page. */
struct page_settings {
	struct ev_loop *loop;
	const char *title; /* the lab's */
	const char *store; /* the Maildir */
	const struct journal *journal;
	const struct page_gateway *gateways;
	size_t gateway_count;
	/* The gateway's faults were changed. */
	void (*changed)(void *arg, size_t gateway);
	void *arg;
};

/* Port 0: one that the kernel chooses. */
struct page *page_new(const struct page_settings *settings,
		      const struct net_address *address, struct error *error);
void page_free(struct page *page);
/* With its real port. */
const struct net_address *page_address(const struct page *page);

#endif
