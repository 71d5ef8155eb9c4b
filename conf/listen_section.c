/*
 * Certificates, listeners and zones.
 */
#include "conf/sections.h"

#include "conf/addr.h"

#include <stdlib.h>
#include <string.h>

enum { PORT_DNS = 53 };

const struct choice listen_levels[] = {
	{ "none",     LISTEN_NONE     },
	{ "may",      LISTEN_MAY      },
	{ "required", LISTEN_REQUIRED },
	{ "implicit", LISTEN_IMPLICIT },
	{ NULL,	      0		      },
};

#define CERTIFICATE(member) .at = offsetof(struct certificate, member)
#define LISTENER(member) .at = offsetof(struct listener, member)
#define ZONE(member, count)                  \
	.at = offsetof(struct zone, member), \
	.count_at = offsetof(struct zone, count)

static const struct option certificate_options[] = {
	{ "chain", set_file, CERTIFICATE(chain) },
	{ "key",   set_file, CERTIFICATE(key) },
	{ .name = NULL },
};

/* In a listener's section the certificate's title, until it is looked up. */
struct listener_words {
	struct listener listener;
	char *certificate;
	int newlines;
};

static const struct choice newline_choices[] = {
	{ "refuse",	0 },
	{ "normalise", 1 },
	{ NULL,	       0 },
};

static const struct option listen_options[] = {
	{ "tls",	  set_choice, LISTENER(tls), .by_default = "may",
	  .choices = listen_levels },
	{ "certificate",  set_text,
	  .at = offsetof(struct listener_words, certificate), .max = 255 },
	{ "bare-newline", set_choice,
	  .at = offsetof(struct listener_words, newlines),
	  .by_default = "refuse", .choices = newline_choices },
	{ .name = NULL },
};

static const struct option zone_options[] = {
	{ "servers", set_addresses, ZONE(servers, server_count),
	  .max = PORT_DNS },
	{ "anchor",  set_file,	    .at = offsetof(struct zone, anchor) },
	{ .name = NULL },
};

static const struct grammar *const none[] = { NULL };

const struct grammar certificate_grammar = { "certificate",
					     certificate_options, none };
const struct grammar listen_grammar = { "listen", listen_options, none };
const struct grammar zone_grammar = { "zone", zone_options, none };

size_t sections_count(const struct section *root, const char *kind)
{
	size_t count = 0, at = 0;

	while (sections_next(root, kind, &at))
		count++;
	return count;
}

const struct section *sections_next(const struct section *root,
				    const char *kind, size_t *at)
{
	while (*at < root->section_count) {
		const struct section *section = &root->sections[(*at)++];

		if (!strcmp(section->kind, kind))
			return section;
	}
	return NULL;
}

int certificate_check(struct reading *r, const struct section *section,
		      const struct certificate *certificate)
{
	bool has_chain = certificate->chain.path, has_key =
						certificate->key.path;

	if (has_chain == has_key)
		return 0;
	return option_fault(r, section->at, "%s \"%s\" has no %s; chain and "
			    "key go together", section->kind, section->title,
			    has_chain ? "key" : "chain");
}

int certificates_read(struct reading *r, const struct section *root)
{
	struct conf *conf = r->conf;
	size_t count = sections_count(root, "certificate"), at = 0;
	const struct section *section;

	conf->certificates = must_alloc(count * sizeof(*conf->certificates));
	while ((section = sections_next(root, "certificate", &at))) {
		struct certificate *certificate =
			&conf->certificates[conf->certificate_count++];

		certificate->title = must_strdup(section->title);
		certificate->where = place_text(section->at);
		if (options_apply(r, certificate_options, section,
				  certificate) ||
		    certificate_check(r, section, certificate))
			return -1;
		if (!certificate->chain.path)
			return option_fault(r, section->at, "certificate "
					    "\"%s\" is empty; give chain and "
					    "key", section->title);
	}
	return 0;
}

void certificate_clear(struct certificate *certificate)
{
	blob_clear(&certificate->chain);
	blob_clear(&certificate->key);
	free(certificate->title);
	free(certificate->where);
}

/* ":25" opens IPv4 and IPv6, each on its own socket. */
int listener_parse(struct reading *r, struct place at, const char *text,
		   struct listener *out)
{
	struct view host, all = view_of(text);
	struct net_address address;
	uint16_t port = 0;
	bool has_port = !net_split_port(all, &host, &port) &&
			host.len < all.len;

	out->title = must_strdup(text);
	out->where = place_text(at);
	out->addresses = must_alloc(2 * sizeof(*out->addresses));
	if (has_port && !host.len) {
		net_parse_port(VIEW("0.0.0.0"), port, &out->addresses[0]);
		net_parse_port(VIEW("::"), port, &out->addresses[1]);
		out->address_count = 2;
		return 0;
	}
	if (!has_port || net_parse(host, &address))
		return option_fault(r, at, "listen \"%.100s\": must be "
				    "ADDRESS:PORT or :PORT, as in "
				    "\"192.0.2.1:25\", \"[::1]:587\" or "
				    "\":25\"", text);
	net_set_port(&address, port);
	out->addresses[0] = address;
	out->address_count = 1;
	return 0;
}

