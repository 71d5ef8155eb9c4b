/*
 * See services.h.  The zones' key stays in the lab's folder from one start
 * to the next, as the root certificate does, so that it is trusted once.
 */
#include "relay/lab/services.h"

#include "conf/log.h"
#include "relay/lab/guise.h"
#include "relay/lab/nameserver.h"
#include "relay/lab/page.h"
#include "relay/lab/recall.h"
#include "relay/lab/recall.h"
#include "tls/cert.h"
#include "tls/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE "dns.key"

enum { KEY_MAX = 4096 };

struct services {
	struct lab_at_work *lab;
	const struct lab *section;
	struct faults *faults;            /* of the DNS */
	struct gateway_at_work **gateways; /* the section's */
	struct zone_gateway *in_zone;
	struct faults **gateway_faults;
	struct page_gateway *on_page;     /* one more, for the DNS */
	char (*addresses)[NET_TEXT_MAX];
	size_t count;
	struct nameserver *nameserver;
	struct page *page;
};

static void say_listening(const struct services *s, const char *what,
			  const struct net_address *address)
{
	char text[NET_TEXT_MAX];
	struct log_line line;

	net_text_port(address, text);
	log_begin(&line, LOG_NOTICE, what);
	log_str(&line, "address", text);
	log_str(&line, "name", s->section->title);
	log_end(&line);
}

/* --- files --------------------------------------------------------------- */

static int read_key(const char *path, struct buffer *out, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(error, "%s", path);
	n = read(fd, buffer_reserve(out, KEY_MAX), KEY_MAX);
	close(fd);
	if (n <= 0)
		return error_set(error, "%s cannot be read; remove it, and a "
				 "new one is made", path);
	buffer_added(out, (size_t)n);
	return 0;
}

/* Whole or not at all: a relay may read it at any time. */
static int write_file(const char *path, struct view bytes, mode_t mode,
		      struct error *error)
{
	char draft[PATH_MAX];
	int fd, status;

	if (snprintf(draft, sizeof(draft), "%s.new", path) >= PATH_MAX)
		return error_set(error, "%s: too long a path", path);
	unlink(draft);
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return error_errno(error, "%s", draft);
	status = write(fd, bytes.at, bytes.len) == (ssize_t)bytes.len ? 0 : -1;
	if (close(fd) || status || rename(draft, path)) {
		error_errno(error, "%s", path);
		unlink(draft);
		return -1;
	}
	return 0;
}

static int keep(const struct services *s, bool is_new_key, const char *key_path,
		struct error *error)
{
	const struct zones *zones = nameserver_zones(s->nameserver);
	struct buffer bytes = { 0 };
	char path[PATH_MAX];
	int status = 0;

	if (is_new_key) {
		zones_key(zones, &bytes);
		status = write_file(key_path, buffer_view(&bytes), 0600, error);
		buffer_wipe(&bytes);
	}
	for (size_t i = 0; i < zones_count(zones); i++)
		zones_anchor(zones, i, &bytes);
	snprintf(path, sizeof(path), "%s/" SERVICES_ANCHOR, s->section->store);
	if (status == 0)
		status = write_file(path, buffer_view(&bytes), 0644, error);
	buffer_clear(&bytes);
	return status;
}

/* --- DNS ------------------------------------------------------------------ */

static bool key_of(void *arg, size_t gateway, unsigned char out[ZONE_KEY_LEN])
{
	const struct services *s = arg;
	struct view rest = guises_chain(s->gateways[gateway]->guises);
	struct buffer der = { 0 };
	struct cert cert;
	bool is_there = rest.len > 0 && pem_next(&rest, &der) == 1 &&
			cert_parse(buffer_view(&der), &cert) == 0;

	if (is_there)
		cert_pin(&cert, out);
	buffer_clear(&der);
	return is_there;
}

static int open_nameserver(struct services *s, struct error *error)
{
	struct nameserver_settings settings = {
		.loop = s->lab->loop,
		.contents = {
			.domains = s->section->domains.at,
			.domain_count = s->section->domains.count,
			.gateways = s->in_zone,
			.gateway_count = s->count,
			.nameserver = s->section->dns,
		},
		.faults = s->faults,
		.gateway_faults = s->gateway_faults,
		.key = key_of,
		.arg = s,
	};
	struct buffer key = { 0 };
	char path[PATH_MAX];
	int status;

	if (!s->section->dns.sa.any.sa_family)
		return 0;
	snprintf(path, sizeof(path), "%s/" KEY_FILE, s->section->store);
	status = read_key(path, &key, error);
	if (status == 0) {
		settings.keys = buffer_view(&key);
		s->nameserver = nameserver_new(&settings, error);
		status = s->nameserver ? 0 : -1;
	}
	if (status == 0)
		status = keep(s, buffer_len(&key) == 0, path, error);
	buffer_wipe(&key);
	if (status == 0)
		say_listening(s, "dns", nameserver_address(s->nameserver));
	return status;
}

