/*
 * A change as a list of steps.  See edit.h.  Everything below the line
 * "on the commit thread" runs there and touches nothing but its edit and
 * the transaction.
 */
#include "queue/edit.h"

#include <stdlib.h>
#include <string.h>

#include "conf/log.h"
#include "queue/ledger.h"

enum step_kind { STEP_PUT, STEP_DELETE, STEP_DUE, STEP_UNDUE, STEP_LANE,
		 STEP_GONE, STEP_MOVE, STEP_SETTLE, STEP_QUARANTINE };

struct step {
	struct step *next;
	enum step_kind kind;
	struct key key;       /* PUT, DELETE, DUE, UNDUE, GONE (the job),
	                       * QUARANTINE */
	struct buffer value;  /* PUT */
	char id[MESSAGE_ID_LEN + 1];
	uint32_t part;
	char *lane;
	struct lane_reason *reason; /* DUE */
	struct lane_record *record; /* LANE */
};

struct edit {
	struct change change;
	struct store *other;
	edit_done *done;
	void *arg;
	struct step *steps, **last;
};

void edit_free(struct edit *edit)
{
	struct step *step;

	while ((step = edit->steps)) {
		edit->steps = step->next;
		buffer_clear(&step->value);
		free(step->lane);
		free(step->reason);
		free(step->record);
		free(step);
	}
	free(edit);
}

static void on_done(struct change *change, enum change_end end)
{
	struct edit *edit = (struct edit *)change;

	if (edit->done)
		edit->done(edit->arg, end);
	edit_free(edit);
}

/* --- on the commit thread ------------------------------------------- */

static int delete_key(struct store_txn *txn, struct key key)
{
	int rc = store_delete(txn, key_view(&key));

	return store_is_absent(rc) ? 0 : rc;
}

static int has_key(struct store_txn *txn, struct key key, bool *has)
{
	struct view ignored;
	int rc = store_get(txn, key_view(&key), &ignored);

	*has = rc == 0;
	return store_is_absent(rc) ? 0 : rc;
}

static int quarantine(struct store_txn *txn, struct key key)
{
	struct buffer copy = { NULL, 0, 0, 0 };
	struct key aside = key_kind(RECORD_QUARANTINE);
	struct view value;
	int rc = store_get(txn, key_view(&key), &value);

	if (rc)
		return store_is_absent(rc) ? 0 : rc;
	/* A value in the map does not survive a put in its transaction. */
	buffer_append(&copy, value);
	memcpy(aside.at + 1, key.at, key.len < KEY_MAX ? key.len : KEY_MAX);
	aside.len = key.len + 1;
	rc = store_put(txn, key_view(&aside), buffer_view(&copy));
	buffer_clear(&copy);
	return rc ? rc : delete_key(txn, key);
}

static int drop_chunks(struct store_txn *txn, const char *id)
{
	struct key first = key_chunk(id, 0);
	struct view prefix = view_make(first.at, 1 + MESSAGE_ID_LEN), key, value;
	struct store_cursor *cursor;
	int rc = store_walk(txn, &cursor);

	if (rc)
		return rc;
	rc = store_seek(cursor, key_view(&first), &key, &value);
	while (!rc && view_equal(view_first(key, prefix.len), prefix)) {
		rc = store_delete_here(cursor);
		if (!rc)
			rc = store_seek(cursor, prefix, &key, &value);
	}
	store_walk_end(cursor);
	return store_is_absent(rc) ? 0 : rc;
}

/* Is there a job of the message besides this one? */
static int has_other(struct store_txn *txn, const struct lane_parts *parts,
		     const struct step *step, bool *has)
{
	int rc = 0;

	*has = false;
	for (size_t i = 0; i < parts->count && !rc && !*has; i++)
		rc = has_key(txn, key_job(parts->at[i].lane, step->id,
					  parts->at[i].part), has);
	return rc;
}

static int message_gone(struct store_txn *txn, const char *id,
			struct body_place place)
{
	bool is_open = false;
	int rc = delete_key(txn, key_message(id));

	if (!rc && place.chunks)
		rc = has_key(txn, key_open(id), &is_open);
	/* In fresh this finds nothing: chunks lie in held only. */
	if (!rc && place.chunks && !is_open)
		rc = drop_chunks(txn, id);
	return rc;
}

