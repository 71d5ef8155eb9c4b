/*
 * The workers' side of DNS: questions go to the resolver process, answers
 * call back.  Questions that the socket does not take wait here; all are
 * kept in the order of their deadlines, so one timer serves them.  While
 * the resolver is being restarted questions wait, and those it took are
 * asked again.
 */
#include "relay/dns.h"

#include "conf/log.h"
#include "relay/dns_wire.h"
#include "relay/steady.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUCKETS = 256, ANSWERS_A_TURN = 64 };

struct dns_query {
	struct dns *dns;
	struct dns_question question;
	dns_callback *call;
	void *arg;
	double deadline;	      /* on the loop's clock */
	bool is_refused;	      /* not to be sent: its name is none */
	struct dns_query *next, **at; /* by deadline */
	struct dns_query *next_same, **at_bucket; /* by id */
};

struct dns {
	struct ev_loop *loop;
	int fd; /* -1: no resolver at the moment */
	ev_io readable, writable;
	ev_timer timer;
	uint32_t last_id;
	struct dns_query *first, **last;
	struct dns_query *unsent; /* it and all behind it */
	struct dns_query *buckets[BUCKETS];
	unsigned char *answer; /* DNS_WIRE_ANSWER_MAX + 1 */
};

static void link_by_id(struct dns *dns, struct dns_query *query)
{
	struct dns_query **bucket = &dns->buckets[query->question.id % BUCKETS];

	query->at_bucket = bucket;
	query->next_same = *bucket;
	if (*bucket)
		(*bucket)->at_bucket = &query->next_same;
	*bucket = query;
}

static void link_last(struct dns *dns, struct dns_query *query)
{
	query->at = dns->last;
	*dns->last = query;
	dns->last = &query->next;
	if (!dns->unsent)
		dns->unsent = query;
}

static void link_first(struct dns *dns, struct dns_query *query)
{
	query->at = &dns->first;
	query->next = dns->first;
	if (dns->first)
		dns->first->at = &query->next;
	else
		dns->last = &query->next;
	dns->first = query;
}

static void unlink_query(struct dns *dns, struct dns_query *query)
{
	if (dns->unsent == query)
		dns->unsent = query->next;
	if (query->next)
		query->next->at = query->at;
	else
		dns->last = query->at;
	*query->at = query->next;
	if (query->next_same)
		query->next_same->at_bucket = query->at_bucket;
	*query->at_bucket = query->next_same;
}

static struct dns_query *find_query(const struct dns *dns, uint32_t id,
				    enum dns_type type)
{
	struct dns_query *query = dns->buckets[id % BUCKETS];

	while (query && query->question.id != id)
		query = query->next_same;
	return query && query->question.type == type ? query : NULL;
}

static void set_timer(struct dns *dns)
{
	ev_timer_stop(dns->loop, &dns->timer);
	if (!dns->first)
		return;
	ev_timer_set(&dns->timer, dns->first->deadline - steady_now(), 0.);
	ev_timer_start(dns->loop, &dns->timer);
}

/* The query is gone before its callback runs: that one may cancel others
 * and ask anew. */
static void end_query(struct dns_query *query, const struct dns_answer *answer)
{
	dns_callback *call = query->call;
	void *arg = query->arg;

	unlink_query(query->dns, query);
	free(query);
	call(arg, answer);
}

static void end_with_error(struct dns_query *query, const char *why)
{
	struct dns_answer answer = { .kind = DNS_ERROR };

	snprintf(answer.why, sizeof(answer.why), "%s", why);
	snprintf(answer.canonical, sizeof(answer.canonical), "%s",
		 query->question.name);
	end_query(query, &answer);
}

static void disconnect(struct dns *dns)
{
	if (dns->fd < 0)
		return;
	ev_io_stop(dns->loop, &dns->readable);
	ev_io_stop(dns->loop, &dns->writable);
	close(dns->fd);
	dns->fd = -1;
	dns->unsent = dns->first;
}

