/*
 * The ways to the DNS that the resolver process has open.  Probing makes a
 * fresh context each time, so that no cached answer speaks for the
 * resolver of today; the one that the choice falls on becomes the current
 * one.  Nothing is freed while the library calls back: ways_step() reaps.
 */
#include "relay/resolver_ways.h"

#include "relay/resolver_dnssec.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROBE_TIMEOUT = 5, SLEEP_MAX = 3600 };

struct way {
	struct upstream *upstream;
	enum dnssec_way kind;
	unsigned users; /* questions under way */
	bool is_current;
	bool is_probed; /* one of the probes holds it */
	struct way *next;
};

struct probe {
	struct way *way;
	enum probe_finding finding;
	int number;
	bool is_open;
};

enum { FORWARD, PLAIN, RECURSE, PROBES };

struct ways {
	const struct conf *conf;
	struct way *all;
	struct way *current;
	struct probe probes[PROBES];
	bool is_probing;
	double deadline; /* of the probes under way */
	double next_probe;
	unsigned uncertain; /* choices in a row that were */
	const char *said;   /* the last text logged */
};

static const enum dnssec_way probe_kinds[PROBES] = {
	[FORWARD] = DNSSEC_FORWARD,
	[PLAIN] = DNSSEC_INSECURE,
	[RECURSE] = DNSSEC_RECURSE,
};

static struct way *open_way(struct ways *ways, enum dnssec_way kind,
			    struct error *error)
{
	static const struct {
		enum upstream_path path;
		enum upstream_trust trust;
	} how[] = {
		[DNSSEC_FORWARD] = {UPSTREAM_FORWARD,  UPSTREAM_TRUSTS_ROOT },
		[DNSSEC_RECURSE] = { UPSTREAM_RECURSE, UPSTREAM_TRUSTS_ROOT },
		[DNSSEC_INSECURE] = { UPSTREAM_FORWARD, UPSTREAM_TRUSTS_ZONES},
		[DNSSEC_NOTHING] = { UPSTREAM_FORWARD,
				     UPSTREAM_TRUSTS_NOTHING		     },
	};
	struct upstream *upstream = upstream_new(ways->conf, how[kind].path,
						 how[kind].trust, error);
	struct way *way;

	if (!upstream)
		return NULL;
	way = must_alloc(sizeof(*way));
	way->upstream = upstream;
	way->kind = kind;
	way->next = ways->all;
	ways->all = way;
	return way;
}

static void set_current(struct ways *ways, struct way *way)
{
	if (ways->current)
		ways->current->is_current = false;
	ways->current = way;
	way->is_current = true;
}

static void reap(struct ways *ways)
{
	struct way **at = &ways->all;

	while (*at) {
		struct way *way = *at;

		if (way->is_current || way->is_probed || way->users > 0) {
			at = &way->next;
			continue;
		}
		*at = way->next;
		upstream_free(way->upstream);
		free(way);
	}
}

bool ways_are_ready(const struct ways *ways)
{
	return ways->current != NULL;
}

struct way *ways_take(struct ways *ways)
{
	ways->current->users++;
	return ways->current;
}

struct upstream *way_upstream(struct way *way)
{
	return way->upstream;
}

void way_release(struct way *way)
{
	way->users--;
}

static void probed(void *arg, const struct dns_answer *answer)
{
	struct probe *probe = arg;

	probe->is_open = false;
	if (answer->kind != DNS_DATA)
		probe->finding = PROBE_FAILED;
	else
		probe->finding = answer->is_secure ? PROBE_SECURE
						   : PROBE_ANSWERED;
}

static void start_probe(struct ways *ways, unsigned which)
{
	struct probe *probe = &ways->probes[which];
	struct error error;

	probe->finding = PROBE_PENDING;
	probe->way = open_way(ways, probe_kinds[which], &error);
	if (!probe->way) {
		probe->finding = PROBE_FAILED;
		log_say(LOG_ERROR, "warning", "%s", error.text);
		return;
	}
	probe->way->is_probed = true;
	if (upstream_ask_root(probe->way->upstream, probed, probe,
			      &probe->number, &error))
		probe->finding = PROBE_FAILED;
	else
		probe->is_open = true;
}

static void drop_probe(struct probe *probe)
{
	if (probe->is_open)
		upstream_cancel(probe->way->upstream, probe->number);
	if (probe->way)
		probe->way->is_probed = false;
	memset(probe, 0, sizeof(*probe));
}

static void time_out_probes(struct ways *ways)
{
	for (unsigned i = 0; i < PROBES; i++) {
		struct probe *probe = &ways->probes[i];

		if (!probe->is_open)
			continue;
		upstream_cancel(probe->way->upstream, probe->number);
		probe->is_open = false;
		probe->finding = PROBE_FAILED;
	}
}

/* When this file was compiled; a build that sets SOURCE_DATE_EPOCH decides
 * what the compiler writes here. */
static time_t built(void)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *date = __DATE__; /* "Nov 24 2025", "Nov  4 2025" */
	struct tm tm = { 0 };

	for (int i = 0; i < 12; i++)
		if (strncmp(date, months + 3 * i, 3) == 0)
			tm.tm_mon = i;
	tm.tm_mday = (int)strtol(date + 4, NULL, 10);
	tm.tm_year = (int)strtol(date + 7, NULL, 10) - 1900;
	/* A day less: __DATE__ is in the builder's time zone. */
	return timegm(&tm) - 86400;
}

