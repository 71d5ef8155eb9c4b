/*
 * A queue in a folder of its own.  See queue_rig.h.
 */
#include "tests/unit/queue_rig.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/inner.h"

static void on_ready(void *arg, struct lane *lane)
{
	struct rig *rig = arg;

	rig->ready++;
	rig->lane = lane;
	for (size_t i = 0; i < rig->lane_count; i++)
		if (rig->lanes[i] == lane)
			return;
	assert_true(rig->lane_count < RIG_LANES);
	rig->lanes[rig->lane_count++] = lane;
}

static void on_gone(void *arg, struct lane *lane)
{
	struct rig *rig = arg;

	rig->gone++;
	if (rig->lane == lane)
		rig->lane = NULL;
	for (size_t i = 0; i < rig->lane_count; i++)
		if (rig->lanes[i] == lane)
			rig->lanes[i--] = rig->lanes[--rig->lane_count];
}

static void on_broken(void *arg, const char *why)
{
	struct rig *rig = arg;

	(void)why;
	rig->broken++;
}

void rig_init(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	snprintf(rig->spool, sizeof(rig->spool), "/tmp/postern-queue-XXXXXX");
	assert_non_null(mkdtemp(rig->spool));
	rig->loop = ev_loop_new(EVFLAG_AUTO);
	rig->conf.hostname = strdup("relay.example.org");
	rig->conf.spool_size = 256 * 1024 * 1024;
	rig->conf.retry_first = 60;
	rig->conf.retry_max = 3600;
	rig->conf.lifetime = 5 * 24 * 3600;
	rig->conf.delay_notice = 4 * 3600;
}

void rig_reopen_loop(struct rig *rig)
{
	rig->loop = ev_loop_new(EVFLAG_AUTO);
}

void rig_open(struct rig *rig)
{
	struct queue_settings settings = {
		.spool = rig->spool,
		.workers = 1,
		.conf = &rig->conf,
		.patience = rig->patience,
		.dead_pid = rig->dead_pid,
		.dead_signal = rig->dead_signal,
		.events = { on_ready, on_gone, on_broken, rig },
	};

	rig->lane = NULL;
	rig->lane_count = 0;
	rig->queue = queue_open(rig->loop, &settings, &rig->error);
	if (!rig->queue)
		fail_msg("%s", rig->error.text);
	while (rig->queue->opening && !rig->patience)
		rig_run(rig, 0.01);
}

void rig_close(struct rig *rig)
{
	queue_close(rig->queue);
	rig->queue = NULL;
}

void rig_clear(struct rig *rig)
{
	char command[128];

	rig_close(rig);
	ev_loop_destroy(rig->loop);
	free(rig->conf.hostname);
	snprintf(command, sizeof(command), "rm -rf '%s'", rig->spool);
	assert_int_equal(system(command), 0);
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	*(bool *)timer->data = true;
	ev_break(loop, EVBREAK_ONE);
}

bool rig_wait(struct rig *rig, const unsigned *what, unsigned least,
	      double seconds)
{
	bool is_over = false;
	ev_timer timer;

	ev_timer_init(&timer, on_time, seconds, 0);
	timer.data = &is_over;
	ev_timer_start(rig->loop, &timer);
	while (*what < least && !is_over)
		ev_run(rig->loop, EVRUN_ONCE);
	ev_timer_stop(rig->loop, &timer);
	return *what >= least;
}

void rig_run(struct rig *rig, double seconds)
{
	unsigned never = 0;

	rig_wait(rig, &never, 1, seconds);
}

void rig_settle(struct rig *rig)
{
	const struct queue *queue = rig->queue;

	/* Between two changes a body may be read for a report. */
	for (int quiet = 0; quiet < 3; quiet++) {
		rig_run(rig, 0.01);
		if (!commit_is_idle(queue->commit[HOME_FRESH]) ||
		    !commit_is_idle(queue->commit[HOME_HELD]))
			quiet = 0;
	}
}

