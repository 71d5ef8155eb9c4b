/*
 * `postern queue salvage`: what can be saved of a damaged store, by hand.
 * Prints what was saved and what was not, and leaves the same list beside a
 * file that the relay had set aside, so that it is not done twice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "queue/envelope.h"
#include "queue/rescue.h"
#include "queue/salvage_list.h"
#include "relay/json.h"
#include "relay/owner.h"
#include "relay/queue_order.h"
#include "relay/queue_print.h"
#include "relay/queue_verbs.h"

struct damaged {
	char folder[FOLDER_MAX];     /* that the file is in */
	char file[FOLDER_MAX + 16];
	struct salvage_list *list;   /* of one that was set aside */
};

struct order {
	struct queue_order order;
	struct damaged damaged[QUEUE_PATHS_MAX];
	size_t count;
	struct buffer out;
	struct json json;
};

/* --- what is found ---------------------------------------------------- */

static void put_envelope(struct json *json, const struct envelope *envelope)
{
	json_text(json, "id", envelope->id);
	json_text(json, "from", envelope->sender);
	json_number(json, "size", (int64_t)envelope->size);
	json_open_list(json, "recipients");
	for (size_t i = 0; i < envelope->recipient_count; i++)
		json_text(json, NULL, envelope->recipients[i].address);
	json_close_list(json);
}

static void put_news(struct json *json, const struct salvage_news *news)
{
	static const char *const words[] = {
		[SALVAGE_SAVED] = "saved",
		[SALVAGE_LOST] = "lost",
		[SALVAGE_NOTED] = "note",
	};

	json_open_object(json, NULL);
	json_text(json, "fate", words[news->fate]);
	json_text(json, "text", news->text);
	if (news->envelope)
		put_envelope(json, news->envelope);
	json_close_object(json);
}

static void on_news(void *arg, const struct salvage_news *news)
{
	struct order *o = arg;

	for (size_t i = 0; i < o->count; i++)
		if (o->damaged[i].list)
			salvage_list_add(o->damaged[i].list, news);
	if (o->order.is_json) {
		put_news(&o->json, news);
		return;
	}
	salvage_line(&o->out, news);
	print_flush(&o->out);
}

/* --- files ------------------------------------------------------------ */

/* FILE is a data.mdb or the folder that it is in. */
static int find(struct order *o, const char *path, struct error *error)
{
	struct damaged *d = &o->damaged[o->count];
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (strlen(path) >= FOLDER_MAX)
		return error_set(error, "%s: too long", path);
	if (stat(path, &st))
		return error_errno(error, "%s", path);
	if (S_ISDIR(st.st_mode)) {
		snprintf(d->folder, sizeof(d->folder), "%s", path);
		snprintf(d->file, sizeof(d->file), "%s/data.mdb", path);
	} else {
		snprintf(d->folder, sizeof(d->folder), "%.*s",
			 slash ? (int)(slash - path) + 1 : 1,
			 slash ? path : ".");
		snprintf(d->file, sizeof(d->file), "%s", path);
	}
	o->count++;
	return 0;
}

/* What would deliver mail a second time takes a yes. */
static int vet(const struct order *o, const struct damaged *d,
	       struct error *error)
{
	if (o->order.is_dry)
		return 0;
	if (rescue_is_in_use(o->order.conf->spool, d->file))
		return error_set(error, "%s is in use: the relay itself checks "
				 "and salvages it when it starts", d->file);
	if (!o->order.is_sure && salvage_list_is_there(d->folder))
		return error_set(error, "%s was salvaged already, as "
				 SALVAGE_LIST " beside it says; --yes does it "
				 "again", d->file);
	return 0;
}

static int begin_list(struct damaged *d, struct error *error)
{
	if (!strstr(d->file, FOLDER_DAMAGED))
		return 0;
	d->list = salvage_list_new(d->folder, error);
	return d->list ? 0 : -1;
}

static void end_lists(struct order *o, bool is_well)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->damaged[i].list &&
		    salvage_list_end(o->damaged[i].list, is_well) && is_well)
			fprintf(stderr,
				"postern: %s/" SALVAGE_LIST
				" could not be written\n",
				o->damaged[i].folder);
}

static int prepare(struct order *o, struct error *error)
{
	for (size_t i = 0; i < o->order.path_count; i++)
		if (find(o, o->order.paths[i], error) ||
		    vet(o, &o->damaged[i], error))
			return -1;
	for (size_t i = 0; i < o->count && !o->order.is_dry; i++)
		if (begin_list(&o->damaged[i], error))
			return -1;
	return 0;
}

/* --- the order -------------------------------------------------------- */

static void say_sum(struct order *o, const struct rescue *r)
{
	const struct salvage_counts *counts = &r->counts;

	if (o->order.is_json) {
		json_close_list(&o->json);
		json_number(&o->json, "messages", (int64_t)counts->messages);
		json_number(&o->json, "lost", (int64_t)counts->lost);
		json_bool(&o->json, "tree_is_whole", counts->is_whole);
		json_text_or_null(&o->json, "folder", r->folder);
		json_close_object(&o->json);
	} else {
		print_count(&o->out, counts->messages, "message");
		buffer_printf(&o->out, o->order.is_dry ? " can be saved" :
							 " saved");
		if (*r->folder)
			buffer_printf(&o->out, " to %s, which the relay adopts",
				      r->folder);
		buffer_printf(&o->out, "; %" PRIu64 " lost\n", counts->lost);
	}
	print_flush(&o->out);
}

static int run(struct order *o, struct error *error)
{
	static const int statuses[] = {
		[RESCUE_NO_ROOM] = EX_TEMPFAIL,
		[RESCUE_UNREADABLE] = EX_NOINPUT,
		[RESCUE_FAILED] = EX_IOERR,
	};
	const char *files[QUEUE_PATHS_MAX];
	struct rescue r = { .spool = o->order.conf->spool,
			    .files = files,
			    .file_count = o->count,
			    .is_dry = o->order.is_dry,
			    .say = on_news,
			    .arg = o };
	enum rescue_end end;

	for (size_t i = 0; i < o->count; i++)
		files[i] = o->damaged[i].file;
	if (o->order.is_json) {
		json_open_object(&o->json, NULL);
		json_open_list(&o->json, "records");
	}
	end = rescue(&r, error);
	end_lists(o, end == RESCUE_DONE);
	if (end != RESCUE_DONE)
		return queue_order_fail(error, statuses[end]);
	say_sum(o, &r);
	return r.counts.lost ? EX_DATAERR : 0;
}

int verb_queue_salvage(const char *conf_path, int argc, char **argv)
{
	struct order *o = must_alloc(sizeof(*o));
	struct error error = { .text = "" };
	int status = queue_order_parse(&o->order, "queue salvage",
				       TAKES_PATHS | TAKES_JSON | TAKES_CARE,
				       argc, argv);

	if (!status)
		status = queue_order_begin(&o->order, conf_path);
	if (status) {
		free(o);
		return status;
	}
	o->json.out = &o->out;
	if (owner_become(o->order.conf->spool, &error))
		status = queue_order_fail(&error, EX_NOPERM);
	else if (prepare(o, &error))
		status = queue_order_fail(&error, EX_NOINPUT);
	else
		status = run(o, &error);
	buffer_clear(&o->out);
	queue_order_end(&o->order);
	free(o);
	return status;
}
