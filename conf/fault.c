/*
 * The text of a fault: reading it word by word, writing it, and for an
 * unknown word the nearest one that would have been right.
 */
#include "conf/fault.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LEN = 40, CODE_LEN = 3, PATTERN_MAX = 320 };

/* A family's name: what stands in front of the step. */
static const struct family {
	enum fault_kind kind;
	const char *prefix; /* "": a reply code */
} families[] = {
	{ FAULT_STALL, "stall-" },
	{ FAULT_CLOSE, "close-" },
	{ FAULT_REPLY, "" },
};

enum { FAMILIES = sizeof(families) / sizeof(*families) };

static bool is_family(enum fault_kind kind)
{
	return kind == FAULT_STALL || kind == FAULT_CLOSE ||
	       kind == FAULT_REPLY;
}

/* --- the nearest word ------------------------------------------------ */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Insertions, deletions and replacements that make `a` of `b`. */
static unsigned distance(struct view a, struct view b)
{
	unsigned row[NAME_MAX_LEN + 1];

	a = view_first(a, NAME_MAX_LEN);
	b = view_first(b, NAME_MAX_LEN);
	for (unsigned k = 0; k <= b.len; k++)
		row[k] = k;
	for (size_t i = 0; i < a.len; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t k = 0; k < b.len; k++) {
			unsigned changed = diagonal + (a.at[i] != b.at[k]);

			diagonal = row[k + 1];
			row[k + 1] = least(least(row[k], diagonal) + 1,
					   changed);
		}
	}
	return row[b.len];
}

static const char *nearest_kind(struct view word)
{
	const char *best = NULL;
	unsigned so_far = NAME_MAX_LEN + 1;

	for (enum fault_kind kind = 0; kind < FAULT_COUNT; kind++) {
		const char *name = fault_about(kind)->name;
		unsigned far = distance(word, view_of(name));

		if (!is_family(kind) && far < so_far) {
			so_far = far;
			best = name;
		}
	}
	return best;
}

static const char *nearest_step(struct view word)
{
	const char *best = NULL;
	unsigned so_far = NAME_MAX_LEN + 1;

	for (enum fault_step step = STEP_ANY + 1; step < STEP_COUNT; step++) {
		const char *name = fault_step_name(step);
		unsigned far = distance(word, view_of(name));

		if (far < so_far) {
			so_far = far;
			best = name;
		}
	}
	return best;
}

/* --- reading --------------------------------------------------------- */

static int quote(struct error *error, struct view word, const char *format,
		 const char *what)
{
	struct buffer shown = { 0 };
	char text[128];
	size_t len;

	bytes_escape(&shown, word, sizeof(text) - 1);
	len = buffer_len(&shown) < sizeof(text) - 1 ? buffer_len(&shown) :
						      sizeof(text) - 1;
	if (len)
		memcpy(text, buffer_view(&shown).at, len);
	text[len] = '\0';
	buffer_clear(&shown);
	return error_set(error, format, text, what);
}

static int find_step(struct view word, enum fault_step *step,
		     struct error *error)
{
	*step = fault_step_find(word);
	if (*step != STEP_ANY)
		return 0;
	return quote(error, word, "there is no step \"%s\"; the nearest is "
		     "\"%s\"", nearest_step(word));
}

/* "450-" in front, as of a reply's name. */
static bool begins_with_code(struct view word, uint64_t *code)
{
	return word.len > CODE_LEN && word.at[CODE_LEN] == '-' &&
	       !view_number(view_first(word, CODE_LEN), 999, code);
}

/* 1: it was one of a family; 0: it is none; -1 with the reason. */
static int find_family(struct view word, struct fault *out,
		       struct error *error)
{
	uint64_t code = 0;

