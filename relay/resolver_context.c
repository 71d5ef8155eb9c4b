/*
 * libunbound contexts made from a snapshot.  The library is set up as the
 * house needs it: it asks loopback addresses and ports of our choosing,
 * leaves private names to those who serve them, keeps its caches small,
 * and writes nothing past our log.
 */
#include "relay/resolver_context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unbound.h>
#include <unistd.h>

/* IANA's root anchors: KSK-2017 and KSK-2024. */
static const char *const root_anchors[] = {
	". IN DS 20326 8 2 "
	"E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
	". IN DS 38696 8 2 "
	"683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

/*
 * Zones about which the library would answer NXDOMAIN by itself and which
 * a site may serve (RFC 6761, RFC 8375).  The public root knows nothing
 * of them, so what is said about them can only be insecure.
 */
static const char *const private_zones[] = { "test", "home.arpa" };

static const struct option {
	const char *name, *value;
} options[] = {
	{"do-not-query-localhost:",  "no"	  },
	{ "unblock-lan-zones:",	"yes"  },
	{ "insecure-lan-zones:",	 "yes"  },
	{ "edns-buffer-size:",       "1232" },
	{ "outgoing-range:",	     "1024" },
	{ "num-queries-per-thread:", "4096" },
	{ "msg-cache-size:",	     "4m"	  },
	{ "rrset-cache-size:",       "8m"   },
	{ "cache-max-ttl:",	    "86400"},
 /* A resolver that was down is asked again soon. */
	{ "infra-host-ttl:",	     "60"	  },
	{ "infra-keep-probing:",	 "yes"  },
};

/* A context under construction. */
struct making {
	struct ub_ctx *ctx;
	int *anchors; /* files that it reads when it is finished */
	size_t anchor_count;
};

static int refused(struct error *error, const char *what, int code)
{
	return error_set(error, "%s: %s", what, ub_strerror(code));
}

static int set_options(struct ub_ctx *ctx, struct error *error)
{
	/* It would write to standard error, past our log. */
	ub_ctx_debugout(ctx, NULL);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		int code = ub_ctx_set_option(ctx, options[i].name,
					     options[i].value);

		if (code)
			return refused(error, options[i].name, code);
	}
	return 0;
}

/* `10.0.0.1@53`, as the library writes an address with its port. */
static void at_text(const struct net_address *address,
		    char out[NET_TEXT_MAX + 8])
{
	char host[NET_TEXT_MAX];
	unsigned port = net_port(address);

	net_text(address, host);
	snprintf(out, NET_TEXT_MAX + 8, "%s@%u", host, port ? port : 53);
}

static int set_forwarders(struct ub_ctx *ctx, const struct conf *conf,
			  struct error *error)
{
	for (size_t i = 0; i < conf->resolver_count; i++) {
		char text[NET_TEXT_MAX + 8];
		int code;

		at_text(&conf->resolvers[i], text);
		code = ub_ctx_set_fwd(ctx, text);
		if (code)
			return refused(error, text, code);
	}
	return 0;
}

static int write_all(int fd, struct view bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno != EINTR)
			return -1;
		bytes = view_from(bytes, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

/* The library reads zone-file form from a file only, and the bytes may
 * have come in a sealed bundle: it gets a nameless file. */
static int add_anchor(struct making *making, struct view anchor,
		      struct error *error)
{
	int fd = memfd_create("anchor", MFD_CLOEXEC);
	char path[32];
	int code;

	if (fd < 0)
		return error_errno(error, "anchor");
	making->anchors = must_realloc(making->anchors,
				       (making->anchor_count + 1) *
					       sizeof(*making->anchors));
	making->anchors[making->anchor_count++] = fd;
	if (write_all(fd, anchor))
		return error_errno(error, "anchor");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	code = ub_ctx_add_ta_file(making->ctx, path);
	return code ? refused(error, "anchor", code) : 0;
}

static int add_root_anchors(struct making *making, const struct conf *conf,
			    struct error *error)
{
	if (conf->root_anchor.path)
		return add_anchor(making, conf->root_anchor.bytes, error);
	for (size_t i = 0; i < sizeof(root_anchors) / sizeof(*root_anchors);
	     i++) {
		int code = ub_ctx_add_ta(making->ctx, root_anchors[i]);

		if (code)
			return refused(error, "root anchor", code);
	}
	return 0;
}

static int be_insecure(struct making *making, const char *zone,
		       struct error *error)
{
	int code = ub_ctx_set_option(making->ctx, "domain-insecure:", zone);

	return code ? refused(error, zone, code) : 0;
}

static bool is_anchored(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->zone_count; i++)
		if (conf->zones[i].anchor.path &&
		    strcmp(conf->zones[i].name, name) == 0)
			return true;
	return false;
}

