/*
 * Command lines into parsed forms.  The verbs are one table, the
 * parameters of MAIL and RCPT another: keyword, the command that may bear
 * it, and the function that judges its value.  What is not in the table
 * was not offered and is refused, as RFC 5321 4.1.1.11 wants.
 */
#include "relay/smtp/command.h"

#include <string.h>

/* --- verbs ----------------------------------------------------------- */

struct verb_row {
	const char *name;
	enum verb verb;
};

static const struct verb_row verbs[] = {
	{ "MAIL", VERB_MAIL },
	{ "RCPT", VERB_RCPT },
	{ "DATA", VERB_DATA },
	{ "BDAT", VERB_BDAT },
	{ "EHLO", VERB_EHLO },
	{ "HELO", VERB_HELO },
	{ "STARTTLS", VERB_STARTTLS },
	{ "RSET", VERB_RSET },
	{ "NOOP", VERB_NOOP },
	{ "QUIT", VERB_QUIT },
	{ "VRFY", VERB_VRFY },
	{ "HELP", VERB_HELP },
	{ "EXPN", VERB_ABSENT },
	{ "AUTH", VERB_ABSENT },
	{ "ETRN", VERB_ABSENT },
	{ "TURN", VERB_ABSENT },
	{ "SEND", VERB_ABSENT },
	{ "SOML", VERB_ABSENT },
	{ "SAML", VERB_ABSENT },
	/* A browser or another server made to speak to us (ALPACA): its
	 * next lines would be taken for commands. */
	{ "GET", VERB_FOREIGN },
	{ "POST", VERB_FOREIGN },
	{ "PUT", VERB_FOREIGN },
	{ "HEAD", VERB_FOREIGN },
	{ "DELETE", VERB_FOREIGN },
	{ "OPTIONS", VERB_FOREIGN },
	{ "TRACE", VERB_FOREIGN },
	{ "PATCH", VERB_FOREIGN },
	{ "CONNECT", VERB_FOREIGN },
	{ "PRI", VERB_FOREIGN },
	{ "HOST:", VERB_FOREIGN },
	{ "USER-AGENT:", VERB_FOREIGN },
};

void command_parse(struct view line, struct command *out)
{
	struct view rest = view_trim(line);
	size_t end = 0, i;
	struct view name;

	while (end < rest.len && rest.at[end] != ' ' && rest.at[end] != '\t')
		end++;
	name = view_first(rest, end);
	out->verb = VERB_UNKNOWN;
	out->argument = view_trim(view_from(rest, end));
	/* The first bytes of a TLS or other binary hello. */
	if (line.len > 0 && (line.at[0] < ' ' || line.at[0] > '~') &&
	    line.at[0] != '\t')
		out->verb = VERB_FOREIGN;
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (view_equal_fold(name, view_of(verbs[i].name)))
			out->verb = verbs[i].verb;
}

struct view command_shown(struct view line, enum verb verb, bool *hides)
{
	if (verb == VERB_ABSENT &&
	    view_starts_fold(view_trim(line), VIEW("AUTH"))) {
		*hides = true;
		return VIEW("AUTH (withheld)");
	}
	if (verb != VERB_UNKNOWN)
		*hides = false;
	return *hides ? VIEW("(withheld)") : line;
}

size_t command_max(enum verb verb)
{
	if (verb == VERB_MAIL)
		return COMMAND_MAIL_MAX;
	return verb == VERB_RCPT ? COMMAND_RCPT_MAX : COMMAND_MAX;
}

/* --- parameters ------------------------------------------------------ */

struct param {
	struct view keyword;
	struct view value;
	bool has_value;
};

/* What a parameter's value is written into. */
struct parsed {
	struct mail_command *mail;
	struct rcpt_command *rcpt;
	bool utf8;
};

static const struct answer bad_param = { 501, "5.5.4",
					 "Malformed parameter" };
static const struct answer twice = { 501, "5.5.4", "Parameter given twice" };
static const struct answer unknown = { 555, "5.5.4",
				       "Parameter not offered here" };
static const struct answer no_binary = {
	555, "5.5.4", "BINARYMIME is not offered; 8BITMIME is"
};
static const struct answer too_large = { 552, "5.3.4", "Message too large" };

static const struct answer *param_size(struct parsed *to, struct view value)
{
	size_t i;

	if (view_number(value, UINT64_MAX, &to->mail->size) == 0)
		return NULL;
	/* RFC 1870: up to 20 digits, which 64 bits cannot all hold. */
	for (i = 0; i < value.len; i++)
		if (value.at[i] < '0' || value.at[i] > '9')
			return &bad_param;
	return value.len > 0 && value.len <= 20 ? &too_large : &bad_param;
}

