/*
 * Fills a spool with deferred mail, as a relay would have left it behind:
 *
 *	fill SPOOL MESSAGES DOMAINS LENGTH MAP
 *
 * so many messages of LENGTH bytes to d0.dead.example, d1... in turn, each
 * tried twice, each destination backing off; due within the next hour.  MAP
 * is address space for the store, in MiB.  Written through the queue's own
 * rooms, thousands in one transaction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/clock.h"
#include "queue/edit.h"
#include "queue/folder.h"
#include "queue/ident.h"
#include "queue/note.h"

enum {
	BATCH = 8192,
	HOUR = 3600 * 1000, /* ms */
	DAY = 24 * HOUR,    /* the age of the oldest message */
};

struct fill {
	struct store *held;
	struct ident_source ids;
	uint64_t messages, domains;
	size_t length;
	int64_t now;
	struct result why;
	struct buffer body;
};

static void make_body(struct fill *f)
{
	buffer_append(&f->body, VIEW("Subject: fill\r\n\r\n"));
	for (unsigned i = 0; buffer_len(&f->body) + 80 <= f->length; i++)
		buffer_printf(&f->body, "%06u %070u\r\n", i, i * 7919);
	while (buffer_len(&f->body) < f->length)
		buffer_append_byte(&f->body, '\n');
}

static struct envelope *make_envelope(struct fill *f, uint64_t n, char lane[64])
{
	struct envelope *e = envelope_new();
	int64_t at = f->now - DAY + (int64_t)(DAY * n / f->messages);
	char address[96];

	snprintf(lane, 64, "d%llu.dead.example",
		 (unsigned long long)(n % f->domains));
	snprintf(address, sizeof(address), "recipient@%s", lane);
	ident_make(&f->ids, at, e->id);
	free(e->sender);
	e->sender = view_string(VIEW("sender@bench.example"));
	e->client = view_string(VIEW("127.0.0.1 helo=bench.example"));
	e->accepted = e->accepted_wall = at / 1000;
	e->size = buffer_len(&f->body);
	e->longest_line = 79;
	/* No notices of delay, which would go nowhere. */
	envelope_add(e, address, lane)->notify = NOTIFY_FAILURE;
	return e;
}

/* Spread over the next hour, in no order. */
static int64_t due_of(const struct fill *f, uint64_t n)
{
	return f->now + 60 * 1000 + (int64_t)(n * 7919 % HOUR);
}

static void add_message(struct fill *f, struct edit *edit, uint64_t n)
{
	char lane[64];
	struct envelope *e = make_envelope(f, n, lane);
	struct progress p = { .due = due_of(f, n),
			      .is_noticed = e->accepted < f->now / 1000 - 4 * 3600 };
	struct lane_parts parts = { NULL, 0 };
	struct buffer record = { NULL, 0, 0, 0 };

	progress_open(&p, 0, NULL);
	progress_attempt(&p, &f->why, f->now - HOUR);
	progress_attempt(&p, &f->why, f->now - 1);
	lane_parts_add(&parts, lane, 0);
	message_pack(&record, &parts, e,
		     (struct body_place){ buffer_len(&f->body), 0 },
		     buffer_view(&f->body));
	edit_put(edit, key_message(e->id), &record);
	progress_pack(&record, &p, lane, e->id, 0);
	edit_put(edit, key_job(lane, e->id, 0), &record);
	edit_due(edit, lane, e->id, 0, &p);
	lane_parts_clear(&parts);
	progress_clear(&p);
	envelope_free(e);
}

static void add_lane(struct fill *f, struct edit *edit, uint64_t n)
{
	struct lane_record lane = { .failures = 7,
				    .since = f->now / 1000 - 86400 };

	snprintf(lane.name, sizeof(lane.name), "d%llu.dead.example",
		 (unsigned long long)n);
	lane.due = due_of(f, n * (HOUR / f->domains));
	snprintf(lane.status, sizeof(lane.status), "%s", f->why.status);
	snprintf(lane.text, sizeof(lane.text), "%.200s", f->why.text);
	snprintf(lane.host, sizeof(lane.host), "%.200s", f->why.host);
	edit_lane(edit, &lane);
}

static void add_clock(struct fill *f, struct edit *edit)
{
	struct buffer record = { NULL, 0, 0, 0 };

	clock_pack(&record, (struct clock_record){ f->now, f->now });
	edit_put(edit, key_clock(), &record);
}

static int fill(struct fill *f)
{
	uint64_t n = 0;
	int rc = 0;

	while (n < f->messages && !rc) {
		struct edit *edit = edit_new(NULL, NULL, NULL);

		if (!n) {
			add_clock(f, edit);
			for (uint64_t i = 0; i < f->domains; i++)
				add_lane(f, edit, i);
		}
		for (int i = 0; i < BATCH && n < f->messages; i++)
			add_message(f, edit, n++);
		rc = edit_carry_out(edit, f->held);
		edit_free(edit);
	}
	if (rc)
		fprintf(stderr, "fill: %s\n", store_say(rc));
	return rc ? 1 : 0;
}

static uint64_t number(const char *word)
{
	return strtoull(word, NULL, 10);
}

int main(int argc, char **argv)
{
	struct fill f = { .now = clock_wall() };
	struct folder folder;
	struct note_found ignored;
	struct error error;
	char path[FOLDER_MAX + 8];
	int rc = 1;

	if (argc != 6 || !number(argv[2]) || !number(argv[3])) {
		fprintf(stderr, "usage: fill spool messages domains length "
			"map\n");
		return 64;
	}
	f.messages = number(argv[2]);
	f.domains = number(argv[3]);
	f.length = number(argv[4]);
	make_body(&f);
	result_set(&f.why, OUTCOME_DEFERRED, BLAME_HOST, "4.4.1",
		   "connection refused");
	snprintf(f.why.host, sizeof(f.why.host), "127.0.0.1[127.0.0.1]:25");
	if (folder_take(argv[1], &folder, &error)) {
		fprintf(stderr, "fill: %s\n", error.text);
		return 1;
	}
	snprintf(path, sizeof(path), "%s/held", folder.path);
	f.held = store_open(path, number(argv[5]) * 1024 * 1024, &error);
	if (f.held)
		rc = fill(&f);
	else
		fprintf(stderr, "fill: %s\n", error.text);
	store_close(f.held);
	/* Left in order: there is nothing to be checked. */
	note_close(note_open(folder.path, &ignored, &error), !rc);
	folder_release(&folder);
	buffer_clear(&f.body);
	return rc;
}