static int add_zone(struct making *making, const struct zone *zone,
		    struct error *error)
{
	for (size_t i = 0; i < zone->server_count; i++) {
		char text[NET_TEXT_MAX + 8];
		int code;

		at_text(&zone->servers[i], text);
		code = ub_ctx_set_stub(making->ctx, zone->name, text, 0);
		if (code)
			return refused(error, zone->name, code);
	}
	return 0;
}

static int add_trust(struct making *making, const struct conf *conf,
		     enum upstream_trust trust, struct error *error)
{
	if (trust == UPSTREAM_TRUSTS_NOTHING)
		return 0;
	if (trust == UPSTREAM_TRUSTS_ROOT &&
	    add_root_anchors(making, conf, error))
		return -1;
	for (size_t i = 0; i < conf->zone_count; i++) {
		const struct zone *zone = &conf->zones[i];

		if (zone->anchor.path
			    ? add_anchor(making, zone->anchor.bytes, error)
			    : be_insecure(making, zone->name, error))
			return error_prefix(error, "zone \"%s\"", zone->name);
	}
	for (size_t i = 0; i < sizeof(private_zones) / sizeof(*private_zones);
	     i++)
		if (!is_anchored(conf, private_zones[i]) &&
		    be_insecure(making, private_zones[i], error))
			return -1;
	return 0;
}

/* Finishes the context: no option can be set behind this. */
static int open_zone(struct making *making, const char *zone,
		     struct error *error)
{
	int code = ub_ctx_zone_add(making->ctx, zone, "transparent");

	return code ? refused(error, zone, code) : 0;
}

static int finish(struct making *making, const struct conf *conf,
		  struct error *error)
{
	int code = ub_ctx_async(making->ctx, 1);

	if (code)
		return refused(error, "thread", code);
	for (size_t i = 0; i < sizeof(private_zones) / sizeof(*private_zones);
	     i++)
		if (open_zone(making, private_zones[i], error))
			return -1;
	for (size_t i = 0; conf && i < conf->zone_count; i++)
		if (open_zone(making, conf->zones[i].name, error))
			return -1;
	return 0;
}

static int start(struct making *making, struct error *error)
{
	making->ctx = ub_ctx_create();
	if (!making->ctx)
		return error_errno(error, "cannot make a resolver");
	return set_options(making->ctx, error);
}

/* Hands over the context when all went well. */
static struct ub_ctx *end(struct making *making, int status)
{
	while (making->anchor_count > 0)
		close(making->anchors[--making->anchor_count]);
	free(making->anchors);
	if (status == 0)
		return making->ctx;
	if (making->ctx)
		ub_ctx_delete(making->ctx);
	return NULL;
}

int context_check_anchor(struct view anchor, struct error *error)
{
	struct making making = { 0 };
	struct ub_ctx *ctx;

	if (start(&making, error) || add_anchor(&making, anchor, error)) {
		end(&making, -1);
		return -1;
	}
	ctx = end(&making, finish(&making, NULL, error));
	if (!ctx)
		return error_set(error, "no DS or DNSKEY records in zone-file "
					"form");
	ub_ctx_delete(ctx);
	return 0;
}

struct ub_ctx *context_new(const struct conf *conf, enum upstream_path path,
			   enum upstream_trust trust, struct error *error)
{
	struct making making = { 0 };
	int status = start(&making, error);

	if (status == 0 && path == UPSTREAM_FORWARD)
		status = set_forwarders(making.ctx, conf, error);
	for (size_t i = 0; status == 0 && i < conf->zone_count; i++)
		status = add_zone(&making, &conf->zones[i], error);
	if (status == 0)
		status = add_trust(&making, conf, trust, error);
	if (status == 0)
		status = finish(&making, conf, error);
	return end(&making, status);
}
