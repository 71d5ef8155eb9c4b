/*
 * `postern queue retry`, `hold`, `release`, `remove` and `bounce`: the order
 * goes to every folder and the answers are summed.  Nothing destructive is
 * done to more than one message unasked.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "relay/control.h"
#include "relay/door.h"
#include "relay/owner.h"
#include "relay/queue_order.h"
#include "relay/queue_print.h"
#include "relay/queue_verbs.h"

struct act {
	struct queue_order order;
	enum sweep_verb verb;
	struct door *doors;
	unsigned door_count;
	unsigned failed;       /* folders that could not be asked */
};

/* --- asking ---------------------------------------------------------- */

static int open_doors(struct act *act)
{
	struct error error;

	act->door_count = door_folders(act->order.conf->spool);
	act->doors = must_alloc((act->door_count + 1) * sizeof(*act->doors));
	for (unsigned i = 0; i < act->door_count; i++) {
		if (!door_open(&act->doors[i], act->order.conf, i, &error))
			continue;
		act->doors[i].fd = -1;
		act->failed++;
		queue_order_fail(&error, 0);
	}
	return 0;
}

static void close_doors(struct act *act)
{
	for (unsigned i = 0; i < act->door_count; i++)
		door_close(&act->doors[i]);
	free(act->doors);
}

static int parse_counts(struct view line, char word[16],
			struct sweep_counts *out)
{
	char text[24];
	uint64_t n[5];

	memset(out, 0, sizeof(*out));
	if (control_word(&line, word, 16))
		return -1;
	for (size_t i = 0; i < 5; i++)
		if (control_word(&line, text, sizeof(text)) ||
		    view_number(view_of(text), UINT64_MAX, &n[i]))
			return -1;
	out->jobs = n[0];
	out->recipients = n[1];
	out->busy = n[2];
	out->on_hold = n[3];
	out->has_rule = n[4] != 0;
	return 0;
}

static void show_progress(uint64_t jobs)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%" PRIu64 " messages ...", jobs);
}

static int fail_line(struct view line, struct error *error)
{
	char word[16], text[ERROR_TEXT_MAX];

	if (!control_word(&line, word, sizeof(word)) &&
	    !strcmp(word, "failed") &&
	    !control_word(&line, text, sizeof(text)))
		return error_set(error, "%s", text);
	return error_set(error, "an answer that is not understood");
}

static int ask(const struct act *act, struct door *door, enum sweep_verb verb,
	       struct sweep_counts *sum, struct error *error)
{
	struct buffer request = { NULL, 0, 0, 0 };
	struct sweep_counts counts;
	struct view line;
	char word[16] = "";
	int rc;

	buffer_printf(&request, "postern/1 sweep %s %s", control_verb(verb),
		      selector_kind_word(act->order.selector.kind));
	control_put(&request, act->order.selector.value);
	buffer_append(&request, VIEW("\n"));
	rc = door_say(door, buffer_view(&request), error);
	buffer_clear(&request);
	while (!rc && strcmp(word, "done") != 0) {
		rc = door_hear(door, &line, error);
		if (!rc && parse_counts(line, word, &counts))
			return fail_line(line, error);
		if (!rc && !strcmp(word, "working"))
			show_progress(sum->jobs + counts.jobs);
	}
	if (rc)
		return rc;
	sum->jobs += counts.jobs;
	sum->recipients += counts.recipients;
	sum->busy += counts.busy;
	sum->on_hold += counts.on_hold;
	sum->has_rule |= counts.has_rule;
	return 0;
}

static struct sweep_counts ask_all(struct act *act, enum sweep_verb verb)
{
	struct sweep_counts sum = { 0 };
	struct error error;

