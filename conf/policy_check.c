/*
 * That a policy holds together.  One that asks for something which its
 * level does not check must not start, for its operator believes to be
 * safe; nor one whose partner could never meet it.
 */
#include "conf/sections.h"

static const char *const words[] = {
	[TLS_NONE] = "none",
	[TLS_MAY] = "may",
	[TLS_ENCRYPT] = "encrypt",
	[TLS_VERIFY] = "verify",
};

/* Certificates are judged: to some effect, or as a dry run. */
static bool judges(const struct policy *policy)
{
	return policy->tls == TLS_VERIFY || policy->would == TLS_VERIFY;
}

/* Where an option of this section stands, or the section itself. */
static struct place place_of(const struct section *section, const char *name)
{
	const struct setting *setting = section_find(section, name);

	return setting ? setting->at : section->at;
}

/* What only `verify` checks must not be asked of a lower level. */
static int check_level(struct reading *r, const struct section *section,
		       const struct policy *policy)
{
	static const char *const demands[] = { "names", "issuer", "trust",
					       "pins", "mx" };

	for (size_t i = 0; i < sizeof(demands) / sizeof(*demands); i++)
		if (!judges(policy) && section_find(section, demands[i]))
			return option_fault(r, place_of(section, demands[i]),
					    "%s asks for what tls = %s does "
					    "not check; write tls = verify, "
					    "or leave %s out", demands[i],
					    words[policy->tls],
					    demands[i]);
	/* A dry run proves nothing. */
	if (policy->tls != TLS_VERIFY && (policy->user || policy->password))
		return option_fault(r, place_of(section, policy->user ?
						"user" : "password-file"),
				    "credentials may only go to a host that "
				    "tls = verify has proven; this policy says "
				    "tls = %s", words[policy->tls]);
	return 0;
}

static int check_gateways(struct reading *r, const struct section *section,
			  const struct policy *policy)
{
	struct place at = place_of(section, "gateways");

	if (policy->gateway_count && policy->names_mx)
		return option_fault(r, place_of(section, "names"), "names = "
				    "{ mx } trusts MX names, but with gateways "
				    "none are looked up; name what the "
				    "certificate bears");
	if (policy->gateway_count && policy->mx.count)
		return option_fault(r, place_of(section, "mx"), "mx says which "
				    "MX hosts to use, but with gateways none "
				    "are looked up; leave one of them out");
	for (size_t i = 0; i < policy->gateway_count; i++) {
		const struct gateway *gateway = &policy->gateways[i];

		if (gateway->is_tls_first && policy->tls == TLS_NONE)
			return option_fault(r, at, "gateway %s port %u speaks "
					    "TLS from the first byte, but this "
					    "policy says tls = none",
					    gateway->host,
					    (unsigned)gateway->port);
		if (gateway->is_address && judges(policy) &&
		    !policy->names.count && !policy->pin_count)
			return option_fault(r, at, "gateway %s is an address, "
					    "so verify needs names (what the "
					    "certificate bears) or pins",
					    gateway->host);
		if (gateway->is_address && policy->family &&
		    policy->family != gateway->address.sa.any.sa_family)
			return option_fault(r, place_of(section, "family"),
					    "family excludes the gateway %s",
					    gateway->host);
	}
	return 0;
}

static int check_dry_run(struct reading *r, const struct section *section,
			 const struct policy *policy)
{
	if (!policy->would || policy->tls == TLS_MAY ||
	    policy->tls == TLS_ENCRYPT)
		return 0;
	return option_fault(r, place_of(section, "would"), "would = verify is "
			    "a dry run beside tls = may or encrypt; this "
			    "policy says tls = %s", words[policy->tls]);
}

static int check_failure(struct reading *r, const struct section *section,
			 const struct policy *policy)
{
	uint32_t lifetime = policy->has_lifetime ? policy->lifetime :
						   r->conf->lifetime;
	struct place at = place_of(section, "on-failure");

	if (policy->bounce_after && policy->tls < TLS_ENCRYPT && !policy->would)
		return option_fault(r, at, "on-failure is about TLS that is "
				    "missing, and tls = %s goes on without; "
				    "write tls = encrypt or verify, or leave "
				    "on-failure out", words[policy->tls]);
	if (policy->bounce_after >= lifetime)
		return option_fault(r, at, "mail is given up after its "
				    "lifetime, %us, in any case; bounce-after "
				    "must be less", (unsigned)lifetime);
	return 0;
}

static int check_inbound(struct reading *r, const struct section *section,
			 const struct policy *policy)
{
	if (policy->inbound_names.count &&
	    policy->inbound != INBOUND_TLS_VERIFY)
		return option_fault(r, place_of(section, "inbound-names"),
				    "inbound-names says what clients must "
				    "bear, which only inbound = verify asks");
	if (policy->inbound == INBOUND_TLS_VERIFY && !policy->names.count &&
	    !policy->inbound_names.count && !policy->pin_count)
		return option_fault(r, place_of(section, "inbound"),
				    "inbound = verify needs inbound-names or "
				    "names (what the certificates of the "
				    "partner's clients bear) or pins");
	return 0;
}

int policy_check(struct reading *r, const struct section *section,
			const struct policy *policy)
{
	int source = policy->source.sa.any.sa_family;

	if (!policy->user != !policy->password)
		return option_fault(r, place_of(section, policy->user ?
						"user" : "password-file"),
				    "user and password-file go together; %s is "
				    "missing", policy->user ? "password-file" :
							      "user");
	if (source && policy->family && source != policy->family)
		return option_fault(r, place_of(section, "source"), "source is "
				    "of another family than family says");
	if (policy->certificate && policy->tls == TLS_NONE)
		return option_fault(r, place_of(section, "certificate"),
				    "certificate is shown in TLS, but this "
				    "policy says tls = none");
	if (check_dry_run(r, section, policy) ||
	    check_level(r, section, policy) ||
	    check_failure(r, section, policy) ||
	    check_inbound(r, section, policy))
		return -1;
	return check_gateways(r, section, policy);
}
