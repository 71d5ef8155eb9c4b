/*
 * `postern queue list`: destinations with what their mail waits for, or
 * messages one by one.  A page at a time: each costs what it shows, and the
 * next one begins behind its last line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "relay/queue_order.h"
#include "relay/queue_print.h"
#include "relay/queue_verbs.h"

enum { PAGE = 64, RECIPIENTS_SHOWN = 3 };

struct list {
	struct queue_order order;
	struct browse *browse;
	struct buffer out;
	struct json json;
	struct holds holds;
	int64_t now;
	uint64_t lanes, messages;
	struct browse_place place;
	bool is_more;
	bool is_unread;    /* nobody reads any more */
};

static void put(struct list *list, const char *text)
{
	buffer_append(&list->out, view_of(text));
}

/* --- destinations ---------------------------------------------------- */

static const char *reason_text(unsigned number, const struct lane_reason *r)
{
	if (number == REASON_UNTRIED)
		return "not tried yet, waiting with the destination";
	if (number == REASON_ON_HOLD)
		return "on hold";
	return number == REASON_OTHERS ? "other reasons" : r->text;
}

static void show_reason(struct list *list, unsigned number,
			const struct lane_reason *reason)
{
	buffer_printf(&list->out, "  %10" PRIu64 "  ", reason->count);
	print_told(&list->out, reason_text(number, reason));
	put(list, "\n");
}

/* A domain is on hold, unless a policy's title is the same: then there may be
 * others. */
static int64_t next_of(const struct list *list, const struct browse_lane *lane)
{
	const struct conf *conf = list->order.conf;

	if (holds_has_all(&list->holds))
		return BROWSE_NEVER;
	for (size_t i = 0; i < conf->policy_count; i++)
		if (!strcmp(conf->policies[i].title, lane->record.name))
			return lane->next;
	return holds_has_domain(&list->holds, lane->record.name) ?
		       BROWSE_NEVER :
		       lane->next;
}

static void show_lane(struct list *list, const struct browse_lane *lane)
{
	const struct lane_record *r = &lane->record;

	print_shown(&list->out, r->name);
	put(list, ": ");
	print_count(&list->out, r->jobs + lane->fresh, "message");
	if (lane->is_fresh_least)
		put(list, " at least");
	put(list, ", oldest ");
	print_span(&list->out, list->now - lane->oldest);
	put(list, ", next try ");
	print_next(&list->out, list->now, next_of(list, lane));
	put(list, "\n");
	if (r->failures) {
		put(list, "              ");
		print_told(&list->out, *r->host ? r->host : "no host");
		put(list, ": ");
		print_told(&list->out, r->text);
		buffer_printf(&list->out, " (%u in a row, for ", r->failures);
		print_span(&list->out, list->now - r->since);
		put(list, ")\n");
	}
	if (lane->fresh)
		buffer_printf(&list->out, "  %10" PRIu64 "  new\n",
			      lane->fresh);
	for (unsigned i = LANE_REASONS; i-- > 0;)
		if (r->reasons[i].count)
			show_reason(list, i, &r->reasons[i]);
}

static void json_lane(struct list *list, const struct browse_lane *lane)
{
	const struct lane_record *r = &lane->record;
	struct json *json = &list->json;

	json_open_object(json, NULL);
	json_text(json, "destination", r->name);
	json_number(json, "messages", (int64_t)(r->jobs + lane->fresh));
	json_bool(json, "messages_at_least", lane->is_fresh_least);
	print_json_time(json, "oldest", lane->oldest);
	print_json_time(json, "next", next_of(list, lane));
	json_bool(json, "on_hold", next_of(list, lane) == BROWSE_NEVER);
	json_number(json, "failures", r->failures);
	print_json_time(json, "failing_since", r->failures ? r->since : 0);
	json_text_or_null(json, "host", r->host);
	json_text_or_null(json, "last_reason", r->text);
	json_number(json, "new", (int64_t)lane->fresh);
	json_open_list(json, "reasons");
	for (unsigned i = 0; i < LANE_REASONS; i++) {
		const struct lane_reason *reason = &r->reasons[i];

		if (!reason->count)
			continue;
		json_open_object(json, NULL);
		json_number(json, "count", (int64_t)reason->count);
		json_text_or_null(json, "status", reason->status);
		json_text(json, "reason", reason_text(i, reason));
		print_json_time(json, "since",
				i == REASON_UNTRIED ? 0 : reason->since);
		json_close_object(json);
	}
	json_close_list(json);
	json_close_object(json);
}

static const char *held_text(const struct selector *rule)
{
	if (rule->kind == SELECT_ALL)
		return "mail";
	return *rule->value ? rule->value : "<>";
}

