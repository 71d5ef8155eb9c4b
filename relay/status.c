/*
 * `postern status`: each worker's numbers and its destinations in trouble,
 * as its control socket says them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "relay/control.h"
#include "relay/door.h"
#include "relay/owner.h"
#include "relay/queue_order.h"
#include "relay/queue_print.h"
#include "relay/queue_verbs.h"

enum { NUMBERS = 32, LANES = 32 };

struct worker_status {
	unsigned folder;
	struct { char name[40]; uint64_t value; } numbers[NUMBERS];
	size_t number_count;
	struct queue_trouble lanes[LANES];
	size_t lane_count;
};

static uint64_t number_of(const struct worker_status *w, const char *name)
{
	for (size_t i = 0; i < w->number_count; i++)
		if (!strcmp(w->numbers[i].name, name))
			return w->numbers[i].value;
	return 0;
}

/* --- hearing --------------------------------------------------------- */

static int cut_number(struct view *line, uint64_t *out)
{
	char text[24];

	return control_word(line, text, sizeof(text)) ||
	       view_number(view_of(text), UINT64_MAX, out);
}

static int take_number(struct worker_status *w, struct view line)
{
	size_t i = w->number_count;

	if (i == NUMBERS ||
	    control_word(&line, w->numbers[i].name,
			 sizeof(w->numbers[i].name)) ||
	    cut_number(&line, &w->numbers[i].value))
		return -1;
	w->number_count++;
	return 0;
}

static int take_lane(struct worker_status *w, struct view line)
{
	struct queue_trouble *t = &w->lanes[w->lane_count];
	uint64_t failures, since;
	char next[24];

	if (w->lane_count == LANES ||
	    control_word(&line, t->lane, sizeof(t->lane)) ||
	    cut_number(&line, &t->jobs) || cut_number(&line, &failures) ||
	    cut_number(&line, &since) ||
	    control_word(&line, next, sizeof(next)) ||
	    control_word(&line, t->host, sizeof(t->host)) ||
	    control_word(&line, t->text, sizeof(t->text)))
		return -1;
	t->failures = (uint32_t)failures;
	t->since = (int64_t)since;
	t->next = strtoll(next, NULL, 10);
	w->lane_count++;
	return 0;
}

static int hear(struct door *door, struct worker_status *w,
		struct error *error)
{
	struct view line;
	char word[16];

	w->folder = door->folder;
	if (door_say(door, VIEW("postern/1 status\n"), error))
		return -1;
	for (;;) {
		if (door_hear(door, &line, error))
			return -1;
		if (control_word(&line, word, sizeof(word)))
			break;
		if (!strcmp(word, "done"))
			return 0;
		if (!strcmp(word, "number") ? take_number(w, line) :
		    !strcmp(word, "lane")   ? take_lane(w, line) :
					      -1)
			break;
	}
	return error_set(error, "worker-%u: an answer that is not understood",
			 door->folder);
}

/* --- telling --------------------------------------------------------- */

static void show_lane(struct buffer *out, const struct queue_trouble *t)
{
	buffer_append(out, VIEW("    "));
	print_shown(out, t->lane);
	buffer_append(out, VIEW(": "));
	print_count(out, t->jobs, "message");
	if (t->failures) {
		buffer_printf(out, ", %" PRIu32 " failures in a row for ",
			      t->failures);
		print_span(out, t->since);
	}
	buffer_append(out, VIEW(", next try "));
	print_next(out, 0, t->next < 0 ? BROWSE_NEVER : t->next);
	buffer_append(out, VIEW("\n"));
	if (!t->failures)
		return;
	buffer_append(out, VIEW("        "));
	print_told(out, *t->host ? t->host : "no host");
	buffer_append(out, VIEW(": "));
	print_told(out, t->text);
	buffer_append(out, VIEW("\n"));
}

static void show_worker(struct buffer *out, const struct worker_status *w)
{
	uint64_t troubles = number_of(w, "destinations-in-trouble");

	buffer_printf(out, "worker-%u: pid %" PRIu64 ", up ", w->folder,
		      number_of(w, "pid"));
	print_span(out, (int64_t)number_of(w, "uptime"));
	buffer_append(out, VIEW(", "));
	print_count(out, number_of(w, "sessions"), "session");
	buffer_printf(out, ", %" PRIu64 " being delivered\n",
		      number_of(w, "deliveries"));
	buffer_printf(out, "    waiting: %" PRIu64 " new and %" PRIu64
		      " deferred messages, ", number_of(w, "messages-new"),
		      number_of(w, "messages-deferred"));
	print_count(out, number_of(w, "destinations"), "destination");
	buffer_append(out, VIEW("\n    spool: "));
	print_size(out, number_of(w, "bytes-live"));
	buffer_append(out, VIEW(" of "));
	print_size(out, number_of(w, "bytes-limit"));
	buffer_printf(out, ", %" PRIu64 " commits of %" PRIu64
		      " changes\n    since the start: %" PRIu64
		      " accepted, %" PRIu64 " delivered, %" PRIu64
		      " deferred, %" PRIu64 " bounced\n",
		      number_of(w, "commits"), number_of(w, "changes"),
		      number_of(w, "accepted"), number_of(w, "delivered"),
		      number_of(w, "deferred"), number_of(w, "bounced"));
	for (size_t i = 0; i < w->lane_count; i++)
		show_lane(out, &w->lanes[i]);
	if (troubles > w->lane_count)
		buffer_printf(out, "    and %" PRIu64 " more in trouble "
			      "(postern queue list)\n",
			      troubles - w->lane_count);
}

