/*
 * Name constraints.  Understood: host names, mail addresses, IP addresses
 * and directory names.  A leaf without dNSName is judged by its CN as if
 * that were one, because it is used as one.
 */
#include "tls/constraints.h"

#include "tls/der.h"

#include <string.h>

/* `name` ends in `base`; the bytes before it decide nothing. */
static bool ends_fold(struct view name, struct view base)
{
	return name.len >= base.len &&
	       view_equal_fold(view_from(name, name.len - base.len), base);
}

/* "example.com": that host and what lies below; ".example.com": only
 * below; "": everything. */
static bool host_inside(struct view name, struct view base)
{
	if (base.len == 0)
		return true;
	/* a constraint's trailing dot and a name's mean nothing */
	if (name.len && name.at[name.len - 1] == '.')
		name.len--;
	if (!ends_fold(name, base))
		return false;
	return name.len == base.len || base.at[0] == '.' ||
	       name.at[name.len - base.len - 1] == '.';
}

/* "a@example.com": that mailbox; "example.com": all of that host;
 * ".example.com": of all hosts below. */
static bool mail_inside(struct view name, struct view base)
{
	size_t at = view_index(name, '@');

	if (view_index(base, '@') < base.len)
		return view_equal_fold(name, base);
	if (at == name.len)
		return false;
	name = view_from(name, at + 1);
	if (base.len && base.at[0] == '.')
		return host_inside(name, base);
	return base.len == 0 || view_equal_fold(name, base);
}

static bool address_inside(struct view name, struct view base)
{
	size_t i;

	if (base.len != 2 * name.len)
		return false;
	for (i = 0; i < name.len; i++)
		if ((name.at[i] ^ base.at[i]) & base.at[name.len + i])
			return false;
	return true;
}

/* The base's relative names are the first ones of the name. */
static bool directory_inside(struct view name, struct view base)
{
	struct der a, b;

	if (der_expect(&name, DER_SEQUENCE, &a) < 0 ||
	    der_expect(&base, DER_SEQUENCE, &b) < 0)
		return false;
	return a.content.len >= b.content.len &&
	       view_equal(view_first(a.content, b.content.len), b.content);
}

enum inside { INSIDE, OUTSIDE, NOT_UNDERSTOOD };

static enum inside is_inside(unsigned tag, struct view name, struct view base)
{
	bool inside;

	switch (tag) {
	case GENERAL_DNS: inside = host_inside(name, base); break;
	case GENERAL_MAIL: inside = mail_inside(name, base); break;
	case GENERAL_IP: inside = address_inside(name, base); break;
	case GENERAL_DIRECTORY: inside = directory_inside(name, base); break;
	default: return NOT_UNDERSTOOD;
	}
	return inside ? INSIDE : OUTSIDE;
}

struct tally {
	bool is_constrained; /* a subtree of this kind stands there */
	bool has_match;
	bool is_unclear;
};

/* One name against a list of subtrees. */
static struct tally weigh(struct view subtrees, unsigned tag, struct view name)
{
	struct tally tally = { 0 };
	struct der subtree, base, bounds;
	int got;

	while ((got = der_next(&subtrees, &subtree)) > 0) {
		if (subtree.tag != DER_SEQUENCE ||
		    der_next(&subtree.content, &base) != 1) {
			tally.is_unclear = true;
			continue;
		}
		if (base.tag != tag)
			continue;
		tally.is_constrained = true;
		/* minimum and maximum must not be used (4.2.1.10) */
		if (der_next(&subtree.content, &bounds) != 0)
			tally.is_unclear = true;
		switch (is_inside(tag, name, base.content)) {
		case INSIDE: tally.has_match = true; break;
		case NOT_UNDERSTOOD: tally.is_unclear = true; break;
		case OUTSIDE: break;
		}
	}
	if (got < 0)
		tally.is_unclear = true;
	return tally;
}

static bool allows(const struct cert *ca, unsigned tag, struct view name)
{
	struct tally yes = weigh(ca->permitted, tag, name);
	struct tally no = weigh(ca->excluded, tag, name);

	if (yes.is_unclear || no.is_unclear || no.has_match)
		return false;
	return !yes.is_constrained || yes.has_match;
}

/* "*.example.com" may be used for any name right below: one of those that
 * is excluded excludes the star. */
static bool star_meets_excluded(struct view subtrees, struct view name)
{
	struct der subtree, base;

	if (name.len < 2 || name.at[0] != '*')
		return false;
	while (der_next(&subtrees, &subtree) > 0)
		if (der_next(&subtree.content, &base) == 1 &&
		    base.tag == GENERAL_DNS &&
		    ends_fold(base.content, view_from(name, 1)))
			return true;
	return false;
}

static bool allows_host(const struct cert *ca, struct view name)
{
	return allows(ca, GENERAL_DNS, name) &&
	       !star_meets_excluded(ca->excluded, name);
}

static bool allows_cn(const struct cert *ca, const struct cert *below)
{
	struct buffer cn = { 0 };
	bool allowed = true;

	if (cert_name(below->subject, false, &cn))
		allowed = allows_host(ca, buffer_view(&cn));
	buffer_clear(&cn);
	return allowed;
}

bool constraints_allow(const struct cert *ca, const struct cert *below)
{
	struct view rest = below->alt_names;
	struct view subject = below->subject;
	struct der name, list;
	bool has_dns = false;

	if (!ca->has_name_constraints)
		return true;
	while (der_next(&rest, &name) > 0) {
		bool is_dns = name.tag == GENERAL_DNS;

		has_dns = has_dns || is_dns;
		if (is_dns ? !allows_host(ca, name.content)
			   : !allows(ca, name.tag, name.content))
			return false;
	}
	if (der_expect(&subject, DER_SEQUENCE, &list) < 0 ||
	    (list.content.len &&
	     !allows(ca, GENERAL_DIRECTORY, below->subject)))
		return false;
	return has_dns || below->is_ca || allows_cn(ca, below);
}
