/*
 * The session's replies, and its actions that move no mail: greeting,
 * names, STARTTLS, small commands and ends.
 */
#include "relay/smtp/inbound_inner.h"

#include <stdlib.h>

#include "relay/smtp/ext.h"

enum {
	REPLY_TEXT_MAX = 400,    /* within the 512 of RFC 5321 4.5.3.1.5 */
	IDLE_COMMANDS_MAX = 100, /* that move no mail, until they are errors */
};

const struct answer inbound_disorder = { 503, "5.5.1",
					 "Bad sequence of commands" };
const struct answer inbound_unnamed = { 503, "5.5.1", "Say EHLO first" };
const struct answer inbound_tls_first = {
	530, "5.7.0", "Must issue a STARTTLS command first"
};
const struct answer inbound_too_long = { 500, "5.5.2", "Line too long" };

/* --- replies --------------------------------------------------------- */

/* The text may hold what the client sent. */
void inbound_say(struct inbound *s, int code, const char *status,
		 const char *text)
{
	char shown[REPLY_TEXT_MAX];
	size_t i;

	for (i = 0; i < REPLY_TEXT_MAX && text[i] != '\0'; i++) {
		bool is_plain = text[i] >= ' ' && text[i] <= '~';

		shown[i] = is_plain ? text[i] : '?';
	}
	buffer_append_number(s->set.out, (uint64_t)code);
	buffer_append(s->set.out, VIEW(" "));
	buffer_append_text(s->set.out, status);
	if (status[0])
		buffer_append(s->set.out, VIEW(" "));
	buffer_append(s->set.out, view_make(shown, i));
	buffer_append(s->set.out, VIEW("\r\n"));
}

/* False, so that actions can end with it. */
bool inbound_refuse(struct inbound *s, const struct answer *answer)
{
	inbound_say(s, answer->code, answer->status, answer->text);
	s->is_refused = true;
	if (answer->code >= 500)
		s->errors++;
	return false;
}

void inbound_say_closing(struct inbound *s, const char *status, const char *why)
{
	buffer_printf(s->set.out, "421 %s %s %s, closing connection\r\n",
		      status, s->set.conf->hostname, why);
}

/* --- the transaction's end ------------------------------------------- */

void inbound_end_transaction(struct inbound *s)
{
	if (s->t && s->t->is_begun)
		s->drops_message = true;
	transaction_free(s->t);
	s->t = NULL;
}

/* Commands without mail are free up to a bound, then they are errors. */
static void count_idle(struct inbound *s)
{
	if (++s->idle_commands > IDLE_COMMANDS_MAX)
		s->errors++;
}

/* --- actions: who, TLS, small ones ----------------------------------- */

bool inbound_do_open(struct inbound *s, struct view argument)
{
	(void)argument;
	buffer_printf(s->set.out, "220 %s ESMTP Postern\r\n",
		      s->set.conf->hostname);
	return true;
}

static bool take_name(struct inbound *s, struct view name, bool is_esmtp)
{
	static const struct answer bad_name = { 501, "5.5.4",
						"Malformed host name" };
	size_t i;

	for (i = 0; i < name.len; i++)
		if (name.at[i] < ' ' || name.at[i] > '~')
			return inbound_refuse(s, &bad_name);
	inbound_end_transaction(s);
	free(s->helo);
	s->helo = view_string(name);
	s->is_esmtp = is_esmtp;
	count_idle(s);
	return true;
}

bool inbound_do_helo(struct inbound *s, struct view argument)
{
	if (!take_name(s, argument, false))
		return false;
	inbound_say(s, 250, "", s->set.conf->hostname);
	return true;
}

static bool may_start_tls(const struct inbound *s)
{
	return s->set.offers_tls && !s->facts &&
	       (s->set.listener->tls == LISTEN_MAY ||
		s->set.listener->tls == LISTEN_REQUIRED);
}

uint64_t inbound_max_size(const struct inbound *s)
{
	uint64_t most = s->set.conf->max_message, fits;

	if (!s->set.largest)
		return most;
	fits = s->set.largest(s->set.store);
	return most == 0 || fits < most ? fits : most;
}