static void show_holds(struct list *list)
{
	for (size_t i = 0; i < list->holds.count; i++) {
		const struct hold *hold = &list->holds.at[i];

		buffer_printf(&list->out, "on hold: %s ",
			      selector_kind_word(hold->rule.kind));
		print_shown(&list->out, held_text(&hold->rule));
		put(list, ", since ");
		print_stamp(&list->out, hold->since);
		put(list, "\n");
	}
	if (list->holds.count)
		put(list, "\n");
}

static void json_holds(struct list *list)
{
	json_open_list(&list->json, "holds");
	for (size_t i = 0; i < list->holds.count; i++) {
		const struct hold *hold = &list->holds.at[i];

		json_open_object(&list->json, NULL);
		json_text(&list->json, "kind",
			  selector_kind_word(hold->rule.kind));
		json_text(&list->json, "value", hold->rule.value);
		print_json_time(&list->json, "since", hold->since);
		json_close_object(&list->json);
	}
	json_close_list(&list->json);
}

static int list_lanes(struct list *list, struct error *error)
{
	struct browse_lane *page = must_alloc(PAGE * sizeof(*page));
	size_t count = PAGE, left = list->order.limit;
	int rc = 0;

	snprintf(list->place.lane, sizeof(list->place.lane), "%s",
		 list->order.after);
	while (left && count == PAGE && !rc && !list->is_unread) {
		rc = browse_lanes(list->browse, list->place.lane, page, PAGE,
				  &count, error);
		for (size_t i = 0; i < count && left && !rc; i++, left--) {
			if (list->order.is_json)
				json_lane(list, &page[i]);
			else
				show_lane(list, &page[i]);
			list->lanes++;
			list->messages += page[i].record.jobs + page[i].fresh;
			memcpy(list->place.lane, page[i].record.name,
			       sizeof(list->place.lane));
			list->is_more = i + 1 < count;
		}
		list->is_unread = !print_flush(&list->out);
	}
	/* A page that ended with the limit: is there another lane? */
	if (!rc && !left && !list->is_more && count == PAGE) {
		rc = browse_lanes(list->browse, list->place.lane, page, 1,
				  &count, error);
		list->is_more = count > 0;
	}
	free(page);
	return rc;
}

/* --- messages -------------------------------------------------------- */

static void show_recipients(struct list *list, const struct picked *picked)
{
	const struct envelope *envelope = picked->message.envelope;
	size_t count = picked->progress.open_count;

	for (size_t i = 0; i < count && i < RECIPIENTS_SHOWN; i++) {
		uint32_t index = picked->progress.open[i].index;

		put(list, i ? ", <" : "<");
		print_shown(&list->out, envelope->recipients[index].address);
		put(list, ">");
	}
	if (count > RECIPIENTS_SHOWN)
		buffer_printf(&list->out, " and %zu more",
			      count - RECIPIENTS_SHOWN);
}

static void show_job(struct list *list, const struct browse_job *job)
{
	const struct picked *picked = job->picked;
	const struct attempt *last = progress_last(&picked->progress);

	buffer_printf(&list->out, "%s  ", picked->key.id);
	print_size(&list->out, picked->message.place.size);
	put(list, ", waiting ");
	print_span(&list->out, list->now - job->accepted);
	buffer_printf(&list->out, ", %u attempts, next ",
		      picked->progress.attempts);
	print_next(&list->out, list->now, job->due);
	put(list, "\n    from <");
	print_shown(&list->out, picked->message.envelope->sender);
	put(list, "> to ");
	show_recipients(list, picked);
	put(list, "\n");
	if (!last)
		return;
	put(list, "    ");
	print_told(&list->out, *last->host ? last->host : "no host");
	put(list, ": ");
	print_told(&list->out, last->text);
	put(list, "\n");
}

static void json_job(struct json *json, const struct browse_job *job)
{
	const struct picked *picked = job->picked;
	const struct attempt *last = progress_last(&picked->progress);

	json_open_object(json, NULL);
	json_text(json, "id", picked->key.id);
	json_text(json, "destination", picked->key.lane);
	json_number(json, "size", (int64_t)picked->message.place.size);
	print_json_time(json, "accepted", job->accepted);
	print_json_time(json, "next", job->due);
	json_bool(json, "on_hold", job->due == BROWSE_NEVER);
	json_number(json, "attempts", picked->progress.attempts);
	json_text(json, "sender", picked->message.envelope->sender);
	print_json_recipients(json, picked);
	json_text_or_null(json, "host", last ? last->host : NULL);
	json_text_or_null(json, "status", last ? last->status : NULL);
	json_text_or_null(json, "reason", last ? last->text : NULL);
	json_close_object(json);
}

