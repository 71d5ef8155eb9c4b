/*
 * Reports to the sender on their way into the spool: the original's front
 * is read, the report composed and accepted like any message, except that
 * it may use the reserve.  A report of our own that cannot be delivered
 * goes to the postmaster, and no further.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/addr.h"
#include "conf/log.h"
#include "queue/dsn.h"
#include "queue/intake.h"

struct report {
	struct part *part;
	struct dsn_recipient *recipients;
	size_t count;
	void (*done)(void *arg, bool is_stored);
	void *arg;
	struct body *body;
	struct buffer original;
	bool is_full;          /* all of the original goes along */
	bool is_double;
	struct address to;
};

static bool is_postmaster(const struct conf *conf, const char *address)
{
	return !strcmp(conf->postmaster->text, address);
}

bool report_has_reader(const struct part *part)
{
	const struct envelope *envelope = part->message->envelope;
	const struct conf *conf = part->queue->conf;

	if (*envelope->sender)
		return true;
	return envelope->is_report && conf->postmaster &&
	       !is_postmaster(conf, envelope->recipients[0].address);
}

static void end(struct report *report, bool is_stored)
{
	void (*done)(void *arg, bool is_stored) = report->done;
	void *arg = report->arg;

	body_close(report->body);
	buffer_clear(&report->original);
	free(report->recipients);
	free(report);
	done(arg, is_stored);
}

static void log_report(const struct report *report, const char *id)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "report");
	log_str(&line, "id", id);
	log_str(&line, "for", report->part->message->envelope->id);
	log_str(&line, "to", report->to.text);
	log_end(&line);
}

static void on_intake(void *arg, enum intake_event event)
{
	if (event != INTAKE_ROOM)
		end(arg, event == INTAKE_STORED);
}

static bool has_8bit(const struct buffer *text)
{
	for (size_t i = text->start; i < text->end; i++)
		if (text->data[i] > 127)
			return true;
	return false;
}

static struct envelope *make_envelope(const struct report *report,
				      const struct buffer *text)
{
	const struct envelope *original = report->part->message->envelope;
	struct envelope *envelope = envelope_new();

	envelope_add(envelope, report->to.text, report->to.domain);
	/* A report is never reported on to its sender, which is null. */
	envelope->recipients[0].notify = NOTIFY_NEVER;
	envelope->is_report = true;
	envelope->is_8bit = has_8bit(text);
	envelope->needs_utf8 = original->needs_utf8 || report->to.needs_utf8;
	free(envelope->client);
	envelope->client = must_strdup("report");
	return envelope;
}

/* Which policy the mail was under, and what that demands. */
static void policy_words(const struct report *report, char *out, size_t room)
{
	static const char *const demands[] = {
		[TLS_NONE] = "no encryption is used",
		[TLS_MAY] = "encryption where it is offered",
		[TLS_ENCRYPT] = "encryption is demanded",
		[TLS_VERIFY] = "verified encryption is demanded",
	};
	const struct conf *conf = report->part->queue->conf;
	const struct envelope *envelope = report->part->message->envelope;
	const struct recipient *first =
		&envelope->recipients[report->recipients[0].index];
	const struct policy *policy = queue_policy(conf, first->domain,
						   envelope->sender);

	if (policy == &conf->fallback)
		snprintf(out, room, "none of its own: %s",
			 demands[policy->tls]);
	else
		snprintf(out, room, "%s: %s", policy->title,
			 demands[policy->tls]);
}

static void compose(struct report *report)
{
	struct part *part = report->part;
	struct queue *queue = part->queue;
	const struct envelope *envelope = part->message->envelope;
	const struct policy *policy = queue_lane_policy(queue->conf,
							part->job.lane->name);
	struct intake *intake = intake_new(queue, on_intake, report);
	struct view original = buffer_view(&report->original);
	struct buffer text = { NULL, 0, 0, 0 };
	char words[ADDR_DOMAIN_MAX + 128];
	struct dsn dsn = {
		.id = intake_id(intake),
		.hostname = queue->conf->hostname,
		.to = report->to.text,
		.now = (int64_t)time(NULL),
		.gives_up = envelope->accepted_wall +
			    policy_lifetime(queue->conf, policy),
		.policy = words,
		.is_double = report->is_double,
		.envelope = envelope,
		.recipients = report->recipients,
		.count = report->count,
		.original = report->is_full ? original : dsn_headers(original),
		.is_full = report->is_full,
	};

	policy_words(report, words, sizeof(words));
	dsn_compose(&text, &dsn);
	intake_keep(intake);
	intake_append(intake, buffer_view(&text));
	log_report(report, intake_id(intake));
	intake_commit(intake, make_envelope(report, &text));
	buffer_clear(&text);
}

/* The front of the original, as much as goes along; a body that cannot be
 * read keeps nobody from being told. */
static void on_piece(void *arg, struct view bytes, bool is_last,
		     const char *error)
{
	struct report *report = arg;
	size_t most = report->is_full ? DSN_FULL_MAX : DSN_HEADERS_MAX;

	buffer_append(&report->original, bytes);
	if (error)
		report->is_full = false;
	if (is_last || error || buffer_len(&report->original) >= most)
		compose(report);
	else
		body_next(report->body);
}

/* Whom it goes to; -1: nobody can be told. */
static int address(struct report *report)
{
	const struct envelope *envelope = report->part->message->envelope;
	struct error error;

	report->is_double = !*envelope->sender;
	if (report->is_double) {
		report->to = *report->part->queue->conf->postmaster;
		log_say(LOG_WARNING, "warning", "the report %s cannot be "
			"delivered and goes to the postmaster", envelope->id);
		return 0;
	}
	if (!address_parse(view_of(envelope->sender), &report->to, &error))
		return 0;
	log_say(LOG_WARNING, "warning", "the sender of %s cannot be told: %s",
		envelope->id, error.text);
	return -1;
}

void report_send(struct part *part, struct dsn_recipient *recipients,
		 size_t count, void (*done)(void *arg, bool is_stored),
		 void *arg)
{
	struct report *report = must_alloc(sizeof(*report));

	report->part = part;
	report->recipients = recipients;
	report->count = count;
	report->done = done;
	report->arg = arg;
	if (address(report)) {
		end(report, true);
		return;
	}
	report->is_full = !report->is_double &&
			  dsn_wants_body(part->message->envelope, recipients,
					 count);
	report->body = body_open(part->queue, &part->job, on_piece, report);
	body_next(report->body);
}