static void say_once(struct ways *ways, const char *text)
{
	if (text == ways->said)
		return;
	if (text)
		log_say(LOG_WARNING, "warning", "dnssec: %s", text);
	else
		log_say(LOG_NOTICE, "dnssec", "answers are validated");
	ways->said = text;
}

static struct dnssec_findings findings(const struct ways *ways)
{
	return (struct dnssec_findings){
		.now = ways->current ? ways->current->kind : DNSSEC_UNDECIDED,
		.uncertain = ways->uncertain,
		.is_clock_early = time(NULL) < built(),
		.may_recurse = ways->conf->resolver_is_default,
		.forward = ways->probes[FORWARD].finding,
		.plain = ways->probes[PLAIN].finding,
		.recurse = ways->probes[RECURSE].finding,
	};
}

/* The probe's context, or a new one when no probe is of that kind. */
static int take_way(struct ways *ways, enum dnssec_way kind,
		    struct error *error)
{
	struct way *way = NULL;

	if (ways->current && ways->current->kind == kind)
		return 0;
	for (unsigned i = 0; i < PROBES; i++)
		if (ways->probes[i].way && ways->probes[i].way->kind == kind)
			way = ways->probes[i].way;
	if (!way)
		way = open_way(ways, kind, error);
	if (!way)
		return -1;
	set_current(ways, way);
	return 0;
}

static int decide(struct ways *ways, double now, struct error *error)
{
	struct dnssec_findings found = findings(ways);
	struct dnssec_choice choice = dnssec_choose(&found);

	if (choice.wants_recurse && !ways->probes[RECURSE].way) {
		start_probe(ways, RECURSE);
		ways->deadline = now + PROBE_TIMEOUT;
		return 0;
	}
	if (!choice.is_made)
		return 0;
	if (take_way(ways, choice.way, error))
		return -1;
	say_once(ways, choice.why);
	for (unsigned i = 0; i < PROBES; i++)
		drop_probe(&ways->probes[i]);
	ways->is_probing = false;
	ways->uncertain = choice.is_certain ? 0 : ways->uncertain + 1;
	ways->next_probe = now + dnssec_probe_pause(ways->uncertain);
	return 0;
}

/* Validation is demanded: the probe only tells people whether it works. */
static void report_required(struct ways *ways, double now)
{
	enum probe_finding found = ways->probes[FORWARD].finding;

	if (found == PROBE_PENDING)
		return;
	say_once(ways, found == PROBE_SECURE
			       ? NULL
			       : "required, but the resolver's answers for the "
				 "root cannot be validated: mail will wait");
	drop_probe(&ways->probes[FORWARD]);
	ways->is_probing = false;
	ways->uncertain = found == PROBE_SECURE ? 0 : ways->uncertain + 1;
	ways->next_probe = now + dnssec_probe_pause(ways->uncertain);
}

static void start_probing(struct ways *ways, double now)
{
	ways->is_probing = true;
	ways->deadline = now + PROBE_TIMEOUT;
	start_probe(ways, FORWARD);
	if (ways->conf->dnssec == DNSSEC_AUTO)
		start_probe(ways, PLAIN);
}

static int probe(struct ways *ways, double now, struct error *error)
{
	if (!ways->is_probing) {
		if (now < ways->next_probe)
			return 0;
		start_probing(ways, now);
	}
	if (now >= ways->deadline)
		time_out_probes(ways);
	if (ways->conf->dnssec == DNSSEC_AUTO)
		return decide(ways, now, error);
	report_required(ways, now);
	return 0;
}

size_t ways_watch(struct ways *ways, struct pollfd *out, size_t room)
{
	size_t count = 0;

	for (struct way *way = ways->all; way && count < room; way = way->next)
		out[count++] = (struct pollfd){
			.fd = upstream_fd(way->upstream),
			.events = POLLIN,
		};
	return count;
}

double ways_step(struct ways *ways, double now, struct error *error)
{
	double until = SLEEP_MAX;

	for (struct way *way = ways->all; way; way = way->next)
		if (upstream_process(way->upstream, error))
			return -1;
	if (ways->conf->dnssec != DNSSEC_OFF) {
		if (probe(ways, now, error))
			return -1;
		until = (ways->is_probing ? ways->deadline : ways->next_probe) -
			now;
	}
	reap(ways);
	return until > 0 ? until : 0;
}

struct ways *ways_new(const struct conf *conf, struct error *error)
{
	struct ways *ways = must_alloc(sizeof(*ways));
	enum dnssec_way kind = conf->dnssec == DNSSEC_OFF ? DNSSEC_NOTHING
							  : DNSSEC_FORWARD;
	struct way *way;

	ways->conf = conf;
	if (conf->dnssec == DNSSEC_AUTO)
		return ways;
	way = open_way(ways, kind, error);
	if (!way) {
		free(ways);
		return NULL;
	}
	set_current(ways, way);
	return ways;
}

void ways_free(struct ways *ways)
{
	if (!ways)
		return;
	while (ways->all) {
		struct way *way = ways->all;

		ways->all = way->next;
		upstream_free(way->upstream);
		free(way);
	}
	free(ways);
}