static void on_job(void *arg, const struct browse_job *job)
{
	struct list *list = arg;

	list->messages++;
	if (list->order.is_json)
		json_job(&list->json, job);
	else
		show_job(list, job);
}

/* "LANE/ID", as the last line of the page before said. */
static int parse_place(struct list *list, struct error *error)
{
	const char *after = list->order.after, *slash = strrchr(after, '/');
	size_t lane = slash ? (size_t)(slash - after) : 0;

	if (!*after)
		return 0;
	if (!lane || lane > LANE_NAME_MAX ||
	    strlen(slash + 1) != MESSAGE_ID_LEN)
		return error_set(error, "--after %s: for messages it is what the "
				 "page before said, DESTINATION/ID", after);
	memcpy(list->place.lane, after, lane);
	memcpy(list->place.id, slash + 1, MESSAGE_ID_LEN);
	return 0;
}

static int list_jobs(struct list *list, struct error *error)
{
	struct browse_order order = {
		.selector = &list->order.selector,
		.wants_lane = queue_order_wants_lane,
		.arg = &list->order,
		.holds = &list->holds,
	};
	size_t left = list->order.limit;
	int more = 1;

	if (parse_place(list, error))
		return -1;
	while (left && more > 0 && !list->is_unread) {
		order.room = left < PAGE ? left : PAGE;
		left -= order.room;
		more = browse_jobs(list->browse, &order, &list->place, on_job,
				   list, error);
		list->is_unread = !print_flush(&list->out);
	}
	list->is_more = more > 0;
	return more < 0 ? -1 : 0;
}

/* --- both ------------------------------------------------------------ */

static void put_cursor(const struct list *list, struct buffer *out)
{
	if (list->order.has_selector)
		buffer_printf(out, "%s/%s", list->place.lane, list->place.id);
	else
		buffer_printf(out, "%s", list->place.lane);
	buffer_append_byte(out, '\0');
}

static void end_json(struct list *list)
{
	struct buffer cursor = { NULL, 0, 0, 0 };

	json_close_list(&list->json);
	put_cursor(list, &cursor);
	json_text_or_null(&list->json, "after",
			  list->is_more ? (const char *)buffer_view(&cursor).at :
					  NULL);
	json_close_object(&list->json);
	buffer_clear(&cursor);
}

static void end_text(struct list *list)
{
	struct buffer cursor = { NULL, 0, 0, 0 };
	uint64_t aside = 0;
	struct error ignored;

	if (!list->messages)
		put(list, "No mail is waiting.\n");
	else if (!list->order.has_selector && list->lanes > 1 &&
		 !list->is_more && !*list->order.after)
		buffer_printf(&list->out, "\n%" PRIu64 " messages for %" PRIu64
			      " destinations\n", list->messages, list->lanes);
	if (list->is_more) {
		put_cursor(list, &cursor);
		put(list, "\nThere is more: add --after '");
		print_shown(&list->out, (const char *)buffer_view(&cursor).at);
		put(list, "', or --all\n");
		buffer_clear(&cursor);
	}
	if (browse_aside(list->browse, &aside, &ignored) || !aside)
		return;
	put(list, "\n");
	print_count(&list->out, aside, "record");
	put(list, " did not check out and lie aside (docs/spool.md)\n");
}

static void begin(struct list *list)
{
	if (list->order.is_json) {
		json_open_object(&list->json, NULL);
		json_holds(list);
		json_open_list(&list->json, list->order.has_selector ?
						    "messages" :
						    "destinations");
	} else if (!*list->order.after) {
		show_holds(list);
	}
}

int verb_queue_list(const char *conf_path, int argc, char **argv)
{
	struct list list = { .now = (int64_t)time(NULL) };
	struct error error = { .text = "" };
	int rc, status = queue_order_parse(&list.order, "queue list",
					   TAKES_FILTER | TAKES_PAGES |
						   TAKES_JSON,
					   argc, argv);

	if (!status)
		status = queue_order_open(&list.order, conf_path,
					  &list.browse);
	if (status)
		return status;
	list.json.out = &list.out;
	rc = browse_holds(list.browse, &list.holds, &error);
	if (!rc)
		begin(&list);
	if (!rc)
		rc = list.order.has_selector ? list_jobs(&list, &error) :
					       list_lanes(&list, &error);
	if (!rc && list.order.is_json)
		end_json(&list);
	else if (!rc)
		end_text(&list);
	print_flush(&list.out);
	buffer_clear(&list.out);
	holds_clear(&list.holds);
	browse_close(list.browse);
	queue_order_end(&list.order);
	return rc ? queue_order_fail(&error, EX_IOERR) : EX_OK;
}
