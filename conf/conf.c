/*
 * The whole configuration: the options that stand outside of sections, the
 * defaults that come from the system, and the reading from file to
 * snapshot.
 */
#include "conf/sections.h"

#include "conf/addr.h"
#include "conf/rules.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(member) .at = offsetof(struct conf, member)
#define ARRAY(member, count) \
	AT(member), .count_at = offsetof(struct conf, count)

enum {
	PORT_DNS = 53,
	DAY = 24 * 3600,
	YEAR = 365 * DAY,
	COUNT_MAX = 1000000,
};

#define MIB ((uint64_t)1024 * 1024)

static const struct choice dnssec_modes[] = {
	{ "auto",     DNSSEC_AUTO     },
	{ "required", DNSSEC_REQUIRED },
	{ "off",      DNSSEC_OFF      },
	{ NULL,	      0		      },
};
static const struct choice log_formats[] = {
	{ "text", LOG_TEXT },
	{ "json", LOG_JSON },
	{ NULL,	  0	   },
};
static const struct choice log_levels[] = {
	{ "debug",   LOG_DEBUG	 },
	{ "info",    LOG_INFO	 },
	{ "notice",  LOG_NOTICE	 },
	{ "warning", LOG_WARNING },
	{ "error",   LOG_ERROR	 },
	{ NULL,	     0		 },
};

/* Loopback, unspecified, link-local, multicast, broadcast. */
#define MX_IGNORE                                             \
	"127.0.0.0/8 0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 " \
	"255.255.255.255 ::1 :: fe80::/10 ff00::/8"

static const struct option options[] = {
	{ "hostname", set_host, AT(hostname) },
	{ "spool", set_path, AT(spool), "/var/spool/postern" },
	{ "spool-size", set_size, AT(spool_size), "1G", 4 * MIB,
	  1024 * 1024 * MIB },
	{ "user", set_text, AT(user), .max = 255 },
	{ "postmaster", set_mailbox, AT(postmaster) },
	{ "workers", set_count, AT(workers), "1", 1, 256 },

	{ "resolver", set_addresses, ARRAY(resolvers, resolver_count),
	  .max = PORT_DNS },
	{ "dnssec", set_choice, AT(dnssec), "auto", .choices = dnssec_modes },
	{ "root-anchor", set_file, AT(root_anchor) },
	{ "mx-ignore", set_blocks, ARRAY(mx_ignore, mx_ignore_count),
	  .by_default = MX_IGNORE },
	{ "own-addresses", set_addresses,
	  ARRAY(own_addresses, own_address_count) },
	{ "mx-port", set_port, AT(mx_port), "25", 1, UINT16_MAX },
	{ "address-literals", set_flag, AT(address_literals), "no" },

	{ "relay-from", set_blocks, ARRAY(relay_from, relay_from_count),
	  .by_default = "127.0.0.0/8 ::1" },
	{ "relay-domains", set_patterns, AT(relay_domains) },

	{ "retry-first", set_seconds, AT(retry_first), "60s", 1, 7 * DAY },
	{ "retry-max", set_seconds, AT(retry_max), "1h", 1, 7 * DAY },
	{ "lifetime", set_seconds, AT(lifetime), "5d", 1, YEAR },
	{ "delay-notice", set_seconds, AT(delay_notice), "4h", 0, YEAR },

	{ "message-size", set_size, AT(max_message), "35M", 64 * 1024,
	  2048 * MIB },
	{ "max-recipients", set_count, AT(max_recipients), "1000", 100,
	  COUNT_MAX },
	{ "max-line", set_count, AT(max_line), "1000", 1000, 1024 * 1024 },
	{ "max-hops", set_count, AT(max_hops), "100", 1, 1000 },
	{ "max-sessions", set_count, AT(max_sessions), "1000", 1, COUNT_MAX },
	{ "max-sessions-per-client", set_count, AT(max_sessions_per_client),
	  "50", 1, COUNT_MAX },
	{ "max-outbound", set_count, AT(max_outbound), "200", 1, COUNT_MAX },
	{ "max-per-destination", set_count, AT(max_per_destination), "20", 1,
	  COUNT_MAX },
	{ "connection-idle", set_seconds, AT(connection_idle), "10s", 0, DAY },
	{ "connection-messages", set_count, AT(connection_messages), "100", 1,
	  COUNT_MAX },
	{ "max-errors", set_count, AT(max_errors), "20", 1, COUNT_MAX },
	{ "stop-limit", set_seconds, AT(stop_limit), "30s", 0, DAY },

	{ "timeout-connect", set_seconds, AT(timeout_connect), "30s", 1, DAY },
	{ "timeout-greeting", set_seconds, AT(timeout_greeting), "60s", 1,
	  DAY },
	{ "timeout-starttls", set_seconds, AT(timeout_starttls), "60s", 1,
	  DAY },
	{ "timeout-command", set_seconds, AT(timeout_command), "300s", 1, DAY },
	{ "timeout-data", set_seconds, AT(timeout_data), "120s", 1, DAY },
	{ "timeout-block", set_seconds, AT(timeout_block), "180s", 1, DAY },
	{ "timeout-dot", set_seconds, AT(timeout_dot), "600s", 1, DAY },
	{ "timeout-idle", set_seconds, AT(timeout_idle), "300s", 1, DAY },

	{ "log-format", set_choice, AT(log_format), "text",
	  .choices = log_formats },
	{ "log-level", set_choice, AT(log_level), "info",
	  .choices = log_levels },
	{ .name = NULL },
};

