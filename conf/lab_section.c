/*
 * The `lab` sections: which gateways are played, where, and with which
 * faults.
 */
#include "conf/sections.h"

#include "conf/addr.h"

#include <stdlib.h>
#include <string.h>

enum { PORT_DNS = 53, PORT_PAGE = 8025, PREFERENCE_STEP = 10, CA_MAX = 64 };

#define LAB(member) .at = offsetof(struct lab, member)
#define GATEWAY(member) .at = offsetof(struct lab_gateway, member)

static option_set set_listen, set_faults, set_hosts, set_place;

static const struct option lab_options[] = {
	{ "domains", set_hosts, LAB(domains) },
	/* X.520 ub-common-name */
	{ "ca", set_text, LAB(ca), .max = CA_MAX },
	{ "dns", set_place, LAB(dns), .max = PORT_DNS },
	{ "http", set_place, LAB(http), .max = PORT_PAGE },
	{ "store", set_path, LAB(store) },
	{ "fault", set_faults, LAB(faults),
	  .count_at = offsetof(struct lab, fault_count) },
	{ .name = NULL },
};

static const struct option gateway_options[] = {
	{ "listen", set_listen, GATEWAY(listener) },
	{ "preference", set_port, GATEWAY(preference), .max = UINT16_MAX },
	{ "names", set_hosts, GATEWAY(names) },
	{ "tls", set_choice, GATEWAY(listener.tls), .by_default = "may",
	  .choices = listen_levels },
	{ "chain", set_file, GATEWAY(certificate.chain) },
	{ "key", set_file, GATEWAY(certificate.key) },
	{ "fault", set_faults, GATEWAY(faults),
	  .count_at = offsetof(struct lab_gateway, fault_count) },
	{ .name = NULL },
};

static const struct grammar *const none[] = { NULL };
static const struct grammar gateway_grammar = { "gateway", gateway_options,
						none };
static const struct grammar *const in_lab[] = { &gateway_grammar, NULL };

const struct grammar lab_grammar = { "lab", lab_options, in_lab };

static void *field(void *base, size_t offset)
{
	return (char *)base + offset;
}

static int set_listen(struct reading *r, const struct option *option,
		      const struct setting *setting, void *base)
{
	const struct word *word = option_word(r, option, setting);

	return word ? listener_parse(r, word->at, word->text,
				     field(base, option->at)) : -1;
}

/* An address of ours, whose port the kernel may choose (0). */
static int set_place(struct reading *r, const struct option *option,
		     const struct setting *setting, void *base)
{
	const struct word *word = option_word(r, option, setting);

	if (word && net_parse_port(view_of(word->text), (uint16_t)option->max,
				   field(base, option->at)))
		return option_wrong(r, option, word, "must be an address, with "
				    "a port if need be, as in 127.0.5.53:5300 "
				    "or [::1]:5300");
	return word ? 0 : -1;
}

/* Canonical names, in the order in which they are written. */
static int set_hosts(struct reading *r, const struct option *option,
		     const struct setting *setting, void *base)
{
	char host[ADDR_DOMAIN_MAX + 1];
	struct error why;

	for (size_t i = 0; i < setting->count; i++) {
		const struct word *word = &setting->words[i];

		if (domain_canonical(view_of(word->text), host, &why))
			return option_wrong(r, option, word, "must be a domain "
					    "or host; %s", why.text);
		strings_add(field(base, option->at), must_strdup(host));
	}
	return 0;
}

static int set_faults(struct reading *r, const struct option *option,
		      const struct setting *setting, void *base)
{
	struct fault **faults = field(base, option->at);
	size_t *count = field(base, option->count_at);
	struct error why;

	*faults = must_alloc(setting->count * sizeof(**faults));
	for (size_t i = 0; i < setting->count; i++) {
		const struct word *word = &setting->words[i];

		if (fault_parse(view_of(word->text), &(*faults)[*count], &why))
			return option_wrong(r, option, word, "%s", why.text);
		(*count)++;
	}
	return 0;
}

static int read_name(struct reading *r, const struct section *section,
		     struct lab_gateway *gateway)
{
	char host[ADDR_DOMAIN_MAX + 1];
	struct error why;

	if (domain_canonical(view_of(section->title), host, &why))
		return option_fault(r, section->at, "gateway \"%.100s\": must "
				    "be a host name; %s", section->title,
				    why.text);
	gateway->name = must_strdup(host);
	gateway->where = place_text(section->at);
	return 0;
}

static int read_gateway(struct reading *r, const struct section *section,
			struct lab *lab)
{
	struct lab_gateway *gateway = &lab->gateways[lab->gateway_count++];

