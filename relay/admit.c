/*
 * Only the parsed, canonical domain is ever compared, so that percent
 * signs, bangs, source routes and quoted at-signs in a local part mean
 * nothing here.
 */
#include "relay/admit.h"

#include <stdio.h>
#include <string.h>

#include "conf/rules.h"

static const struct answer denied = { 550, "5.7.1", "Relaying denied" };
static const struct answer literal = {
	550, "5.1.2", "Address literals are not accepted here"
};

bool admit_client(const struct conf *conf, const struct net_address *client)
{
	return net_blocks_have(conf->relay_from, conf->relay_from_count,
			       client);
}

/* A path without a domain is the postmaster's in any case (addr.h). */
static bool is_our_postmaster(const struct conf *conf, const struct address *a)
{
	struct view local = view_make(a->text, a->local_len);

	return a->domain[0] == '\0' ||
	       (view_equal_fold(local, VIEW("postmaster")) &&
		view_equal_fold(view_of(a->domain), view_of(conf->hostname)));
}

static const char *inward_domain(const struct conf *conf)
{
	const char *parent = strchr(conf->hostname, '.');
	size_t i;

	for (i = 0; i < conf->relay_domains.count; i++) {
		const char *pattern = conf->relay_domains.at[i];

		if (strncmp(pattern, "*.", 2) == 0)
			pattern += 2;
		if (strcmp(pattern, "*") != 0)
			return pattern;
	}
	if (parent && strchr(parent + 1, '.'))
		return parent + 1;
	return conf->hostname;
}

void admit_postmaster(const struct conf *conf, struct address *out)
{
	const char *domain;

	if (conf->postmaster) {
		*out = *conf->postmaster;
		return;
	}
	domain = inward_domain(conf);
	memset(out, 0, sizeof(*out));
	snprintf(out->text, sizeof(out->text), "postmaster@%s", domain);
	snprintf(out->domain, sizeof(out->domain), "%s", domain);
	out->local_len = strlen("postmaster");
}

const struct answer *admit_recipient(const struct conf *conf, bool is_trusted,
				     struct address *recipient)
{
	if (is_our_postmaster(conf, recipient)) {
		admit_postmaster(conf, recipient);
		return NULL;
	}
	if (recipient->is_literal && !conf->address_literals)
		return &literal;
	if (is_trusted || rules_match(&conf->relay_domains, recipient->domain))
		return NULL;
	return &denied;
}
