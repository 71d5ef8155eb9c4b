/*
 * Our own side of a partner's form, in the form's layout and under its
 * headings, so that people can compare it and `partner import` can read it.
 * Pure: what was found out comes in, text goes out.
 */
#ifndef RELAY_FORM_SIDE_H
#define RELAY_FORM_SIDE_H

#include "conf/addr.h"
#include "tls/facts.h"

/* One MX record of one domain; or without a domain a listener of ours, for
 * want of any MX. */
struct side_gateway {
	const char *domain; /* borrowed; NULL: no MX, and no preference */
	uint16_t preference;
	char host[ADDR_DOMAIN_MAX + 1];
	uint16_t port;
	bool is_tls_first;
};

/* A certificate that listeners present. */
struct side_certificate {
	struct view *chain; /* DER, leaf first; never none */
	size_t count;
	/* by the system's roots, which a partner may have as well */
	enum chain_verdict verdict;
	char reason[FACTS_TEXT_MAX];
};

struct side {
	const char *hostname;
	const char **domains; /* patterns, canonical */
	size_t domain_count;
	struct side_gateway *gateways; /* sorted here */
	size_t gateway_count;
	struct side_certificate *certificates;
	size_t certificate_count;
	int64_t now; /* UTC seconds */
};

/*
 * Appends the form, and to *remarks a line for each thing that we could not
 * find, that partners will stumble over, or that cannot stand on the form.
 */
void form_side(struct side *side, struct buffer *form, struct buffer *remarks);

#endif
