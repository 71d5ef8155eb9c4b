/*
 * Listening sockets.  IPv4 and IPv6 never share one, so that an address
 * means what it says whatever the kernel's default is.
 */
#include "relay/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int set_flag(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof(one));
}

/* errno says why when it returns -1. */
static int open_socket(const struct net_address *address)
{
	int family = address->sa.any.sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved;

	if (fd < 0)
		return -1;
	if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR) == 0 &&
	    (family != AF_INET6 ||
	     set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0) &&
	    bind(fd, &address->sa.any, net_length(address)) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int listen_bind(const struct net_address *address, struct error *error)
{
	int fd = open_socket(address);
	char text[NET_TEXT_MAX];

	if (fd >= 0)
		return fd;
	net_text_port(address, text);
	if (errno == EACCES)
		return error_set(error,
				 "listen \"%s\": only root may use ports "
				 "below 1024",
				 text);
	return error_errno(error, "listen \"%s\"", text);
}

void listen_say(int fd, enum listen_tls tls, const char *name)
{
	static const char *const levels[] = {
		[LISTEN_NONE] = "none",
		[LISTEN_MAY] = "may",
		[LISTEN_REQUIRED] = "required",
		[LISTEN_IMPLICIT] = "implicit",
	};
	struct net_address bound = { 0 };
	socklen_t len = sizeof(bound);
	char text[NET_TEXT_MAX];
	struct log_line line;

	if (getsockname(fd, &bound.sa.any, &len))
		return;
	net_text_port(&bound, text);
	log_begin(&line, LOG_NOTICE, "listening");
	log_str(&line, "address", text);
	log_str(&line, "tls", levels[tls]);
	if (name)
		log_str(&line, "name", name);
	log_end(&line);
}

static bool may_be_missing(const struct listener *listener,
			   const struct net_address *address)
{
	return listener->address_count > 1 &&
	       address->sa.any.sa_family == AF_INET6 &&
	       (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
}

static int open_one(const struct conf *conf, unsigned index,
		    struct listen_sockets *out, struct error *error)
{
	const struct listener *listener = &conf->listeners[index];

	for (size_t i = 0; i < listener->address_count; i++) {
		const struct net_address *address = &listener->addresses[i];
		int fd = listen_bind(address, error);

		if (fd < 0 && may_be_missing(listener, address)) {
			log_say(LOG_WARNING, "warning", "%s", error->text);
			continue;
		}
		if (fd < 0)
			return error_prefix(error, "%s", listener->where);
		out->at = must_realloc(out->at,
				       (out->count + 1) * sizeof(*out->at));
		out->at[out->count++] = (struct listen_socket){ index, fd };
		listen_say(fd, listener->tls, NULL);
	}
	return 0;
}

void listen_close(struct listen_sockets *sockets)
{
	while (sockets->count > 0)
		close(sockets->at[--sockets->count].fd);
	free(sockets->at);
	sockets->at = NULL;
}

int listen_open(const struct conf *conf, struct listen_sockets *out,
		struct error *error)
{
	*out = (struct listen_sockets){ 0 };
	for (unsigned i = 0; i < conf->listener_count; i++) {
		if (open_one(conf, i, out, error)) {
			listen_close(out);
			return -1;
		}
	}
	return 0;
}