const struct certificate *certificate_find(const struct conf *conf,
					   const char *title)
{
	for (size_t i = 0; i < conf->certificate_count; i++)
		if (!strcmp(conf->certificates[i].title, title))
			return &conf->certificates[i];
	return NULL;
}

static int read_listener(struct reading *r, const struct section *section,
			 struct listener *out)
{
	struct listener_words words = { .certificate = NULL };
	int rc = listener_parse(r, section->at, section->title, &words.listener);

	if (!rc)
		rc = options_apply(r, listen_options, section, &words);
	words.listener.normalises_newlines = words.newlines;
	if (!rc && words.certificate) {
		words.listener.certificate = certificate_find(
			r->conf, words.certificate);
		if (!words.listener.certificate)
			rc = option_fault(r, section_find(section,
							  "certificate")->at,
					  "there is no certificate \"%s\"",
					  words.certificate);
	}
	free(words.certificate);
	*out = words.listener;
	return rc;
}

static bool is_wildcard(const struct net_address *a)
{
	static const struct in6_addr any = IN6ADDR_ANY_INIT;

	if (a->sa.any.sa_family == AF_INET)
		return a->sa.v4.sin_addr.s_addr == INADDR_ANY;
	return !memcmp(&a->sa.v6.sin6_addr, &any, sizeof(any));
}

/* Could both be bound?  Port 0 lets the kernel choose. */
static bool collide(const struct net_address *a, const struct net_address *b)
{
	if (a->sa.any.sa_family != b->sa.any.sa_family ||
	    net_port(a) != net_port(b) || !net_port(a))
		return false;
	return is_wildcard(a) || is_wildcard(b) || net_equal_host(a, b);
}

static const struct listener *find_collision(const struct conf *conf,
					     const struct listener *listener)
{
	for (size_t i = 0; &conf->listeners[i] != listener; i++)
		for (size_t a = 0; a < conf->listeners[i].address_count; a++)
			for (size_t b = 0; b < listener->address_count; b++)
				if (collide(&conf->listeners[i].addresses[a],
					    &listener->addresses[b]))
					return &conf->listeners[i];
	return NULL;
}

int listeners_read(struct reading *r, const struct section *root)
{
	static const struct section by_default = {
		.kind = (char *)"listen", .title = (char *)":25",
		.at = { "default", 0 },
	};
	struct conf *conf = r->conf;
	size_t count = sections_count(root, "listen"), at = 0;
	const struct section *section;

	conf->listeners = must_alloc((count + 1) * sizeof(*conf->listeners));
	if (!count) {
		conf->listener_count = 1;
		return read_listener(r, &by_default, conf->listeners);
	}
	while ((section = sections_next(root, "listen", &at))) {
		struct listener *listener =
			&conf->listeners[conf->listener_count++];
		const struct listener *other;

		if (read_listener(r, section, listener))
			return -1;
		other = find_collision(conf, listener);
		if (other)
			return option_fault(r, section->at, "listen \"%s\" "
					    "opens what listen \"%s\" at %s "
					    "opens already",
					    listener->title, other->title,
					    other->where);
	}
	return 0;
}

void listener_clear(struct listener *listener)
{
	free(listener->title);
	free(listener->where);
	free(listener->addresses);
}

int zones_read(struct reading *r, const struct section *root)
{
	struct conf *conf = r->conf;
	size_t count = sections_count(root, "zone"), at = 0;
	const struct section *section;
	char name[ADDR_DOMAIN_MAX + 1];
	struct error why;

	conf->zones = must_alloc(count * sizeof(*conf->zones));
	while ((section = sections_next(root, "zone", &at))) {
		struct zone *zone = &conf->zones[conf->zone_count++];

		if (domain_canonical(view_of(section->title), name, &why))
			return option_fault(r, section->at, "zone \"%.100s\": "
					    "must be a domain; %s",
					    section->title, why.text);
		zone->name = must_strdup(name);
		zone->where = place_text(section->at);
		if (options_apply(r, zone_options, section, zone))
			return -1;
		if (!zone->server_count)
			return option_fault(r, section->at, "zone \"%s\" has no "
					    "servers; write servers = "
					    "{ ADDRESS:PORT }",
					    section->title);
		for (size_t i = 0; i + 1 < conf->zone_count; i++)
			if (!strcmp(conf->zones[i].name, name))
				return option_fault(r, section->at, "zone "
						    "\"%s\" was given before; "
						    "give it once", name);
	}
	return 0;
}