static void on_intake(void *arg, enum intake_event event)
{
	struct rig *rig = arg;

	rig->stored += event == INTAKE_STORED;
	rig->no_room += event == INTAKE_NO_ROOM;
	rig->failed += event == INTAKE_FAILED;
	rig->rooms += event == INTAKE_ROOM;
}

struct intake *rig_begin(struct rig *rig)
{
	struct intake *intake = intake_new(rig->queue, on_intake, rig);

	memcpy(rig->last_id, intake_id(intake), sizeof(rig->last_id));
	return intake;
}

struct envelope *rig_envelope(const char *from, const char *to)
{
	struct envelope *envelope = envelope_new();
	struct view rest = view_of(to);

	free(envelope->sender);
	envelope->sender = strdup(from);
	while (rest.len) {
		char *address = view_string(view_cut(&rest, ' '));
		const char *at = strrchr(address, '@');

		envelope_add(envelope, address, at ? at + 1 : "");
		free(address);
	}
	return envelope;
}

void rig_accept(struct rig *rig, const char *from, const char *to,
		struct view body)
{
	struct intake *intake = rig_begin(rig);
	unsigned stored = rig->stored;

	while (body.len) {
		struct view piece = view_first(body, 4096);

		if (intake_is_full(intake)) {
			unsigned rooms = rig->rooms;

			assert_true(rig_wait(rig, &rig->rooms, rooms + 1, 10));
		}
		intake_append(intake, piece);
		body = view_from(body, piece.len);
	}
	intake_commit(intake, rig_envelope(from, to));
	assert_true(rig_wait(rig, &rig->stored, stored + 1, 10));
}

void rig_accept_many(struct rig *rig, unsigned count, const char *to)
{
	unsigned stored = rig->stored;

	for (unsigned i = 0; i < count; i++) {
		struct intake *intake = rig_begin(rig);

		intake_append(intake, VIEW("hello\r\n"));
		intake_commit(intake, rig_envelope("", to));
	}
	assert_true(rig_wait(rig, &rig->stored, stored + count, 20));
}

struct job *rig_take(struct rig *rig)
{
	struct job *job = NULL;

	for (int i = 0; i < 100 && !job; i++) {
		unsigned ready = rig->ready;

		for (size_t k = 0; k < rig->lane_count && !job; k++)
			job = queue_take(rig->queue, rig->lanes[k]);
		if (!job)
			rig_wait(rig, &rig->ready, ready + 1, 0.1);
	}
	assert_non_null(job);
	return job;
}

struct reading {
	struct buffer all;
	unsigned is_over, pieces;
};

static void on_piece(void *arg, struct view bytes, bool is_last,
		     const char *error)
{
	struct reading *reading = arg;

	assert_null(error);
	buffer_append(&reading->all, bytes);
	reading->is_over = is_last;
	reading->pieces++;
}

struct buffer rig_body(struct rig *rig, const struct job *job)
{
	struct reading reading = { .is_over = false };
	struct body *body = body_open(rig->queue, job, on_piece, &reading);

	while (!reading.is_over) {
		unsigned pieces = reading.pieces;

		body_next(body);
		assert_true(rig_wait(rig, &reading.pieces, pieces + 1, 5));
	}
	body_close(body);
	return reading.all;
}

void rig_finish(struct rig *rig, struct job *job, enum outcome outcome,
		enum blame blame, const char *status, const char *text)
{
	size_t count = job->envelope->recipient_count;
	struct result *results = calloc(count, sizeof(*results));

	for (size_t i = 0; i < count; i++)
		result_set(&results[i], outcome, blame, status, "%s", text);
	queue_finish(rig->queue, job, results);
	free(results);
}

struct queue_counts rig_counts(struct rig *rig)
{
	struct queue_counts counts;

	queue_counts(rig->queue, &counts);
	return counts;
}
