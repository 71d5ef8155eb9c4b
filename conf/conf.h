/*
 * What the operator said: one immutable snapshot, read once from the
 * configuration file and every file that it names.  Nobody else reads an
 * option; nobody changes a snapshot.  Durations are in seconds, sizes in
 * bytes.  All strings are owned by the snapshot.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/error.h"
#include "conf/fault.h"
#include "conf/log.h"
#include "conf/net.h"

struct conf_files;

struct strings {
	char **at;
	size_t count;
	bool is_sorted; /* in the order of strcmp(): searched, not walked */
};

/* A file that the configuration names: where, and its bytes. */
struct conf_blob {
	char *path;     /* absolute; NULL when the option was not given */
	struct view bytes; /* owned by the snapshot */
	bool is_exposed; /* everybody on this machine may read it */
};

enum tls_level { TLS_NONE, TLS_MAY, TLS_ENCRYPT, TLS_VERIFY };
/* What mail from a partner must come with (`inbound`). */
enum inbound_tls { INBOUND_TLS_NONE, INBOUND_TLS_REQUIRED, INBOUND_TLS_VERIFY };
enum tls_version { TLS_ANY = 0, TLS_1_2 = 0x0303, TLS_1_3 = 0x0304 };

/* One next hop as configured: `host:port` or `smtps://host:port`. */
struct gateway {
	char *host;      /* canonical name, or the address without brackets */
	uint16_t port;
	bool is_tls_first;  /* smtps:// or port 465 */
	bool is_address;
	struct net_address address; /* when is_address */
};

struct certificate;

/*
 * The policy record of a destination.  One record serves delivery, the
 * probe, explain and the lab.  A policy without gateways means the
 * domain's MX.
 */
struct policy {
	char *title;            /* as written: "*.tuv.com", "*" */
	char *where;            /* "file:line" */
	struct strings patterns; /* title and `domains`, canonical */
	struct gateway *gateways;
	size_t gateway_count;
	enum tls_level tls;
	enum tls_level would;   /* TLS_VERIFY: judged and told by that, too,
				 * without any bearing; TLS_NONE: no dry run */
	uint32_t bounce_after;  /* on-failure: an unmet demand fails after so
				 * many seconds; 0: at the lifetime's end */
	struct strings names;   /* canonical; what the certificate must bear */
	bool names_mx;          /* names = { mx }: trust unsigned MX names */
	struct strings issuer;  /* CN (or O) of a verified CA above the leaf */
	struct conf_blob trust; /* replaces the system's roots */
	unsigned char (*pins)[32]; /* SHA-256 of the leaf's SPKI */
	size_t pin_count;
	struct strings mx;      /* patterns an MX name may match */
	enum tls_version min_tls;
	char *sni;              /* NULL: the host connected to */
	const struct certificate *certificate; /* shown to gateways that ask
						* for one; NULL: none */
	enum inbound_tls inbound;
	struct strings inbound_names; /* canonical; none: names */
	char *user;             /* credentials for AUTH, both or neither */
	char *password;
	bool password_is_exposed; /* everybody may read password-file */
	int family;             /* AF_UNSPEC, AF_INET, AF_INET6 */
	struct net_address source; /* family 0: any */
	uint32_t lifetime;      /* 0: the global one */
	uint32_t delay_notice;  /* 0: the global one */
	bool has_lifetime, has_delay_notice;
	unsigned index;         /* position in conf->policies */
};

enum listen_tls { LISTEN_NONE, LISTEN_MAY, LISTEN_REQUIRED, LISTEN_IMPLICIT };

struct certificate {
	char *title;
	char *where;            /* "file:line" */
	struct conf_blob chain; /* PEM, leaf first */
	struct conf_blob key;   /* PEM */
};

struct listener {
	char *title;            /* as written: ":25" */
	char *where;
	struct net_address *addresses; /* ":25" gives an IPv4 and an IPv6 one */
	size_t address_count;
	enum listen_tls tls;
	const struct certificate *certificate; /* NULL: the first, or the
	                                        * self-signed one */
	bool normalises_newlines;      /* bare-newline = normalise */
};

/* One gateway that the lab plays. */
struct lab_gateway {
	char *name;             /* canonical; its title as written is folded */
	char *where;
	struct listener listener;
	uint16_t preference;    /* of its MX records; 10, 20, ... in order */
	struct strings names;   /* canonical; what its certificate bears, the
				 * CN first; never none: the lab's first
				 * gateway's name */
	struct certificate certificate; /* chain, key; title NULL when none:
					 * then the lab's CA issues one */
	struct fault *faults;   /* fault.h */
	size_t fault_count;
};