static void json_worker(struct json *json, const struct worker_status *w)
{
	json_open_object(json, NULL);
	json_number(json, "worker", w->folder);
	for (size_t i = 0; i < w->number_count; i++) {
		char name[sizeof(w->numbers[i].name)];

		memcpy(name, w->numbers[i].name, sizeof(name));
		for (char *at = name; *at; at++)
			if (*at == '-')
				*at = '_';
		json_number(json, name, (int64_t)w->numbers[i].value);
	}
	json_open_list(json, "trouble");
	for (size_t i = 0; i < w->lane_count; i++) {
		const struct queue_trouble *t = &w->lanes[i];

		json_open_object(json, NULL);
		json_text(json, "destination", t->lane);
		json_number(json, "messages", (int64_t)t->jobs);
		json_number(json, "failures", t->failures);
		json_number(json, "for_seconds", t->failures ? t->since : 0);
		json_bool(json, "on_hold", t->next < 0);
		if (t->next < 0)
			json_null(json, "next_in_seconds");
		else
			json_number(json, "next_in_seconds", t->next);
		json_text_or_null(json, "host", t->host);
		json_text_or_null(json, "reason", t->text);
		json_close_object(json);
	}
	json_close_list(json);
	json_close_object(json);
}

static void show_all(struct buffer *out, const struct worker_status *workers,
		     size_t count, bool is_json)
{
	struct json json = { .out = out };

	if (is_json) {
		json_open_object(&json, NULL);
		json_bool(&json, "running", count > 0);
		json_open_list(&json, "workers");
		for (size_t i = 0; i < count; i++)
			json_worker(&json, &workers[i]);
		json_close_list(&json);
		json_close_object(&json);
		return;
	}
	if (!count) {
		buffer_append(out, VIEW("postern is not running\n"));
		return;
	}
	buffer_printf(out, "postern is running: supervisor %" PRIu64 ", ",
		      number_of(workers, "supervisor-pid"));
	print_count(out, count, "worker");
	buffer_append(out, VIEW("\n"));
	for (size_t i = 0; i < count; i++)
		show_worker(out, &workers[i]);
}

/* How many answered; *broken those that ought to have. */
static size_t ask_all(const char *spool, struct worker_status *workers,
		      unsigned folders, unsigned *broken)
{
	size_t count = 0;

	*broken = 0;
	for (unsigned i = 0; i < folders; i++) {
		struct door door;
		struct error error;

		/* A folder without an owner is no worker. */
		if (door_try(&door, spool, i))
			continue;
		if (!hear(&door, &workers[count], &error)) {
			count++;
		} else {
			memset(&workers[count], 0, sizeof(workers[count]));
			queue_order_fail(&error, 0);
			++*broken;
		}
		door_close(&door);
	}
	return count;
}

int verb_status(const char *conf_path, int argc, char **argv)
{
	struct queue_order order;
	struct worker_status *workers;
	struct buffer out = { NULL, 0, 0, 0 };
	struct error error;
	unsigned folders, broken;
	size_t count;
	int status = queue_order_parse(&order, "status", TAKES_JSON, argc,
				       argv);

	if (!status)
		status = queue_order_begin(&order, conf_path);
	if (status)
		return status;
	if (owner_become(order.conf->spool, &error)) {
		queue_order_end(&order);
		return queue_order_fail(&error, EX_NOPERM);
	}
	folders = door_folders(order.conf->spool);
	workers = must_alloc((folders + 1) * sizeof(*workers));
	count = ask_all(order.conf->spool, workers, folders, &broken);
	show_all(&out, workers, count, order.is_json);
	print_flush(&out);
	buffer_clear(&out);
	free(workers);
	queue_order_end(&order);
	if (broken)
		return EX_TEMPFAIL;
	return count ? EX_OK : EX_UNAVAILABLE;
}
