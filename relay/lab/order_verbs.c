/*
 * Comes in: words.  Goes out: one request to the lab whose store the
 * configuration (or --store) names, and its answer for people or programs.
 */
#include "relay/lab/order_verbs.h"

#include "conf/conf.h"
#include "conf/files.h"
#include "relay/control.h"
#include "relay/door.h"
#include "relay/json.h"
#include "relay/lab/example.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { COUNTS = 6, TEXT_MAX = 1024 };

struct order {
	const char *verb;
	const char *store;    /* --store; NULL: as configured */
	const char *gateway;
	struct buffer faults; /* the other words, joined */
	bool is_json;
	struct conf_files *files;
	struct conf *conf;
	struct door door;
};

static int fail(const struct order *order, int status, const char *reason)
{
	fprintf(stderr, "postern lab %s: %s\n", order->verb, reason);
	return status;
}

/* --- words ----------------------------------------------------------- */

/* The shell has cut a fault with its limits into words; here they are one
 * text again. */
static int take_words(struct order *order, int argc, char **argv)
{
	bool asks = strcmp(order->verb, "status") == 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--store") == 0 && i + 1 < argc) {
			order->store = argv[++i];
		} else if (strcmp(argv[i], "--json") == 0 && asks) {
			order->is_json = true;
		} else if (argv[i][0] == '-' || asks) {
			return fail(order, EX_USAGE, "there is a word too "
				    "many; `postern help lab` says what can "
				    "be said");
		} else if (!order->gateway) {
			order->gateway = argv[i];
		} else {
			if (buffer_len(&order->faults) > 0)
				buffer_append_byte(&order->faults, ' ');
			buffer_append(&order->faults, view_of(argv[i]));
		}
	}
	if (!asks && !order->gateway)
		return fail(order, EX_USAGE, "which gateway? `postern lab "
					     "status` names them");
	if (strcmp(order->verb, "set") == 0 && !buffer_len(&order->faults))
		return fail(order, EX_USAGE, "which fault? `postern lab "
					     "--faults` names them");
	/* `set GATEWAY clear` is what `clear GATEWAY` is. */
	if (view_equal(buffer_view(&order->faults), VIEW("clear"))) {
		order->verb = "clear";
		buffer_reset(&order->faults);
	}
	buffer_append_byte(&order->faults, '\0');
	return 0;
}

/* --- the lab --------------------------------------------------------- */

static bool has_gateway(const struct lab *lab, const char *name)
{
	for (size_t i = 0; i < lab->gateway_count; i++)
		if (view_equal_fold(view_of(lab->gateways[i].name),
				    view_of(name)))
			return true;
	return false;
}

/* The store of the section that has the gateway, else the first: who
 * listens there knows all gateways of its process. */
static const char *choose_store(const struct order *order)
{
	const struct conf *conf = order->conf;

	for (size_t i = 0; order->gateway && i < conf->lab_count; i++)
		if (has_gateway(&conf->labs[i], order->gateway))
			return conf->labs[i].store;
	return conf->labs[0].store;
}

/* 0 or an exit status. */
static int find_store(struct order *order, const char *conf_path)
{
	struct error error = { .text = "" };

	if (order->store)
		return 0;
	order->files = files_disk();
	order->conf = example_read(conf_path, order->files, &error);
	if (!order->conf)
		return fail(order, EX_CONFIG, error.text);
	if (!order->conf->lab_count)
		return fail(order, EX_CONFIG, "no `lab` section is configured; "
			    "--store FOLDER says where the lab is");
	order->store = choose_store(order);
	return 0;
}

static int knock(struct order *order)
{
	struct error error;

	if (!door_knock(&order->door, order->store, "the lab"))
		return 0;
	error_set(&error, "no lab runs in %s", order->store);
	return fail(order, EX_UNAVAILABLE, error.text);
}

static int begin(struct order *order, const char *conf_path, int argc,
		 char **argv)
{
	int status = take_words(order, argc, argv);

	order->door.fd = -1;
	if (!status)
		status = find_store(order, conf_path);
	return status ? status : knock(order);
}

static void end(struct order *order)
{
	door_close(&order->door);
	buffer_clear(&order->faults);
	conf_free(order->conf);
	files_free(order->files);
}

/* The reason in a `failed` line. */
static int refused(const struct order *order, struct view line)
{
	char text[ERROR_TEXT_MAX];

	if (control_word(&line, text, sizeof(text)))
		return fail(order, EX_PROTOCOL,
			    "an answer that is not understood");
	return fail(order, EX_DATAERR, text);
}

/* --- set, clear ------------------------------------------------------ */

static int tell(struct order *order)
{
	struct buffer request = { 0 };
	struct error error;
	struct view line;
	char word[16], count[24];
	int status;

	buffer_printf(&request, "postern/1 %s", order->verb);
	control_put(&request, order->gateway);
	if (buffer_len(&order->faults) > 1)
		control_put(&request,
			    (const char *)buffer_view(&order->faults).at);
	buffer_append(&request, VIEW("\n"));
	status = door_say(&order->door, buffer_view(&request), &error) ||
		 door_hear(&order->door, &line, &error);
	buffer_clear(&request);
	if (status)
		return fail(order, EX_IOERR, error.text);
	if (control_word(&line, word, sizeof(word)))
		return refused(order, VIEW(""));
	if (strcmp(word, "done") != 0)
		return refused(order, line);
	if (!control_word(&line, count, sizeof(count)) &&
	    strcmp(order->verb, "clear") == 0)
		printf("%s: %s taken away\n", order->gateway, count);
	return EX_OK;
}