static const struct answer *param_body(struct parsed *to, struct view value)
{
	(void)to;
	if (view_equal_fold(value, VIEW("BINARYMIME")))
		return &no_binary;
	/* The bytes that come tell which of the two it is. */
	if (!view_equal_fold(value, VIEW("8BITMIME")) &&
	    !view_equal_fold(value, VIEW("7BIT")))
		return &bad_param;
	return NULL;
}

static const struct answer *param_utf8(struct parsed *to, struct view value)
{
	(void)value;
	to->mail->is_utf8 = true;
	return NULL;
}

static const struct answer *param_ret(struct parsed *to, struct view value)
{
	if (view_equal_fold(value, VIEW("FULL")))
		to->mail->ret = RETURN_FULL;
	else if (view_equal_fold(value, VIEW("HDRS")))
		to->mail->ret = RETURN_HEADERS;
	else
		return &bad_param;
	return NULL;
}

static const struct answer *param_envid(struct parsed *to, struct view value)
{
	char decoded[COMMAND_ENVID_MAX + 1];

	if (value.len == 0 || value.len > COMMAND_ENVID_MAX ||
	    xtext_decode(value, decoded, sizeof(decoded)) < 0)
		return &bad_param;
	to->mail->envid = value;
	return NULL;
}

static const struct answer *param_notify(struct parsed *to, struct view value)
{
	unsigned notify = 0;

	if (view_equal_fold(value, VIEW("NEVER"))) {
		to->rcpt->notify = NOTIFY_NEVER;
		return NULL;
	}
	do {
		bool is_more = view_index(value, ',') < value.len;
		struct view word = view_cut(&value, ',');

		if (view_equal_fold(word, VIEW("SUCCESS")))
			notify |= NOTIFY_SUCCESS;
		else if (view_equal_fold(word, VIEW("FAILURE")))
			notify |= NOTIFY_FAILURE;
		else if (view_equal_fold(word, VIEW("DELAY")))
			notify |= NOTIFY_DELAY;
		else
			return &bad_param;
		if (is_more && value.len == 0)
			return &bad_param;
	} while (value.len > 0);
	to->rcpt->notify = notify;
	return NULL;
}

/* RFC 6533 3: in a transaction with SMTPUTF8 an address of type utf-8 may
 * hold UTF-8 as it is. */
static bool is_utf8_orcpt(struct view text)
{
	uint32_t point;
	size_t len;

	for (; text.len > 0; text = view_from(text, len)) {
		len = bytes_utf8(text, &point);
		/* no C1 controls either */
		if (len == 0 || point <= ' ' || point == '=' ||
		    (point >= 0x7f && point < 0xa0))
			return false;
	}
	return true;
}

static bool is_type_byte(unsigned char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '-';
}

static const struct answer *param_orcpt(struct parsed *to, struct view value)
{
	char decoded[COMMAND_ORCPT_MAX + 1];
	size_t semicolon = view_index(value, ';'), i;
	struct view type = view_first(value, semicolon);
	struct view text = view_from(value, semicolon + 1);

	if (type.len == 0 || text.len == 0 || value.len > COMMAND_ORCPT_MAX)
		return &bad_param;
	for (i = 0; i < type.len; i++)
		if (!is_type_byte(type.at[i]))
			return &bad_param;
	if (xtext_decode(text, decoded, sizeof(decoded)) < 0 &&
	    !(to->utf8 && view_equal_fold(type, VIEW("utf-8")) &&
	      is_utf8_orcpt(text)))
		return &bad_param;
	to->rcpt->orcpt = value;
	return NULL;
}

struct param_row {
	const char *keyword;
	enum verb verb;
	bool wants_value;
	const struct answer *(*take)(struct parsed *to, struct view value);
};

static const struct param_row params[] = {
	{ "SIZE", VERB_MAIL, true, param_size },
	{ "BODY", VERB_MAIL, true, param_body },
	{ "SMTPUTF8", VERB_MAIL, false, param_utf8 },
	{ "RET", VERB_MAIL, true, param_ret },
	{ "ENVID", VERB_MAIL, true, param_envid },
	{ "NOTIFY", VERB_RCPT, true, param_notify },
	{ "ORCPT", VERB_RCPT, true, param_orcpt },
};

enum { PARAMS = sizeof(params) / sizeof(params[0]) };

