/*
 * Sockets, and which faults bear on a question.  See nameserver.h.  The
 * zones are signed anew when what they say of a gateway changes, or when
 * their signatures grow old; both happen while a question waits.
 */
#include "relay/lab/nameserver.h"

#include "conf/log.h"
#include "relay/lab/answer.h"
#include "relay/lab/stream.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BURST = 32,        /* datagrams a turn */
	STREAM_BACKLOG = 64,
	PORT_TRIES = 20,   /* until one is free for UDP and TCP */
	RESIGN_AFTER = ZONE_LIFE / 2,
};

struct nameserver {
	struct nameserver_settings set;
	struct zone_gateway *gateways; /* set.contents', with our lies */
	struct zones *zones;
	int64_t signed_at;
	bool is_stale; /* to be signed before the next answer */
	char absent[ANSWER_NAME_MAX]; /* contents.absent */
	ev_io datagrams;
	struct streams *streams;
};

/* --- what a question is about ----------------------------------------- */

enum about {
	ABOUT_HOST = 1 << 0,   /* the gateway's name, or one below it */
	ABOUT_TLSA = 1 << 1,   /* ... its TLSA records */
	ABOUT_MX = 1 << 2,     /* the MX of one of the domains */
	ABOUT_STS = 1 << 3,    /* the MTA-STS names of one of them */
};

static const struct {
	enum fault_kind kind;
	unsigned own; /* of enum about: what the fault is about by itself */
	enum zone_lie lie; /* 0: it is no matter of the zones */
} dns_faults[] = {
	{ FAULT_TIMEOUT,	 ABOUT_HOST, 0		       },
	{ FAULT_SERVFAIL,	  ABOUT_HOST, 0		       },
	{ FAULT_BOGUS_SIGNATURE, ABOUT_HOST, 0		       },
	{ FAULT_NXDOMAIN,	  ABOUT_HOST, ZONE_NXDOMAIN      },
	{ FAULT_NULL_MX,	 ABOUT_MX,   ZONE_NULL_MX	      },
	{ FAULT_MX_TO_CNAME,	 ABOUT_HOST, ZONE_MX_TO_CNAME   },
	{ FAULT_TLSA_MISMATCH,	 ABOUT_TLSA, ZONE_TLSA_MISMATCH },
	{ FAULT_STS_BROKEN,	    ABOUT_STS,  ZONE_STS_BROKEN    },
};

/* Without these nothing else could be asked, or would be believed. */
static bool is_exempt(const struct question *question)
{
	static const char *const types[] = { "DNSKEY", "DS", "SOA", "NS" };

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(question->type, types[i]) == 0)
			return true;
	return false;
}

static bool is_below(const char *name, const char *parent)
{
	size_t len = strlen(name), tail = strlen(parent);

	return len > tail && strcmp(name + len - tail, parent) == 0 &&
	       name[len - tail - 1] == '.';
}

static bool is_sts_name(const char *name, const char *domain)
{
	static const char *const labels[] = { "_mta-sts", "mta-sts" };

	if (!is_below(name, domain))
		return false;
	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
		size_t len = strlen(labels[i]);

		if (strncmp(name, labels[i], len) == 0 && name[len] == '.' &&
		    strcmp(name + len + 1, domain) == 0)
			return true;
	}
	return false;
}

static unsigned about_gateway(const struct question *question,
			      const char *gateway)
{
	if (strcmp(question->name, gateway) != 0 &&
	    !is_below(question->name, gateway))
		return 0;
	return ABOUT_HOST |
	       (strcmp(question->type, "TLSA") == 0 ? ABOUT_TLSA : 0);
}

static unsigned about_domains(const struct nameserver *ns,
			      const struct question *question)
{
	const struct zone_contents *contents = &ns->set.contents;
	bool is_mx = strcmp(question->type, "MX") == 0;
	unsigned about = 0;

	for (size_t i = 0; i < contents->domain_count; i++) {
		const char *domain = contents->domains[i];

		if (is_mx && strcmp(question->name, domain) == 0)
			about |= ABOUT_MX;
		if (is_sts_name(question->name, domain))
			about |= ABOUT_STS;
	}
	return about;
}

/* --- what is done about it --------------------------------------------- */

struct decision {
	bool is_silent, is_failure;
	struct answer_manner manner;
	const char *fault; /* the last one, for the log; NULL: none */
};

static bool strikes(struct faults *faults, enum fault_kind kind,
		    const struct question *question)
{
	struct fault_moment moment = { .to = question->name };

	return faults_strike(faults, kind, &moment) != NULL;
}

/* What the zones cannot tell is told in this answer only. */
static void strike(struct decision *decision, enum fault_kind kind,
		   bool is_gateway)
{
	decision->fault = fault_about(kind)->name;
	if (kind == FAULT_TIMEOUT)
		decision->is_silent = true;
	else if (kind == FAULT_SERVFAIL)
		decision->is_failure = true;
	else if (kind == FAULT_BOGUS_SIGNATURE)
		decision->manner.is_bogus = true;
	else if (kind == FAULT_NXDOMAIN)
		decision->manner.is_denied = !is_gateway;
}