bool inbound_do_ehlo(struct inbound *s, struct view argument)
{
	struct ext_offer offer = {
		.set = EXT_PIPELINING | EXT_SIZE | EXT_8BITMIME | EXT_SMTPUTF8 |
		       EXT_STATUS | EXT_CHUNKING | EXT_DSN,
		.max_size = inbound_max_size(s),
	};

	if (!take_name(s, argument, true))
		return false;
	if (may_start_tls(s))
		offer.set |= EXT_STARTTLS;
	ext_write(s->set.out, s->set.conf->hostname, &offer);
	return true;
}

bool inbound_do_starttls(struct inbound *s, struct view argument)
{
	static const struct answer already = { 503, "5.5.1",
					       "TLS is already active" };
	static const struct answer absent = { 502, "5.5.1",
					      "STARTTLS is not offered" };
	static const struct answer injected = {
		554, "5.5.1", "Bytes behind STARTTLS, closing connection"
	};

	(void)argument;
	if (s->facts)
		return inbound_refuse(s, &already);
	if (!may_start_tls(s))
		return inbound_refuse(s, &absent);
	/* Plaintext that waits here was meant to be read as if it had come
	 * inside TLS (CVE-2011-0411). */
	if (s->bytes_behind) {
		s->state = CLOSED;
		return inbound_refuse(s, &injected);
	}
	inbound_say(s, 220, "2.0.0", "Ready to start TLS");
	return true;
}

/* RFC 3207 4.2: nothing said in the clear is known any more. */
bool inbound_do_secured(struct inbound *s, struct view argument)
{
	(void)argument;
	inbound_end_transaction(s);
	free(s->helo);
	s->helo = NULL;
	s->is_esmtp = false;
	if (s->set.listener->tls == LISTEN_IMPLICIT)
		inbound_do_open(s, argument);
	return true;
}

bool inbound_do_rset(struct inbound *s, struct view argument)
{
	(void)argument;
	inbound_end_transaction(s);
	if (s->state != START)
		s->state = READY;
	inbound_say(s, 250, "2.0.0", "Ok");
	count_idle(s);
	return true;
}

bool inbound_do_noop(struct inbound *s, struct view argument)
{
	(void)argument;
	inbound_say(s, 250, "2.0.0", "Ok");
	count_idle(s);
	return true;
}

bool inbound_do_vrfy(struct inbound *s, struct view argument)
{
	(void)argument;
	inbound_say(s, 252, "2.5.0", "Send some mail and see");
	count_idle(s);
	return true;
}

bool inbound_do_help(struct inbound *s, struct view argument)
{
	(void)argument;
	inbound_say(s, 214, "2.0.0", "This is Postern, see RFC 5321");
	count_idle(s);
	return true;
}

bool inbound_do_quit(struct inbound *s, struct view argument)
{
	(void)argument;
	inbound_say(s, 221, "2.0.0", "Bye");
	return true;
}

bool inbound_do_absent(struct inbound *s, struct view argument)
{
	static const struct answer absent = { 502, "5.5.1",
					      "Command not offered" };

	(void)argument;
	return inbound_refuse(s, &absent);
}

bool inbound_do_unknown(struct inbound *s, struct view argument)
{
	static const struct answer unknown = { 500, "5.5.2",
					       "Command not recognised" };

	(void)argument;
	return inbound_refuse(s, &unknown);
}

/* The next lines of such a client would be obeyed as commands. */
bool inbound_do_foreign(struct inbound *s, struct view argument)
{
	static const struct answer foreign = { 554, "5.5.1",
					       "This is SMTP, goodbye" };

	(void)argument;
	inbound_refuse(s, &foreign);
	return true;
}

/* --- actions: ends --------------------------------------------------- */

bool inbound_do_timeout(struct inbound *s, struct view argument)
{
	(void)argument;
	/* In a handshake nobody would understand it. */
	if (s->state != SHAKE)
		inbound_say_closing(s, "4.4.2", "Timeout");
	return true;
}

bool inbound_do_stop(struct inbound *s, struct view argument)
{
	(void)argument;
	s->is_stopping = true;
	return true;
}
