/*
 * Comes in: keys and values in the order in which they are to stand.  Goes
 * out: one JSON text.  Nothing is kept but the depth.
 */
#include "relay/json.h"

#include <inttypes.h>

static void put(struct json *json, const char *text)
{
	buffer_append(json->out, view_of(text));
}

static void new_line(struct json *json)
{
	unsigned i;

	put(json, "\n");
	for (i = 0; i < json->depth; i++)
		put(json, "  ");
}

/* Above ASCII only what bytes_escape() leaves alone is shown. */
static bool is_plain(struct view character)
{
	struct buffer escaped = { 0 };
	bool same;

	bytes_escape(&escaped, character, 16);
	same = view_equal(buffer_view(&escaped), character);
	buffer_clear(&escaped);
	return same;
}

static void put_point(struct json *json, uint32_t point)
{
	if (point < 0x10000) {
		buffer_printf(json->out, "\\u%04" PRIx32, point);
		return;
	}
	point -= 0x10000;
	buffer_printf(json->out, "\\u%04" PRIx32 "\\u%04" PRIx32,
		      0xd800 + (point >> 10), 0xdc00 + (point & 0x3ff));
}

static void put_string(struct json *json, struct view text)
{
	put(json, "\"");
	while (text.len > 0) {
		uint32_t point;
		size_t len = bytes_utf8(text, &point);
		struct view character = view_first(text, len > 0 ? len : 1);

		text = view_from(text, character.len);
		if (len == 0)
			put(json, "\\ufffd");
		else if (point == '"' || point == '\\')
			buffer_printf(json->out, "\\%c", (char)point);
		else if (is_plain(character))
			buffer_append(json->out, character);
		else
			put_point(json, point);
	}
	put(json, "\"");
}

static void begin(struct json *json, const char *key)
{
	if (json->has_item)
		put(json, ",");
	if (json->depth > 0)
		new_line(json);
	json->has_item = true;
	if (key == NULL)
		return;
	put_string(json, view_of(key));
	put(json, ": ");
}

static void open(struct json *json, const char *key, const char *mark)
{
	begin(json, key);
	put(json, mark);
	json->depth++;
	json->has_item = false;
}

static void close(struct json *json, const char *mark)
{
	json->depth--;
	if (json->has_item)
		new_line(json);
	put(json, mark);
	json->has_item = true;
	if (json->depth == 0)
		put(json, "\n");
}

void json_open_object(struct json *json, const char *key)
{
	open(json, key, "{");
}

void json_close_object(struct json *json)
{
	close(json, "}");
}

void json_open_list(struct json *json, const char *key)
{
	open(json, key, "[");
}

void json_close_list(struct json *json)
{
	close(json, "]");
}

void json_text(struct json *json, const char *key, const char *text)
{
	begin(json, key);
	put_string(json, view_of(text));
}

void json_text_or_null(struct json *json, const char *key, const char *text)
{
	if (text != NULL && text[0] != '\0')
		json_text(json, key, text);
	else
		json_null(json, key);
}

void json_number(struct json *json, const char *key, int64_t number)
{
	begin(json, key);
	buffer_printf(json->out, "%" PRId64, number);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	put(json, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
	begin(json, key);
	put(json, "null");
}