static int job_gone(struct store_txn *txn, const struct step *step)
{
	struct key key = key_message(step->id);
	struct lane_parts parts;
	struct body_place place;
	struct view raw, rest;
	bool has = false;
	int rc = delete_key(txn, step->key);

	if (rc)
		return rc;
	rc = store_get(txn, key_view(&key), &raw);
	if (rc)
		return store_is_absent(rc) ? 0 : rc;
	if (message_lanes(raw, &parts, &rest) || message_place(raw, &place)) {
		log_say(LOG_WARNING, "warning", "message %s does not check out "
			"and is put aside", step->id);
		lane_parts_clear(&parts);
		return quarantine(txn, key);
	}
	if (parts.count > 1)
		rc = has_other(txn, &parts, step, &has);
	lane_parts_clear(&parts);
	if (rc || has)
		return rc;
	return message_gone(txn, step->id, place);
}

static int quarantine_job(struct store_txn *txn, const struct step *step)
{
	struct key key = key_message(step->id);
	struct lane_parts parts = { NULL, 0 };
	struct view raw, rest;
	bool has = false;
	int rc = quarantine(txn, step->key);

	if (rc)
		return rc;
	rc = store_get(txn, key_view(&key), &raw);
	if (rc)
		return store_is_absent(rc) ? 0 : rc;
	if (!record_open(raw, RECORD_MESSAGE, step->id, NULL, &rest) &&
	    !message_lanes(raw, &parts, &rest))
		rc = has_other(txn, &parts, step, &has);
	lane_parts_clear(&parts);
	return rc || has ? rc : quarantine(txn, key);
}

static int put_message(struct store_txn *txn, const struct step *step,
		       const struct lane_parts *parts, struct view rest)
{
	struct key key = key_message(step->id);
	struct buffer record = { NULL, 0, 0, 0 };
	int rc;

	message_relane(&record, step->id, parts, rest);
	rc = store_put(txn, key_view(&key), buffer_view(&record));
	buffer_clear(&record);
	return rc;
}

static bool has_part(const struct lane_parts *parts, const struct step *step)
{
	for (size_t i = 0; i < parts->count; i++)
		if (parts->at[i].part == step->part &&
		    !strcmp(parts->at[i].lane, step->lane))
			return true;
	return false;
}

/* A message that is in held already: its list grows, if need be. */
static int extend_message(struct store_txn *txn, const struct step *step,
			  struct view raw)
{
	struct lane_parts parts;
	struct view rest;
	int rc = 0;

	/* A new seal must not make a damaged record look sound: it stays as
	 * it is and will be put aside when it is read. */
	if (record_open(raw, RECORD_MESSAGE, step->id, NULL, &rest) ||
	    message_lanes(raw, &parts, &rest))
		return 0;
	if (!has_part(&parts, step)) {
		lane_parts_add(&parts, step->lane, step->part);
		rc = put_message(txn, step, &parts, rest);
	}
	lane_parts_clear(&parts);
	return rc;
}

static int copy_message(struct store_txn *txn, const struct step *step,
			struct store_txn *fresh)
{
	struct key key = key_message(step->id);
	struct lane_parts parts = { NULL, 0 };
	struct view raw, rest;
	int rc = store_get(fresh, key_view(&key), &raw);

	if (rc)
		return store_is_absent(rc) ? 0 : rc;
	if (record_open(raw, RECORD_MESSAGE, step->id, NULL, &rest) ||
	    message_lanes(raw, &parts, &rest))
		return store_put(txn, key_view(&key), raw);
	lane_parts_clear(&parts);
	lane_parts_add(&parts, step->lane, step->part);
	rc = put_message(txn, step, &parts, rest);
	lane_parts_clear(&parts);
	return rc;
}

static int move(struct store_txn *txn, const struct step *step,
		struct store *other)
{
	struct key key = key_message(step->id);
	struct store_txn *fresh;
	struct view raw;
	int rc = store_get(txn, key_view(&key), &raw);

	if (!rc)
		return extend_message(txn, step, raw);
	if (!store_is_absent(rc))
		return rc;
	rc = store_read(other, &fresh);
	if (rc)
		return rc;
	rc = copy_message(txn, step, fresh);
	store_abort(fresh);
	return rc;
}

static int settle(struct store_txn *txn, const struct step *step,
		  struct store *other)
{
	struct store_txn *fresh;
	bool has = false;
	int rc = store_read(other, &fresh);

	if (rc)
		return rc;
	rc = has_key(fresh, key_message(step->id), &has);
	store_abort(fresh);
	if (rc || has)
		return rc;
	rc = has_key(txn, key_message(step->id), &has);
	if (!rc && !has)
		rc = drop_chunks(txn, step->id);
	return rc ? rc : delete_key(txn, key_open(step->id));
}