/* Cuts one parameter from the front; false when it cannot be one. */
static bool next_param(struct view *rest, struct param *out)
{
	struct view word;
	size_t end = 0, i;

	while (end < rest->len && rest->at[end] != ' ' && rest->at[end] != '\t')
		end++;
	word = view_first(*rest, end);
	*rest = view_trim(view_from(*rest, end));
	i = view_index(word, '=');
	out->keyword = view_first(word, i);
	out->has_value = i < word.len;
	out->value = view_from(word, i + 1);
	return out->keyword.len > 0 && (!out->has_value || out->value.len > 0);
}

static const struct answer *take_params(enum verb verb, struct view rest,
					struct parsed *to)
{
	bool seen[PARAMS] = { false };

	while (rest.len > 0) {
		const struct answer *refusal;
		struct param param;
		size_t i;

		if (!next_param(&rest, &param))
			return &bad_param;
		for (i = 0; i < PARAMS; i++)
			if (params[i].verb == verb &&
			    view_equal_fold(param.keyword,
					    view_of(params[i].keyword)))
				break;
		if (i == PARAMS)
			return &unknown;
		if (seen[i])
			return &twice;
		seen[i] = true;
		if (param.has_value != params[i].wants_value)
			return &bad_param;
		refusal = params[i].take(to, param.value);
		if (refusal)
			return refusal;
	}
	return NULL;
}

/* --- MAIL, RCPT, BDAT ------------------------------------------------ */

/* `FROM:` or `TO:`, the path, and the parameters as they stand. */
static bool take_path(struct view argument, struct view prefix,
		      struct address *out, struct view *rest,
		      struct error *why)
{
	struct view text;
	size_t used;

	if (!view_starts_fold(argument, prefix)) {
		error_set(why, "Syntax error, expected %.*s<address>",
			  (int)prefix.len, (const char *)prefix.at);
		return false;
	}
	text = view_trim(view_from(argument, prefix.len));
	if (address_parse_path(text, true, out, &used, why) != 0)
		return false;
	*rest = view_from(text, used);
	if (rest->len > 0 && rest->at[0] != ' ' && rest->at[0] != '\t') {
		error_set(why, "Malformed address");
		return false;
	}
	*rest = view_trim(*rest);
	return true;
}

/* RFC 6531 3.5: such an address is for those who said SMTPUTF8. */
static bool needs_smtputf8(const struct address *a)
{
	return a->needs_utf8 || a->has_u_label;
}

static const struct answer say_smtputf8 = {
	553, "5.6.7", "Address is not ASCII and SMTPUTF8 was not said"
};

bool command_mail(struct view argument, struct mail_command *out,
		  struct answer *refusal, struct error *why)
{
	struct parsed to = { .mail = out };
	const struct answer *fault;
	struct view rest;

	memset(out, 0, sizeof(*out));
	if (!take_path(argument, VIEW("FROM:"), &out->sender, &rest, why)) {
		*refusal = (struct answer){ 501, "5.1.7", why->text };
		return false;
	}
	fault = take_params(VERB_MAIL, rest, &to);
	if (!fault && needs_smtputf8(&out->sender) && !out->is_utf8)
		fault = &say_smtputf8;
	if (fault)
		*refusal = *fault;
	return fault == NULL;
}

bool command_rcpt(struct view argument, bool utf8, struct rcpt_command *out,
		  struct answer *refusal, struct error *why)
{
	struct parsed to = { .rcpt = out, .utf8 = utf8 };
	const struct answer *fault;
	struct view rest;

	memset(out, 0, sizeof(*out));
	if (!take_path(argument, VIEW("TO:"), &out->recipient, &rest, why)) {
		*refusal = (struct answer){ 501, "5.1.3", why->text };
		return false;
	}
	if (out->recipient.text[0] == '\0') {
		*refusal = (struct answer){ 501, "5.1.3",
					    "The null path receives no mail" };
		return false;
	}
	fault = take_params(VERB_RCPT, rest, &to);
	if (!fault && needs_smtputf8(&out->recipient) && !utf8)
		fault = &say_smtputf8;
	if (fault)
		*refusal = *fault;
	return fault == NULL;
}

bool command_bdat(struct view argument, uint64_t *octets, bool *is_last)
{
	struct view rest = argument, number = view_cut(&rest, ' ');

	rest = view_trim(rest);
	*is_last = view_equal_fold(rest, VIEW("LAST"));
	return (rest.len == 0 || *is_last) &&
	       view_number(number, UINT64_MAX / 2, octets) == 0;
}
