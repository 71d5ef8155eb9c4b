/*
 * `postern queue show` and `cat`: one message, its envelope, who still
 * waits and what was tried; or its body as it is stored.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "relay/queue_order.h"
#include "relay/queue_print.h"
#include "relay/queue_verbs.h"

struct show {
	struct queue_order order;
	struct browse *browse;
	struct buffer out;
	struct json json;
	int64_t now;
	unsigned jobs;
};

static void put(struct show *show, const char *text)
{
	buffer_append(&show->out, view_of(text));
}

static void put_line(struct show *show, const char *label, const char *text)
{
	buffer_printf(&show->out, "%-11s ", label);
	print_shown(&show->out, text);
	put(show, "\n");
}

static const char *notify_text(unsigned notify, char out[48])
{
	if (notify & NOTIFY_NEVER)
		return "never";
	snprintf(out, 48, "%s%s%s", notify & NOTIFY_SUCCESS ? ",success" : "",
		 notify & NOTIFY_FAILURE ? ",failure" : "",
		 notify & NOTIFY_DELAY ? ",delay" : "");
	return *out ? out + 1 : "";
}

static const char *return_text(enum dsn_return ret)
{
	return ret == RETURN_FULL ? "full" : ret == RETURN_HEADERS ? "hdrs" : "";
}

/* --- for people ------------------------------------------------------ */

static void show_envelope(struct show *show, const struct browse_job *job)
{
	const struct envelope *e = job->picked->message.envelope;

	put_line(show, "id:", e->id);
	put_line(show, "sender:", *e->sender ? e->sender : "<>");
	put_line(show, "client:", e->client);
	buffer_printf(&show->out, "%-11s ", "accepted:");
	print_stamp(&show->out, e->accepted_wall);
	put(show, " (waiting ");
	print_span(&show->out, show->now - job->accepted);
	buffer_printf(&show->out, ")\n%-11s ", "size:");
	print_size(&show->out, e->size);
	buffer_printf(&show->out, "%s%s%s\n", e->is_8bit ? ", 8-bit" : "",
		      e->needs_utf8 ? ", SMTPUTF8" : "",
		      e->is_report ? ", a report of our own" : "");
	if (e->envid)
		put_line(show, "envid:", e->envid);
	if (e->ret)
		put_line(show, "return:", return_text(e->ret));
}

static void show_attempt(struct show *show, const struct browse_job *job,
			 const struct attempt *a)
{
	char proof[PROOF_TEXT_MAX];

	put(show, "    ");
	print_stamp(&show->out, a->at / 1000 + job->to_wall);
	put(show, "  ");
	print_told(&show->out, *a->host ? a->host : "no host");
	put(show, "\n        ");
	print_told(&show->out, a->text);
	if (*a->status)
		buffer_printf(&show->out, " (%s)", a->status);
	put(show, "\n        TLS: ");
	if (*a->proof.level)
		buffer_printf(&show->out, "%s demanded, ", a->proof.level);
	if (*a->proof.verdict)
		buffer_printf(&show->out, "verdict %s", a->proof.verdict);
	else
		put(show, "not judged");
	if (*a->proof.reason_code)
		buffer_printf(&show->out, " (%s)", a->proof.reason_code);
	proof_text(&a->proof, proof);
	if (*proof) {
		put(show, ", ");
		print_told(&show->out, proof);
	}
	if (a->proof.pinned)
		buffer_printf(&show->out, ", the policy's pin %u",
			      (unsigned)a->proof.pinned);
	if (*a->proof.would)
		buffer_printf(&show->out, ", dry run: %s", a->proof.would);
	put(show, "\n");
}

static void show_attempts(struct show *show, const struct browse_job *job)
{
	const struct progress *p = &job->picked->progress;

	for (size_t i = 0; i < p->log_count; i++) {
		if (i == ATTEMPTS_FIRST && p->attempts > p->log_count)
			buffer_printf(&show->out, "    ... %zu more ...\n",
				      p->attempts - p->log_count);
		show_attempt(show, job, &p->log[i]);
	}
}

static void show_job(struct show *show, const struct browse_job *job)
{
	const struct picked *picked = job->picked;
	const struct envelope *e = picked->message.envelope;

	buffer_printf(&show->out, "\n%-11s ", "waits for:");
	print_shown(&show->out, picked->key.lane);
	put(show, ", next try ");
	print_next(&show->out, show->now, job->due);
	buffer_printf(&show->out, " (worker-%u)\n", job->folder);
	for (size_t i = 0; i < picked->progress.open_count; i++) {
		const struct open_recipient *o = &picked->progress.open[i];
		const struct recipient *r = &e->recipients[o->index];
		char notify[48];

		put(show, "  to <");
		print_shown(&show->out, r->address);
		put(show, ">");
		if (r->notify)
			buffer_printf(&show->out, " notify=%s",
				      notify_text(r->notify, notify));
		if (o->reason) {
			put(show, ": ");
			print_told(&show->out, o->reason);
		}
		put(show, "\n");
	}
	put(show, "  ");
	print_count(&show->out, picked->progress.attempts, "attempt");
	put(show, picked->progress.is_noticed ?
			  ", the sender was told of the delay\n" :
			  "\n");
	show_attempts(show, job);
}

/* --- for programs ---------------------------------------------------- */