int verb_lab_set(const char *conf_path, int argc, char **argv)
{
	struct order order = { .verb = "set" };
	int status = begin(&order, conf_path, argc, argv);

	if (!status)
		status = tell(&order);
	end(&order);
	return status;
}

int verb_lab_clear(const char *conf_path, int argc, char **argv)
{
	struct order order = { .verb = "clear" };
	int status = begin(&order, conf_path, argc, argv);

	if (!status)
		status = tell(&order);
	end(&order);
	return status;
}

/* --- status ---------------------------------------------------------- */

struct gateway_line {
	char name[256], address[NET_TEXT_MAX];
	uint64_t counts[COUNTS]; /* as orders.h lists them */
};

static const char *const count_names[COUNTS] = {
	"open", "connections", "tls", "messages", "refusals", "faults_played",
};

struct report {
	bool is_json;
	bool is_open;   /* a gateway, in JSON */
	struct buffer out;
	struct json json;
};

static int parse_gateway(struct view line, struct gateway_line *g)
{
	char text[24];

	if (control_word(&line, g->name, sizeof(g->name)) ||
	    control_word(&line, g->address, sizeof(g->address)))
		return -1;
	for (size_t i = 0; i < COUNTS; i++)
		if (control_word(&line, text, sizeof(text)) ||
		    view_number(view_of(text), UINT64_MAX, &g->counts[i]))
			return -1;
	return 0;
}

static void close_gateway(struct report *r)
{
	if (!r->is_open)
		return;
	json_close_list(&r->json);
	json_close_object(&r->json);
	r->is_open = false;
}

/* One below the other, as numbers are read. */
#define ROW "%-24s %-22s %8s %5s %7s %8s %8s %7s\n"
#define ROW_OF_COUNTS                                                 \
	"%-24s %-22s %8" PRIu64 " %5" PRIu64 " %7" PRIu64 " %8" PRIu64 \
	" %8" PRIu64 " %7" PRIu64 "\n"

static void put_gateway(struct report *r, const struct gateway_line *g)
{
	const uint64_t *n = g->counts;

	if (!r->is_json) {
		if (!buffer_len(&r->out))
			buffer_printf(&r->out, ROW, "gateway", "address",
				      "sessions", "open", "in TLS", "messages",
				      "refusals", "faults");
		buffer_printf(&r->out, ROW_OF_COUNTS, g->name, g->address,
			      n[1], n[0], n[2], n[3], n[4], n[5]);
		return;
	}
	close_gateway(r);
	json_open_object(&r->json, NULL);
	json_text(&r->json, "name", g->name);
	json_text(&r->json, "address", g->address);
	for (size_t i = 0; i < COUNTS; i++)
		json_number(&r->json, count_names[i], (int64_t)n[i]);
	json_open_list(&r->json, "faults");
	r->is_open = true;
}

static int put_dns(struct report *r, struct view line)
{
	char title[TEXT_MAX];

	if (control_word(&line, title, sizeof(title)))
		return -1;
	if (!r->is_json) {
		buffer_printf(&r->out, "dns of lab \"%s\"\n", title);
		return 0;
	}
	close_gateway(r);
	json_open_object(&r->json, NULL);
	json_text(&r->json, "name", "dns");
	json_text(&r->json, "lab", title);
	json_open_list(&r->json, "faults");
	r->is_open = true;
	return 0;
}

static int put_fault(struct report *r, struct view line)
{
	char text[TEXT_MAX], count[24];
	uint64_t struck;

	if (control_word(&line, text, sizeof(text)) ||
	    control_word(&line, count, sizeof(count)) ||
	    view_number(view_of(count), INT64_MAX, &struck))
		return -1;
	if (!r->is_json) {
		buffer_printf(&r->out, "    %s, struck: %s\n", text, count);
		return 0;
	}
	if (!r->is_open)
		return -1;
	json_open_object(&r->json, NULL);
	json_text(&r->json, "fault", text);
	json_number(&r->json, "struck", (int64_t)struck);
	json_close_object(&r->json);
	return 0;
}

/* 0 more follows, 1 that was all, -1 not understood. */
static int put_line(struct report *r, struct view line)
{
	struct gateway_line g;
	char word[16];

	if (control_word(&line, word, sizeof(word)))
		return -1;
	if (strcmp(word, "done") == 0)
		return 1;
	if (strcmp(word, "fault") == 0)
		return put_fault(r, line);
	if (strcmp(word, "dns") == 0)
		return put_dns(r, line);
	if (strcmp(word, "gateway") != 0 || parse_gateway(line, &g))
		return -1;
	put_gateway(r, &g);
	return 0;
}

static int ask(struct order *order)
{
	struct report r = { .is_json = order->is_json };
	struct error error = { .text = "an answer that is not understood" };
	struct view line;
	int status = door_say(&order->door, VIEW("postern/1 status\n"), &error);

	r.json.out = &r.out;
	if (r.is_json)
		json_open_list(&r.json, NULL);
	while (status == 0) {
		status = door_hear(&order->door, &line, &error);
		if (status == 0)
			status = put_line(&r, line);
	}
	if (r.is_json) {
		close_gateway(&r);
		json_close_list(&r.json);
	}
	if (status > 0)
		fwrite(r.out.data + r.out.start, 1, buffer_len(&r.out),
		       stdout);
	buffer_clear(&r.out);
	return status > 0 ? EX_OK : fail(order, EX_IOERR, error.text);
}

int verb_lab_status(const char *conf_path, int argc, char **argv)
{
	struct order order = { .verb = "status" };
	int status = begin(&order, conf_path, argc, argv);

	if (!status)
		status = ask(&order);
	end(&order);
	return status;
}
