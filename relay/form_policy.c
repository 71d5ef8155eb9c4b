/*
 * Chooses the sections that become policies, and says in comments what
 * became of the others.  Two policies for one domain would be refused by
 * the configuration, so they are refused here, where a choice can be made.
 */
#include "relay/form_policy.h"

#include "relay/form_block.h"

#include <string.h>

/* What each section is about; those without one are contacts. */
static const char *const subjects[FORM_SECTIONS] = {
	[FORM_UNNAMED] = "the part of the form outside of its sections",
	[FORM_TO_ISSUER] = "section 3, mail to the company that issued the "
			   "form",
	[FORM_TO_PARTNER] = "section 4, mail to the partner who filled it in",
};

static bool is_filled(const struct form *form, unsigned number)
{
	const struct form_section *section = &form->sections[number];

	if (!subjects[number])
		return false;
	for (size_t i = FORM_DOMAINS; i <= FORM_ISSUERS; i++)
		if (section->fields[i].is_filled)
			return true;
	return false;
}

static int check_domain(const struct form *form, const char *domain,
			unsigned other, struct error *error)
{
	const struct form_list *list =
		&form->sections[other].fields[FORM_DOMAINS];

	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->at[i].text, domain))
			return error_set(error,
					 "the form names %s for both "
					 "directions; choose one with "
					 "--section 3 or --section 4",
					 domain);
	return 0;
}

static int check_overlap(const struct form *form, struct error *error)
{
	for (unsigned one = 0; one < FORM_SECTIONS; one++) {
		const struct form_list *list =
			&form->sections[one].fields[FORM_DOMAINS];

		for (unsigned other = one + 1; other < FORM_SECTIONS; other++)
			for (size_t i = 0; i < list->count; i++)
				if (check_domain(form, list->at[i].text, other,
						 error))
					return -1;
	}
	return 0;
}

static int check_choice(const struct form *form, unsigned only,
			struct error *error)
{
	unsigned count = 0;

	for (unsigned number = 0; number < FORM_SECTIONS; number++)
		count += is_filled(form, number);
	if (!count)
		return error_set(error, "no e-mail domain and no gateway was "
					"found; is this a filled form?");
	if (only && !is_filled(form, only))
		return error_set(error,
				 "section %u of the form is not filled; "
				 "without --section all that is filled is "
				 "imported",
				 only);
	return only ? 0 : check_overlap(form, error);
}

/* Where the form has no sections, none of them was forgotten. */
static void put_omitted(const struct form *form, unsigned number,
			struct buffer *out)
{
	if (is_filled(form, number))
		buffer_printf(out, "# Left out: %s.\n", subjects[number]);
	else if (number != FORM_UNNAMED && !is_filled(form, FORM_UNNAMED))
		buffer_printf(out, "# Not filled: %s.\n", subjects[number]);
}

/* Where another section would do, the operator can say so. */
static int advise(const struct form *form, unsigned failed, struct error *error)
{
	unsigned other = failed == FORM_TO_ISSUER ? FORM_TO_PARTNER
						  : FORM_TO_ISSUER;
	struct error reason = *error;

	if (!is_filled(form, other))
		return -1;
	return error_set(error, "%s (--section %u imports the other one)",
			 reason.text, other);
}

int form_policy(const struct form *form, unsigned only, struct buffer *out,
		struct error *error)
{
	struct buffer head = { 0 }, blocks = { 0 };
	unsigned made = 0;
	int rc = check_choice(form, only, error);

	buffer_append(&head, VIEW("# Imported from a partner's form. Compare "
				  "every line with the form before use.\n"));
	for (unsigned number = 0; number < FORM_SECTIONS && !rc; number++) {
		if (!subjects[number])
			continue;
		if (!is_filled(form, number) || (only && number != only)) {
			put_omitted(form, number, &head);
			continue;
		}
		made++;
		rc = form_block(form, number, &blocks, error);
		if (rc && !only)
			rc = advise(form, number, error);
	}
	if (made > 1)
		buffer_append(&head, VIEW("# It is filled for both directions: "
					  "drop the policy for your own "
					  "domains.\n"));
	if (!rc) {
		buffer_append(out, buffer_view(&head));
		buffer_append(out, buffer_view(&blocks));
	}
	buffer_clear(&head);
	buffer_clear(&blocks);
	return rc;
}
