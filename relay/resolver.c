/*
 * The resolver process: a loop around poll().  Questions come from the
 * workers' sockets, are asked on the current way to the DNS, and go back
 * as typed answers.  Each worker has so many questions under way and no
 * more; the rest waits in its socket, so that none can starve another.
 * What is not answered in time is answered as an error.
 */
#include "relay/resolver.h"

#include "conf/log.h"
#include "relay/channel.h"
#include "relay/dns_wire.h"
#include "relay/resolver_ways.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
	/* A worker's questions under way: more than it can have deliveries
	 * that wait, so that dead zones hold up nobody else. */
	IN_FLIGHT_MAX = 512,
	CLIENTS_MAX = 1024,
	/* Less than DNS_TIMEOUT, so that the worker learns why. */
	LOOKUP_TIMEOUT = DNS_TIMEOUT - 5,
};

struct client {
	int fd; /* -1: gone, to be reaped */
	unsigned in_flight;
	struct buffer *out; /* answers that its socket did not take */
	size_t out_count;
	struct client *next;
};

struct lookup {
	struct resolver *resolver;
	struct client *client;
	struct dns_question question;
	struct way *way;
	int number; /* to cancel by */
	double deadline;
	struct lookup *next, **at; /* in order of deadlines */
};

struct resolver {
	int channel;
	struct ways *ways;
	struct client *clients;
	size_t client_count;
	struct lookup *first, **last;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void close_client(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	while (client->out_count > 0)
		buffer_clear(&client->out[--client->out_count]);
	free(client->out);
	client->out = NULL;
}

/* 1 sent, 0 not now, -1 the worker is gone. */
static int send_answer(struct client *client, struct view bytes)
{
	ssize_t n = send(client->fd, bytes.at, bytes.len,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0)
		return 1;
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0
									 : -1;
}

static void flush_client(struct client *client)
{
	size_t done = 0;
	int sent = 1;

	while (done < client->out_count &&
	       (sent = send_answer(client, buffer_view(&client->out[done]))) >
		       0)
		buffer_clear(&client->out[done++]);
	for (size_t i = done; done > 0 && i < client->out_count; i++)
		client->out[i - done] = client->out[i];
	client->out_count -= done;
	if (sent < 0)
		close_client(client);
}

static void answer_client(struct client *client,
			  const struct dns_question *question,
			  const struct dns_answer *answer)
{
	struct buffer bytes = { 0 };

	if (client->fd < 0)
		return;
	dns_wire_put_answer(&bytes, question->id, question->type, answer);
	client->out = must_realloc(client->out, (client->out_count + 1) *
							sizeof(*client->out));
	client->out[client->out_count++] = bytes;
	flush_client(client);
}

static void end_lookup(struct lookup *lookup)
{
	if (lookup->next)
		lookup->next->at = lookup->at;
	else
		lookup->resolver->last = lookup->at;
	*lookup->at = lookup->next;
	lookup->client->in_flight--;
	way_release(lookup->way);
	free(lookup);
}

static void answered(void *arg, const struct dns_answer *answer)
{
	struct lookup *lookup = arg;

	answer_client(lookup->client, &lookup->question, answer);
	end_lookup(lookup);
}

static void answer_error(struct lookup *lookup, const char *why)
{
	struct dns_answer answer = { .kind = DNS_ERROR };

	snprintf(answer.why, sizeof(answer.why), "%s", why);
	snprintf(answer.canonical, sizeof(answer.canonical), "%s",
		 lookup->question.name);
	answered(lookup, &answer);
}

static void start_lookup(struct resolver *resolver, struct client *client,
			 const struct dns_question *question)
{
	struct lookup *lookup = must_alloc(sizeof(*lookup));
	struct error error;

	lookup->resolver = resolver;
	lookup->client = client;
	lookup->question = *question;
	lookup->way = ways_take(resolver->ways);
	lookup->deadline = now() + LOOKUP_TIMEOUT;
	lookup->at = resolver->last;
	*resolver->last = lookup;
	resolver->last = &lookup->next;
	client->in_flight++;
	if (upstream_ask(way_upstream(lookup->way), question->type,
			 question->name, answered, lookup, &lookup->number,
			 &error))
		answer_error(lookup, error.text);
}

static void time_out_lookups(struct resolver *resolver, double at)
{
	while (resolver->first && resolver->first->deadline <= at) {
		struct lookup *lookup = resolver->first;

		upstream_cancel(way_upstream(lookup->way), lookup->number);
		answer_error(lookup, "timeout");
	}
}

static void cancel_lookups(struct resolver *resolver,
			   const struct client *client)
{
	struct lookup *lookup = resolver->first;

	while (lookup) {
		struct lookup *next = lookup->next;

		if (lookup->client == client) {
			upstream_cancel(way_upstream(lookup->way),
					lookup->number);
			end_lookup(lookup);
		}
		lookup = next;
	}
}

static bool may_ask(const struct client *client)
{
	return client->fd >= 0 && client->in_flight < IN_FLIGHT_MAX &&
	       client->out_count == 0;
}

static void read_client(struct resolver *resolver, struct client *client)
{
	unsigned char bytes[DNS_WIRE_QUESTION_MAX + 1];
	struct dns_question question;

	while (may_ask(client)) {
		ssize_t n = recv(client->fd, bytes, sizeof(bytes),
				 MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			close_client(client);
			return;
		}
		/* What is malformed has no id to answer to. */
		if (dns_wire_get_question(view_make(bytes, (size_t)n),
					  &question) == 0)
			start_lookup(resolver, client, &question);
	}
}

static void add_client(struct resolver *resolver, int fd)
{
	struct client *client;

	if (resolver->client_count == CLIENTS_MAX) {
		close(fd);
		return;
	}
	client = must_alloc(sizeof(*client));
	client->fd = fd;
	client->next = resolver->clients;
	resolver->clients = client;
	resolver->client_count++;
}

static void reap_clients(struct resolver *resolver)
{
	struct client **at = &resolver->clients;

	while (*at) {
		struct client *client = *at;

		if (client->fd >= 0) {
			at = &client->next;
			continue;
		}
		cancel_lookups(resolver, client);
		*at = client->next;
		free(client);
		resolver->client_count--;
	}
}

/* False when the supervisor is gone. */
static bool read_channel(struct resolver *resolver)
{
	struct channel_message message;
	int got;

	while ((got = channel_receive(resolver->channel, &message)) > 0) {
		if (message.kind == CHANNEL_CLIENT && message.fd >= 0)
			add_client(resolver, message.fd);
		else if (message.fd >= 0)
			close(message.fd);
	}
	return got == 0;
}

/* Before the way is decided questions wait in the sockets. */
static short wanted(const struct resolver *resolver,
		    const struct client *client)
{
	if (client->out_count > 0)
		return POLLOUT;
	return ways_are_ready(resolver->ways) && may_ask(client) ? POLLIN : 0;
}

static size_t watch(const struct resolver *resolver, struct pollfd *fds)
{
	size_t count = 0;

	fds[count++] = (struct pollfd){ resolver->channel, POLLIN, 0 };
	for (struct client *c = resolver->clients; c; c = c->next)
		fds[count++] = (struct pollfd){ c->fd, wanted(resolver, c), 0 };
	return count + ways_watch(resolver->ways, fds + count, WAYS_WATCH_MAX);
}

static int sleep_for(const struct resolver *resolver, double ways_sleep)
{
	double sleep = ways_sleep;

	if (resolver->first && resolver->first->deadline - now() < sleep)
		sleep = resolver->first->deadline - now();
	return sleep > 0 ? (int)(sleep * 1000) + 1 : 0;
}

static void serve_clients(struct resolver *resolver, const struct pollfd *fds)
{
	for (struct client *c = resolver->clients; c; c = c->next, fds++) {
		if (fds->revents & POLLIN)
			read_client(resolver, c);
		else if (fds->revents & (POLLHUP | POLLERR))
			close_client(c);
		else if (fds->revents & POLLOUT)
			flush_client(c);
	}
}

static int run(struct resolver *resolver, struct error *error)
{
	struct pollfd fds[1 + CLIENTS_MAX + WAYS_WATCH_MAX];

	for (;;) {
		double sleep = ways_step(resolver->ways, now(), error);
		size_t count;

		if (sleep < 0)
			return -1;
		time_out_lookups(resolver, now());
		reap_clients(resolver);
		count = watch(resolver, fds);
		if (poll(fds, count, sleep_for(resolver, sleep)) < 0 &&
		    errno != EINTR)
			return error_errno(error, "poll");
		serve_clients(resolver, fds + 1);
		if (fds[0].revents && !read_channel(resolver))
			return 0;
	}
}

int resolver_run(const struct conf *conf, int channel)
{
	struct resolver resolver = { .channel = channel };
	struct error error;
	int status;

	resolver.last = &resolver.first;
	resolver.ways = ways_new(conf, &error);
	if (!resolver.ways) {
		log_say(LOG_ERROR, "stopped", "resolver: %s", error.text);
		return EX_SOFTWARE;
	}
	status = run(&resolver, &error);
	if (status)
		log_say(LOG_ERROR, "stopped", "resolver: %s", error.text);
	for (struct client *c = resolver.clients; c; c = c->next)
		close_client(c);
	reap_clients(&resolver);
	ways_free(resolver.ways);
	return status ? EX_SOFTWARE : EX_OK;
}
