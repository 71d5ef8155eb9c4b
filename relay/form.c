/*
 * Reads a form line by line.  A heading opens a field, and what follows it
 * on the line is its value; lines below belong to the field for as long as
 * they look like it.  A line that does not belong closes the field, so that
 * prose and the probe's table between two fields are never taken for values.
 * What is passed over inside a field becomes a note.
 */
#include "relay/form.h"

#include "relay/form_text.h"
#include "relay/form_value.h"
#include "relay/form_words.h"

#include <stdlib.h>
#include <string.h>

enum {
	ISSUER_MAX = 64,     /* characters of a common name (RFC 5280 A.1) */
	LABEL_WORDS_MAX = 3, /* beside the values on a line below a list */
};

struct reader {
	struct form *form;
	struct error *error;
	unsigned section;
	enum form_field field; /* FORM_FIELDS: none is open */
	unsigned line;
	bool has_value; /* something stood under the heading */
	bool after_blank;
};

static bool is_list(enum form_field field)
{
	return field <= FORM_NAMES;
}

/* Contacts belong to sections 1 and 2, agreements to 3 and 4; what stands
 * elsewhere belongs to none. */
static struct form_section *owner(const struct reader *r)
{
	unsigned section = r->section;
	bool is_contact = section == FORM_PARTNER || section == FORM_ISSUER;

	if (is_contact != (r->field >= FORM_COMPANY))
		section = FORM_UNNAMED;
	return &r->form->sections[section];
}

/* Arrays grow when their count is a power of two. */
static void *grow(void *at, size_t count, size_t size)
{
	if (count & (count - 1))
		return at;
	return must_realloc(at, (count ? count * 2 : 1) * size);
}

static int note(struct reader *r, enum form_remark remark, struct view text)
{
	struct form_section *section = owner(r);
	size_t count = section->note_count;

	if (!text.len)
		return 0;
	if (count == FORM_VALUES_MAX)
		return error_set(r->error,
				 "line %u of the form: more than %d "
				 "words that are not understood or repeated",
				 r->line, FORM_VALUES_MAX);
	section->notes = grow(section->notes, count, sizeof(*section->notes));
	section->notes[section->note_count++] = (struct form_note){
		.remark = remark,
		.field = r->field,
		.line = r->line,
		.text = view_string(text),
	};
	return 0;
}

/* Takes the value. */
static int add(struct reader *r, struct form_value *value)
{
	struct form_list *list = &owner(r)->fields[r->field];

	value->line = r->line;
	for (size_t i = 0; i < list->count; i++)
		if (form_value_equal(&list->at[i], value)) {
			int rc = note(r, FORM_TWICE, view_of(value->written));

			form_value_clear(value);
			return rc;
		}
	if (list->count == FORM_VALUES_MAX) {
		form_value_clear(value);
		return error_set(r->error,
				 "line %u of the form: more than %d "
				 "values in one field",
				 r->line, FORM_VALUES_MAX);
	}
	list->at = grow(list->at, list->count, sizeof(*list->at));
	list->at[list->count++] = *value;
	return 0;
}

/* Text as a value, its runs of blanks folded to one. */
static int add_text(struct reader *r, struct view text)
{
	struct form_value value = { 0 };
	struct buffer folded = { 0 };

	for (size_t i = 0; i < text.len; i++) {
		bool is_blank = text.at[i] == ' ' || text.at[i] == '\t';

		if (!is_blank)
			buffer_append_byte(&folded, text.at[i]);
		else if (i && text.at[i - 1] != ' ' && text.at[i - 1] != '\t')
			buffer_append_byte(&folded, ' ');
	}
	value.text = view_string(buffer_view(&folded));
	value.written = must_strdup(value.text);
	buffer_clear(&folded);
	return add(r, &value);
}

static int take_issuers(struct reader *r, struct view value)
{
	bool is_split = false;
	struct view rest = value, name;

	if (form_words_says_self_signed(value)) {
		owner(r)->is_self_signed = true;
		return note(r, FORM_SELF, value);
	}
	while (form_value_issuer(&rest, &name, &is_split))
		if (!form_words_is_empty(name) && add_text(r, name))
			return -1;
	return is_split ? note(r, FORM_SPLIT, value) : 0;
}

/* Pasted from a zone: "example.com. IN MX 10 mx1.example.com." names the
 * gateway behind the type only. */
static struct view behind_type(struct view value)
{
	struct view rest = value, word;

	while (form_words_next(&rest, &word))
		if (view_equal(word, VIEW("MX")))
			return rest;
	return value;
}

