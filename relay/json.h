/*
 * Writes JSON (RFC 8259), indented, into a buffer.  Pure.  Text may be any
 * bytes: what is no UTF-8 becomes the replacement character, what is
 * invisible to terminals or dangerous to them is escaped.
 */
#ifndef RELAY_JSON_H
#define RELAY_JSON_H

#include "conf/bytes.h"

struct json {
	struct buffer *out; /* borrowed */
	unsigned depth;
	bool has_item;      /* within what is open now */
};

/* `key` is NULL within a list and for the whole. */
void json_open_object(struct json *json, const char *key);
void json_close_object(struct json *json);
void json_open_list(struct json *json, const char *key);
void json_close_list(struct json *json);

void json_text(struct json *json, const char *key, const char *text);
/* NULL when the text is NULL or empty. */
void json_text_or_null(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, int64_t number);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif
