/*
 * Certificate names.  The library's own matching is not used: it lets a
 * star stand deeper in the name, takes an address for a host name and cuts
 * a name at an embedded NUL.
 */
#include "tls/names.h"

#include "conf/addr.h"
#include "tls/der.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An address in a dNSName or a CN names no host. */
static bool is_address(const char *name)
{
	const char *last = strrchr(name, '.');

	last = last ? last + 1 : name;
	return *last && strspn(last, "0123456789") == strlen(last);
}

/* What domain_canonical() lets pass beyond LDH is looked at again here,
 * because a certificate's names come from strangers. */
static bool is_host_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "0123456789-_.";

	return *name && strspn(name, allowed) == strlen(name) &&
	       !is_address(name);
}

int names_canonical(struct view presented, char out[256])
{
	bool has_star = presented.len > 2 && presented.at[0] == '*' &&
			presented.at[1] == '.';
	char name[ADDR_DOMAIN_MAX + 1];
	struct error error;
	size_t i;

	for (i = 0; i < presented.len; i++)
		if (presented.at[i] <= ' ' || presented.at[i] == 0x7f)
			return -1;
	if (has_star)
		presented = view_from(presented, 2);
	if (domain_canonical(presented, name, &error) < 0 ||
	    !is_host_name(name) || strlen(name) > 253)
		return -1;
	(void)snprintf(out, 256, "%s%.253s", has_star ? "*." : "", name);
	return 0;
}

bool names_match(const char *presented, const char *reference)
{
	const char *below;

	if (strncmp(presented, "*.", 2) != 0)
		return *reference && strcmp(presented, reference) == 0;
	/* a star over a whole top-level domain names nobody */
	if (!strchr(presented + 2, '.'))
		return false;
	below = strchr(reference, '.');
	return below && below > reference &&
	       strcmp(presented + 1, below) == 0;
}

static void keep(struct tls_facts *facts, const char *name)
{
	if (facts->name_count == FACTS_NAMES_MAX) {
		facts->names_refused++;
		return;
	}
	/* few certificates bear more than a handful */
	if (facts->name_count % 8 == 0)
		facts->names = must_realloc(facts->names,
					    (facts->name_count + 8) *
						    sizeof(*facts->names));
	(void)snprintf(facts->names[facts->name_count++],
		       sizeof(*facts->names), "%s", name);
}

static void fill_cn(const struct cert *leaf, struct tls_facts *facts)
{
	struct buffer cn = { 0 };

	if (cert_name(leaf->subject, false, &cn) &&
	    names_canonical(buffer_view(&cn), facts->cn) < 0)
		facts->names_refused++;
	buffer_clear(&cn);
}

void names_fill(const struct cert *leaf, struct tls_facts *facts)
{
	struct view rest = leaf->alt_names;
	struct der name;
	char canonical[256];
	bool has_dns = false;

	while (der_next(&rest, &name) > 0) {
		if (name.tag != GENERAL_DNS)
			continue;
		has_dns = true;
		if (names_canonical(name.content, canonical) == 0)
			keep(facts, canonical);
		else
			facts->names_refused++;
	}
	if (has_dns) {
		size_t refused = facts->names_refused;

		/* the CN is only kept to explain a mismatch */
		fill_cn(leaf, facts);
		facts->names_refused = refused;
		return;
	}
	fill_cn(leaf, facts);
	facts->names_from_cn = true;
	if (facts->cn[0])
		keep(facts, facts->cn);
}
