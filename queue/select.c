/*
 * Which mail is meant.  See select.h.
 */
#include "queue/select.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "conf/rules.h"
#include "queue/ident.h"

static const char *const words[] = {
	[SELECT_ALL] = "all",
	[SELECT_ID] = "id",
	[SELECT_DOMAIN] = "domain",
	[SELECT_SENDER] = "sender",
};

const char *selector_kind_word(enum select_kind kind)
{
	return words[kind];
}

/* Nobody wants Anna@ and anna@ to be two senders here. */
static void fold(char *text, int (*to)(int))
{
	for (; *text; text++)
		if ((unsigned char)*text < 128)
			*text = (char)to((unsigned char)*text);
}

static int set(struct selector *out, enum select_kind kind, const char *value)
{
	size_t len = strlen(value);

	if (len >= sizeof(out->value))
		return -1;
	memset(out, 0, sizeof(*out));
	out->kind = kind;
	memcpy(out->value, value, len);
	if (kind == SELECT_SENDER)
		fold(out->value, tolower);
	return 0;
}

int selector_from_words(const char *kind, const char *value,
			struct selector *out)
{
	for (int i = SELECT_ALL; i <= SELECT_SENDER; i++)
		if (!strcmp(words[i], kind))
			return set(out, (enum select_kind)i, value);
	return -1;
}

static int parse_sender(const char *text, struct selector *out,
			struct error *error)
{
	struct address address;
	size_t used;

	if (address_parse_path(view_of(text), true, &address, &used, error))
		return error_prefix(error, "%s", text);
	if (used != strlen(text))
		return error_set(error, "%s: \"%s\" does not belong to an "
				 "address", text, text + used);
	return set(out, SELECT_SENDER, address.text);
}

int selector_parse(const char *text, struct selector *out, struct error *error)
{
	char domain[ADDR_DOMAIN_MAX + 1], id[MESSAGE_ID_LEN + 1];

	if (!strcmp(text, "all"))
		return set(out, SELECT_ALL, "");
	if (strchr(text, '@') || *text == '<')
		return parse_sender(text, out, error);
	if (strlen(text) == MESSAGE_ID_LEN) {
		memcpy(id, text, sizeof(id));
		fold(id, toupper);
		if (ident_time(id) >= 0)
			return set(out, SELECT_ID, id);
	}
	if (*text == '[')
		return set(out, SELECT_DOMAIN, text);
	if (domain_canonical(view_of(text), domain, error))
		return error_prefix(error, "\"%s\" is neither a message's id "
				    "nor a domain nor an address", text);
	return set(out, SELECT_DOMAIN, domain);
}

bool selector_equal(const struct selector *a, const struct selector *b)
{
	return a->kind == b->kind && !strcmp(a->value, b->value);
}

/* By what its policy says today. Where there is none of that title any more,
 * a pattern may have had any domain. */
static bool may_hold(const struct conf *conf, const char *lane,
		     const char *domain)
{
	for (size_t i = 0; i < conf->policy_count; i++)
		if (!strcmp(conf->policies[i].title, lane))
			return rules_match(&conf->policies[i].patterns, domain);
	return strchr(lane, '*');
}

bool selector_wants_lane(const struct selector *selector,
			 const struct conf *conf, const char *lane)
{
	return selector->kind != SELECT_DOMAIN ||
	       !strcmp(lane, selector->value) ||
	       may_hold(conf, lane, selector->value);
}

bool selector_takes_message(const struct selector *selector,
			    const struct envelope *envelope)
{
	switch (selector->kind) {
	case SELECT_ALL:
	case SELECT_DOMAIN:
		return true;
	case SELECT_ID:
		return !strcmp(envelope->id, selector->value);
	case SELECT_SENDER:
		return view_equal_fold(view_of(envelope->sender),
				       view_of(selector->value));
	}
	return false;
}

bool selector_takes_recipient(const struct selector *selector,
			      const struct recipient *recipient)
{
	return selector->kind != SELECT_DOMAIN ||
	       !strcmp(recipient->domain, selector->value);
}
