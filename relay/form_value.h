/*
 * Single values of a form: words that must be domains, hosts or names, and
 * the names of certification authorities out of free text.  Pure.
 */
#ifndef RELAY_FORM_VALUE_H
#define RELAY_FORM_VALUE_H

#include "relay/form.h"

/*
 * Reads a word of FORM_DOMAINS, FORM_GATEWAYS or FORM_NAMES into a canonical
 * value that owns its text.  -1 when it is none: no single label, no address
 * where a domain is due, no port 0.
 */
int form_value_read(enum form_field field, struct view word,
		    struct form_value *out);
void form_value_clear(struct form_value *value);
/* The same gateway, domain, name or text. */
bool form_value_equal(const struct form_value *a, const struct form_value *b);
/* The port that is meant: the one written, or the usual one. */
uint16_t form_value_port(const struct form_value *gateway);
/* smtps://, or port 465. */
bool form_value_is_tls_first(const struct form_value *gateway);

/*
 * Cuts the next name of a certification authority from text that may hold
 * several, separated by ';', '|', tabs or commas, or distinguished names, of
 * which the CN counts, or O where there is no CN.  *is_split is set when a
 * comma was taken for a separator.  False at the end.
 */
bool form_value_issuer(struct view *rest, struct view *name, bool *is_split);

#endif
