/*
 * The words by which a form is understood: headings of its sections and
 * fields in English and German.  Pure.  Lines are UTF-8 without their end.
 */
#ifndef RELAY_FORM_WORDS_H
#define RELAY_FORM_WORDS_H

#include "relay/form.h"

/* The section (FORM_PARTNER ...) that the line opens, 0 for none. */
unsigned form_words_section(struct view line);

/*
 * True when the line begins with the heading of a field.  *field is
 * FORM_FIELDS for headings of what is not read (the probe's table,
 * signatures).  *value is what follows, *remark a parenthesis in between;
 * both may be empty.
 */
bool form_words_field(struct view line, enum form_field *field,
		      struct view *value, struct view *remark);

/* "1 von 3", "Page 2 of 3": a page's foot inside the text. */
bool form_words_is_page(struct view line);
/* "n/a", "keine", "---", "Phone: Mobile:": written, yet saying nothing. */
bool form_words_is_empty(struct view value);
bool form_words_says_self_signed(struct view value);

/* Cuts the next word of a list; false when there is none. */
bool form_words_next(struct view *rest, struct view *word);
/* "and", "/", "--": joins words and means nothing. */
bool form_words_is_joint(struct view word);

#endif