/* "1." before the first word numbers the line and says nothing. */
static struct view skip_numbering(struct view line)
{
	struct view rest = line, word;
	uint64_t number;

	if (!form_words_next(&rest, &word) || word.at[word.len - 1] != '.' ||
	    view_number(view_first(word, word.len - 1), UINT16_MAX, &number))
		return line;
	return rest;
}

/* "Port 25" behind the only gateway of a line: 1 when it was, else 0; -1 as
 * add(). */
static int take_port(struct reader *r, size_t before, struct view word,
		     struct view *rest)
{
	struct form_list *list = &owner(r)->fields[FORM_GATEWAYS];
	struct view after = *rest, number;
	struct form_value gateway;
	uint64_t port;

	if (r->field != FORM_GATEWAYS || list->count != before + 1 ||
	    list->at[before].port ||
	    !(view_equal_fold(word, VIEW("port")) ||
	      view_equal_fold(word, VIEW("port:"))) ||
	    !form_words_next(&after, &number) ||
	    view_number(number, UINT16_MAX, &port) || !port)
		return 0;
	*rest = after;
	/* Added anew: with its port it may be one that stands there. */
	gateway = list->at[--list->count];
	gateway.port = (uint16_t)port;
	return add(r, &gateway) ? -1 : 1;
}

static void append_word(struct buffer *words, struct view word)
{
	if (buffer_len(words))
		buffer_append_byte(words, ' ');
	buffer_append(words, word);
}

static int take_list(struct reader *r, struct view text)
{
	size_t before = owner(r)->fields[r->field].count;
	struct buffer unread = { 0 };
	struct form_value value;
	struct view rest, word;
	int rc = 0;

	rest = text = skip_numbering(text);
	if (r->field == FORM_GATEWAYS)
		rest = behind_type(text);
	if (rest.at != text.at)
		append_word(&unread, view_first(text, text.len - rest.len));
	while (rc >= 0 && form_words_next(&rest, &word)) {
		if (!form_value_read(r->field, word, &value)) {
			rc = add(r, &value);
			continue;
		}
		if (form_words_is_joint(word))
			continue;
		rc = take_port(r, before, word, &rest);
		if (!rc)
			append_word(&unread, word);
	}
	if (rc >= 0)
		rc = note(r, FORM_UNREAD, buffer_view(&unread));
	buffer_clear(&unread);
	return rc;
}

static int take(struct reader *r, struct view value)
{
	if (form_words_is_empty(value))
		return 0;
	r->has_value = true;
	owner(r)->fields[r->field].is_filled = true;
	if (is_list(r->field))
		return take_list(r, value);
	if (r->field == FORM_ISSUERS)
		return take_issuers(r, value);
	return add_text(r, value);
}

/* Results of the probe, "OK OK FAIL" or percentages. */
static bool is_result(struct view word)
{
	return view_equal(word, VIEW("OK")) || view_equal(word, VIEW("FAIL")) ||
	       (word.len && word.at[word.len - 1] == '%');
}

/* What a line below a list consists of. */
struct census {
	unsigned values, others, results;
};

static struct census count_words(enum form_field field, struct view line)
{
	struct census census = { 0 };
	struct view word;

	line = skip_numbering(line);
	while (form_words_next(&line, &word)) {
		struct form_value value;
		uint64_t number;

		if (!form_value_read(field, word, &value)) {
			form_value_clear(&value);
			census.values++;
		} else if (is_result(word)) {
			census.results++;
		} else if (view_number(word, UINT16_MAX, &number) &&
			   !form_words_is_joint(word)) {
			census.others++;
		}
	}
	return census;
}

/* "primary: mx1.example.com" belongs to a list, a sentence does not; behind
 * a blank line there must be nothing but values. */
static bool continues_list(const struct reader *r, struct view line)
{
	struct census census = count_words(r->field, line);

	return census.values && census.results < 2 &&
	       census.others <= (r->after_blank ? 0 : LABEL_WORDS_MAX);
}

static size_t characters(struct view text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += (text.at[i] & 0xc0) != 0x80;
	return count;
}

/* A name of a certification authority rather than a sentence. */
static bool continues_issuers(const struct reader *r, struct view line)
{
	if (r->has_value && r->after_blank)
		return false;
	if (view_index(line, '=') < line.len)
		return true;
	return characters(line) <= ISSUER_MAX &&
	       !strchr(".:?!", line.at[line.len - 1]);
}