static int carry_out(const struct edit *edit, const struct step *step,
		     struct store_txn *txn)
{
	switch (step->kind) {
	case STEP_PUT:
		return store_put(txn, key_view(&step->key),
				 buffer_view(&step->value));
	case STEP_DELETE:
		return delete_key(txn, step->key);
	case STEP_DUE:
		return ledger_enter(txn, step->lane, step->key, step->reason);
	case STEP_UNDUE:
		return ledger_leave(txn, step->lane, step->key);
	case STEP_LANE:
		return ledger_write(txn, step->record);
	case STEP_GONE:
		return job_gone(txn, step);
	case STEP_MOVE:
		return move(txn, step, edit->other);
	case STEP_SETTLE:
		return settle(txn, step, edit->other);
	case STEP_QUARANTINE:
		return quarantine_job(txn, step);
	}
	return 0;
}

static int apply(struct change *change, struct store_txn *txn)
{
	const struct edit *edit = (const struct edit *)change;
	int rc = 0;

	for (const struct step *s = edit->steps; s && !rc; s = s->next)
		rc = carry_out(edit, s, txn);
	return rc;
}

int edit_carry_out(struct edit *edit, struct store *store)
{
	struct store_txn *txn;
	int rc = store_begin(store, &txn);

	if (rc)
		return rc;
	rc = apply(&edit->change, txn);
	if (!rc)
		return store_commit(txn);
	store_abort(txn);
	return rc;
}

/* --- on the loop ---------------------------------------------------- */

struct edit *edit_new(struct store *other, edit_done *done, void *arg)
{
	struct edit *edit = must_alloc(sizeof(*edit));

	edit->change.apply = apply;
	edit->change.done = on_done;
	edit->change.is_kept = true;
	edit->other = other;
	edit->done = done;
	edit->arg = arg;
	edit->last = &edit->steps;
	return edit;
}

struct change *edit_change(struct edit *edit)
{
	return &edit->change;
}

static struct step *add(struct edit *edit, enum step_kind kind)
{
	struct step *step = must_alloc(sizeof(*step));

	step->kind = kind;
	*edit->last = step;
	edit->last = &step->next;
	return step;
}

static struct step *add_for(struct edit *edit, enum step_kind kind,
			    const char *id)
{
	struct step *step = add(edit, kind);

	memcpy(step->id, id, strnlen(id, MESSAGE_ID_LEN));
	return step;
}

void edit_put(struct edit *edit, struct key key, struct buffer *value)
{
	struct step *step = add(edit, STEP_PUT);

	step->key = key;
	step->value = *value;
	*value = (struct buffer){ NULL, 0, 0, 0 };
	edit->change.bytes += buffer_len(&step->value);
}

void edit_delete(struct edit *edit, struct key key)
{
	add(edit, STEP_DELETE)->key = key;
}

void edit_due(struct edit *edit, const char *lane, const char *id,
	      uint32_t part, const struct progress *progress)
{
	struct step *step = add(edit, STEP_DUE);

	step->lane = must_strdup(lane);
	step->key = key_due(lane, progress->due, id, part);
	step->reason = must_alloc(sizeof(*step->reason));
	reason_of(progress, step->reason);
}

void edit_undue(struct edit *edit, const char *lane, const char *id,
		uint32_t part, int64_t due)
{
	struct step *step = add(edit, STEP_UNDUE);

	step->lane = must_strdup(lane);
	step->key = key_due(lane, due, id, part);
}

void edit_lane(struct edit *edit, const struct lane_record *lane)
{
	struct step *step = add(edit, STEP_LANE);

	step->record = must_alloc(sizeof(*lane));
	*step->record = *lane;
}

void edit_job_gone(struct edit *edit, const char *lane, const char *id,
		   uint32_t part)
{
	add_for(edit, STEP_GONE, id)->key = key_job(lane, id, part);
}

void edit_move(struct edit *edit, const char *lane, const char *id,
	       uint32_t part)
{
	struct step *step = add_for(edit, STEP_MOVE, id);

	step->lane = must_strdup(lane);
	step->part = part;
}

void edit_settle(struct edit *edit, const char *id)
{
	add_for(edit, STEP_SETTLE, id);
}

void edit_quarantine(struct edit *edit, const char *lane, const char *id,
		     uint32_t part)
{
	struct step *step = add_for(edit, STEP_QUARANTINE, id);

	step->key = key_job(lane, id, part);
	step->lane = must_strdup(lane);
}
