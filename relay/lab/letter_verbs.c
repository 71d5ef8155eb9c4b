/*
 * Comes in: words, and the Maildirs of the configuration's labs or of
 * --store.  Goes out: text or JSON.  Waiting is told by the kernel when
 * something is put into a store (inotify), and looks at the store before
 * and behind, so that nothing slips through.
 */
#include "relay/lab/letter_verbs.h"

#include "conf/conf.h"
#include "conf/files.h"
#include "relay/lab/example.h"
#include "relay/lab/letter_print.h"
#include "relay/lab/transcript.h"
#include "relay/steady.h"
#include "relay/words.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sysexits.h>
#include <unistd.h>

enum {
	COUNT_MAX = 1000000,
	SHOWN_MAX = 4 * 1024 * 1024, /* of a message */
	POLL_MAX = 1000,             /* ms; even if no news come */
};

/* What was asked for, and where to look. */
struct order {
	const char *verb;
	const char *store;   /* --store */
	struct letter_filter filter;
	const char *timeout, *id;
	unsigned count;
	bool is_json, is_new, is_raw;
	char **stores;       /* owned, with their texts */
	size_t store_count;
	struct letters letters;
	struct buffer out;
};

static int fail(const struct order *order, int status, const char *reason)
{
	fprintf(stderr, "postern lab %s: %s\n", order->verb, reason);
	return status;
}

static void add_store(struct order *order, const char *path)
{
	for (size_t i = 0; i < order->store_count; i++)
		if (strcmp(order->stores[i], path) == 0)
			return;
	order->stores = must_realloc(order->stores, (order->store_count + 1) *
							    sizeof(char *));
	order->stores[order->store_count++] = must_strdup(path);
}

/* 0 or an exit status. */
static int find_stores(struct order *order, const char *conf_path)
{
	struct error error = { .text = "" };
	struct conf_files *files;
	struct conf *conf;
	int status = 0;

	if (order->store) {
		add_store(order, order->store);
		return 0;
	}
	files = files_disk();
	conf = example_read(conf_path, files, &error);
	if (conf && !conf->lab_count)
		error_set(&error, "%s: no `lab` section; --store FOLDER says "
			  "where to look", conf->path);
	for (size_t i = 0; conf && i < conf->lab_count; i++)
		add_store(order, conf->labs[i].store);
	if (!order->store_count)
		status = fail(order, EX_CONFIG, error.text);
	conf_free(conf);
	files_free(files);
	return status;
}

/* Who waits may be earlier than the lab that makes the store; its last
 * folder is cur. */
static bool is_to_come(const struct order *order, const char *store)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/cur", store);
	return order->timeout && access(path, F_OK) && errno == ENOENT;
}

static int refresh(struct order *order)
{
	struct error error;

	for (size_t i = 0; i < order->store_count; i++) {
		const char *store = order->stores[i];

		if (!is_to_come(order, store) &&
		    letters_refresh(&order->letters, store, &error))
			return fail(order, EX_NOINPUT, error.text);
	}
	return 0;
}

static void end(struct order *order)
{
	letters_clear(&order->letters);
	for (size_t i = 0; i < order->store_count; i++)
		free(order->stores[i]);
	free(order->stores);
	buffer_clear(&order->out);
}

/* 0 or an exit status. */
static int begin(struct order *order, int argc, char **argv)
{
	const struct words_option options[] = {
		{ "--store", .text = &order->store },
		{ "--to", .text = &order->filter.to },
		{ "--from", .text = &order->filter.from },
		{ "--subject", .text = &order->filter.subject },
		{ "--json", .flag = &order->is_json },
		{ "--timeout", .text = &order->timeout },
		{ "--count", .number = &order->count, .max = COUNT_MAX },
		{ "--new", .flag = &order->is_new },
		{ "--raw", .flag = &order->is_raw },
	};
	enum { ALL = sizeof(options) / sizeof(options[0]), LISTED = 5 };
	bool waits = strcmp(order->verb, "wait") == 0;
	bool shows = strcmp(order->verb, "show") == 0;
	struct error error;

	order->count = 1;
	if (words_parse(argc, argv, options, waits ? ALL - 1 : shows ? ALL :
			LISTED, &order->id, &error))
		return fail(order, EX_USAGE, error.text);
	if (shows && !order->id)
		return fail(order, EX_USAGE, "which message? `postern lab "
					     "list` names them");
	if (!shows && order->id)
		return fail(order, EX_USAGE, "what is meant with a word that "
					     "is no option?");
	return 0;
}

