/*
 * Jobs that a selector means.  See pick.h.
 */
#include "queue/pick.h"

#include <string.h>

void picked_clear(struct picked *picked)
{
	message_record_clear(&picked->message);
	progress_clear(&picked->progress);
}

bool picked_is_meant(const struct picked *picked,
		     const struct selector *selector)
{
	const struct envelope *envelope = picked->message.envelope;

	if (!selector_takes_message(selector, envelope))
		return false;
	for (size_t i = 0; i < picked->progress.open_count; i++) {
		uint32_t index = picked->progress.open[i].index;

		if (selector_takes_recipient(selector,
					     &envelope->recipients[index]))
			return true;
	}
	return false;
}

static bool indexes_fit(const struct picked *picked)
{
	for (size_t i = 0; i < picked->progress.open_count; i++)
		if (picked->progress.open[i].index >=
		    picked->message.envelope->recipient_count)
			return false;
	return true;
}

/* The message of a job whose progress was read. */
static int read_message(struct store_txn *txn, struct picked *out, bool *has)
{
	struct key key = key_message(out->key.id);
	struct view raw;
	int rc = store_get(txn, key_view(&key), &raw);

	if (rc)
		return store_is_absent(rc) ? 0 : rc;
	*has = !message_unpack(raw, out->key.id, &out->message) &&
	       indexes_fit(out);
	out->message.small_body = view_make("", 0);
	store_forget(txn, raw);
	return 0;
}

int pick_job(struct store_txn *txn, const struct job_key *at,
	     struct picked *out, bool *has)
{
	struct key key = key_job(at->lane, at->id, at->part);
	struct view raw;
	int rc = store_get(txn, key_view(&key), &raw);

	memset(out, 0, sizeof(*out));
	*has = false;
	if (rc)
		return store_is_absent(rc) ? 0 : rc;
	if (progress_unpack(raw, at->id, &out->progress))
		return 0;
	out->key = *at;
	out->key.due = out->progress.due;
	rc = read_message(txn, out, has);
	if (!*has)
		picked_clear(out);
	return rc;
}

void pick_init(struct pick *pick, const struct selector *selector)
{
	memset(pick, 0, sizeof(*pick));
	pick->selector = selector;
	pick->at = key_kind(RECORD_JOB);
	pick->budget = SIZE_MAX;
}

void pick_after(struct pick *pick, const char *lane, const char *id)
{
	pick->at = key_job(lane, id, *id ? UINT32_MAX : 0);
	/* Behind the last key that this message can have there. */
	if (*id)
		pick->at.at[pick->at.len++] = 0xff;
}

static void step_over(struct pick *pick, const struct job_key *job)
{
	pick->at = key_job(job->lane, job->id, job->part);
	pick->at.at[pick->at.len++] = 0;
}

/* Behind all that this lane has: its keys have a zero after the name. */
static void leave_lane(struct pick *pick, const struct job_key *job)
{
	pick->at = key_lane_prefix(RECORD_JOB, job->lane);
	pick->at.at[pick->at.len - 1] = 1;
}

/* False: not this one. */
static bool take(struct pick *pick, struct store_txn *txn,
		 const struct job_key *job, struct picked *out)
{
	bool has;

	pick->code = pick_job(txn, job, out, &has);
	if (!has) {
		pick->unsound += !pick->code;
		return false;
	}
	if (picked_is_meant(out, pick->selector))
		return true;
	picked_clear(out);
	return false;
}

bool pick_next(struct pick *pick, struct store_txn *txn, struct picked *out)
{
	struct store_cursor *cursor;
	struct view key, value;
	struct job_key job;
	bool has = false;

	pick->code = store_walk(txn, &cursor);
	while (!pick->code && !has && !pick->is_over && pick->budget) {
		pick->code = store_seek(cursor, key_view(&pick->at), &key,
					&value);
		if (pick->code)
			break;
		if (key.at[0] != RECORD_JOB || key_parse(key, &job)) {
			pick->is_over = true;
			break;
		}
		if (pick->wants_lane && !pick->wants_lane(pick->arg, job.lane)) {
			leave_lane(pick, &job);
			continue;
		}
		pick->budget--;
		step_over(pick, &job);
		has = take(pick, txn, &job, out);
	}
	store_walk_end(cursor);
	if (store_is_absent(pick->code)) {
		pick->is_over = true;
		pick->code = 0;
	}
	return has;
}
