/*
 * `postern partner certs`: the book of partners' certificates, as the
 * workers keep it in the spool, for people or as JSON.
 */
#include "relay/partner.h"

#include "conf/files.h"
#include "relay/certwatch.h"
#include "relay/json.h"
#include "tls/chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

static int compare(const void *a, const void *b)
{
	const struct certbook_entry *x = a, *y = b;
	int order = strcmp(x->policy, y->policy);

	return order ? order : strcmp(x->host, y->host);
}

static void put_certificate(const struct certbook_entry *e, int64_t now,
			    struct buffer *out)
{
	char first[16], end[16];
	int64_t left = certbook_days_left(e, now);

	chain_date(e->first_seen, first);
	chain_date(e->not_after, end);
	buffer_printf(out, "    names    %s\n    issuer   %s\n    pin      %s\n",
		      e->names[0] ? e->names : "(none)", e->issuer, e->pin);
	buffer_printf(out, "    ends     %s, ", end);
	if (left < 0)
		buffer_printf(out, "%" PRId64 " day%s AGO\n", -left,
			      left == -1 ? "" : "s");
	else
		buffer_printf(out, "%" PRId64 " day%s left\n", left,
			      left == 1 ? "" : "s");
	buffer_printf(out, "    since    %s", first);
	if (e->changes == 1)
		buffer_printf(out, ", changed once, before it %s",
			      e->previous);
	else if (e->flips >= CERTBOOK_FLIPS_TOLD)
		buffer_printf(out, ", by turns with %s", e->previous);
	else if (e->changes > 1)
		buffer_printf(out, ", changed %" PRIu64 " times, before it %s",
			      e->changes, e->previous);
	buffer_append_byte(out, '\n');
}

static void put_entry(const struct certbook_entry *e, int64_t now,
		      struct buffer *out)
{
	char last[16];

	chain_date(e->last_seen, last);
	buffer_printf(out, "%s\n    policy   %s\n", e->host, e->policy);
	if (e->sha256[0])
		put_certificate(e, now, out);
	else
		buffer_append(out, VIEW("    no certificate was presented\n"));
	buffer_printf(out, "    seen     %s, %s\n", last,
		      strcmp(e->verdict, "deliver") == 0 ? "it holds"
							 : e->verdict);
	if (e->would_failed > 0)
		buffer_printf(out, "    dry run  %" PRIu64 " messages would "
				   "have failed, the last: %s\n",
			      e->would_failed, e->would);
}

static void put_text(const struct certbook *book, int64_t now,
		     struct buffer *out)
{
	size_t i;

	if (book->count == 0)
		buffer_append(out, VIEW("No partner's gateway was met yet.\n"));
	for (i = 0; i < book->count; i++)
		put_entry(&book->entries[i], now, out);
}

static void put_names(struct json *json, const char *names)
{
	struct view rest = view_of(names);
	char *name;

	json_open_list(json, "names");
	while (rest.len > 0) {
		name = view_string(view_cut(&rest, ' '));
		json_text(json, NULL, name);
		free(name);
	}
	json_close_list(json);
}

static void put_json(const struct certbook *book, int64_t now,
		     struct buffer *out)
{
	struct json json = { .out = out };
	size_t i;

	json_open_list(&json, NULL);
	for (i = 0; i < book->count; i++) {
		const struct certbook_entry *e = &book->entries[i];

		json_open_object(&json, NULL);
		json_text(&json, "gateway", e->host);
		json_text(&json, "policy", e->policy);
		json_text_or_null(&json, "sha256", e->sha256);
		json_text_or_null(&json, "previous", e->previous);
		json_text_or_null(&json, "pin", e->pin);
		json_text_or_null(&json, "issuer", e->issuer);
		put_names(&json, e->names);
		json_number(&json, "not_before", e->not_before);
		json_number(&json, "not_after", e->not_after);
		if (e->sha256[0])
			json_number(&json, "days_left",
				    certbook_days_left(e, now));
		else
			json_null(&json, "days_left");
		json_number(&json, "first_seen", e->first_seen);
		json_number(&json, "last_seen", e->last_seen);
		json_number(&json, "changes", (int64_t)e->changes);
		json_bool(&json, "by_turns", e->flips >= CERTBOOK_FLIPS_TOLD);
		json_text(&json, "verdict", e->verdict);
		json_number(&json, "would_failed", (int64_t)e->would_failed);
		json_text_or_null(&json, "would", e->would);
		json_close_object(&json);
	}
	json_close_list(&json);
}

static int print(const struct certbook *book, bool is_json)
{
	int64_t now = (int64_t)time(NULL);
	struct buffer out = { 0 };
	struct view text;
	bool is_written;

	if (book->count > 0)
		qsort(book->entries, book->count, sizeof(*book->entries),
		      compare);
	if (is_json)
		put_json(book, now, &out);
	else
		put_text(book, now, &out);
	text = buffer_view(&out);
	is_written = fwrite(text.at, 1, text.len, stdout) == text.len &&
		     fflush(stdout) == 0;
	buffer_clear(&out);
	return is_written ? EX_OK : EX_IOERR;
}

static int list(const char *conf_path, bool is_json)
{
	struct conf_files *files = files_disk();
	struct certbook book = { NULL, 0 };
	struct error error;
	struct conf *conf = conf_read(conf_path, files, &error);
	int status = EX_CONFIG;

	if (conf != NULL) {
		status = EX_NOINPUT;
		if (certwatch_load(conf->spool, &book, &error) == 0)
			status = print(&book, is_json);
	}
	if (status == EX_CONFIG || status == EX_NOINPUT)
		fprintf(stderr, "postern: %s\n", error.text);
	certbook_clear(&book);
	conf_free(conf);
	files_free(files);
	return status;
}

int partner_certs(const char *conf_path, int argc, char **argv)
{
	bool is_json = argc == 1 && strcmp(argv[0], "--json") == 0;

	if (argc == 0 || is_json)
		return list(conf_path, is_json);
	fprintf(stderr, "postern partner certs: what is \"%s\" for?\n"
			"usage: postern partner certs [-c FILE] [--json]\n",
		argv[0]);
	return EX_USAGE;
}