static int put_out(struct order *order)
{
	struct view text = buffer_view(&order->out);

	if (fwrite(text.at, 1, text.len, stdout) != text.len || fflush(stdout))
		return EX_IOERR;
	return EX_OK;
}

static int print_all(struct order *order, const bool *is_meant)
{
	struct json json = { .out = &order->out };

	if (order->is_json)
		json_open_list(&json, NULL);
	for (size_t i = 0; i < order->letters.count; i++) {
		const struct letter *letter = &order->letters.at[i];

		if (!is_meant[i])
			continue;
		if (!order->is_json) {
			letter_print_line(&order->out, letter);
			continue;
		}
		letter_json(&json, letter);
		json_close_object(&json);
	}
	if (order->is_json)
		json_close_list(&json);
	return put_out(order);
}

/* --- list ------------------------------------------------------------ */

static int list(struct order *order)
{
	bool *is_meant = must_alloc(order->letters.count + 1);
	int status;

	for (size_t i = 0; i < order->letters.count; i++)
		is_meant[i] = letter_fits(&order->letters.at[i],
					  &order->filter);
	status = print_all(order, is_meant);
	free(is_meant);
	return status;
}

int verb_lab_list(const char *conf_path, int argc, char **argv)
{
	struct order order = { .verb = "list" };
	int status = begin(&order, argc, argv);

	if (!status)
		status = find_stores(&order, conf_path);
	if (!status)
		status = refresh(&order);
	if (!status)
		status = list(&order);
	end(&order);
	return status;
}

/* --- show ------------------------------------------------------------ */

/* Up to a bound; false: it could not be read. */
static bool read_file(const char *path, struct buffer *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (fd >= 0 && buffer_len(out) < SHOWN_MAX) {
		n = read(fd, buffer_reserve(out, 65536), 65536);
		if (n <= 0)
			break;
		buffer_added(out, (size_t)n);
	}
	if (fd >= 0)
		close(fd);
	return n >= 0;
}

/* Beside the Maildir that the letter lies in: STORE/new/NAME. */
static void read_transcript(const struct letter *letter, struct buffer *out)
{
	char *session = view_string(letter_field(letter, "Session"));
	char *store = must_strdup(letter->path);
	char path[PATH_MAX];
	char *slash;

	for (int i = 0; i < 2; i++) {
		slash = strrchr(store, '/');
		if (slash)
			*slash = '\0';
	}
	snprintf(path, sizeof(path), "%s/" TRANSCRIPTS_FOLDER "/%s.txt", store,
		 session);
	if (!strchr(session, '/') && !read_file(path, out))
		buffer_append(out, VIEW("(removed)\n"));
	free(session);
	free(store);
}

static void show_json(struct order *order, const struct letter *letter,
		      struct view said, struct view message)
{
	struct json json = { .out = &order->out };
	char *text = view_string(message);

	letter_json(&json, letter);
	json_open_list(&json, "transcript");
	while (said.len > 0) {
		char *line = view_string(view_cut(&said, '\n'));

		json_text(&json, NULL, line);
		free(line);
	}
	json_close_list(&json);
	/* Up to a NUL byte, where there is one. */
	json_text(&json, "message", text);
	json_close_object(&json);
	free(text);
}

static void show_text(struct order *order, const struct letter *letter,
		      struct view said, struct view message)
{
	letter_print_label(&order->out, letter);
	buffer_append(&order->out, VIEW("\n"));
	letter_print_text(&order->out, said);
	buffer_append(&order->out, VIEW("\n"));
	letter_print_text(&order->out, message);
	if (message.len + letter->label_len < letter->size)
		buffer_append(&order->out, VIEW("... (--raw shows all)\n"));
}

static int copy_file(const struct order *order, const char *path)
{
	char bytes[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, bytes, sizeof(bytes))) > 0)
		if (fwrite(bytes, 1, (size_t)n, stdout) != (size_t)n)
			break;
	if (fd >= 0)
		close(fd);
	if (n != 0 || fflush(stdout))
		return fail(order, EX_IOERR, strerror(errno));
	return EX_OK;
}

