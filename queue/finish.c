/*
 * How a job ends: what became of each recipient is judged and logged, moves
 * the lane, and is reported to the sender where that is wanted.
 */
#include "queue/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/duration.h"
#include "conf/log.h"
#include "queue/dsn.h"
#include "queue/retry.h"

static const struct recipient *recipient_of(const struct part *part, size_t i)
{
	return &part->message->envelope
			->recipients[part->progress.open[i].index];
}

static const struct policy *policy_of(const struct part *part)
{
	const struct envelope *envelope = part->message->envelope;
	uint32_t first = part->progress.open[0].index;

	return queue_policy(part->queue->conf,
			    envelope->recipients[first].domain,
			    envelope->sender);
}

static int64_t age_of(const struct part *part)
{
	return queue_now(part->queue) / 1000 -
	       part->message->envelope->accepted;
}

static void add_report(struct ending *ending, size_t i, enum dsn_action action,
		       const struct result *result)
{
	struct part *part = ending->part;

	/* Nothing is ever said to the null sender; but a report of our own
	 * that fails is the postmaster's. */
	if (*part->message->envelope->sender ?
		    !dsn_is_wanted(recipient_of(part, i), action) :
		    action != DSN_FAILED || !report_has_reader(part))
		return;
	ending->reports = must_realloc(ending->reports,
				       (ending->report_count + 1) *
					       sizeof(*ending->reports));
	ending->reports[ending->report_count++] = (struct dsn_recipient){
		.index = part->progress.open[i].index,
		.action = action,
		.result = *result,
	};
}

static void log_result(const struct part *part, size_t i, const char *event,
		       const struct result *result, int64_t next)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, event);
	log_str(&line, "id", part->message->envelope->id);
	log_str(&line, "to", recipient_of(part, i)->address);
	if (*result->host)
		log_str(&line, "host", result->host);
	log_str(&line, "status", result->status);
	log_str(&line, "reason", result->text);
	proof_log(&result->proof, &line);
	log_num(&line, "delay", age_of(part));
	if (next >= 0)
		log_num(&line, "next", next);
	log_end(&line);
}

/* Gone for good: given up for its age or refused. */
static void fail(struct ending *ending, size_t i, const struct result *result)
{
	log_result(ending->part, i, "bounced", result, -1);
	ending->part->queue->counts.failed++;
	add_report(ending, i, DSN_FAILED, result);
}

/* Given up for its age. Who waited for TLS is told so: a better host, or an
 * agreement that is kept, would have had the mail. */
static void expired(const struct part *part, struct result *out,
		    const struct result *last)
{
	const struct policy *policy = policy_of(part);
	const struct conf *conf = part->queue->conf;
	uint32_t lifetime = policy_lifetime(conf, policy);
	char status[sizeof(last->status)], text[DURATION_TEXT_MAX];

	*out = *last;
	if (last->is_unmet && age_of(part) < lifetime) {
		snprintf(status, sizeof(status), "5%s",
			 last->status[0] == '4' ? last->status + 1 : ".7.0");
		result_retell(out, OUTCOME_FAILED, last->blame, status,
			   "the encryption that is demanded for this "
			   "recipient was not to be had within %s: %s",
			   duration_text(policy->bounce_after, text), last->text);
		return;
	}
	/* RFC 3463 3.5: X.4.7, delivery time expired; 4 because a later
	 * message may fare better. */
	result_retell(out, OUTCOME_FAILED, last->blame, "4.4.7",
		   "not delivered within %s; the last reason was: %s",
		   duration_text(lifetime, text), last->text);
}

/* True when the recipient stays open. */
static bool judge(struct ending *ending, size_t i, const struct result *result)
{
	struct part *part = ending->part;
	struct result late;

	switch (result->outcome) {
	case OUTCOME_DELIVERED:
		log_result(part, i, "delivered", result, -1);
		part->queue->counts.delivered++;
		if (!result->hop_has_dsn)
			add_report(ending, i, DSN_RELAYED, result);
		return false;
	case OUTCOME_FAILED:
		fail(ending, i, result);
		return false;
	case OUTCOME_DEFERRED:
		break;
	}
	if (age_of(part) < policy_patience(part->queue->conf, policy_of(part),
					   result->is_unmet))
		return true;
	expired(part, &late, result);
	fail(ending, i, &late);
	return false;
}