	for (size_t i = 0; i < FAMILIES; i++) {
		const struct family *f = &families[i];
		size_t len = strlen(f->prefix);

		if (len ? !view_starts_fold(word, view_of(f->prefix)) :
			  !begins_with_code(word, &code))
			continue;
		out->kind = f->kind;
		if (!len && (code < 400 || code > 599))
			return quote(error, word, "\"%s\": the code must be "
				     "%s", "a 4xx or a 5xx");
		out->code = (unsigned)code;
		return find_step(view_from(word, len ? len : CODE_LEN + 1),
				 &out->step, error) ? -1 : 1;
	}
	return 0;
}

static int find_kind(struct view word, struct fault *out, struct error *error)
{
	const struct fault_about *about;
	int found;

	for (enum fault_kind kind = 0; kind < FAULT_COUNT; kind++) {
		about = fault_about(kind);
		if (is_family(kind) || !view_equal(word, view_of(about->name)))
			continue;
		out->kind = kind;
		out->code = about->code;
		out->step = about->step;
		out->number = about->number;
		return 0;
	}
	found = find_family(word, out, error);
	if (found == 0)
		return quote(error, word, "there is no fault \"%s\"; the "
			     "nearest is \"%s\"", nearest_kind(word));
	return found < 0 ? -1 : 0;
}

static int read_number(struct view word, struct fault *out,
		       struct error *error)
{
	const struct fault_about *about = fault_about(out->kind);
	uint64_t value;

	if (!about->unit)
		return quote(error, word, "\"%s\": %s takes no number",
			     about->name);
	if (view_number(word, about->max, &value) || value < about->min)
		return error_set(error, "%s takes %s from %" PRIu32 " to %"
				 PRIu32, about->name, about->unit, about->min,
				 about->max);
	out->number = (uint32_t)value;
	return 0;
}

static int read_count(struct view word, uint32_t *out, struct error *error)
{
	uint64_t value;

	if (view_number(word, UINT32_MAX, &value) || value == 0)
		return quote(error, word, "\"%s\": %s takes a number from 1 on",
			     "a limit");
	*out = (uint32_t)value;
	return 0;
}

static int read_pattern(struct view word, char **out, struct error *error)
{
	if (word.len > PATTERN_MAX)
		return error_set(error, "a pattern is longer than %d bytes",
				 PATTERN_MAX);
	for (size_t i = 0; i < word.len; i++)
		if (word.at[i] < ' ' || word.at[i] == 0x7f)
			return quote(error, word, "\"%s\": a pattern has no "
				     "control bytes%s", "");
	*out = view_string(word);
	return 0;
}

/* A transaction's paths are known from MAIL, or RCPT, on. */
static int check_paths(const struct fault *f, struct error *error)
{
	const struct fault_about *about = fault_about(f->kind);
	bool has_step = f->step != STEP_ANY;

	if ((f->from || f->to) && !about->has_paths)
		return error_set(error, "%s strikes before MAIL: neither from "
				 "nor to can limit it", about->name);
	if (f->from && about->class == FAULT_DNS)
		return error_set(error, "%s strikes where nobody knows a "
				 "sender: only to can limit it, by the name "
				 "that is asked for", about->name);
	if ((f->from && has_step && f->step < STEP_MAIL) ||
	    (f->to && has_step && f->step < STEP_RCPT))
		return error_set(error, "at %s nobody has said %s yet",
				 fault_step_name(f->step),
				 f->from && f->step < STEP_MAIL ?
					 "from whom the mail is" :
					 "to whom the mail goes");
	return 0;
}

static int read_limit(struct view name, struct view value, struct fault *out,
		      struct error *error)
{
	bool is_step = view_equal(name, VIEW("at"));
	bool is_from = view_equal(name, VIEW("from"));