static bool continues(const struct reader *r, struct view line)
{
	if (is_list(r->field))
		return continues_list(r, line);
	if (r->field == FORM_ISSUERS)
		return continues_issuers(r, line);
	if (r->field == FORM_URLS)
		return view_starts_fold(line, VIEW("http")) ||
		       view_starts_fold(line, VIEW("ldap"));
	return !r->has_value && !r->after_blank;
}

/* A line that does not belong closes the field; what was perhaps meant as a
 * value is not passed over in silence. */
static int close_field(struct reader *r, struct view line)
{
	bool is_lost = is_list(r->field)
			       ? count_words(r->field, line).values > 0
			       : r->field == FORM_ISSUERS && !r->after_blank;
	int rc = 0;

	if (is_lost) {
		owner(r)->fields[r->field].is_filled = true;
		rc = note(r, FORM_UNREAD, line);
	}
	r->field = FORM_FIELDS;
	return rc;
}

static int open_field(struct reader *r, struct view value, struct view remark)
{
	r->has_value = false;
	r->after_blank = false;
	if (r->field == FORM_FIELDS)
		return 0;
	/* An example or a value? Only a person can tell. */
	if (is_list(r->field) && view_index(remark, '.') < remark.len &&
	    note(r, FORM_UNREAD, remark))
		return -1;
	return take(r, value);
}

static int read_line(struct reader *r, struct view line)
{
	struct view value, remark;
	unsigned section;

	line = view_trim(line);
	if (!line.len || form_words_is_page(line)) {
		r->after_blank = true;
		return 0;
	}
	section = form_words_section(line);
	if (section) {
		r->section = section;
		r->field = FORM_FIELDS;
		return 0;
	}
	if (form_words_field(line, &r->field, &value, &remark))
		return open_field(r, value, remark);
	if (r->field == FORM_FIELDS)
		return 0;
	if (!continues(r, line))
		return close_field(r, line);
	r->after_blank = false;
	return take(r, line);
}

static int read_lines(struct reader *r, struct view text)
{
	while (text.len) {
		struct view line = view_cut(&text, '\n');

		r->line++;
		do {
			if (read_line(r, view_cut(&line, '\v')))
				return -1;
		} while (line.len);
	}
	return 0;
}

/* Addresses beside gateways that have names are most likely theirs. */
static int settle_gateways(struct reader *r)
{
	struct form_list *list = &owner(r)->fields[FORM_GATEWAYS];
	size_t names = 0, kept = 0;
	int rc = 0;

	for (size_t i = 0; i < list->count; i++)
		names += !list->at[i].is_address;
	for (size_t i = 0; i < list->count && names; i++) {
		struct form_value *value = &list->at[i];

		if (!value->is_address) {
			list->at[kept++] = *value;
			continue;
		}
		r->line = value->line;
		rc = rc ? rc : note(r, FORM_BESIDE, view_of(value->written));
		form_value_clear(value);
	}
	if (names)
		list->count = kept;
	return rc;
}

static int settle(struct reader *r)
{
	r->field = FORM_GATEWAYS;
	for (r->section = 0; r->section < FORM_SECTIONS; r->section++)
		if (settle_gateways(r))
			return -1;
	return 0;
}

int form_parse(struct view raw, struct form *form, struct error *error)
{
	struct reader reader = {
		.form = form,
		.error = error,
		.field = FORM_FIELDS,
	};
	struct buffer text = { 0 };
	int rc;

	*form = (struct form){ 0 };
	if (raw.len > FORM_SIZE_MAX)
		return error_set(error, "the form is larger than %d bytes",
				 FORM_SIZE_MAX);
	if (form_text(raw, &text, &form->is_windows_1252, error))
		return -1;
	rc = read_lines(&reader, buffer_view(&text));
	buffer_clear(&text);
	if (!rc)
		rc = settle(&reader);
	if (rc)
		form_clear(form);
	return rc;
}

static void section_clear(struct form_section *section)
{
	for (size_t i = 0; i < FORM_FIELDS; i++) {
		struct form_list *list = &section->fields[i];

		for (size_t k = 0; k < list->count; k++)
			form_value_clear(&list->at[k]);
		free(list->at);
	}
	for (size_t i = 0; i < section->note_count; i++)
		free(section->notes[i].text);
	free(section->notes);
}

void form_clear(struct form *form)
{
	for (size_t i = 0; i < FORM_SECTIONS; i++)
		section_clear(&form->sections[i]);
	*form = (struct form){ 0 };
}