/* --- the page --------------------------------------------------------------- */

static void on_change(void *arg, size_t gateway)
{
	const struct services *s = arg;
	struct log_line line;

	if (gateway < s->count)
		recall_forget(s->gateways[gateway]->recall);
	log_begin(&line, LOG_NOTICE, "faults");
	log_str(&line, "name", s->on_page[gateway].name);
	log_num(&line, "count",
		(int64_t)faults_count(s->on_page[gateway].faults));
	log_end(&line);
}

static bool is_loopback(const struct net_address *address)
{
	static const char *const blocks[] = { "127.0.0.0/8", "::1/128" };
	struct net_block block;
	struct error ignored;

	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++)
		if (net_block_parse(view_of(blocks[i]), &block, &ignored) ==
			    0 &&
		    net_block_has(&block, address))
			return true;
	return false;
}

static int open_page(struct services *s, struct error *error)
{
	struct page_settings settings = {
		.loop = s->lab->loop,
		.title = s->section->title,
		.store = s->section->store,
		.journal = s->lab->journal,
		.gateways = s->on_page,
		.gateway_count = s->count + (s->nameserver ? 1 : 0),
		.changed = on_change,
		.arg = s,
	};

	if (!s->section->http.sa.any.sa_family)
		return 0;
	s->page = page_new(&settings, &s->section->http, error);
	if (!s->page)
		return -1;
	say_listening(s, "page", page_address(s->page));
	if (!is_loopback(page_address(s->page)))
		log_say(LOG_WARNING, "warning", "the page has no password: "
			"whoever reaches its address may use it");
	return 0;
}

/* --- both -------------------------------------------------------------------- */

static void take_gateway(struct services *s, struct gateway_at_work *g)
{
	size_t i = s->count++;
	const struct lab_gateway *w = g->as_written;

	s->gateways[i] = g;
	s->gateway_faults[i] = g->faults;
	s->in_zone[i] = (struct zone_gateway){
		.name = w->name,
		.preference = w->preference,
		.addresses = &g->address,
		.address_count = 1,
	};
	net_text_port(&g->address, s->addresses[i]);
	s->on_page[i] = (struct page_gateway){
		.name = w->name,
		.address = s->addresses[i],
		.preference = w->preference,
		.faults = g->faults,
	};
}

static void take_gateways(struct services *s)
{
	size_t most = s->lab->count + 1;

	s->gateways = must_alloc(most * sizeof(*s->gateways));
	s->gateway_faults = must_alloc(most * sizeof(*s->gateway_faults));
	s->in_zone = must_alloc(most * sizeof(*s->in_zone));
	s->addresses = must_alloc(most * sizeof(*s->addresses));
	s->on_page = must_alloc(most * sizeof(*s->on_page));
	for (size_t i = 0; i < s->lab->count; i++)
		if (s->lab->gateways[i].section == s->section)
			take_gateway(s, &s->lab->gateways[i]);
}

static void take_dns(struct services *s)
{
	if (!s->nameserver)
		return;
	net_text_port(nameserver_address(s->nameserver),
		      s->addresses[s->count]);
	s->on_page[s->count] = (struct page_gateway){
		.name = "dns",
		.address = s->addresses[s->count],
		.faults = s->faults,
		.is_dns = true,
	};
}

struct services *services_open(struct lab_at_work *lab,
			       const struct lab *section, struct error *error)
{
	struct services *s = must_alloc(sizeof(*s));

	s->lab = lab;
	s->section = section;
	s->faults = faults_new(section->faults, section->fault_count);
	take_gateways(s);
	if (open_nameserver(s, error) == 0) {
		take_dns(s);
		if (open_page(s, error) == 0)
			return s;
	}
	services_close(s);
	return NULL;
}

void services_close(struct services *s)
{
	if (!s)
		return;
	page_free(s->page);
	nameserver_free(s->nameserver);
	faults_free(s->faults);
	free(s->gateways);
	free(s->gateway_faults);
	free(s->in_zone);
	free(s->addresses);
	free(s->on_page);
	free(s);
}

const struct net_address *services_dns(const struct services *s)
{
	return s->nameserver ? nameserver_address(s->nameserver) : NULL;
}

const struct net_address *services_page(const struct services *s)
{
	return s->page ? page_address(s->page) : NULL;
}

struct faults *services_faults(struct services *s)
{
	return s->nameserver ? s->faults : NULL;
}

void services_certificates_changed(struct services *s)
{
	if (s->nameserver)
		nameserver_keys_changed(s->nameserver);
}