	if (!is_step && !is_from && !view_equal(name, VIEW("to")) &&
	    !view_equal(name, VIEW("first")) &&
	    !view_equal(name, VIEW("every")))
		return quote(error, name, "\"%s\": a limit is one of %s",
			     "at, from, to, every and first");
	if (!value.len)
		return quote(error, name, "%s wants a word behind it%s", "");
	if (is_step && !fault_about(out->kind)->has_step)
		return quote(error, value, "\"at %s\": %s has its own place in "
			     "a session", fault_about(out->kind)->name);
	if (is_step)
		return find_step(value, &out->step, error);
	if (view_equal(name, VIEW("first")))
		return read_count(value, &out->first, error);
	if (view_equal(name, VIEW("every")))
		return read_count(value, &out->every, error);
	if (is_from ? out->from : out->to)
		return quote(error, name, "%s stands twice%s", "");
	return read_pattern(value, is_from ? &out->from : &out->to, error);
}

static struct view next_word(struct view *rest)
{
	struct view word;

	*rest = view_trim(*rest);
	word = view_cut(rest, ' ');
	*rest = view_trim(*rest);
	return word;
}

static int parse(struct view text, struct fault *out, struct error *error)
{
	struct view rest = text, word = next_word(&rest);

	if (!word.len)
		return error_set(error, "no fault is named");
	if (find_kind(word, out, error))
		return -1;
	if (rest.len && rest.at[0] >= '0' && rest.at[0] <= '9' &&
	    read_number(next_word(&rest), out, error))
		return -1;
	while (rest.len) {
		word = next_word(&rest);
		if (read_limit(word, next_word(&rest), out, error))
			return -1;
	}
	return check_paths(out, error);
}

int fault_parse(struct view text, struct fault *out, struct error *error)
{
	*out = (struct fault){ .kind = 0 };
	if (!parse(text, out, error))
		return 0;
	fault_clear(out);
	return -1;
}

/* --- writing --------------------------------------------------------- */

void fault_name(const struct fault *fault, struct buffer *out)
{
	const char *step = fault_step_name(fault->step);

	if (fault->kind == FAULT_REPLY)
		buffer_printf(out, "%u-%s", fault->code, step);
	else if (fault->kind == FAULT_STALL)
		buffer_printf(out, "stall-%s", step);
	else if (fault->kind == FAULT_CLOSE)
		buffer_printf(out, "close-%s", step);
	else
		buffer_printf(out, "%s", fault_about(fault->kind)->name);
}

void fault_print(const struct fault *fault, struct buffer *out)
{
	const struct fault_about *about = fault_about(fault->kind);

	fault_name(fault, out);
	if (about->unit && fault->number != about->number)
		buffer_printf(out, " %" PRIu32, fault->number);
	if (about->has_step && fault->step != STEP_ANY)
		buffer_printf(out, " at %s", fault_step_name(fault->step));
	if (fault->from)
		buffer_printf(out, " from %s", fault->from);
	if (fault->to)
		buffer_printf(out, " to %s", fault->to);
	if (fault->every)
		buffer_printf(out, " every %" PRIu32, fault->every);
	if (fault->first)
		buffer_printf(out, " first %" PRIu32, fault->first);
}

void fault_copy(struct fault *out, const struct fault *fault)
{
	*out = *fault;
	out->from = fault->from ? must_strdup(fault->from) : NULL;
	out->to = fault->to ? must_strdup(fault->to) : NULL;
}

void fault_clear(struct fault *fault)
{
	free(fault->from);
	free(fault->to);
	*fault = (struct fault){ .kind = 0 };
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool fault_is_same(const struct fault *a, const struct fault *b)
{
	return a->kind == b->kind && a->code == b->code &&
	       a->step == b->step && is_same_text(a->from, b->from) &&
	       is_same_text(a->to, b->to);
}

/* --- patterns -------------------------------------------------------- */

static unsigned char fold(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

bool fault_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *behind = NULL;

	/* The null path, which nobody can write otherwise. */
	if (!pattern || (!*text && !strcmp(pattern, "<>")))
		return true;
	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			behind = text;
		} else if (*pattern && fold(*pattern) == fold(*text)) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++behind;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
