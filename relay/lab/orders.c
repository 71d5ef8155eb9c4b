/*
 * Comes in: words.  Goes out: other faults at the gateways, a line of the
 * log, and an answer.  All words of an order are understood before any is
 * obeyed.
 */
#include "relay/lab/orders.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conf/log.h"
#include "relay/control.h"
#include "relay/lab/journal.h"
#include "relay/lab/recall.h"
#include "relay/lab/services.h"

enum { NAMED_MAX = 8, NAME_MAX_SHOWN = 80 };

/* --- who is meant ---------------------------------------------------- */

/* A set of faults that has a name. */
struct place {
	const char *name;
	struct faults *faults; /* NULL: there is no DNS */
	struct recall *recall; /* NULL: it has none */
};

/* All gateways, then each section's DNS; false behind the last one. */
static bool get_place(const struct lab_at_work *lab, size_t index,
		      struct place *out)
{
	if (index < lab->count) {
		const struct gateway_at_work *g = &lab->gateways[index];

		*out = (struct place){ g->as_written->name, g->faults,
				       g->recall };
		return true;
	}
	index -= lab->count;
	if (index >= lab->conf->lab_count)
		return false;
	*out = (struct place){ "dns", services_faults(lab->services[index]),
			       NULL };
	return true;
}

static bool is_meant(const struct place *place, const char *name,
		     bool all_is_dns)
{
	if (!place->faults)
		return false;
	if (strcmp(name, "all") == 0)
		return place->recall || all_is_dns;
	return view_equal_fold(view_of(place->name), view_of(name));
}

/* Says which there are. */
static int no_gateway(const struct lab_at_work *lab, const char *name,
		      struct error *error)
{
	struct buffer text = { 0 };

	buffer_append(&text, VIEW("there is no gateway \""));
	bytes_escape(&text, view_of(name), NAME_MAX_SHOWN);
	buffer_append(&text, VIEW("\"; there are"));
	for (size_t i = 0; i < lab->count && i < NAMED_MAX; i++)
		buffer_printf(&text, "%s %s", i > 0 ? "," : "",
			      lab->gateways[i].as_written->name);
	buffer_printf(&text, "%s, `dns` and `all`",
		      lab->count > NAMED_MAX ? ", more" : "");
	error_set(error, "%.*s", (int)buffer_len(&text),
		  buffer_view(&text).at);
	buffer_clear(&text);
	return -1;
}

static int check_gateway(const struct lab_at_work *lab, const char *name,
			 struct error *error)
{
	struct place place;

	for (size_t i = 0; get_place(lab, i, &place); i++)
		if (is_meant(&place, name, false))
			return 0;
	return no_gateway(lab, name, error);
}

/* --- what is done ---------------------------------------------------- */

static void log_order(const char *order, const char *gateway,
		      const char *faults)
{
	struct log_line line;

	log_begin(&line, LOG_NOTICE, "ordered");
	log_str(&line, "command", order);
	log_str(&line, "name", gateway);
	log_str(&line, "reason", faults);
	log_end(&line);
}

/* The faults of a list; the caller clears them, also with -1. */
static int parse_list(struct view text, struct fault **list, size_t *count,
		      struct error *error)
{
	*list = NULL;
	*count = 0;
	while (text.len > 0) {
		struct view one = view_trim(view_cut(&text, ','));

		if (one.len == 0)
			return error_set(error, "a fault is missing beside a "
						"comma");
		*list = must_realloc(*list, (*count + 1) * sizeof(**list));
		if (fault_parse(one, &(*list)[*count], error))
			return -1;
		(*count)++;
	}
	return *count > 0 ? 0 : error_set(error, "which fault?");
}

static void clear_list(struct fault *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fault_clear(&list[i]);
	free(list);
}

static int set(const struct lab_at_work *lab, const char *gateway,
	       struct view faults, struct error *error)
{
	struct place place;
	struct fault *list;
	size_t count;
	char *text;

