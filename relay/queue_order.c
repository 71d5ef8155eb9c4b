/*
 * What the `queue` commands have in common.  See queue_order.h.
 */
#include "relay/queue_order.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "conf/files.h"
#include "relay/owner.h"

static int refuse(const struct queue_order *order, const char *what,
		  const char *word)
{
	fprintf(stderr, "postern %s: %s%s\n"
		"`postern help %s` says what can be said\n", order->verb, what,
		word, order->verb);
	return EX_USAGE;
}

static int set_selector(struct queue_order *order, const char *text)
{
	struct error error;

	if (order->has_selector)
		return refuse(order, "one thing at a time, not also ", text);
	order->has_selector = true;
	if (!selector_parse(text, &order->selector, &error))
		return 0;
	return refuse(order, error.text, "");
}

static int set_limit(struct queue_order *order, const char *text)
{
	uint64_t limit;

	if (view_number(view_of(text), 1000000, &limit) || !limit)
		return refuse(order, "--limit takes a number, not ", text);
	order->limit = (size_t)limit;
	return 0;
}

static int set_filter(struct queue_order *order, const char *name,
		      const char *value)
{
	int status = set_selector(order, value);
	enum select_kind wanted = !strcmp(name, "--domain") ? SELECT_DOMAIN :
							      SELECT_SENDER;

	if (!status && order->selector.kind != wanted)
		return refuse(order, "that is no ", name + 2);
	return status;
}

static bool is_flag(struct queue_order *order, const char *word, unsigned takes)
{
	const struct {
		const char *word;
		unsigned takes;
		bool *flag;
	} flags[] = {
		{ "--json", TAKES_JSON, &order->is_json },
		{ "--dry-run", TAKES_CARE, &order->is_dry },
		{ "--yes", TAKES_CARE, &order->is_sure },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (!strcmp(flags[i].word, word) && takes & flags[i].takes)
			return *flags[i].flag = true;
	if (!strcmp(word, "--all") && takes & TAKES_PAGES) {
		order->limit = SIZE_MAX;
		return true;
	}
	if (!strcmp(word, "--messages") && takes & TAKES_FILTER) {
		order->has_selector = true;
		return true;
	}
	return false;
}

/* An option with a value: 0 done, 1 none of them, else an exit status. */
static int take_value(struct queue_order *order, const char *word,
		      const char *value, unsigned takes)
{
	bool is_filter = takes & TAKES_FILTER && (!strcmp(word, "--domain") ||
						  !strcmp(word, "--sender"));
	bool is_page = takes & TAKES_PAGES && (!strcmp(word, "--limit") ||
					       !strcmp(word, "--after"));

	if (!is_filter && !is_page)
		return 1;
	if (!value)
		return refuse(order, "a value is missing behind ", word);
	if (is_filter)
		return set_filter(order, word, value);
	if (!strcmp(word, "--limit"))
		return set_limit(order, value);
	order->after = value;
	return 0;
}

static int take_word(struct queue_order *order, const char *word,
		     unsigned takes)
{
	if (takes & TAKES_SELECTOR && !order->has_selector)
		return set_selector(order, word);
	if ((takes & TAKES_PATH && !order->path) ||
	    (takes & TAKES_PATHS && order->path_count < QUEUE_PATHS_MAX)) {
		order->paths[order->path_count++] = word;
		order->path = order->paths[0];
		return 0;
	}
	return refuse(order, "what is this for: ", word);
}

int queue_order_parse(struct queue_order *order, const char *verb,
		      unsigned takes, int argc, char **argv)
{
	memset(order, 0, sizeof(*order));
	order->verb = verb;
	order->limit = QUEUE_LIMIT;
	order->after = "";
	for (int i = 0; i < argc; i++) {
		int status;

		if (is_flag(order, argv[i], takes))
			continue;
		status = take_value(order, argv[i],
				    i + 1 < argc ? argv[i + 1] : NULL, takes);
		if (!status)
			i++;
		else if (status == 1 && argv[i][0] == '-')
			status = refuse(order, "there is no option ", argv[i]);
		else if (status == 1)
			status = take_word(order, argv[i], takes);
		if (status)
			return status;
	}
	if (takes & TAKES_SELECTOR && !order->has_selector)
		return refuse(order, "which mail is meant?", "");
	if (takes & (TAKES_PATH | TAKES_PATHS) && !order->path)
		return refuse(order, "which file or folder?", "");
	return 0;
}

int queue_order_fail(const struct error *error, int status)
{
	fprintf(stderr, "postern: %s\n", error->text);
	return status;
}

int queue_order_begin(struct queue_order *order, const char *conf_path)
{
	struct error error = { .text = "" };

	order->files = files_disk();
	order->conf = conf_read(conf_path, order->files, &error);
	if (order->conf)
		return 0;
	queue_order_end(order);
	return queue_order_fail(&error, EX_CONFIG);
}

void queue_order_end(struct queue_order *order)
{
	conf_free(order->conf);
	files_free(order->files);
	order->conf = NULL;
	order->files = NULL;
}

int queue_order_open(struct queue_order *order, const char *conf_path,
		     struct browse **browse)
{
	struct error error;
	int status = queue_order_begin(order, conf_path);

	if (status)
		return status;
	if (owner_become(order->conf->spool, &error)) {
		queue_order_end(order);
		return queue_order_fail(&error, EX_NOPERM);
	}
	*browse = browse_open(order->conf->spool, &error);
	if (*browse)
		return 0;
	queue_order_end(order);
	return queue_order_fail(&error, EX_IOERR);
}

bool queue_order_wants_lane(void *arg, const char *lane)
{
	const struct queue_order *order = arg;

	return selector_wants_lane(&order->selector, order->conf, lane);
}