static void set_lie(struct nameserver *ns, struct zone_gateway *gateway,
		    enum zone_lie lie, bool is_told)
{
	if (!lie || is_told == !!(gateway->lies & lie))
		return;
	gateway->lies ^= lie;
	ns->is_stale = true;
}

/* One kind of fault: our own, of whatever it could be about, and that of
 * each gateway that the question is about. */
static void decide_kind(struct nameserver *ns, const struct question *question,
			size_t row, struct decision *decision)
{
	enum fault_kind kind = dns_faults[row].kind;
	unsigned own = dns_faults[row].own;
	unsigned domains = about_domains(ns, question);
	size_t count = ns->set.contents.gateway_count;
	bool is_mine = own == ABOUT_HOST && kind != FAULT_MX_TO_CNAME;
	bool is_gateway = false, is_struck;

	for (size_t i = 0; i < count; i++) {
		unsigned about = about_gateway(question,
					       ns->gateways[i].name);

		is_gateway = is_gateway || about & own;
	}
	is_mine = is_mine || is_gateway || domains & own;
	is_struck = is_mine && strikes(ns->set.faults, kind, question);
	if (is_struck)
		strike(decision, kind, is_gateway);
	for (size_t i = 0; i < count; i++) {
		struct zone_gateway *gateway = &ns->gateways[i];
		unsigned about = domains |
				 about_gateway(question, gateway->name);
		bool is_told = is_struck;

		if (!(about & own))
			continue;
		if (strikes(ns->set.gateway_faults[i], kind, question)) {
			strike(decision, kind, true);
			is_told = true;
		}
		set_lie(ns, gateway, dns_faults[row].lie, is_told);
	}
}

static void decide(struct nameserver *ns, const struct question *question,
		   struct decision *decision)
{
	for (size_t i = 0; i < sizeof(dns_faults) / sizeof(*dns_faults); i++)
		decide_kind(ns, question, i, decision);
}

static bool is_zone(const struct nameserver *ns, const char *name)
{
	for (size_t i = 0; i < zones_count(ns->zones); i++)
		if (strcmp(zones_name(ns->zones, i), name) == 0)
			return true;
	return false;
}

/* A name that is denied is taken out of its zone, so that its absence can be
 * proven, and stays out until it is asked for again.  A zone's own name
 * cannot be: that is denied without a proof. */
static void deny(struct nameserver *ns, const struct question *question,
		 struct decision *decision)
{
	const char *name = question->name;
	const char **absent = &ns->set.contents.absent;
	bool is_provable = decision->manner.is_denied && !is_zone(ns, name);

	if (is_provable)
		decision->manner.is_denied = false;
	if (is_provable && (!*absent || strcmp(*absent, name) != 0)) {
		memcpy(ns->absent, name, sizeof(ns->absent));
		*absent = ns->absent;
		ns->is_stale = true;
	} else if (!is_provable && *absent &&
		   (strcmp(name, *absent) == 0 || is_below(name, *absent))) {
		*absent = NULL;
		ns->is_stale = true;
	}
}

static void fetch_keys(struct nameserver *ns)
{
	for (size_t i = 0; i < ns->set.contents.gateway_count; i++)
		ns->gateways[i].has_key =
			ns->set.key(ns->set.arg, i, ns->gateways[i].key);
}

static int sign(struct nameserver *ns, struct error *error)
{
	int64_t now = (int64_t)ev_time();

	if (!ns->is_stale && now - ns->signed_at < RESIGN_AFTER)
		return 0;
	fetch_keys(ns);
	if (zones_build(ns->zones, &ns->set.contents, now, error))
		return -1;
	ns->is_stale = false;
	ns->signed_at = now;
	return 0;
}

static void say_asked(const struct question *question,
		      const struct decision *decision, enum answer_rcode rcode)
{
	static const char *const codes[] = { "NOERROR",	 "FORMERR", "SERVFAIL",
					     "NXDOMAIN", "NOTIMP",  "REFUSED" };
	struct log_line line;

	log_begin(&line, decision->fault ? LOG_INFO : LOG_DEBUG, "asked");
	log_str(&line, "name", question->name);
	log_str(&line, "type", question->type);
	log_str(&line, "rcode", decision->is_silent ? "none" : codes[rcode]);
	if (decision->fault)
		log_str(&line, "fault", decision->fault);
	log_end(&line);
}

static void answer(struct nameserver *ns, struct view bytes, bool is_stream,
		   struct buffer *out)
{
	struct decision decision = { .manner.is_stream = is_stream };
	enum answer_rcode rcode = ANSWER_SERVFAIL;
	struct question question;
	struct error error;

	if (question_read(bytes, &question, out) != 1)
		return;
	if (!is_exempt(&question))
		decide(ns, &question, &decision);
	if (!is_exempt(&question))
		deny(ns, &question, &decision);
	if (sign(ns, &error)) {
		log_say(LOG_ERROR, "warning", "%s", error.text);
		decision.is_failure = true;
	}
	if (!decision.is_silent && decision.is_failure)
		answer_failure(&question, rcode, out);
	else if (!decision.is_silent)
		rcode = answer_compose(ns->zones, &question, &decision.manner,
				       out);
	say_asked(&question, &decision, rcode);
	question_clear(&question);
}

