/*
 * An envelope written as text.  See queue_file.h; queue_file_read.c reads
 * it.
 */
#include "relay/queue_file.h"

#include <inttypes.h>

#include "relay/queue_print.h"

static void put(struct buffer *out, const char *key, const char *value)
{
	buffer_printf(out, "%s: ", key);
	for (; *value; value++) {
		unsigned char byte = (unsigned char)*value;

		if (byte < ' ' || byte == '\\' || byte == 127)
			buffer_printf(out, "\\x%02x", byte);
		else
			buffer_append_byte(out, byte);
	}
	buffer_append(out, VIEW("\n"));
}

static void put_some(struct buffer *out, const char *key, const char *value)
{
	if (value && *value)
		put(out, key, value);
}

static void put_number(struct buffer *out, const char *key, int64_t value)
{
	buffer_printf(out, "%s: %" PRId64 "\n", key, value);
}

static void put_time(struct buffer *out, const char *key, int64_t when)
{
	buffer_printf(out, "%s: ", key);
	print_stamp(out, when);
	buffer_append(out, VIEW("\n"));
}

void queue_file_begin(struct buffer *out, const struct browse_job *job)
{
	const struct envelope *e = job->picked->message.envelope;

	buffer_append(out, VIEW("postern-envelope: 1\n"));
	put(out, "id", e->id);
	put(out, "sender", e->sender);
	put_some(out, "client", e->client);
	put_time(out, "accepted", e->accepted_wall);
	/* By the clock of the spool that it comes from, as in its id. */
	put_number(out, "accepted-clock", e->accepted);
	put_number(out, "longest-line", e->longest_line);
	put_number(out, "8bit", e->is_8bit);
	put_number(out, "smtputf8", e->needs_utf8);
	put_number(out, "utf8-header", e->has_utf8_header);
	put_number(out, "report", e->is_report);
	if (e->envid)
		put(out, "envid", e->envid);
	put_number(out, "return", e->ret);
}

static void put_attempt(struct buffer *out, const struct browse_job *job,
			const struct attempt *a)
{
	const struct proof *p = &a->proof;

	put_time(out, "attempt", a->at / 1000 + job->to_wall);
	put_number(out, "reply-code", a->reply_code);
	put_some(out, "status", a->status);
	put_some(out, "host", a->host);
	put_some(out, "text", a->text);
	put_some(out, "tls-level", p->level);
	put_some(out, "tls-verdict", p->verdict);
	put_some(out, "tls-reason-code", p->reason_code);
	put_some(out, "tls-version", p->version);
	put_some(out, "tls-cipher", p->cipher);
	put_some(out, "tls-name", p->name);
	put_some(out, "tls-issuer", p->issuer);
	put_some(out, "tls-pin", p->pin);
	if (p->pinned)
		put_number(out, "tls-pinned", p->pinned);
	if (p->is_verified)
		put_number(out, "tls-verified", 1);
}

void queue_file_job(struct buffer *out, const struct browse_job *job)
{
	const struct progress *p = &job->picked->progress;
	const struct envelope *e = job->picked->message.envelope;

	buffer_append(out, VIEW("\n"));
	put(out, "destination", job->picked->key.lane);
	put_number(out, "attempts", p->attempts);
	put_number(out, "noticed", p->is_noticed);
	put_number(out, "on-hold", job->due == BROWSE_NEVER);
	for (size_t i = 0; i < p->open_count; i++) {
		const struct recipient *r = &e->recipients[p->open[i].index];

		put(out, "to", r->address);
		put(out, "domain", r->domain);
		put_some(out, "orcpt", r->orcpt);
		if (r->notify)
			put_number(out, "notify", r->notify);
		put_some(out, "reason", p->open[i].reason);
	}
	for (size_t i = 0; i < p->log_count; i++)
		put_attempt(out, job, &p->log[i]);
}