	if (check_gateway(lab, gateway, error))
		return -1;
	if (parse_list(faults, &list, &count, error)) {
		clear_list(list, count);
		return -1;
	}
	for (size_t i = 0; get_place(lab, i, &place); i++) {
		if (!is_meant(&place, gateway, false))
			continue;
		for (size_t k = 0; k < count; k++)
			faults_set(place.faults, &list[k]);
		if (place.recall)
			recall_forget(place.recall);
	}
	clear_list(list, count);
	text = view_string(faults);
	log_order("set", gateway, text);
	free(text);
	return (int)count;
}

static int clear(const struct lab_at_work *lab, const char *gateway,
		 const char *fault, struct error *error)
{
	struct place place;
	struct fault like;
	size_t removed = 0;

	if (check_gateway(lab, gateway, error) ||
	    (fault && fault_parse(view_of(fault), &like, error)))
		return -1;
	for (size_t i = 0; get_place(lab, i, &place); i++) {
		if (!is_meant(&place, gateway, true))
			continue;
		removed += faults_remove(place.faults, fault ? &like : NULL);
		if (place.recall)
			recall_forget(place.recall);
	}
	if (fault)
		fault_clear(&like);
	log_order("clear", gateway, fault ? fault : "");
	return (int)removed;
}

/* --- lines ----------------------------------------------------------- */

static void answer(struct buffer *out, int count, const struct error *error)
{
	if (count >= 0) {
		buffer_printf(out, "done %d\n", count);
		return;
	}
	buffer_append(out, VIEW("failed"));
	control_put(out, error->text);
	buffer_append(out, VIEW("\n"));
}

bool orders_obey(void *lab, const char *word, struct view rest,
		 struct buffer *out)
{
	char gateway[256], faults[CONTROL_LINE_MAX] = "";
	struct error error = { .text = "which gateway?" };
	int count = -1;

	if (strcmp(word, "set") != 0 && strcmp(word, "clear") != 0)
		return false;
	if (control_word(&rest, gateway, sizeof(gateway)) == 0) {
		(void)control_word(&rest, faults, sizeof(faults));
		if (strcmp(word, "set") == 0)
			count = set(lab, gateway, view_of(faults), &error);
		else
			count = clear(lab, gateway, *faults ? faults : NULL,
				      &error);
	}
	answer(out, count, &error);
	return true;
}

static void put_fault(struct buffer *out, const struct faults *faults,
		      size_t index)
{
	struct buffer text = { 0 };

	fault_print(faults_at(faults, index), &text);
	buffer_append_byte(&text, '\0');
	buffer_append(out, VIEW("fault"));
	control_put(out, (const char *)buffer_view(&text).at);
	buffer_printf(out, " %" PRIu64 "\n", faults_struck(faults, index));
	buffer_clear(&text);
}

static void put_faults(struct buffer *out, const struct faults *faults)
{
	for (size_t i = 0; i < faults_count(faults); i++)
		put_fault(out, faults, i);
}

void orders_status(void *arg, struct buffer *out)
{
	const struct lab_at_work *lab = arg;

	for (size_t i = 0; i < lab->count; i++) {
		const struct gateway_at_work *g = &lab->gateways[i];
		const struct journal_gateway *n = g->counts;
		char address[NET_TEXT_MAX];

		net_text_port(&g->address, address);
		buffer_append(out, VIEW("gateway"));
		control_put(out, g->as_written->name);
		control_put(out, address);
		buffer_printf(out, " %u %" PRIu64 " %" PRIu64 " %" PRIu64
			      " %" PRIu64 " %" PRIu64 "\n",
			      n->open, n->connections, n->handshakes,
			      n->messages, n->refusals, n->faults);
		put_faults(out, g->faults);
	}
	for (size_t i = 0; i < lab->conf->lab_count; i++) {
		const struct faults *faults = services_faults(lab->services[i]);

		if (!faults)
			continue;
		buffer_append(out, VIEW("dns"));
		control_put(out, lab->conf->labs[i].title);
		buffer_append(out, VIEW("\n"));
		put_faults(out, faults);
	}
}