static int show(struct order *order)
{
	const struct letter *letter = letters_find(&order->letters, order->id);
	struct buffer said = { 0 }, file = { 0 };
	struct view message;
	int status;

	if (!letter)
		return fail(order, EX_NOINPUT, "there is no such message");
	if (order->is_raw)
		return copy_file(order, letter->path);
	read_transcript(letter, &said);
	if (!read_file(letter->path, &file)) {
		status = fail(order, EX_NOINPUT, strerror(errno));
	} else {
		message = view_from(buffer_view(&file), letter->label_len);
		if (order->is_json)
			show_json(order, letter, buffer_view(&said), message);
		else
			show_text(order, letter, buffer_view(&said), message);
		status = put_out(order);
	}
	buffer_clear(&said);
	buffer_clear(&file);
	return status;
}

int verb_lab_show(const char *conf_path, int argc, char **argv)
{
	struct order order = { .verb = "show" };
	int status = begin(&order, argc, argv);

	if (!status)
		status = find_stores(&order, conf_path);
	if (!status)
		status = refresh(&order);
	if (!status)
		status = show(&order);
	end(&order);
	return status;
}

/* --- wait ------------------------------------------------------------ */

/* "30", "30s", "2m", "1h"; -1: no duration. */
static double seconds_of(const char *text)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 } };
	size_t digits = strspn(text, "0123456789");
	uint64_t number;

	if (view_number(view_make(text, digits), 1000000, &number))
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(text + digits, units[i].unit) == 0)
			return (double)number * units[i].seconds;
	return -1;
}

static unsigned count_meant(const struct order *order, bool *is_meant)
{
	unsigned count = 0;

	for (size_t i = 0; i < order->letters.count; i++) {
		const struct letter *letter = &order->letters.at[i];

		is_meant[i] = !letter->is_old &&
			      letter_fits(letter, &order->filter);
		count += is_meant[i];
	}
	return count;
}

/* Prints them once they are enough. */
static bool is_enough(struct order *order, unsigned *arrived, int *status)
{
	bool *is_meant = must_alloc(order->letters.count + 1);
	bool is_over;

	*arrived = count_meant(order, is_meant);
	is_over = *arrived >= order->count;
	if (is_over)
		*status = print_all(order, is_meant);
	free(is_meant);
	return is_over;
}

static int watch_stores(const struct order *order)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[PATH_MAX];

	for (size_t i = 0; fd >= 0 && i < order->store_count; i++) {
		snprintf(path, sizeof(path), "%s/new", order->stores[i]);
		(void)inotify_add_watch(fd, path, IN_MOVED_TO | IN_CREATE);
	}
	return fd;
}

/* Until something came, or so many seconds are over. */
static void sleep_on(int fd, double left)
{
	struct pollfd news = { .fd = fd, .events = POLLIN };
	char events[4096];
	int ms = left * 1000 < POLL_MAX ? (int)(left * 1000) + 1 : POLL_MAX;

	(void)poll(&news, 1, ms);
	while (fd >= 0 && read(fd, events, sizeof(events)) > 0)
		;
}

static int wait_until(struct order *order, double deadline, int fd)
{
	unsigned arrived = 0;
	char text[80];
	double left;
	int status = refresh(order);

	for (size_t i = 0; order->is_new && i < order->letters.count; i++)
		order->letters.at[i].is_old = true;
	while (!status && !is_enough(order, &arrived, &status)) {
		left = deadline - steady_now();
		if (left <= 0)
			break;
		sleep_on(fd, left);
		status = refresh(order);
	}
	if (status || arrived >= order->count)
		return status;
	snprintf(text, sizeof(text), "%u of %u arrived in time", arrived,
		 order->count);
	return fail(order, EX_TEMPFAIL, text);
}

int verb_lab_wait(const char *conf_path, int argc, char **argv)
{
	struct order order = { .verb = "wait" };
	double start = steady_now(), seconds;
	int status = begin(&order, argc, argv), fd;

	if (!status && !order.timeout)
		status = fail(&order, EX_USAGE, "--timeout says how long, as "
						"in 30s or 5m");
	seconds = status ? 0 : seconds_of(order.timeout);
	if (!status && seconds < 0)
		status = fail(&order, EX_USAGE, "--timeout takes a duration, "
						"as in 30s or 5m");
	if (!status)
		status = find_stores(&order, conf_path);
	if (!status) {
		fd = watch_stores(&order);
		status = wait_until(&order, start + seconds, fd);
		if (fd >= 0)
			close(fd);
	}
	end(&order);
	return status;
}
