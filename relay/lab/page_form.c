/*
 * What the page's forms say: application/x-www-form-urlencoded in, a change
 * of a gateway's faults out.
 */
#include "relay/lab/page_inner.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex(unsigned char byte)
{
	return isdigit(byte) ? byte - '0' : (byte | 0x20) - 'a' + 10;
}

static void decode(struct view text, struct buffer *out)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = text.at[i];

		if (byte == '%' && text.len - i > 2 &&
		    isxdigit(text.at[i + 1]) && isxdigit(text.at[i + 2])) {
			byte = (unsigned char)(hex(text.at[i + 1]) << 4 |
					       hex(text.at[i + 2]));
			i += 2;
		} else if (byte == '+') {
			byte = ' ';
		}
		buffer_append_byte(out, byte);
	}
}

/* The field's value, to be freed; "" when there is none.  What holds a NUL
 * ends there. */
static char *field(struct view form, const char *name)
{
	struct buffer value = { 0 };
	char *text;

	while (form.len > 0) {
		struct view pair = view_cut(&form, '&');
		struct view key = view_cut(&pair, '=');

		if (!view_equal(key, view_of(name)))
			continue;
		decode(pair, &value);
		break;
	}
	text = view_string(buffer_view(&value));
	buffer_clear(&value);
	return text;
}

/* In constant time, though nobody can guess 128 bits. */
static bool is_token(const char *token, const char *wanted)
{
	unsigned char differs = 0;

	if (strlen(token) != PAGE_TOKEN_LEN)
		return false;
	for (size_t i = 0; i < PAGE_TOKEN_LEN; i++)
		differs |= (unsigned char)(token[i] ^ wanted[i]);
	return differs == 0;
}

static void add_word(struct buffer *out, const char *before, const char *word)
{
	if (word[0])
		buffer_printf(out, "%s%s", before, word);
}

/* The fields of a switch as a fault's text. */
static int compose(struct view form, struct buffer *out, struct error *error)
{
	char *kind = field(form, "kind"), *code = field(form, "code");
	char *step = field(form, "step"), *number = field(form, "number");
	char *limits = field(form, "limits");
	uint64_t index;
	int status = 0;

	if (view_number(view_of(kind), FAULT_COUNT - 1, &index)) {
		status = error_set(error, "there is no such fault");
	} else if (index == FAULT_REPLY) {
		buffer_printf(out, "%s-%s", code, step);
	} else if (index == FAULT_STALL || index == FAULT_CLOSE) {
		buffer_printf(out, "%s-%s",
			      index == FAULT_STALL ? "stall" : "close", step);
	} else {
		buffer_printf(out, "%s",
			      fault_about((enum fault_kind)index)->name);
		add_word(out, " ", number);
		add_word(out, " at ", step);
	}
	if (status == 0)
		add_word(out, " ", limits);
	free(kind);
	free(code);
	free(step);
	free(number);
	free(limits);
	return status;
}

static int set(struct view form, struct faults *faults, struct error *error)
{
	struct buffer text = { 0 };
	struct fault fault;
	int status = compose(form, &text, error);

	if (status == 0)
		status = fault_parse(buffer_view(&text), &fault, error);
	if (status == 0) {
		faults_set(faults, &fault);
		fault_clear(&fault);
	}
	buffer_clear(&text);
	return status;
}

static int clear(struct view form, struct faults *faults, struct error *error)
{
	char *text = field(form, "fault");
	struct fault fault;
	int status = fault_parse(view_of(text), &fault, error);

	if (status == 0) {
		faults_remove(faults, &fault);
		fault_clear(&fault);
	}
	free(text);
	return status;
}

static int act(struct view form, struct faults *faults, struct error *error)
{
	char *action = field(form, "do");
	int status = 0;

	if (strcmp(action, "set") == 0)
		status = set(form, faults, error);
	else if (strcmp(action, "clear") == 0)
		status = clear(form, faults, error);
	else if (strcmp(action, "clear-all") == 0)
		faults_remove(faults, NULL);
	else
		status = error_set(error, "there is no such action");
	free(action);
	return status;
}

/* A path of this page and nothing that could lead elsewhere or end a line. */
static bool is_path(const char *text)
{
	if (text[0] != '/' || text[1] == '/')
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("/.-_#", *text))
			return false;
	return true;
}

int page_obey(const struct page_view *view, struct view form, char **back,
	      struct error *error)
{
	const struct page_settings *s = view->set;
	char *token = field(form, "token"), *name = field(form, "gateway");
	size_t i = 0;
	int status;

	*back = field(form, "back");
	while (i < s->gateway_count && strcmp(s->gateways[i].name, name) != 0)
		i++;
	if (!is_token(token, view->token))
		status = error_set(error, "this form is not (or no longer) "
					  "the lab's: load the page anew");
	else if (i == s->gateway_count)
		status = error_set(error, "there is no such gateway");
	else
		status = act(form, s->gateways[i].faults, error);
	if (status == 0 && s->changed)
		s->changed(s->arg, i);
	if (!is_path(*back)) {
		free(*back);
		*back = must_strdup("/");
	}
	free(token);
	free(name);
	return status;
}
