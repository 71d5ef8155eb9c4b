/*
 * Looks through a store's file.  See check.h.
 */
#include "queue/check.h"

#include <stdlib.h>
#include <string.h>

#include "queue/holds.h"
#include "queue/message.h"
#include "queue/pages.h"

struct check {
	struct check_result *out;
	bool has_dues;
	/* Sums over all jobs, and over all due times: equal when each has
	 * its own. */
	uint64_t jobs, dues;
	size_t faults;
};

enum verdict { RECORD_GOOD, RECORD_BAD, RECORD_MISPLACED };

static void fault(struct check *check, const char *what)
{
	if (!check->faults++)
		error_set(&check->out->why, "%s", what);
}

/* FNV-1a, stirred, so that sums of it are worth something. */
static uint64_t hash(const struct job_key *job, int64_t due)
{
	struct key key = key_due(job->lane, due, job->id, job->part);
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ key.at[i]) * UINT64_C(1099511628211);
	h ^= h >> 31;
	return h * UINT64_C(0x9E3779B97F4A7C15);
}

static struct view lane_of(struct view payload)
{
	struct unpack in = { .rest = payload };

	return unpack_view(&in);
}

/* M, C and O: the id in the key is that in the frame. */
static enum verdict judge_by_id(struct check *check, struct view key,
				struct view value)
{
	enum record_kind kind = (enum record_kind)key.at[0];
	char id[MESSAGE_ID_LEN + 1];
	uint32_t number;
	struct view payload;
	struct key right;

	(void)check;
	if (key_parse_id(key, id))
		return RECORD_MISPLACED;
	if (record_open(value, kind, NULL, &number, &payload))
		/* All of it may be there, and only its node be wrong. */
		return record_length(value) &&
				       record_length(value) != value.len ?
			       RECORD_MISPLACED :
			       RECORD_BAD;
	if (kind == RECORD_MESSAGE)
		right = key_message(id);
	else
		right = kind == RECORD_OPEN ? key_open(id)
					    : key_chunk(id, number);
	return !record_open(value, kind, id, NULL, &payload) &&
			       view_equal(key, key_view(&right))
		       ? RECORD_GOOD
		       : RECORD_MISPLACED;
}

static enum verdict judge_job(struct check *check, struct view key,
			      struct view value)
{
	struct progress progress;
	struct job_key job;
	uint32_t part;
	struct view payload;

	/* Without its record nobody knows who is still to get the message:
	 * that has to be found out. */
	if (key_parse(key, &job) ||
	    record_open(value, RECORD_JOB, job.id, &part, &payload) ||
	    part != job.part ||
	    !view_equal(lane_of(payload), view_of(job.lane)) ||
	    progress_unpack(value, job.id, &progress))
		return RECORD_MISPLACED;
	if (check->has_dues)
		check->jobs += hash(&job, progress.due);
	progress_clear(&progress);
	return RECORD_GOOD;
}

static enum verdict judge_due(struct check *check, struct view key,
			      struct view value)
{
	struct job_key job;

	if (key_parse(key, &job) || value.len > 1)
		return RECORD_MISPLACED;
	check->dues += hash(&job, job.due);
	return RECORD_GOOD;
}

static enum verdict judge_lane(struct check *check, struct view key,
			       struct view value)
{
	struct lane_record lane;

	(void)check;
	if (lane_unpack(value, &lane))
		return RECORD_BAD;
	return view_equal(view_from(key, 1), view_of(lane.name))
		       ? RECORD_GOOD
		       : RECORD_MISPLACED;
}

static enum verdict judge_other(struct check *check, struct view key,
				struct view value)
{
	struct view payload;

	(void)check;
	return record_open(value, (enum record_kind)key.at[0], NULL, NULL,
			   &payload)
		       ? RECORD_BAD
		       : RECORD_GOOD;
}

static enum verdict judge_aside(struct check *check, struct view key,
				struct view value)
{
	(void)check, (void)key, (void)value;
	return RECORD_GOOD;
}

static const struct kind {
	enum record_kind kind;
	enum verdict (*judge)(struct check *check, struct view key,
			      struct view value);
} kinds[] = {
	{ RECORD_MESSAGE, judge_by_id },
	{ RECORD_JOB, judge_job },
	{ RECORD_DUE, judge_due },
	{ RECORD_LANE, judge_lane },
	{ RECORD_CHUNK, judge_by_id },
	{ RECORD_OPEN, judge_by_id },
	{ RECORD_HOLD, judge_other },
	{ RECORD_CLOCK, judge_other },
	{ RECORD_QUARANTINE, judge_aside },
};

static void visit(void *arg, struct view key, struct view value)
{
	struct check *check = arg;
	enum verdict verdict = RECORD_MISPLACED;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (key.at[0] == (unsigned char)kinds[i].kind)
			verdict = kinds[i].judge(check, key, value);
	check->out->records++;
	if (verdict == RECORD_BAD)
		check->out->bad++;
	else if (verdict == RECORD_MISPLACED)
		fault(check, "a record and its key do not belong together");
}

static void check_pages(struct check *check, struct pages *pages)
{
	const struct pages_meta *meta = &pages->meta[pages->newest];
	struct pages_walk walk = { .visit = visit, .arg = check };

	pages_walk(pages, meta, PAGES_MAIN, &walk);
	pages_walk_free(pages, meta, &walk);
	if (walk.faults)
		fault(check, walk.first.text);
	else if (check->jobs != check->dues)
		fault(check, "jobs and due times do not agree");
}

int check_file(const char *file, bool has_dues, struct check_result *out)
{
	struct check check = { .out = out, .has_dues = has_dues };
	struct pages pages;

	memset(out, 0, sizeof(*out));
	if (pages_open(&pages, file, &out->why))
		return -1;
	if (!pages_metas_agree(&pages))
		fault(&check, "its meta pages do not check out");
	else
		check_pages(&check, &pages);
	pages_close(&pages);
	out->is_sound = !check.faults;
	return 0;
}
