/*
 * Checks of a snapshot that need the libraries: done by the loader and by
 * `config check`, so that no later process meets a file that it cannot
 * use.
 */
#include "relay/vet.h"

#include "relay/resolver_context.h"
#include "tls/context.h"

static int vet_certificate(const struct certificate *certificate,
			   struct error *error)
{
	if (!tls_check_pair(certificate->chain.bytes, certificate->key.bytes,
			    error))
		return 0;
	return error_prefix(error, "%s: %s with key %s", certificate->where,
			    certificate->chain.path, certificate->key.path);
}

static int vet_trust(const struct conf_blob *trust, struct error *error)
{
	size_t count;

	if (!trust->path || !tls_check_trust(trust->bytes, &count, error))
		return 0;
	return error_prefix(error, "%s", trust->path);
}

static int vet_anchor(const struct conf_blob *anchor, struct error *error)
{
	if (!anchor->path || !context_check_anchor(anchor->bytes, error))
		return 0;
	return error_prefix(error, "%s", anchor->path);
}

static int vet_lab(const struct lab *lab, struct error *error)
{
	for (size_t i = 0; i < lab->gateway_count; i++) {
		const struct listener *listener = &lab->gateways[i].listener;

		if (listener->certificate &&
		    vet_certificate(listener->certificate, error))
			return -1;
	}
	return 0;
}

int vet_conf(const struct conf *conf, struct error *error)
{
	for (size_t i = 0; i < conf->certificate_count; i++)
		if (vet_certificate(&conf->certificates[i], error))
			return -1;
	for (size_t i = 0; i < conf->policy_count; i++)
		if (vet_trust(&conf->policies[i].trust, error))
			return error_prefix(error, "%s: policy \"%s\"",
					    conf->policies[i].where,
					    conf->policies[i].title);
	if (vet_trust(&conf->system_trust, error))
		return -1;
	if (vet_anchor(&conf->root_anchor, error))
		return error_prefix(error, "%s: root-anchor", conf->path);
	for (size_t i = 0; i < conf->zone_count; i++)
		if (vet_anchor(&conf->zones[i].anchor, error))
			return error_prefix(error, "%s: zone \"%s\"",
					    conf->zones[i].where,
					    conf->zones[i].name);
	for (size_t i = 0; i < conf->lab_count; i++)
		if (vet_lab(&conf->labs[i], error))
			return -1;
	return 0;
}
