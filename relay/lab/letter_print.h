/*
 * How the lab's commands write letters: a line each, whole, or as JSON.
 * Pure.
 */
#ifndef RELAY_LAB_LETTER_PRINT_H
#define RELAY_LAB_LETTER_PRINT_H

#include "relay/json.h"
#include "relay/lab/letters.h"

/* "2026-11-25T02:45:12Z  ID  mx5.de.tuv.com  TLSv1.3  <a> -> <b>  Subject" */
void letter_print_line(struct buffer *out, const struct letter *letter);
/* Its label, one value a line. */
void letter_print_label(struct buffer *out, const struct letter *letter);
/* An object that is left open, for who has more to say. */
void letter_json(struct json *json, const struct letter *letter);
/* Text of several lines, as it is but for what a terminal would obey. */
void letter_print_text(struct buffer *out, struct view text);

#endif
