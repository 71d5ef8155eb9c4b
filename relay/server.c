/*
 * Listens and lets clients in: one accept per listener and turn of the
 * loop, since the listeners are shared with other processes and whoever is
 * idle should have the next client.  Totals of the configuration are
 * shared out among the workers.  A session that is over is forgotten here.
 */
#include "relay/server.h"

#include <errno.h>
#include <ev.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/log.h"
#include "relay/clients.h"
#include "relay/session.h"

/* How long nothing is accepted when the process is out of descriptors. */
#define EXHAUSTED_PAUSE 0.1

/* A listening descriptor and what it plays. */
struct port {
	struct port *next;
	struct server *server;
	ev_io watcher;
	const struct conf *conf; /* that the listener belongs to */
	const struct listener *listener;
	struct tls_context *tls;
};

/* A session that was let in. */
struct guest {
	struct guest *next, **link;
	struct server *server;
	struct session *session;
	struct net_address address;
};

struct server {
	struct ev_loop *loop;
	struct server_settings set;
	struct port *ports;
	struct guest *guests;
	struct clients *clients;
	struct buffer out;
	size_t sessions;
	ev_timer exhausted;
	bool is_exhausted; /* and that was logged */
	bool is_stopping;
};

/* Every worker's part of a total, at least one. */
static unsigned share(const struct conf *conf, uint32_t total)
{
	unsigned workers = conf->workers > 0 ? conf->workers : 1;

	return total > workers ? (total + workers - 1) / workers : 1;
}

static void on_ended(void *owner)
{
	struct guest *guest = owner;
	struct server *server = guest->server;

	clients_leave(server->clients, &guest->address);
	*guest->link = guest->next;
	if (guest->next)
		guest->next->link = guest->link;
	server->sessions--;
	free(guest);
}

static void admit(struct port *port, int fd, const struct net_address *address)
{
	struct server *server = port->server;
	struct guest *guest = must_alloc(sizeof(*guest));
	struct session_settings settings = {
		.loop = server->loop,
		.conf = port->conf,
		.listener = port->listener,
		.tls = port->tls,
		.verbs = server->set.verbs,
		.store = server->set.store,
		.accepts_everything = server->set.accepts_everything,
		.mischief = server->set.mischief,
		.mischief_owner = server->set.mischief_owner,
		.out = &server->out,
		.ended = on_ended,
	};

	guest->server = server;
	guest->address = *address;
	guest->next = server->guests;
	guest->link = &server->guests;
	if (guest->next)
		guest->next->link = &guest->next;
	server->guests = guest;
	server->sessions++;
	guest->session = session_new(&settings, fd, address, guest);
}

/* RFC 5321 3.8; where TLS comes first, no word would be understood. */
static void turn_away(const struct port *port, int fd,
		      const struct net_address *address, const char *why)
{
	char text[512], client[NET_TEXT_MAX];
	struct log_line line;
	int len = snprintf(text, sizeof(text), "421 4.7.0 %s %s\r\n",
			   port->conf->hostname, why);

	if (port->listener->tls != LISTEN_IMPLICIT && len > 0 &&
	    send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == len)
		shutdown(fd, SHUT_WR);
	close(fd);
	net_text(address, client);
	log_begin(&line, LOG_INFO, "refused");
	log_str(&line, "client", client);
	log_num(&line, "code", 421);
	log_str(&line, "reason", why);
	log_end(&line);
}

static void receive(struct port *port, int fd, const struct net_address *client)
{
	struct server *server = port->server;
	const struct conf *conf = server->set.conf;

	if (server->sessions >= share(conf, conf->max_sessions))
		turn_away(port, fd, client, "Too many sessions");
	else if (!clients_enter(server->clients, client,
				share(conf, conf->max_sessions_per_client)))
		turn_away(port, fd, client, "Too many sessions from you");
	else
		admit(port, fd, client);
}

/* --- listening ------------------------------------------------------- */

static void watch(struct server *server, bool on)
{
	struct port *port;

	for (port = server->ports; port; port = port->next) {
		if (on)
			ev_io_start(server->loop, &port->watcher);
		else
			ev_io_stop(server->loop, &port->watcher);
	}
}

