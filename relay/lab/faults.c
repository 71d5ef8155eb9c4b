/*
 * A set of faults with their counts.  See faults.h.
 */
#include "relay/lab/faults.h"

#include <stdlib.h>

struct row {
	struct fault fault;
	uint64_t occasions; /* on which its patterns matched */
	uint64_t struck;
};

struct faults {
	struct row *rows;
	size_t count;
};

/* What a question asks about; -1 and STEP_ANY: whatever it is. */
struct question {
	int kind, class;
	enum fault_step step;
	bool is_reply;
};

struct faults *faults_new(const struct fault *list, size_t count)
{
	struct faults *faults = must_alloc(sizeof(*faults));

	for (size_t i = 0; i < count; i++)
		faults_set(faults, &list[i]);
	return faults;
}

void faults_free(struct faults *faults)
{
	if (!faults)
		return;
	faults_remove(faults, NULL);
	free(faults->rows);
	free(faults);
}

void faults_set(struct faults *faults, const struct fault *fault)
{
	struct row *row = NULL;

	for (size_t i = 0; i < faults->count && !row; i++)
		if (fault_is_same(&faults->rows[i].fault, fault))
			row = &faults->rows[i];
	if (!row) {
		faults->rows = must_realloc(faults->rows,
					    (faults->count + 1) *
						    sizeof(*faults->rows));
		row = &faults->rows[faults->count++];
	} else {
		fault_clear(&row->fault);
	}
	*row = (struct row){ .occasions = 0 };
	fault_copy(&row->fault, fault);
}

static bool has_name_of(const struct fault *a, const struct fault *like)
{
	bool is_step_named = !fault_about(a->kind)->has_step;

	return a->kind == like->kind && a->code == like->code &&
	       (!is_step_named || a->step == like->step);
}

size_t faults_remove(struct faults *faults, const struct fault *like)
{
	size_t kept = 0, removed;

	for (size_t i = 0; i < faults->count; i++) {
		struct row *row = &faults->rows[i];

		if (like && !has_name_of(&row->fault, like))
			faults->rows[kept++] = *row;
		else
			fault_clear(&row->fault);
	}
	removed = faults->count - kept;
	faults->count = kept;
	return removed;
}

size_t faults_count(const struct faults *faults)
{
	return faults->count;
}

const struct fault *faults_at(const struct faults *faults, size_t index)
{
	return &faults->rows[index].fault;
}

uint64_t faults_struck(const struct faults *faults, size_t index)
{
	return faults->rows[index].struck;
}

bool faults_have(const struct faults *faults, enum fault_kind kind)
{
	for (size_t i = 0; i < faults->count; i++)
		if (faults->rows[i].fault.kind == kind)
			return true;
	return false;
}

static bool is_asked(const struct fault *f, const struct question *q)
{
	return (q->kind < 0 || (int)f->kind == q->kind) &&
	       (q->class < 0 ||
		(int)fault_about(f->kind)->class == q->class) &&
	       (q->step == STEP_ANY || f->step == STEP_ANY ||
		f->step == q->step) &&
	       (!q->is_reply || f->code != 0);
}

/* A pattern cannot match what nobody has said yet. */
static bool is_meant(const char *pattern, const char *text)
{
	return !pattern || (text && fault_matches(pattern, text));
}

static bool is_to_meant(const char *pattern, const struct fault_moment *moment)
{
	if (!moment)
		return !pattern;
	for (size_t i = 0; i < moment->any_count; i++)
		if (is_meant(pattern, moment->any_to[i]))
			return true;
	return is_meant(pattern, moment->to);
}

/* One occasion for the row; whether it strikes. */
static bool count(struct row *row)
{
	const struct fault *f = &row->fault;
	/* That is what the number of strip means. */
	uint32_t every = !f->every && f->kind == FAULT_STRIP ? f->number :
							       f->every;

	row->occasions++;
	if (every && row->occasions % every)
		return false;
	return !f->first || row->struck < f->first;
}

static const struct fault *strike(struct faults *faults,
				  const struct question *question,
				  const struct fault_moment *moment)
{
	struct row *striking = NULL;

	for (size_t i = 0; i < faults->count; i++) {
		struct row *row = &faults->rows[i];
		const struct fault *f = &row->fault;

		if (is_asked(f, question) &&
		    is_meant(f->from, moment ? moment->from : NULL) &&
		    is_to_meant(f->to, moment) &&
		    count(row) && !striking)
			striking = row;
	}
	if (!striking)
		return NULL;
	striking->struck++;
	return &striking->fault;
}

const struct fault *faults_strike(struct faults *faults, enum fault_kind kind,
				  const struct fault_moment *moment)
{
	struct question question = { (int)kind, -1, STEP_ANY, false };

	return strike(faults, &question, moment);
}

const struct fault *faults_strike_class(struct faults *faults,
					enum fault_class class,
					const struct fault_moment *moment)
{
	struct question question = { -1, (int)class, STEP_ANY, false };

	return strike(faults, &question, moment);
}

const struct fault *faults_strike_at(struct faults *faults,
				     enum fault_kind kind, enum fault_step step,
				     const struct fault_moment *moment)
{
	struct question question = { (int)kind, -1, step, false };

	return strike(faults, &question, moment);
}

const struct fault *faults_strike_reply(struct faults *faults,
					enum fault_step step,
					const struct fault_moment *moment)
{
	struct question question = { -1, -1, step, true };

	return strike(faults, &question, moment);
}
