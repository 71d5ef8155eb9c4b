/*
 * The field of deliveries.  See field.h.
 */
#include "tests/unit/field.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/rules.h"
#include "tests/unit/certs.h"

static void on_ready(void *arg, struct lane *lane)
{
	struct field *f = arg;

	dispatch_ready(f->dispatch, lane);
}

static void on_gone(void *arg, struct lane *lane)
{
	struct field *f = arg;

	dispatch_gone(f->dispatch, lane);
}

static void on_broken(void *arg, const char *why)
{
	(void)arg;
	fail_msg("%s", why);
}

void field_gateway(struct field *f, size_t policy, const struct sink *sink)
{
	struct policy *p = &f->policies[policy];
	struct gateway *g = &f->gateways[policy][p->gateway_count++];

	*g = (struct gateway){ .host = (char *)"127.0.0.1",
			       .port = sink->port,
			       .is_address = true };
	net_parse(view_of(g->host), &g->address);
	net_set_port(&g->address, g->port);
}

/* A policy for a domain of its own. */
size_t field_policy(struct field *f, const char *domain, enum tls_level tls)
{
	size_t i = f->policy_count++;
	struct policy *p = &f->policies[i];

	snprintf(f->names[i], sizeof(f->names[i]), "%s", domain);
	f->patterns[i] = f->names[i];
	*p = (struct policy){ .title = f->names[i],
			      .patterns = { &f->patterns[i], 1, true },
			      .gateways = f->gateways[i],
			      .tls = tls,
			      .index = (unsigned)i };
	if (tls == TLS_VERIFY) {
		p->names = (struct strings){ f->cert_name, 1, true };
		p->trust.path = (char *)"root.pem";
		p->trust.bytes = certs_get("root.pem");
	}
	return i;
}

static void set_conf(struct field *f)
{
	struct conf *conf = &f->rig.conf;

	conf->workers = 1;
	conf->mx_port = 25;
	conf->policies = f->policies;
	conf->policy_count = f->policy_count;
	conf->fallback.tls = TLS_MAY;
	conf->fallback.title = (char *)"(none)";
	conf->max_outbound = 200;
	conf->max_per_destination = 20;
	conf->connection_idle = 10;
	conf->connection_messages = 100;
	conf->timeout_connect = conf->timeout_greeting = 30;
	conf->timeout_starttls = conf->timeout_command = 30;
	conf->timeout_data = conf->timeout_block = conf->timeout_dot = 30;
	rules_index(conf);
}

static void set_up(struct field *f)
{
	struct error error;
	size_t i;

	memset(f, 0, sizeof(*f));
	rig_init(&f->rig);
	f->cert_name[0] = (char *)"mx5.example.test";
	f->workers = 1;
	f->client = tls_client_context(&error);
	assert_non_null(f->client);
	if (*certs_folder()) {
		f->good = tls_server_context(certs_get("byroot.pem"),
					     certs_get("byroot.key"), &error);
		f->bad = tls_server_context(certs_get("self.pem"),
					    certs_get("self.key"), &error);
		assert_non_null(f->good);
		assert_non_null(f->bad);
	}
	for (i = 0; i < SINKS; i++)
		sink_open(&f->sinks[i], f->rig.loop);
}

/* Once the policies stand. */
void field_begin(struct field *f)
{
	struct dispatch_settings dispatch = { .conf = &f->rig.conf,
					      .tls = f->client,
					      .workers = f->workers };
	struct queue_settings queue = {
		.spool = f->rig.spool,
		.workers = 1,
		.conf = &f->rig.conf,
		.events = { on_ready, on_gone, on_broken, f },
	};

	set_conf(f);
	f->dispatch = dispatch_new(f->rig.loop, &dispatch);
	f->rig.queue = queue_open(f->rig.loop, &queue, &f->rig.error);
	assert_non_null(f->rig.queue);
	dispatch_attach(f->dispatch, f->rig.queue);
}

static void tear_down(struct field *f)
{
	size_t i;

	dispatch_free(f->dispatch);
	f->dispatch = NULL;
	/* connections that say goodbye need the loop for it */
	rig_run(&f->rig, 0.1);
	for (i = 0; i < SINKS; i++)
		sink_close(&f->sinks[i]);
	tls_context_free(f->client);
	tls_context_free(f->good);
	tls_context_free(f->bad);
	free(f->rig.conf.patterns);
	rig_clear(&f->rig);
}

void field_send(struct field *f, const char *to)
{
	rig_accept(&f->rig, "me@example.net", to,
		   VIEW("Subject: x\r\n\r\n.hello\r\n"));
}

uint64_t field_count(struct field *f, enum what what)
{
	struct queue_counts c = rig_counts(&f->rig);

	return what == DELIVERED ? c.delivered
	       : what == DEFERRED ? c.deferred
				  : c.failed;
}

/* Runs until so many recipients came to that end; seconds at most. */
void field_expect(struct field *f, enum what what, uint64_t least,
		   double seconds)
{
	ev_tstamp until = ev_time() + seconds;

	while (field_count(f, what) < least && ev_time() < until)
		rig_run(&f->rig, 0.01);
	assert_int_equal(field_count(f, what), least);
}

int field_set_up(void **state)
{
	struct field *f = calloc(1, sizeof(*f));

	set_up(f);
	*state = f;
	return 0;
}

int field_tear_down(void **state)
{
	tear_down(*state);
	free(*state);
	return 0;
}
