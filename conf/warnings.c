/*
 * What is allowed in a configuration and still deserves a word: said by
 * `config check`, and in the log at each start.
 */
#include "conf/conf.h"

#include "conf/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WARNING_MAX = 512, PORT_SMTP = 25 };

struct listener_of_warnings {
	conf_warning *say;
	void *arg;
};

__attribute__((format(printf, 2, 3))) static void
warn(const struct listener_of_warnings *to, const char *format, ...)
{
	char text[WARNING_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	to->say(to->arg, text);
}

/* Larger than any private network: a part of the internet. */
static bool is_vast(const struct net_block *block)
{
	const struct sockaddr_in6 *v6 = &block->base.sa.v6;

	if (block->base.sa.any.sa_family == AF_INET)
		return block->bits < 8;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return block->bits < 8; /* kept as the IPv4 block's */
	/* Global addresses lie in 2000::/3. */
	return block->bits < 3 ||
	       (block->bits < 16 && (v6->sin6_addr.s6_addr[0] & 0xe0) == 0x20);
}

static void warn_of_open_relay(const struct conf *conf,
			       const struct listener_of_warnings *to)
{
	for (size_t i = 0; i < conf->relay_from_count; i++)
		if (is_vast(&conf->relay_from[i])) {
			char base[NET_TEXT_MAX];

			net_text(&conf->relay_from[i].base, base);
			warn(to, "OPEN RELAY: relay-from holds %s/%u, so "
			     "strangers may send anywhere; name the networks "
			     "that may", base, conf->relay_from[i].bits);
		}
	for (size_t i = 0; i < conf->relay_domains.count; i++)
		if (!strcmp(conf->relay_domains.at[i], "*"))
			warn(to, "OPEN RELAY: relay-domains holds \"*\", so "
			     "anybody who reaches this machine may send "
			     "anywhere; name your own domains");
}

/* Mail to our own domains would go where MX points: often to us again. */
static void warn_of_loops(const struct conf *conf,
			  const struct listener_of_warnings *to)
{
	for (size_t i = 0; i < conf->relay_domains.count; i++) {
		const char *domain = conf->relay_domains.at[i];
		const char *plain = strncmp(domain, "*.", 2) ? domain :
							       domain + 2;
		struct rules_question question = { .recipient_domain = plain };

		if (!strcmp(domain, "*") ||
		    rules_policy(conf, question).policy->gateway_count)
			continue;
		warn(to, "relay-domains holds \"%s\", but no policy gives it "
		     "gateways: its mail goes to its MX, which may be this "
		     "machine", domain);
	}
}

/* A sixteenth is never for new mail, and LMDB needs as much again. */
static void warn_of_size(const struct conf *conf,
			 const struct listener_of_warnings *to)
{
	uint64_t share = conf->spool_size / conf->workers;

	if (conf->max_message > share / 8 * 7)
		warn(to, "a message may be larger (message-size, %llu KiB) "
		     "than the spool of a worker holds (spool-size / workers, "
		     "%llu KiB): it is refused, 552",
		     (unsigned long long)(conf->max_message / 1024),
		     (unsigned long long)(share / 1024));
}

static bool offers_tls(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listener_count; i++)
		if (conf->listeners[i].tls != LISTEN_NONE)
			return true;
	return false;
}

static void warn_of_inbound(const struct conf *conf,
			    const struct policy *policy,
			    const struct listener_of_warnings *to)
{
	if (policy->inbound == INBOUND_TLS_NONE)
		return;
	if (!offers_tls(conf))
		warn(to, "%s: policy \"%s\" takes mail over TLS only, but no "
		     "listener offers TLS: all of it is refused",
		     policy->where, policy->title);
	for (size_t i = 0; i < policy->patterns.count; i++)
		if (!strcmp(policy->patterns.at[i], "*"))
			warn(to, "%s: policy \"%s\" says inbound, so mail of "
			     "all senders that no other policy names is "
			     "taken over TLS only", policy->where,
			     policy->title);
}

static void warn_of_policies(const struct conf *conf,
			     const struct listener_of_warnings *to)
{
	for (size_t i = 0; i < conf->policy_count; i++) {
		const struct policy *policy = &conf->policies[i];

		if (policy->password_is_exposed)
			warn(to, "%s: everybody on this machine may read the "
			     "password-file of policy \"%s\"; chmod 600",
			     policy->where, policy->title);
		warn_of_inbound(conf, policy, to);
		if (policy->names_mx)
			warn(to, "%s: policy \"%s\" trusts MX names of "
			     "unsigned DNS (names = { mx }); whoever forges "
			     "DNS chooses the name that is verified",
			     policy->where, policy->title);
	}
}

static void warn_of_key(const struct certificate *certificate,
			const struct listener_of_warnings *to)
{
	if (certificate->key.is_exposed)
		warn(to, "%s: everybody on this machine may read this private "
		     "key; chmod 600", certificate->key.path);
}

void conf_warnings(const struct conf *conf, conf_warning *say, void *arg)
{
	const struct listener_of_warnings to = { say, arg };

	warn_of_open_relay(conf, &to);
	warn_of_loops(conf, &to);
	warn_of_size(conf, &to);
	warn_of_policies(conf, &to);
	for (size_t i = 0; i < conf->certificate_count; i++)
		warn_of_key(&conf->certificates[i], &to);
	if (conf->mx_port != PORT_SMTP)
		warn(&to, "mx-port is %u: MX hosts of the internet listen on "
		     "port 25 only", (unsigned)conf->mx_port);
	if (!strchr(conf->hostname, '.'))
		warn(&to, "hostname \"%s\" has no domain; others may refuse "
		     "mail from it", conf->hostname);
}
