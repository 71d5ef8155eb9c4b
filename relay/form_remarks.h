/*
 * What form_side.c and form_remarks.c know of each other: our own side of a
 * form while it is written.
 */
#ifndef RELAY_FORM_REMARKS_H
#define RELAY_FORM_REMARKS_H

#include "relay/form_side.h"
#include "tls/cert.h"

struct form_writer {
	struct side *side;
	struct buffer *out, *remarks;
	struct cert *leaves;      /* of each certificate */
	struct tls_facts *facts;
};

bool form_is_self_signed(const struct form_writer *w, size_t at);
/* A certificate as people speak of it. */
const char *form_title(const struct form_writer *w, size_t at);
/* True where the same gateway stood before: of another domain, or with a
 * better preference. */
bool form_is_repeated(const struct side *side, size_t at);
bool form_bears(const struct tls_facts *facts, const char *name);
/* A CN beside names that do not repeat it is looked at by nobody. */
bool form_has_cn(const struct tls_facts *facts);

/* Once all is written: what partners will stumble over. */
void form_remarks(const struct form_writer *w);

#endif
