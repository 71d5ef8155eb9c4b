/*
 * Every domain has a postmaster (RFC 5321 4.5.1), so that a domain alone
 * is enough to ask about.
 */
#include "relay/target.h"

#include <string.h>

int target_parse(const char *text, struct address *out, struct error *error)
{
	struct buffer whole = { 0 };
	int status;

	if (strchr(text, '@') == NULL)
		buffer_append(&whole, VIEW("postmaster@"));
	buffer_append(&whole, view_of(text));
	status = address_parse(buffer_view(&whole), out, error);
	buffer_clear(&whole);
	if (status == 0 && out->domain[0] == '\0')
		status = error_set(error, "it has no domain");
	return status;
}