static const struct grammar *const sections[] = {
	&certificate_grammar, &listen_grammar, &policy_grammar,
	&zone_grammar,	      &lab_grammar,    NULL,
};
static const struct grammar grammar = { "root", options, sections };

static int find_hostname(struct reading *r)
{
	char name[256] = "", host[ADDR_DOMAIN_MAX + 1];
	struct error why;

	if (gethostname(name, sizeof(name) - 1) || !strchr(name, '.') ||
	    domain_canonical(view_of(name), host, &why))
		return error_set(r->error, "%s:1: this machine's name \"%s\" is "
				 "no full host name; write hostname = "
				 "HOST.DOMAIN", r->conf->path, name);
	r->conf->hostname = must_strdup(host);
	return 0;
}

static void add_resolver(struct conf *conf, struct view text)
{
	struct net_address address;

	/* fe80::1%eth0: the interface cannot be named to libunbound. */
	if (net_parse(text, &address))
		return;
	net_set_port(&address, PORT_DNS);
	conf->resolvers = must_realloc(conf->resolvers,
				       (conf->resolver_count + 1) *
					       sizeof(*conf->resolvers));
	conf->resolvers[conf->resolver_count++] = address;
}

/* The system's; read through `files`, so that a child sees the same. */
static void find_resolvers(struct reading *r)
{
	struct conf *conf = r->conf;
	struct view rest;
	struct error ignored;

	conf->resolver_is_default = true;
	if (!files_get(r->files, "/etc/resolv.conf", &rest, &ignored)) {
		conf->generation = hash_bytes(conf->generation, rest);
		while (rest.len) {
			struct view line = view_trim(view_cut(&rest, '\n'));
			struct view address = view_from(line, 10);

			if (view_starts_fold(line, VIEW("nameserver")) &&
			    address.len && (address.at[0] == ' ' ||
					    address.at[0] == '\t'))
				add_resolver(conf, view_trim(address));
		}
	}
	if (!conf->resolver_count)
		add_resolver(conf, VIEW("127.0.0.1"));
}

/* Pins alone prove the key, and ask for no chain. */
static bool needs_roots(const struct policy *policy)
{
	bool is_judging = policy->tls == TLS_VERIFY ||
			  policy->would == TLS_VERIFY ||
			  policy->inbound == INBOUND_TLS_VERIFY;
	bool is_pins_only = policy->pin_count && !policy->names.count &&
			    !policy->names_mx && !policy->issuer.count;

	return is_judging && !policy->trust.path && !is_pins_only;
}

/* Debian, Ubuntu, Arch, OpenWrt; Fedora, RHEL (twice); openSUSE; Alpine and
 * the BSDs; FreeBSD's port. */
