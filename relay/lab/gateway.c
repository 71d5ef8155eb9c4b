/*
 * Opens and closes one gateway: its faults, its store, its certificate and
 * its listeners.
 */
#include "relay/lab/gateway.h"

#include "relay/lab/guise.h"
#include "relay/lab/journal.h"
#include "relay/lab/maildir.h"
#include "relay/lab/recall.h"
#include "relay/lab/visit.h"
#include "relay/listen.h"

#include <string.h>
#include <sys/socket.h>

static int listen_all(struct gateway_at_work *g, struct error *error)
{
	const struct listener *listener = &g->as_written->listener;
	socklen_t len = sizeof(g->address);

	for (size_t i = 0; i < listener->address_count; i++) {
		int fd = listen_bind(&listener->addresses[i], error);

		if (fd < 0)
			return -1;
		if (i == 0)
			(void)getsockname(fd, &g->address.sa.any, &len);
		listen_say(fd, listener->tls, g->as_written->name);
		server_listen(g->server, fd, listener, g->tls);
	}
	return 0;
}

int gateway_open(struct gateway_at_work *g, struct error *error)
{
	const struct lab_gateway *w = g->as_written;
	struct server_settings settings = {
		.conf = &g->conf,
		.verbs = &maildir_verbs,
		.accepts_everything = true,
		.mischief = &visit_verbs,
		.mischief_owner = g,
	};

	g->conf = *g->lab->conf;
	g->conf.hostname = w->name;
	g->counts = journal_gateway(g->lab->journal, w->name);
	g->recall = recall_new();
	g->faults = faults_new(w->faults, w->fault_count);
	g->guises = guises_new(w, g->mint);
	g->store = maildir_new(g->lab->loop, g->section->store, w->name, error);
	if (!g->store)
		return -1;
	if (w->listener.tls != LISTEN_NONE) {
		g->tls = guises_context(g->guises, NULL, NULL, error);
		if (!g->tls)
			return -1;
	}
	settings.store = g->store;
	g->server = server_new(g->lab->loop, &settings, error);
	return g->server ? listen_all(g, error) : -1;
}

void gateway_close(struct gateway_at_work *g)
{
	server_free(g->server);
	g->server = NULL;
}

void gateway_clear(struct gateway_at_work *g)
{
	maildir_free(g->store);
	guises_free(g->guises);
	faults_free(g->faults);
	recall_free(g->recall);
}

struct gateway_at_work *gateway_find(const struct lab_at_work *lab,
				     struct view name)
{
	for (size_t i = 0; i < lab->count; i++)
		if (view_equal_fold(view_of(lab->gateways[i].as_written->name),
				    name))
			return &lab->gateways[i];
	return NULL;
}
