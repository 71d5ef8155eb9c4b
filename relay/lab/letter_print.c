/*
 * Values on a label were escaped when it was written; what comes from the
 * message itself is escaped here.
 */
#include "relay/lab/letter_print.h"

#include <stdlib.h>
#include <string.h>

enum { SUBJECT_MAX = 100, ADDRESS_MAX = 320, LINE_MAX_SHOWN = 4000 };

static void put_field(struct buffer *out, const struct letter *letter,
		      const char *name)
{
	bytes_escape(out, letter_field(letter, name), ADDRESS_MAX);
}

/* The first recipient, and how many more there are. */
static void put_recipients(struct buffer *out, const struct letter *letter)
{
	struct view rest = view_first(buffer_view(&letter->head),
				      letter->label_len);
	struct view name, value;
	unsigned count = 0;

	while (label_next(&rest, &name, &value)) {
		if (!view_equal(name, VIEW("To")))
			continue;
		if (count++ > 0)
			continue;
		buffer_append(out, VIEW("<"));
		buffer_append(out, label_address(value));
		buffer_append(out, VIEW(">"));
	}
	if (count > 1)
		buffer_printf(out, " and %u more", count - 1);
}

void letter_print_line(struct buffer *out, const struct letter *letter)
{
	struct view tls = letter_field(letter, "TLS");
	struct buffer subject = { 0 };

	buffer_append(out, letter_field(letter, "Received"));
	buffer_printf(out, "  %s  ", letter->id);
	put_field(out, letter, "Gateway");
	buffer_append(out, VIEW("  "));
	buffer_append(out, view_cut(&tls, ' '));
	buffer_append(out, VIEW("  <"));
	buffer_append(out, label_address(letter_field(letter, "From")));
	buffer_append(out, VIEW("> -> "));
	put_recipients(out, letter);
	letter_header(letter, "Subject", &subject);
	buffer_append(out, VIEW("  "));
	bytes_escape(out, buffer_view(&subject), SUBJECT_MAX);
	buffer_append(out, VIEW("\n"));
	buffer_clear(&subject);
}

void letter_print_label(struct buffer *out, const struct letter *letter)
{
	struct view rest = view_first(buffer_view(&letter->head),
				      letter->label_len);
	struct view name, value;

	while (label_next(&rest, &name, &value)) {
		char *text = view_string(name);

		buffer_printf(out, "%-19s ", text);
		buffer_append(out, value);
		buffer_append(out, VIEW("\n"));
		free(text);
	}
	buffer_printf(out, "%-19s %s\n", "File", letter->path);
}

static void json_view(struct json *json, const char *key, struct view text)
{
	char *copy = view_string(text);

	json_text(json, key, copy);
	free(copy);
}

/* "sni" from "SNI", "client_certificate" from "Client-Certificate" */
static void key_of(struct view name, char out[40])
{
	size_t i;

	for (i = 0; i < name.len && i + 1 < 40; i++) {
		unsigned char byte = name.at[i];

		if (byte >= 'A' && byte <= 'Z')
			byte = (unsigned char)(byte + 'a' - 'A');
		out[i] = byte == '-' ? '_' : (char)byte;
	}
	out[i] = '\0';
}

static void json_recipients(struct json *json, struct view label)
{
	struct view name, value;

	json_open_list(json, "to");
	while (label_next(&label, &name, &value))
		if (view_equal(name, VIEW("To")))
			json_view(json, NULL, value);
	json_close_list(json);
}

void letter_json(struct json *json, const struct letter *letter)
{
	struct view label = view_first(buffer_view(&letter->head),
				       letter->label_len);
	struct view rest = label, name, value;
	struct buffer subject = { 0 };

	json_open_object(json, NULL);
	json_text(json, "id", letter->id);
	while (label_next(&rest, &name, &value)) {
		char key[40];

		if (view_equal(name, VIEW("To")))
			continue;
		key_of(name, key);
		json_view(json, key, value);
	}
	json_recipients(json, label);
	letter_header(letter, "Subject", &subject);
	json_view(json, "subject", buffer_view(&subject));
	json_number(json, "size", (int64_t)letter->size);
	json_text(json, "file", letter->path);
	buffer_clear(&subject);
}

void letter_print_text(struct buffer *out, struct view text)
{
	while (text.len > 0) {
		struct view line = view_cut(&text, '\n');

		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		while (line.len > 0) {
			/* A tab is harmless; the rest may not be. */
			size_t tab = view_index(line, '\t');
			struct view part = view_first(line, tab);

			bytes_escape(out, part, LINE_MAX_SHOWN);
			line = view_from(line, tab);
			if (line.len > 0)
				buffer_append_byte(out, '\t');
			line = view_from(line, 1);
		}
		buffer_append_byte(out, '\n');
	}
}