static void json_envelope(struct json *json, const struct browse_job *job)
{
	const struct envelope *e = job->picked->message.envelope;

	json_text(json, "id", e->id);
	json_text(json, "sender", e->sender);
	json_text_or_null(json, "client", e->client);
	print_json_time(json, "accepted", e->accepted_wall);
	json_number(json, "size", (int64_t)e->size);
	json_bool(json, "is_8bit", e->is_8bit);
	json_bool(json, "needs_utf8", e->needs_utf8);
	json_bool(json, "is_report", e->is_report);
	json_text_or_null(json, "envid", e->envid);
	json_text_or_null(json, "return", return_text(e->ret));
	json_open_list(json, "jobs");
}

static void json_attempt(struct json *json, const struct browse_job *job,
			 const struct attempt *a)
{
	json_open_object(json, NULL);
	print_json_time(json, "at", a->at / 1000 + job->to_wall);
	json_text_or_null(json, "host", a->host);
	json_number(json, "reply_code", a->reply_code);
	json_text_or_null(json, "status", a->status);
	json_text_or_null(json, "reason", a->text);
	json_open_object(json, "tls");
	json_text_or_null(json, "level", a->proof.level);
	json_text_or_null(json, "verdict", a->proof.verdict);
	json_text_or_null(json, "reason_code", a->proof.reason_code);
	json_text_or_null(json, "version", a->proof.version);
	json_text_or_null(json, "cipher", a->proof.cipher);
	json_text_or_null(json, "name", a->proof.name);
	json_text_or_null(json, "issuer", a->proof.issuer);
	json_text_or_null(json, "pin", a->proof.pin);
	if (a->proof.pinned)
		json_number(json, "pinned", a->proof.pinned);
	else
		json_null(json, "pinned");
	json_text_or_null(json, "would", a->proof.would);
	json_bool(json, "is_verified", a->proof.is_verified);
	json_close_object(json);
	json_close_object(json);
}

static void json_job(struct json *json, const struct browse_job *job)
{
	const struct progress *p = &job->picked->progress;

	json_open_object(json, NULL);
	json_text(json, "destination", job->picked->key.lane);
	json_number(json, "worker", job->folder);
	json_bool(json, "is_new", job->is_fresh);
	print_json_time(json, "next", job->due);
	json_bool(json, "on_hold", job->due == BROWSE_NEVER);
	json_number(json, "attempts", p->attempts);
	json_bool(json, "is_noticed", p->is_noticed);
	print_json_recipients(json, job->picked);
	json_open_list(json, "log");
	for (size_t i = 0; i < p->log_count; i++)
		json_attempt(json, job, &p->log[i]);
	json_close_list(json);
	json_close_object(json);
}

/* --- the commands ---------------------------------------------------- */

static void on_job(void *arg, const struct browse_job *job)
{
	struct show *show = arg;
	bool is_first = !show->jobs++;

	if (show->order.is_json) {
		if (is_first)
			json_envelope(&show->json, job);
		json_job(&show->json, job);
		return;
	}
	if (is_first)
		show_envelope(show, job);
	show_job(show, job);
}

static int no_such(const char *id)
{
	fprintf(stderr, "postern: no message %s is waiting here\n", id);
	return EX_NOINPUT;
}

static int parse_id(struct queue_order *order, const char *verb, unsigned more,
		    int argc, char **argv)
{
	int status = queue_order_parse(order, verb, TAKES_SELECTOR | more,
				       argc, argv);

	if (status || order->selector.kind == SELECT_ID)
		return status;
	fprintf(stderr, "postern %s: a message's id is wanted, as `postern "
		"queue list --messages` shows it\n", verb);
	return EX_USAGE;
}

int verb_queue_show(const char *conf_path, int argc, char **argv)
{
	struct show show = { .now = (int64_t)time(NULL) };
	struct holds holds = { NULL, 0 };
	struct browse_order order = { .selector = &show.order.selector,
				      .holds = &holds };
	struct browse_place place = { .lane = "" };
	struct error error;
	int rc, status = parse_id(&show.order, "queue show", TAKES_JSON, argc,
				  argv);

	if (!status)
		status = queue_order_open(&show.order, conf_path,
					  &show.browse);
	if (status)
		return status;
	show.json.out = &show.out;
	if (show.order.is_json)
		json_open_object(&show.json, NULL);
	rc = browse_holds(show.browse, &holds, &error);
	if (!rc)
		rc = browse_jobs(show.browse, &order, &place, on_job, &show,
				 &error);
	holds_clear(&holds);
	if (show.order.is_json && show.jobs) {
		json_close_list(&show.json);
		json_close_object(&show.json);
	}
	if (!rc && show.jobs)
		print_flush(&show.out);
	buffer_clear(&show.out);
	browse_close(show.browse);
	queue_order_end(&show.order);
	if (rc)
		return queue_order_fail(&error, EX_IOERR);
	return show.jobs ? EX_OK : no_such(show.order.selector.value);
}

static bool on_piece(void *arg, struct view bytes)
{
	(void)arg;
	return fwrite(bytes.at, 1, bytes.len, stdout) == bytes.len;
}

int verb_queue_cat(const char *conf_path, int argc, char **argv)
{
	struct queue_order order;
	struct browse *browse;
	struct error error;
	int rc, status = parse_id(&order, "queue cat", 0, argc, argv);

	if (!status)
		status = queue_order_open(&order, conf_path, &browse);
	if (status)
		return status;
	rc = browse_body(browse, order.selector.value, on_piece, NULL, &error);
	if (fflush(stdout))
		rc = error_errno(&error, "standard output");
	browse_close(browse);
	queue_order_end(&order);
	if (rc < 0)
		return queue_order_fail(&error, EX_IOERR);
	return rc ? no_such(order.selector.value) : EX_OK;
}