static void on_exhausted(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	watch(w->data, true);
}

/* The client that waits would wake the loop at once, again and again. */
static void pause_accepting(struct server *server, int problem)
{
	if (!server->is_exhausted)
		log_say(LOG_WARNING, "warning", "cannot accept: %s",
			strerror(problem));
	server->is_exhausted = true;
	watch(server, false);
	ev_timer_set(&server->exhausted, EXHAUSTED_PAUSE, 0.);
	ev_timer_start(server->loop, &server->exhausted);
}

static void on_client(struct ev_loop *loop, ev_io *w, int events)
{
	struct port *port = w->data;
	struct net_address client = { 0 };
	socklen_t len = sizeof(client);
	int fd = accept4(w->fd, &client.sa.any, &len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)loop;
	(void)events;
	if (fd >= 0) {
		port->server->is_exhausted = false;
		receive(port, fd, &client);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		   errno == ENOMEM) {
		pause_accepting(port->server, errno);
	}
	/* All else is the client's: gone again, or another process has it. */
}

void server_listen(struct server *server, int fd,
		   const struct listener *listener, struct tls_context *tls)
{
	struct port *port = must_alloc(sizeof(*port));
	int on = 1;

	/* Replies are small and waited for; clients inherit it. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	port->server = server;
	port->conf = server->set.conf;
	port->listener = listener;
	port->tls = tls ? tls_context_hold(tls) : NULL;
	port->next = server->ports;
	server->ports = port;
	ev_io_init(&port->watcher, on_client, fd, EV_READ);
	port->watcher.data = port;
	if (!server->is_stopping)
		ev_io_start(server->loop, &port->watcher);
}

/* --- the snapshot ---------------------------------------------------- */

static const struct listener *same_listener(const struct conf *conf,
					    const struct listener *old)
{
	size_t i;

	for (i = 0; i < conf->listener_count; i++)
		if (strcmp(conf->listeners[i].title, old->title) == 0)
			return &conf->listeners[i];
	return NULL;
}

void server_configure(struct server *server, const struct conf *conf)
{
	struct port *port;

	server->set.conf = conf;
	for (port = server->ports; port; port = port->next) {
		const struct listener *now =
			same_listener(conf, port->listener);

		/* One that the new snapshot lacks plays on by the old one
		 * until it is closed. */
		if (!now)
			continue;
		port->listener = now;
		port->conf = conf;
	}
}

bool server_uses(const struct server *server, const struct conf *conf)
{
	const struct guest *guest;
	const struct port *port;

	for (port = server->ports; port; port = port->next)
		if (port->conf == conf)
			return true;
	for (guest = server->guests; guest; guest = guest->next)
		if (session_conf(guest->session) == conf)
			return true;
	return server->set.conf == conf;
}

/* --- life ------------------------------------------------------------ */

struct server *server_new(struct ev_loop *loop,
			  const struct server_settings *settings,
			  struct error *error)
{
	struct server *server = must_alloc(sizeof(*server));

	(void)error;
	server->loop = loop;
	server->set = *settings;
	server->clients = clients_new();
	ev_init(&server->exhausted, on_exhausted);
	server->exhausted.data = server;
	return server;
}

static void close_ports(struct server *server)
{
	ev_timer_stop(server->loop, &server->exhausted);
	while (server->ports) {
		struct port *port = server->ports;

		server->ports = port->next;
		ev_io_stop(server->loop, &port->watcher);
		close(port->watcher.fd);
		tls_context_free(port->tls);
		free(port);
	}
}

void server_stop(struct server *server)
{
	struct guest *guest, *next;

	server->is_stopping = true;
	close_ports(server);
	for (guest = server->guests; guest; guest = next) {
		next = guest->next;
		session_stop(guest->session);
	}
}

size_t server_sessions(const struct server *server)
{
	return server->sessions;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	close_ports(server);
	while (server->guests)
		session_free(server->guests->session);
	clients_free(server->clients);
	buffer_clear(&server->out);
	free(server);
}