/* What the results say about the host: it is to blame, or it is alive. */
static void move_lane(struct ending *ending, const struct result *results)
{
	struct part *part = ending->part;
	struct queue *queue = part->queue;
	struct lane *lane = part->job.lane;
	const struct result *blamed = NULL;
	bool is_alive = false;

	for (size_t i = 0; i < part->progress.open_count; i++) {
		const struct result *r = &results[i];

		if (r->outcome == OUTCOME_DEFERRED && r->blame == BLAME_HOST)
			blamed = r;
		else if (r->outcome == OUTCOME_DELIVERED || r->reply_code)
			is_alive = true;
	}
	if (blamed)
		ending->has_lane_news =
			lane_fail(lane, part->epoch, blamed, queue_now(queue),
				  retry_delay(queue->conf->retry_first,
					      queue->conf->retry_max,
					      lane->failures + 1,
					      queue_random(queue)));
	else if (is_alive)
		ending->has_lane_news = lane_succeed(lane);
	if (blamed)
		lane_cool(queue, lane);
}

static int64_t next_try(struct part *part)
{
	struct queue *queue = part->queue;
	struct lane *lane = part->job.lane;
	int64_t now = queue_now(queue);

	/* Its own pace too, so that a message that breaks connections waits
	 * although its lane is well. */
	part->progress.due = now + retry_delay(queue->conf->retry_first,
					       queue->conf->retry_max,
					       part->progress.attempts,
					       queue_random(queue));
	if (lane->due > part->progress.due)
		return (lane->due - now + 999) / 1000;
	return (part->progress.due - now + 999) / 1000;
}

/* Notices are for when there is room: what is left is for reports of mail
 * that goes. */
static bool wants_notice(const struct part *part)
{
	uint32_t notice = policy_delay_notice(part->queue->conf,
					      policy_of(part));

	return notice && room_to_spare(part->queue) && !part->progress.is_noticed && age_of(part) >= notice;
}

/* The open ones stay, each with its reason where that differs. */
static void shrink(struct part *part, const bool *stays,
		   const struct result *results)
{
	struct progress *p = &part->progress;
	const char *shared = NULL;
	size_t left = 0;

	for (size_t i = 0; i < p->open_count; i++) {
		free(p->open[i].reason);
		p->open[i].reason = NULL;
		if (!stays[i])
			continue;
		if (!shared)
			shared = results[i].text;
		else if (strcmp(shared, results[i].text))
			p->open[i].reason = must_strdup(results[i].text);
		p->open[left++] = p->open[i];
	}
	p->open_count = left;
}

static void deferred(struct ending *ending, const bool *stays,
		     const struct result *results)
{
	struct part *part = ending->part;
	const struct lane *lane = part->job.lane;
	const struct result *first = NULL;
	int64_t now = queue_now(part->queue), next;
	bool has_notice;

	for (size_t i = 0; i < part->progress.open_count && !first; i++)
		if (stays[i])
			first = &results[i];
	if (!first)
		return;
	progress_attempt(&part->progress, first,
			 now > lane->retried ? now : lane->retried + 1);
	next = next_try(part);
	has_notice = wants_notice(part);
	for (size_t i = 0; i < part->progress.open_count; i++) {
		if (!stays[i])
			continue;
		log_result(part, i, "deferred", &results[i], next);
		part->queue->counts.deferred++;
		if (has_notice)
			add_report(ending, i, DSN_DELAYED, &results[i]);
	}
	part->progress.is_noticed |= has_notice;
}

void part_finish(struct part *part, const struct result *results)
{
	size_t count = part->progress.open_count;
	struct ending *ending;
	bool *stays;

	if (part->is_damaged) {
		part_put_aside(part);
		return;
	}
	ending = ending_new(part);
	stays = must_alloc(count * sizeof(*stays));
	move_lane(ending, results);
	for (size_t i = 0; i < count; i++)
		stays[i] = judge(ending, i, &results[i]);
	deferred(ending, stays, results);
	shrink(part, stays, results);
	free(stays);
	ending_go(ending);
}

