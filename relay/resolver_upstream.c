/*
 * One way to the DNS.  libunbound validates by itself and does its work in
 * a thread of its own; answers come back through upstream_process() as
 * typed records.  The AD bit of a server is never trusted.
 */
#include "relay/resolver_upstream.h"

#include "relay/dns_rdata.h"
#include "relay/dns_wire.h"
#include "relay/resolver_context.h"

#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>

enum {
	CLASS_IN = 1,
	TYPE_SOA = 6,
	RCODE_NOERROR = 0,
	RCODE_NXDOMAIN = 3,
	WHY_MAX = sizeof(((struct dns_answer *)0)->why),
};

struct upstream {
	struct ub_ctx *ctx;
	struct question *open; /* under way */
};

struct question {
	struct upstream *upstream;
	int type;
	upstream_callback *call;
	void *arg;
	int number;
	struct question *next;
};

static int refused(struct error *error, const char *what, int code)
{
	return error_set(error, "%s: %s", what, ub_strerror(code));
}

struct upstream *upstream_new(const struct conf *conf, enum upstream_path path,
			      enum upstream_trust trust, struct error *error)
{
	struct ub_ctx *ctx = context_new(conf, path, trust, error);
	struct upstream *upstream;

	if (!ctx)
		return NULL;
	upstream = must_alloc(sizeof(*upstream));
	upstream->ctx = ctx;
	return upstream;
}

void upstream_free(struct upstream *upstream)
{
	if (!upstream)
		return;
	ub_ctx_delete(upstream->ctx);
	while (upstream->open) {
		struct question *question = upstream->open;

		upstream->open = question->next;
		free(question);
	}
	free(upstream);
}

int upstream_fd(const struct upstream *upstream)
{
	return ub_fd(upstream->ctx);
}

int upstream_process(struct upstream *upstream, struct error *error)
{
	int code = ub_process(upstream->ctx);

	return code ? refused(error, "resolver", code) : 0;
}

static void forget(struct question *question)
{
	struct question **at = &question->upstream->open;

	while (*at && *at != question)
		at = &(*at)->next;
	if (*at)
		*at = question->next;
	free(question);
}

static void say_why(struct dns_answer *answer, const char *why)
{
	struct buffer text = { 0 };

	bytes_escape(&text, view_of(why), WHY_MAX - 4);
	snprintf(answer->why, WHY_MAX, "%.*s", (int)buffer_len(&text),
		 (const char *)buffer_view(&text).at);
	buffer_clear(&text);
}

static void say_rcode(struct dns_answer *answer, int rcode)
{
	static const char *const names[] = { "NOERROR",	 "FORMERR", "SERVFAIL",
					     "NXDOMAIN", "NOTIMP",  "REFUSED" };

	if (rcode >= 0 && (size_t)rcode < sizeof(names) / sizeof(*names))
		snprintf(answer->why, WHY_MAX, "%s", names[rcode]);
	else
		snprintf(answer->why, WHY_MAX, "rcode %d", rcode);
}

/* The name as asked unless aliases led to another usable one. */
static void set_canonical(struct dns_answer *answer,
			  const struct ub_result *result)
{
	struct error error;

	if (result->canonname &&
	    domain_canonical(view_of(result->canonname), answer->canonical,
			     &error) == 0)
		return;
	if (!result->qname ||
	    domain_canonical(view_of(result->qname), answer->canonical, &error))
		answer->canonical[0] = '\0';
}

static void read_records(struct dns_answer *answer, int type,
			 const struct ub_result *result)
{
	for (size_t i = 0; result->data[i]; i++) {
		struct view rdata = view_make(result->data[i],
					      (size_t)result->len[i]);

		if (answer->count < DNS_RECORDS_MAX &&
		    dns_rdata_read((enum dns_type)type, rdata,
				   &answer->records[answer->count]) == 0)
			answer->count++;
		else
			answer->dropped++;
	}
}

/* Bogus comes before everything: such an answer carries data, too. */
static void read_result(struct dns_answer *answer, int type,
			const struct ub_result *result)
{
	answer->ttl = result->ttl > 0 ? (uint32_t)result->ttl : 0;
	set_canonical(answer, result);
	if (result->bogus) {
		answer->kind = DNS_ERROR;
		answer->is_bogus = true;
		say_why(answer,
			result->why_bogus ? result->why_bogus : "bogus");
		return;
	}
	answer->is_secure = result->secure;
	if (result->rcode == RCODE_NXDOMAIN) {
		answer->kind = DNS_NXDOMAIN;
	} else if (result->rcode != RCODE_NOERROR) {
		answer->kind = DNS_ERROR;
		answer->is_secure = false;
		say_rcode(answer, result->rcode);
	} else if (!result->havedata) {
		answer->kind = DNS_NODATA;
	} else {
		answer->kind = DNS_DATA;
		if (dns_type_known((unsigned)type))
			read_records(answer, type, result);
	}
}

static void answered(void *arg, int code, struct ub_result *result)
{
	struct question *question = arg;
	struct dns_record records[DNS_RECORDS_MAX];
	struct dns_answer answer = { .records = records };
	upstream_callback *call = question->call;
	void *call_arg = question->arg;

	if (code == 0 && result) {
		read_result(&answer, question->type, result);
	} else {
		answer.kind = DNS_ERROR;
		say_why(&answer, ub_strerror(code));
	}
	ub_resolve_free(result);
	forget(question);
	call(call_arg, &answer);
}

static int ask(struct upstream *upstream, struct question *question,
	       const char *name, struct error *error)
{
	int code;

	question->upstream = upstream;
	question->next = upstream->open;
	upstream->open = question;
	code = ub_resolve_async(upstream->ctx, name, question->type, CLASS_IN,
				question, answered, &question->number);
	if (code == 0)
		return 0;
	forget(question);
	return refused(error, name, code);
}

static struct question *new_question(int type, upstream_callback *call,
				     void *arg)
{
	struct question *question = must_alloc(sizeof(*question));

	question->type = type;
	question->call = call;
	question->arg = arg;
	return question;
}

int upstream_ask(struct upstream *upstream, enum dns_type type,
		 const char *name, upstream_callback *call, void *arg,
		 int *number, struct error *error)
{
	struct question *question = new_question((int)type, call, arg);

	if (ask(upstream, question, name, error))
		return -1;
	*number = question->number;
	return 0;
}

int upstream_ask_root(struct upstream *upstream, upstream_callback *call,
		      void *arg, int *number, struct error *error)
{
	struct question *question = new_question(TYPE_SOA, call, arg);

	if (ask(upstream, question, ".", error))
		return -1;
	*number = question->number;
	return 0;
}

void upstream_cancel(struct upstream *upstream, int number)
{
	struct question *question = upstream->open;

	while (question && question->number != number)
		question = question->next;
	if (!question)
		return;
	ub_cancel(upstream->ctx, number);
	forget(question);
}