static char *const root_places[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
	"/usr/local/share/certs/ca-root-nss.crt",
};

enum { ROOT_PLACES = sizeof(root_places) / sizeof(*root_places) };

int conf_system_roots(struct conf_files *files, struct conf_blob *out)
{
	struct error ignored;

	for (size_t i = 0; i < ROOT_PLACES; i++) {
		out->path = root_places[i];
		if (!files_get(files, out->path, &out->bytes, &ignored) &&
		    out->bytes.len)
			return 0;
	}
	*out = (struct conf_blob){ .path = NULL };
	return -1;
}

static int find_roots(struct reading *r)
{
	const struct policy *asking = NULL;

	for (size_t i = 0; i < r->conf->policy_count && !asking; i++)
		if (needs_roots(&r->conf->policies[i]))
			asking = &r->conf->policies[i];
	if (!asking)
		return 0;
	for (size_t i = 0; i < ROOT_PLACES; i++)
		if (!blob_read(r, root_places[i], &r->conf->system_trust))
			return 0;
	return error_set(r->error, "%s: policy \"%s\" wants certificates verified, but "
			 "this system has no root certificates (%s and the "
			 "like); install ca-certificates, or write trust = "
			 "FILE", asking->where, asking->title, root_places[0]);
}

static int check_times(struct reading *r, const struct section *root)
{
	const struct setting *setting = section_find(root, "retry-max");

	if (r->conf->retry_first <= r->conf->retry_max)
		return 0;
	if (!setting)
		setting = section_find(root, "retry-first");
	return option_fault(r, setting->at, "retry-max (%us) must not be below "
			    "retry-first (%us)", r->conf->retry_max,
			    r->conf->retry_first);
}

static int read_tree(struct reading *r, const struct section *root)
{
	if (options_apply(r, options, root, r->conf) ||
	    check_times(r, root) || certificates_read(r, root) ||
	    listeners_read(r, root) || zones_read(r, root) ||
	    policies_read(r, root) || labs_read(r, root))
		return -1;
	if (!r->conf->hostname && find_hostname(r))
		return -1;
	if (!r->conf->resolver_count)
		find_resolvers(r);
	return find_roots(r);
}

struct conf *conf_read(const char *path, struct conf_files *files,
		       struct error *error)
{
	struct conf *conf = must_alloc(sizeof(*conf));
	struct reading r = { .conf = conf, .files = files, .error = error };
	struct tree tree;
	int rc;

	conf->path = files_absolute(path);
	rc = tree_read(&tree, conf->path, files, &grammar, error);
	conf->generation = tree.hash;
	if (!rc)
		rc = read_tree(&r, &tree.root);
	tree_clear(&tree);
	if (rc) {
		conf_free(conf);
		return NULL;
	}
	return conf;
}

static void clear_arrays(struct conf *conf)
{
	for (size_t i = 0; i < conf->policy_count; i++)
		policy_clear(&conf->policies[i]);
	for (size_t i = 0; i < conf->certificate_count; i++)
		certificate_clear(&conf->certificates[i]);
	for (size_t i = 0; i < conf->listener_count; i++)
		listener_clear(&conf->listeners[i]);
	for (size_t i = 0; i < conf->zone_count; i++) {
		free(conf->zones[i].name);
		free(conf->zones[i].where);
		free(conf->zones[i].servers);
		blob_clear(&conf->zones[i].anchor);
	}
	for (size_t i = 0; i < conf->lab_count; i++)
		lab_clear(&conf->labs[i]);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	clear_arrays(conf);
	policy_clear(&conf->fallback);
	blob_clear(&conf->root_anchor);
	blob_clear(&conf->system_trust);
	strings_clear(&conf->relay_domains);
	free(conf->policies);
	free(conf->patterns);
	free(conf->certificates);
	free(conf->listeners);
	free(conf->zones);
	free(conf->labs);
	free(conf->resolvers);
	free(conf->mx_ignore);
	free(conf->own_addresses);
	free(conf->relay_from);
	free(conf->postmaster);
	free(conf->hostname);
	free(conf->spool);
	free(conf->user);
	free(conf->path);
	free(conf);
}
