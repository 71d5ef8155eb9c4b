/*
 * Tables and lines of configuration, to be copied from a terminal.
 */
#include "relay/lab/announce.h"

#include <string.h>

#include "relay/lab/mint.h"
#include "relay/lab/services.h"

enum { NAME_WIDTH = 30 };

/* A zone of its own: below none of the others. */
static bool is_apex(const struct lab *section, size_t number)
{
	const char *domain = section->domains.at[number];
	size_t len = strlen(domain);

	for (size_t i = 0; i < section->domains.count; i++) {
		const char *other = section->domains.at[i];
		size_t other_len = strlen(other);

		if (other_len < len && domain[len - other_len - 1] == '.' &&
		    !strcmp(domain + len - other_len, other))
			return false;
	}
	return true;
}

static void say_gateways(const struct lab_at_work *lab,
			 const struct lab *section, FILE *out)
{
	fprintf(out, "  %-24s %-22s %-5s faults\n", "gateway", "address", "MX");
	for (size_t i = 0; i < lab->count; i++) {
		const struct gateway_at_work *g = &lab->gateways[i];
		char address[NET_TEXT_MAX];
		struct buffer faults = { 0 };

		if (g->section != section)
			continue;
		net_text_port(&g->address, address);
		for (size_t k = 0; k < faults_count(g->faults); k++) {
			buffer_printf(&faults, k ? ", " : "");
			fault_print(faults_at(g->faults, k), &faults);
		}
		if (!buffer_len(&faults))
			buffer_append_byte(&faults, '-');
		fprintf(out, "  %-24s %-22s %-5u %.*s\n", g->as_written->name,
			address, g->as_written->preference,
			(int)buffer_len(&faults),
			(const char *)buffer_view(&faults).at);
		buffer_clear(&faults);
	}
}

/* The first gateway, to which a client without DNS is sent. */
static const struct gateway_at_work *first_of(const struct lab_at_work *lab,
					      const struct lab *section)
{
	size_t i = 0;

	while (lab->gateways[i].section != section)
		i++;
	return &lab->gateways[i];
}

static void say_places(const struct lab *section, const char *root,
		       const struct services *services, FILE *out)
{
	const struct net_address *dns = services_dns(services);
	const struct net_address *page = services_page(services);
	char text[NET_TEXT_MAX];

	fprintf(out, "\n  root certificate  %s\n", root);
	if (dns) {
		net_text_port(dns, text);
		fprintf(out, "  DNS               %s, anchor %s/%s\n", text,
			section->store, SERVICES_ANCHOR);
	}
	fprintf(out, "  mail              %s (a Maildir)\n", section->store);
	if (page) {
		net_text_port(page, text);
		fprintf(out, "  page              http://%s/\n", text);
	}
}

static void say_policy(const struct lab *section, size_t number,
		       const char *root, FILE *out)
{
	fprintf(out, "    policy \"*.%s\" {\n        tls    = verify\n"
		"        names  = { %s }\n        issuer = \"%s\"\n"
		"        trust  = \"%s\"\n    }\n",
		section->domains.at[number],
		section->gateways[0].names.at[0], section->ca, root);
}

static void say_postern(const struct lab *section, const char *root,
			const struct gateway_at_work *first,
			const struct net_address *dns, FILE *out)
{
	char text[NET_TEXT_MAX];

	fprintf(out, "\nPostern, in its configuration:\n"
		"    mx-port   = %u\n    mx-ignore = { }\n",
		net_port(&first->address));
	net_text_port(dns, text);
	for (size_t i = 0; i < section->domains.count; i++)
		if (is_apex(section, i))
			fprintf(out, "    zone \"%s\" { servers = { \"%s\" }  "
				"anchor = \"%s/%s\" }\n",
				section->domains.at[i], text, section->store,
				SERVICES_ANCHOR);
	for (size_t i = 0; i < section->domains.count; i++)
		if (is_apex(section, i))
			say_policy(section, i, root, out);
}

/* Postfix takes no port from its DNS: it is sent to the first gateway. */
static void say_others(const struct lab *section, const char *root,
		       const struct gateway_at_work *first, FILE *out)
{
	const char *name = first->as_written->names.at[0];
	const char *domain = section->domains.count ?
				     section->domains.at[0] :
				     first->as_written->name;
	char host[NET_TEXT_MAX], address[NET_TEXT_MAX];
	unsigned port = net_port(&first->address);

	net_text(&first->address, host);
	net_text_port(&first->address, address);
	fprintf(out, "\nPostfix, in main.cf:\n"
		"    transport_maps = inline:{ { %s = smtp:[%s]:%u } }\n"
		"    smtp_tls_policy_maps = inline:{ { [%s]:%u = "
		"secure match=%s } }\n"
		"    smtp_tls_CAfile = %s\n",
		domain, host, port, host, port, name, root);
	fprintf(out, "\nswaks:\n"
		"    swaks --server %s --to you@%s --tls --tls-verify \\\n"
		"          --tls-ca-path %s\n",
		address, domain, root);
}

void announce(const struct lab_at_work *lab, FILE *out)
{
	for (size_t i = 0; i < lab->conf->lab_count; i++) {
		const struct lab *section = &lab->conf->labs[i];
		const struct services *services = lab->services[i];
		const struct gateway_at_work *first = first_of(lab, section);
		const char *root = mint_root_path(lab->mints[i]);

		fprintf(out, "The lab \"%s\" is ready.\n\n", section->title);
		say_gateways(lab, section, out);
		say_places(section, root, services, out);
		if (services_dns(services))
			say_postern(section, root, first,
				    services_dns(services), out);
		say_others(section, root, first, out);
		fprintf(out, "\n");
	}
	fprintf(out, "Faults: postern lab --faults; "
		"postern lab set %s expired. Ctrl-C ends.\n",
		lab->gateways[lab->count - 1].as_written->name);
	fflush(out);
}

static void say_fault(enum fault_kind kind, FILE *out)
{
	const struct fault_about *about = fault_about(kind);
	char name[NAME_WIDTH * 2];

	(void)snprintf(name, sizeof(name), "%s%s", about->name,
		       about->unit ? " [N]" : "");
	fprintf(out, "  %-*s  %s", NAME_WIDTH + 4, name, about->meaning);
	if (about->unit)
		fprintf(out, " (N: %s, %u unless said)", about->unit,
			about->number);
	fprintf(out, "\n");
}

void announce_faults(FILE *out)
{
	int class = -1;

	for (enum fault_kind kind = 0; kind < FAULT_COUNT; kind++) {
		const struct fault_about *about = fault_about(kind);

		if ((int)about->class != class)
			fprintf(out, "%s%s\n", class < 0 ? "" : "\n",
				fault_class_name(about->class));
		class = (int)about->class;
		say_fault(kind, out);
	}
	fprintf(out, "\nBehind it, in any order: first N, every N, from "
		"PATTERN, to PATTERN, at STEP.\nSteps:");
	for (enum fault_step step = STEP_ANY + 1; step < STEP_COUNT; step++)
		fprintf(out, " %s", fault_step_name(step));
	fprintf(out, "\n");
}
