/*
 * A visit's commands and replies: what the transaction has come to.
 */
#include "relay/lab/visit.h"

#include <stdlib.h>

#include "relay/lab/journal.h"
#include "relay/smtp/command.h"

/* --- the transaction ------------------------------------------------- */

static void forget_path(struct visit_path *path)
{
	free(path->address);
	free(path->params);
	path->address = path->params = NULL;
}

void visit_forget_mail(struct visit *v)
{
	forget_path(&v->mail.from);
	for (size_t i = 0; i < v->mail.to_count; i++)
		forget_path(&v->mail.to[i]);
	free(v->mail.to);
	v->mail.to = NULL;
	v->mail.to_count = 0;
	v->mail.size = 0;
}

static enum fault_step step_of(struct view line, enum verb verb)
{
	static const enum fault_step steps[VERB_COUNT] = {
		[VERB_HELO] = STEP_HELO,     [VERB_EHLO] = STEP_EHLO,
		[VERB_STARTTLS] = STEP_STARTTLS,
		[VERB_MAIL] = STEP_MAIL,     [VERB_RCPT] = STEP_RCPT,
		[VERB_DATA] = STEP_DATA,     [VERB_BDAT] = STEP_BDAT,
		[VERB_RSET] = STEP_RSET,     [VERB_NOOP] = STEP_NOOP,
		[VERB_VRFY] = STEP_VRFY,     [VERB_QUIT] = STEP_QUIT,
	};

	if (verb == VERB_ABSENT &&
	    view_starts_fold(view_trim(line), VIEW("AUTH")))
		return STEP_AUTH;
	return steps[verb];
}

/* The path that MAIL or RCPT names; none where it is malformed. */
static void take_path(struct visit *v, struct view argument)
{
	struct mail_command mail;
	struct rcpt_command rcpt;
	struct answer refusal;
	struct error why;
	const char *address = NULL;

	forget_path(&v->said);
	if (v->step == STEP_MAIL &&
	    command_mail(argument, &mail, &refusal, &why))
		address = mail.sender.text;
	if (v->step == STEP_RCPT &&
	    command_rcpt(argument, true, &rcpt, &refusal, &why))
		address = rcpt.recipient.text;
	if (!address)
		return;
	v->said.address = must_strdup(address);
	v->said.params = view_string(label_params(argument));
}

static void take_command(struct visit *v, struct view line)
{
	struct command command;

	command_parse(line, &command);
	v->step = step_of(line, command.verb);
	visit_tell_command(v, line);
	take_path(v, command.argument);
	if (v->step == STEP_EHLO || v->step == STEP_HELO) {
		free(v->helo);
		v->helo = view_string(command.argument);
	}
}

static void take_sender(struct visit *v)
{
	visit_forget_mail(v);
	v->mail.from = v->said;
	v->said = (struct visit_path){ NULL, NULL };
}

static void take_recipient(struct visit *v)
{
	v->mail.to = must_realloc(v->mail.to, (v->mail.to_count + 1) *
						      sizeof(*v->mail.to));
	v->mail.to[v->mail.to_count++] = v->said;
	v->said = (struct visit_path){ NULL, NULL };
}

/* What the gateway's yes to the command at hand means. */
static void take_yes(struct visit *v)
{
	switch (v->step) {
	case STEP_EHLO:
	case STEP_HELO:
		v->is_esmtp = v->step == STEP_EHLO;
		journal_named(v->journal, v->helo);
		visit_forget_mail(v);
		break;
	case STEP_MAIL:
		if (v->said.address)
			take_sender(v);
		break;
	case STEP_RCPT:
		if (v->said.address)
			take_recipient(v);
		break;
	case STEP_STARTTLS:
		journal_state(v->journal, JOURNAL_HANDSHAKE);
		break;
	case STEP_DATA:
		journal_state(v->journal, JOURNAL_BODY);
		break;
	case STEP_RSET:
	case STEP_DOT: visit_forget_mail(v); break;
	default: break;
	}
}

/* --- the verbs ------------------------------------------------------- */

enum mischief_turn visit_before(void *visit, enum mischief_place place,
				struct view line, struct buffer *out)
{
	struct visit *v = visit;

	switch (place) {
	case MISCHIEF_GREETING:
		v->step = STEP_GREETING;
		/* Held, it is asked again. */
		if (v->has_paused)
			return visit_meets_faults(v, out);
		return visit_greets(v, out);
	case MISCHIEF_COMMAND:
		take_command(v, line);
		return visit_commands(v, out);
	case MISCHIEF_DOT:
		v->step = STEP_DOT;
		visit_tell_body(v);
		return visit_ends_body(v, out);
	}
	return MISCHIEF_GO;
}

enum mischief_turn visit_after(void *visit, struct buffer *out, size_t said)
{
	struct visit *v = visit;
	unsigned char first = view_from(buffer_view(out), said).at[0];
	enum mischief_turn turn = visit_replies(v, out, said);

	if (first == '2' || first == '3')
		take_yes(v);
	return turn;
}

enum mischief_turn visit_body(void *visit, size_t len)
{
	return visit_takes_body(visit, len);
}