/* 1 sent, 0 not now, -1 the resolver is gone. */
static int send_query(struct dns *dns, const struct dns_query *query)
{
	struct buffer bytes = { 0 };
	ssize_t n;

	if (query->is_refused)
		return 1;
	dns_wire_put_question(&bytes, &query->question);
	n = send(dns->fd, buffer_view(&bytes).at, buffer_len(&bytes),
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	buffer_clear(&bytes);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	return 1;
}

static void flush(struct dns *dns)
{
	int sent = 1;

	if (dns->fd < 0)
		return;
	while (dns->unsent && (sent = send_query(dns, dns->unsent)) > 0)
		dns->unsent = dns->unsent->next;
	if (sent < 0)
		disconnect(dns);
	else if (sent == 0)
		ev_io_start(dns->loop, &dns->writable);
	else
		ev_io_stop(dns->loop, &dns->writable);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop;
	(void)events;
	flush(watcher->data);
}

/* An answer to a question that was cancelled, or none at all, is dropped;
 * in the second case the question ends at its deadline. */
static void take_answer(struct dns *dns, struct view bytes)
{
	struct dns_answer answer;
	struct dns_query *query;
	enum dns_type type;
	uint32_t id;

	if (dns_wire_get_answer(bytes, &id, &type, &answer)) {
		log_say(LOG_ERROR, "warning",
			"malformed answer of the "
			"resolver process");
		return;
	}
	query = find_query(dns, id, type);
	if (query)
		end_query(query, &answer);
	dns_answer_clear(&answer);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct dns *dns = watcher->data;

	(void)loop;
	(void)events;
	for (unsigned i = 0; i < ANSWERS_A_TURN && dns->fd >= 0; i++) {
		ssize_t n = recv(dns->fd, dns->answer, DNS_WIRE_ANSWER_MAX + 1,
				 MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			disconnect(dns);
			break;
		}
		take_answer(dns, view_make(dns->answer, (size_t)n));
	}
	set_timer(dns);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	struct dns *dns = watcher->data;

	(void)loop;
	(void)events;
	while (dns->first && dns->first->deadline <= steady_now())
		end_with_error(dns->first, dns->first->is_refused ? "not a name"
								  : "timeout");
	set_timer(dns);
}

static void connect_to(struct dns *dns, int fd)
{
	dns->fd = fd;
	if (fd < 0)
		return;
	ev_io_set(&dns->readable, fd, EV_READ);
	ev_io_set(&dns->writable, fd, EV_WRITE);
	ev_io_start(dns->loop, &dns->readable);
	flush(dns);
}

struct dns *dns_new(struct ev_loop *loop, int fd)
{
	struct dns *dns = must_alloc(sizeof(*dns));

	dns->loop = loop;
	dns->last = &dns->first;
	dns->answer = must_alloc(DNS_WIRE_ANSWER_MAX + 1);
	ev_init(&dns->readable, on_readable);
	ev_init(&dns->writable, on_writable);
	ev_init(&dns->timer, on_timer);
	dns->readable.data = dns->writable.data = dns->timer.data = dns;
	connect_to(dns, fd);
	return dns;
}

void dns_reconnect(struct dns *dns, int fd)
{
	disconnect(dns);
	connect_to(dns, fd);
}

void dns_free(struct dns *dns)
{
	if (!dns)
		return;
	disconnect(dns);
	ev_timer_stop(dns->loop, &dns->timer);
	while (dns->first)
		dns_cancel(dns->first);
	free(dns->answer);
	free(dns);
}

struct dns_query *dns_ask(struct dns *dns, enum dns_type type, const char *name,
			  dns_callback *call, void *arg)
{
	struct dns_query *query = must_alloc(sizeof(*query));

	query->dns = dns;
	query->question.id = ++dns->last_id;
	query->question.type = type;
	query->call = call;
	query->arg = arg;
	query->deadline = steady_now() + DNS_TIMEOUT;
	query->is_refused = !dns_name_is_plain(view_of(name));
	link_by_id(dns, query);
	if (query->is_refused) {
		query->deadline = steady_now();
		link_first(dns, query);
	} else {
		snprintf(query->question.name, sizeof(query->question.name),
			 "%s", name);
		link_last(dns, query);
	}
	if (dns->first == query)
		set_timer(dns);
	flush(dns);
	return query;
}

void dns_cancel(struct dns_query *query)
{
	struct dns *dns = query->dns;

	unlink_query(dns, query);
	free(query);
	set_timer(dns);
}