	for (unsigned i = 0; i < act->door_count; i++) {
		struct door *door = &act->doors[i];

		if (door->fd < 0 || !ask(act, door, verb, &sum, &error))
			continue;
		act->failed++;
		fprintf(stderr, "postern: worker-%u: %s\n", i, error.text);
		close(door->fd);
		door->fd = -1;
	}
	if (sum.jobs && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	return sum;
}

/* --- telling --------------------------------------------------------- */

static const struct {
	const char *done;    /* "3 messages are ..." */
	const char *would;   /* "3 messages would be ..." */
	bool is_destructive;
} words[] = {
	[SWEEP_RETRY] = { "tried again now", "tried again now", false },
	[SWEEP_HOLD] = { "on hold", "put on hold", false },
	[SWEEP_RELEASE] = { "released", "released, as far as on hold", false },
	[SWEEP_REMOVE] = { "removed", "removed", true },
	[SWEEP_BOUNCE] = { "given up, their senders are told", "given up", true },
};

static void print_meant(struct buffer *out, const struct selector *selector)
{
	static const char *const before[] = {
		[SELECT_ALL] = "all mail", [SELECT_ID] = "message ",
		[SELECT_DOMAIN] = "mail to ", [SELECT_SENDER] = "mail from ",
	};

	buffer_append(out, view_of(before[selector->kind]));
	if (selector->kind == SELECT_SENDER)
		buffer_append(out, VIEW("<"));
	print_shown(out, selector->value);
	if (selector->kind == SELECT_SENDER)
		buffer_append(out, VIEW(">"));
}

static void print_counts(struct buffer *out, const struct sweep_counts *n)
{
	print_count(out, n->jobs, "message");
	if (n->recipients) {
		buffer_append(out, VIEW(" ("));
		print_count(out, n->recipients, "recipient");
		buffer_append(out, VIEW(")"));
	}
}

static void say_count(const struct act *act, const struct sweep_counts *n)
{
	struct buffer out = { NULL, 0, 0, 0 };

	print_counts(&out, n);
	buffer_printf(&out, " would be %s: ", words[act->verb].would);
	print_meant(&out, &act->order.selector);
	if (n->on_hold)
		buffer_printf(&out, " (%" PRIu64 " on hold)", n->on_hold);
	buffer_append(&out, VIEW("\n"));
	print_flush(&out);
	buffer_clear(&out);
}

static void say_done(const struct act *act, const struct sweep_counts *n)
{
	struct buffer out = { NULL, 0, 0, 0 };

	if (act->verb == SWEEP_HOLD && act->order.selector.kind != SELECT_ID) {
		print_meant(&out, &act->order.selector);
		buffer_append(&out, VIEW(" is on hold from now on\n"));
	} else {
		print_counts(&out, n);
		buffer_printf(&out, " %s %s\n", n->jobs == 1 ? "is" : "are",
			      words[act->verb].done);
	}
	if (n->busy)
		buffer_printf(&out, "%" PRIu64 " being delivered at this "
			      "moment and left alone\n", n->busy);
	if (n->on_hold && act->verb != SWEEP_HOLD)
		buffer_printf(&out, "%" PRIu64 " on hold and left so "
			      "(postern queue release)\n", n->on_hold);
	print_flush(&out);
	buffer_clear(&out);
}

/* --- being sure ------------------------------------------------------- */

static bool asks_yes(void)
{
	char line[16];

	printf("Go on? [y/N] ");
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) &&
	       (*line == 'y' || *line == 'Y');
}

/* 0: go on, -1: there is nothing more to do, else the exit status. */
static int make_sure(struct act *act)
{
	struct sweep_counts n;

	if (!act->order.is_dry &&
	    (act->order.is_sure || !words[act->verb].is_destructive))
		return 0;
	n = ask_all(act, SWEEP_COUNT);
	if (act->order.is_dry) {
		say_count(act, &n);
		return act->failed ? EX_TEMPFAIL : -1;
	}
	if (n.jobs <= 1)
		return 0;
	say_count(act, &n);
	if (!isatty(STDIN_FILENO)) {
		fprintf(stderr, "postern: nothing was done; say --yes to do "
			"it\n");
		return EX_USAGE;
	}
	return asks_yes() ? 0 : -1;
}

static int carry_out(struct act *act)
{
	struct sweep_counts n;
	int status = make_sure(act);

	if (status)
		return status < 0 ? EX_OK : status;
	n = ask_all(act, act->verb);
	if (act->order.selector.kind == SELECT_ID && !n.jobs && !n.busy &&
	    !n.on_hold && !n.has_rule && !act->failed) {
		fprintf(stderr, "postern: no message %s is waiting here\n",
			act->order.selector.value);
		return EX_NOINPUT;
	}
	say_done(act, &n);
	if (act->verb == SWEEP_RELEASE && !n.has_rule && !n.jobs)
		printf("No rule says just that; `postern queue list` shows "
		       "those that there are\n");
	return act->failed || n.busy ? EX_TEMPFAIL : EX_OK;
}

static int act_on(const char *conf_path, enum sweep_verb verb,
		  const char *name, int argc, char **argv)
{
	struct act act = { .verb = verb };
	struct error error;
	int status = queue_order_parse(&act.order, name,
				       TAKES_SELECTOR | TAKES_CARE, argc,
				       argv);

	if (status)
		return status;
	if (verb == SWEEP_HOLD && !hold_is_possible(&act.order.selector)) {
		fprintf(stderr, "postern %s: that is too long\n", name);
		return EX_USAGE;
	}
	status = queue_order_begin(&act.order, conf_path);
	if (status)
		return status;
	if (owner_become(act.order.conf->spool, &error)) {
		status = queue_order_fail(&error, EX_NOPERM);
	} else {
		open_doors(&act);
		status = carry_out(&act);
		close_doors(&act);
	}
	queue_order_end(&act.order);
	return status;
}

int verb_queue_retry(const char *conf_path, int argc, char **argv)
{
	return act_on(conf_path, SWEEP_RETRY, "queue retry", argc, argv);
}

int verb_queue_hold(const char *conf_path, int argc, char **argv)
{
	return act_on(conf_path, SWEEP_HOLD, "queue hold", argc, argv);
}

int verb_queue_release(const char *conf_path, int argc, char **argv)
{
	return act_on(conf_path, SWEEP_RELEASE, "queue release", argc, argv);
}

int verb_queue_remove(const char *conf_path, int argc, char **argv)
{
	return act_on(conf_path, SWEEP_REMOVE, "queue remove", argc, argv);
}

int verb_queue_bounce(const char *conf_path, int argc, char **argv)
{
	return act_on(conf_path, SWEEP_BOUNCE, "queue bounce", argc, argv);
}