struct lab {
	char *title;
	char *where;
	struct strings domains; /* canonical; what its DNS answers for */
	char *ca;               /* the intermediate's CN; never NULL */
	struct net_address dns; /* family 0: no DNS */
	struct net_address http; /* family 0: no page */
	char *store;            /* folder of what arrives, and of what the lab
				 * makes */
	struct fault *faults;   /* of its DNS */
	size_t fault_count;
	struct lab_gateway *gateways;
	size_t gateway_count;
};

/* `zone "tuv.com" { servers = {…} anchor = FILE }` for split DNS, labs. */
struct zone {
	char *name;
	char *where;
	struct net_address *servers;
	size_t server_count;
	struct conf_blob anchor; /* DS or DNSKEY records in zone-file form */
};

/* One row of the index by which policies are found (rules.h). */
struct policy_pattern {
	const char *pattern; /* canonical; of policy->patterns */
	const struct policy *policy;
};

enum dnssec_mode { DNSSEC_AUTO, DNSSEC_REQUIRED, DNSSEC_OFF };

struct conf {
	char *path;             /* the configuration file, absolute */
	uint64_t generation;    /* hash of all that was read */
	char *hostname;
	char *spool;            /* absolute folder */
	uint64_t spool_size;
	char *user;             /* NULL: stay who we are */
	struct address *postmaster; /* NULL: not set */
	unsigned workers;

	struct net_address *resolvers; /* never none */
	size_t resolver_count;
	bool resolver_is_default;      /* nothing configured: the system's */
	enum dnssec_mode dnssec;
	struct conf_blob root_anchor;
	struct zone *zones;
	size_t zone_count;
	struct net_block *mx_ignore;
	size_t mx_ignore_count;
	struct net_address *own_addresses;
	size_t own_address_count;
	uint16_t mx_port;       /* 25 */
	bool address_literals;

	struct certificate *certificates;
	size_t certificate_count;
	struct listener *listeners;
	size_t listener_count;
	struct policy *policies; /* the implicit default is not among them */
	size_t policy_count;
	struct policy_pattern *patterns; /* of all policies, sorted */
	size_t pattern_count;
	struct policy fallback;  /* MX, may: where no policy applies */
	struct lab *labs;
	size_t lab_count;
	struct conf_blob system_trust; /* the system's roots, PEM; read when a
	                                * verify policy has no `trust` */

	struct net_block *relay_from;
	size_t relay_from_count;
	struct strings relay_domains; /* patterns as for policies */

	uint32_t retry_first, retry_max, lifetime, delay_notice;
	uint64_t max_message;   /* message-size, SIZE= of RFC 1870 */
	uint32_t max_recipients; /* per transaction */
	uint32_t max_line;      /* longest body line passed on */
	uint32_t max_hops;      /* Received: lines */
	uint32_t max_sessions;  /* inbound, all workers together */
	uint32_t max_sessions_per_client;
	uint32_t max_outbound;  /* outbound connections, all workers */
	uint32_t max_per_destination;
	uint32_t connection_idle, connection_messages;
	uint32_t max_errors;    /* error budget of an inbound session */
	uint32_t stop_limit;    /* how long SIGTERM waits for what is in hand */
	/* timeouts, seconds; RFC 5321 4.5.3.2 */
	uint32_t timeout_connect, timeout_greeting, timeout_starttls,
		timeout_command, timeout_data, timeout_block, timeout_dot,
		timeout_idle;

	enum log_format log_format;
	enum log_level log_level;
};

/*
 * Reads and checks everything.  `files` gives the bytes of each file by
 * absolute path (see files.h), so that a child reads from the loader's
 * sealed bundle what the loader read from the disk.  On failure NULL and
 * `file:line: what is wrong, what would be right`.
 */
struct conf *conf_read(const char *path, struct conf_files *files,
		       struct error *error);
void conf_free(struct conf *conf);

/* The system's roots, for commands that need them whatever the policies say:
 * path and bytes borrowed until files_free().  -1: there are none. */
int conf_system_roots(struct conf_files *files, struct conf_blob *out);

/* Warnings that `config check` prints and `serve` logs. */
typedef void conf_warning(void *arg, const char *text);
void conf_warnings(const struct conf *conf, conf_warning *say, void *arg);

#endif
