/*
 * Command lines from anywhere: the line is cut, the verb known, MAIL, RCPT
 * and BDAT parsed.  What is accepted must be an address that fits its
 * bounds and parameters that lie within the line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/smtp/command.h"
#include "relay/smtp/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_address(const struct address *a)
{
	size_t len = strnlen(a->text, sizeof(a->text));

	check(len < sizeof(a->text) && a->local_len <= len);
	check(strnlen(a->domain, sizeof(a->domain)) < sizeof(a->domain));
	check(memchr(a->text, '\r', len) == NULL);
	check(memchr(a->text, '\n', len) == NULL);
}

static void try_mail(struct view argument)
{
	struct mail_command mail;
	struct answer refusal;
	struct error why;

	if (!command_mail(argument, &mail, &refusal, &why)) {
		check(refusal.code >= 500 && refusal.text != NULL);
		return;
	}
	check_address(&mail.sender);
	check(mail.envid.len <= COMMAND_ENVID_MAX);
}

static void try_rcpt(struct view argument, bool utf8)
{
	struct rcpt_command rcpt;
	struct answer refusal;
	struct error why;

	if (!command_rcpt(argument, utf8, &rcpt, &refusal, &why)) {
		check(refusal.code >= 500 && refusal.text != NULL);
		return;
	}
	check_address(&rcpt.recipient);
	check(rcpt.recipient.text[0] != '\0');
	check(rcpt.orcpt.len <= COMMAND_ORCPT_MAX);
	check(!(rcpt.notify & NOTIFY_NEVER) || rcpt.notify == NOTIFY_NEVER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_reader reader = { .max = COMMAND_LINE_MAX };
	struct view text, rest = view_make(data, size);
	struct command command;
	uint64_t octets;
	bool is_last;
	size_t used;

	while (line_next(&reader, rest, &text, &used) == LINE_GOT) {
		command_parse(text, &command);
		check(command_max(command.verb) <= COMMAND_LINE_MAX);
		try_mail(command.argument);
		try_rcpt(command.argument, false);
		try_rcpt(command.argument, true);
		command_bdat(command.argument, &octets, &is_last);
		rest = view_from(rest, used);
	}
	return 0;
}