/* --- sockets ----------------------------------------------------------- */

static void on_stream(void *arg, struct view question, struct buffer *out)
{
	answer(arg, question, true, out);
}

/* False: none waits. */
static bool serve_datagram(struct nameserver *ns, int fd)
{
	/* A byte more, so that one that is too long is seen to be. */
	unsigned char bytes[ANSWER_QUERY_MAX + 1];
	struct net_address client;
	socklen_t len = sizeof(client);
	struct buffer out = { 0 };
	ssize_t n = recvfrom(fd, bytes, sizeof(bytes), 0, &client.sa.any, &len);

	if (n < 0)
		return errno == EINTR;
	answer(ns, view_make(bytes, (size_t)n), false, &out);
	/* What does not go is asked again. */
	if (buffer_len(&out))
		sendto(fd, buffer_view(&out).at, buffer_len(&out), 0,
		       &client.sa.any, len);
	buffer_clear(&out);
	return true;
}

static void on_datagram(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop, (void)events;
	for (int i = 0; i < BURST; i++)
		if (!serve_datagram(watcher->data, watcher->fd))
			return;
}

static int open_socket(const struct net_address *address, int type)
{
	int fd = socket(address->sa.any.sa_family,
			type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, saved;

	if (fd < 0)
		return -1;
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->sa.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &address->sa.any, net_length(address)) == 0 &&
	    (type != SOCK_STREAM || listen(fd, STREAM_BACKLOG) == 0))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* The same port for both; the kernel chooses it for UDP, and may choose one
 * that is taken for TCP. */
static int open_sockets(struct net_address *address, int *udp, int *tcp,
			struct error *error)
{
	const struct net_address wanted = *address;
	int tries = net_port(address) == 0 ? PORT_TRIES : 1;
	char text[NET_TEXT_MAX];
	socklen_t len = sizeof(*address);

	*udp = *tcp = -1;
	while (tries-- > 0 && *tcp < 0) {
		if (*udp >= 0)
			close(*udp);
		*address = wanted;
		*udp = open_socket(address, SOCK_DGRAM);
		if (*udp >= 0 && !getsockname(*udp, &address->sa.any, &len))
			*tcp = open_socket(address, SOCK_STREAM);
	}
	if (*tcp >= 0)
		return 0;
	net_text_port(&wanted, text);
	error_errno(error, "dns = %s", text);
	if (*udp >= 0)
		close(*udp);
	return -1;
}

static int listen_on(struct nameserver *ns, struct error *error)
{
	int udp, tcp;

	if (open_sockets(&ns->set.contents.nameserver, &udp, &tcp, error))
		return -1;
	ev_io_init(&ns->datagrams, on_datagram, udp, EV_READ);
	ns->datagrams.data = ns;
	ev_io_start(ns->set.loop, &ns->datagrams);
	ns->streams = streams_new(ns->set.loop, tcp, on_stream, ns);
	return 0;
}

static void copy_gateways(struct nameserver *ns)
{
	struct zone_contents *contents = &ns->set.contents;
	size_t size = contents->gateway_count * sizeof(*ns->gateways);

	ns->gateways = must_alloc(size ? size : 1);
	if (size)
		memcpy(ns->gateways, contents->gateways, size);
	contents->gateways = ns->gateways;
}

/* What will most likely be asked for: it spares signing anew then. */
static void foresee_lies(struct nameserver *ns)
{
	for (size_t i = 0; i < ns->set.contents.gateway_count; i++)
		for (size_t k = 0;
		     k < sizeof(dns_faults) / sizeof(*dns_faults); k++)
			if (faults_have(ns->set.gateway_faults[i],
					dns_faults[k].kind))
				ns->gateways[i].lies |= dns_faults[k].lie;
}

struct nameserver *nameserver_new(const struct nameserver_settings *settings,
				  struct error *error)
{
	struct nameserver *ns = must_alloc(sizeof(*ns));

	ns->set = *settings;
	copy_gateways(ns);
	foresee_lies(ns);
	ns->is_stale = true;
	ns->zones = zones_new(&ns->set.contents, ns->set.keys, error);
	if (!ns->zones || sign(ns, error) || listen_on(ns, error)) {
		nameserver_free(ns);
		return NULL;
	}
	return ns;
}

void nameserver_free(struct nameserver *ns)
{
	if (!ns)
		return;
	if (ns->streams) {
		ev_io_stop(ns->set.loop, &ns->datagrams);
		close(ns->datagrams.fd);
		streams_free(ns->streams);
	}
	zones_free(ns->zones);
	free(ns->gateways);
	free(ns);
}

const struct net_address *nameserver_address(const struct nameserver *ns)
{
	return &ns->set.contents.nameserver;
}

const struct zones *nameserver_zones(const struct nameserver *ns)
{
	return ns->zones;
}

void nameserver_keys_changed(struct nameserver *ns)
{
	ns->is_stale = true;
}