/* --- without an attempt ---------------------------------------------- */

/* Of a lane's failure that the job had no part in: the name, cipher and pin
 * that were met are others' business. */
static void lane_proof(const struct lane *lane, struct proof *out)
{
	*out = (struct proof){ .verdict = "next-host" };
	proof_field(out->level, sizeof(out->level), lane->level);
	proof_field(out->reason_code, sizeof(out->reason_code),
		    lane->reason_code);
}

/* The last thing that was said, to this recipient, this job or this lane. */
static void last_reason(const struct part *part, size_t i, struct result *out)
{
	const struct attempt *last = progress_last(&part->progress);
	const struct lane *lane = part->job.lane;
	const char *own = part->progress.open[i].reason;

	*out = (struct result){ .outcome = OUTCOME_DEFERRED };
	if (last)
		out->proof = last->proof;
	/* What the lane waits for is newer than what the job met itself. */
	if (last && !lane->is_unmet) {
		out->reply_code = last->reply_code;
		memcpy(out->host, last->host, sizeof(last->host));
		result_retell(out, OUTCOME_DEFERRED, BLAME_NONE, last->status,
			   "%s", own ? own : last->text);
	} else if (*lane->text) {
		memcpy(out->host, lane->host, sizeof(lane->host));
		result_retell(out, OUTCOME_DEFERRED, BLAME_HOST, lane->status,
			   "%s", lane->text);
		out->is_unmet = lane->is_unmet;
		if (lane->is_unmet &&
		    !(last && !strcmp(last->text, lane->text)))
			lane_proof(lane, &out->proof);
	} else {
		result_retell(out, OUTCOME_DEFERRED, BLAME_NONE, "4.4.7",
			   "it was never its turn");
	}
}

void part_expire(struct part *part)
{
	struct ending *ending = ending_new(part);

	for (size_t i = 0; i < part->progress.open_count; i++) {
		struct result last, late;

		last_reason(part, i, &last);
		expired(part, &late, &last);
		fail(ending, i, &late);
		free(part->progress.open[i].reason);
	}
	part->progress.open_count = 0;
	ending_go(ending);
}

/* RFC 3463 3.1: nothing more is known than that it will not be. */
static void given_up(struct result *out, const struct result *last,
		     const struct conf *conf, bool is_reported)
{
	*out = *last;
	result_retell(out, OUTCOME_FAILED, BLAME_NONE, "5.0.0",
		   "%s by the postmaster of %s; the last reason was: %s",
		   is_reported ? "given up" : "removed", conf->hostname, last->text);
}

void part_end(struct part *part, const bool *ends, bool is_reported,
	      void (*told)(void *arg, bool is_recorded), void *arg)
{
	struct ending *ending = ending_new(part);
	struct progress *p = &part->progress;
	size_t left = 0;

	ending->told = told;
	ending->arg = arg;
	for (size_t i = 0; i < p->open_count; i++) {
		struct result last, end;

		if (!ends[i]) {
			p->open[left++] = p->open[i];
			continue;
		}
		last_reason(part, i, &last);
		given_up(&end, &last, part->queue->conf, is_reported);
		if (is_reported)
			fail(ending, i, &end);
		else
			log_result(part, i, "removed", &end, -1);
		free(p->open[i].reason);
	}
	p->open_count = left;
	/* Who is left is held from now on. */
	if (part->home == HOME_FRESH)
		p->due = queue_now(part->queue);
	ending_go(ending);
}

void part_notice(struct part *part)
{
	struct ending *ending = ending_new(part);

	ending->is_notice = true;
	for (size_t i = 0; i < part->progress.open_count; i++) {
		struct result last;

		last_reason(part, i, &last);
		add_report(ending, i, DSN_DELAYED, &last);
	}
	part->progress.is_noticed = true;
	ending_go(ending);
}