	gateway->preference =
		(uint16_t)(PREFERENCE_STEP * lab->gateway_count);
	if (read_name(r, section, gateway) ||
	    options_apply(r, gateway_options, section, gateway) ||
	    certificate_check(r, section, &gateway->certificate))
		return -1;
	if (!gateway->listener.title)
		return option_fault(r, section->at, "gateway \"%s\" has no "
				    "listen; write listen = \"127.0.0.1:0\"",
				    section->title);
	if (!gateway->names.count)
		strings_add(&gateway->names,
			    must_strdup(lab->gateways[0].name));
	if (gateway->certificate.chain.path) {
		gateway->certificate.title = must_strdup(section->title);
		gateway->certificate.where = place_text(section->at);
		gateway->listener.certificate = &gateway->certificate;
	}
	return 0;
}

static const struct lab_gateway *find_twin(const struct conf *conf,
					   const struct lab_gateway *gateway)
{
	for (size_t i = 0; i < conf->lab_count; i++)
		for (size_t k = 0; k < conf->labs[i].gateway_count; k++) {
			const struct lab_gateway *g =
				&conf->labs[i].gateways[k];

			if (g == gateway)
				return NULL;
			if (!strcmp(g->name, gateway->name))
				return g;
		}
	return NULL;
}

/* Gateways are called by their names while the lab runs, whichever lab they
 * are of; two labs in one folder would overwrite each other's files. */
static int check_alone(struct reading *r, const struct section *section,
		       const struct lab *lab)
{
	for (size_t i = 0; i < lab->gateway_count; i++) {
		const struct lab_gateway *g = &lab->gateways[i];
		const struct lab_gateway *twin = find_twin(r->conf, g);

		if (twin)
			return error_set(r->error, "%s: gateway \"%s\" was "
					 "given at %s; give it another name",
					 g->where, g->name, twin->where);
	}
	for (const struct lab *other = r->conf->labs; other != lab; other++)
		if (!strcmp(other->store, lab->store))
			return option_fault(r, section->at, "lab \"%s\" has "
					    "the store of lab \"%s\" at %s; "
					    "give each its own folder",
					    lab->title, other->title,
					    other->where);
	return 0;
}

static int check_lab(struct reading *r, const struct section *section,
		     const struct lab *lab)
{
	if (!lab->gateway_count)
		return option_fault(r, section->at, "lab \"%s\" needs a "
				    "gateway \"NAME\" { ... }", lab->title);
	if (lab->dns.sa.any.sa_family && !lab->domains.count)
		return option_fault(r, section->at, "lab \"%s\" has dns and no "
				    "domains to answer for; write domains = "
				    "{ example.com }", lab->title);
	for (size_t i = 0; i < lab->fault_count; i++)
		if (fault_about(lab->faults[i].kind)->class != FAULT_DNS)
			return option_fault(r, section_find(section, "fault")
					    ->at, "%s is no fault of the DNS; "
					    "it belongs to a gateway",
					    fault_about(lab->faults[i].kind)
					    ->name);
	return check_alone(r, section, lab);
}

static int read_lab(struct reading *r, const struct section *section,
		    struct lab *lab)
{
	const struct section *inner;
	size_t at = 0;

	lab->title = must_strdup(section->title);
	lab->where = place_text(section->at);
	lab->gateways = must_alloc(sections_count(section, "gateway") *
				   sizeof(*lab->gateways));
	if (options_apply(r, lab_options, section, lab))
		return -1;
	if (!lab->store)
		lab->store = files_beside(section->at.file, "lab-mail");
	if (!lab->ca)
		lab->ca = must_strdup("Postern Lab CA");
	while ((inner = sections_next(section, "gateway", &at)))
		if (read_gateway(r, inner, lab))
			return -1;
	return check_lab(r, section, lab);
}

int labs_read(struct reading *r, const struct section *root)
{
	struct conf *conf = r->conf;
	const struct section *section;
	size_t at = 0;

	conf->labs = must_alloc(sections_count(root, "lab") *
				sizeof(*conf->labs));
	while ((section = sections_next(root, "lab", &at)))
		if (read_lab(r, section, &conf->labs[conf->lab_count++]))
			return -1;
	return 0;
}

static void clear_faults(struct fault *faults, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fault_clear(&faults[i]);
	free(faults);
}

static void clear_gateway(struct lab_gateway *gateway)
{
	free(gateway->name);
	free(gateway->where);
	strings_clear(&gateway->names);
	listener_clear(&gateway->listener);
	certificate_clear(&gateway->certificate);
	clear_faults(gateway->faults, gateway->fault_count);
}

void lab_clear(struct lab *lab)
{
	for (size_t i = 0; i < lab->gateway_count; i++)
		clear_gateway(&lab->gateways[i]);
	free(lab->gateways);
	clear_faults(lab->faults, lab->fault_count);
	strings_clear(&lab->domains);
	free(lab->title);
	free(lab->where);
	free(lab->ca);
	free(lab->store);
}
