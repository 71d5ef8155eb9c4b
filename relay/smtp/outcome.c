/*
 * Comes in: a reply, a broken protocol or a lost connection, and whose fault
 * that is.  Goes out: results of recipients, or the end of the session with
 * its trouble.  What a class of reply means is said by reply.c alone.
 */
#include "relay/smtp/outbound_state.h"

/* Host and proof stand in every result, whoever is at fault. */
void outcome_sign(const struct outbound *s, struct result *result)
{
	text_copy(result->host, sizeof(result->host), s->set.host);
	result->proof = s->proof;
	result->hop_has_dsn = s->offer.dsn;
}

void outcome_recipient(struct outbound *s, size_t recipient, enum blame blame)
{
	struct result *result = &s->delivery->results[recipient];

	result_from_reply(&s->reply, blame, result);
	outcome_sign(s, result);
	s->delivery->states[recipient] = RECIPIENT_DONE;
}

void outcome_accepted(struct outbound *s, enum blame blame)
{
	struct transaction *t = &s->transaction;
	size_t i;

	for (i = 0; i < t->count; i++)
		if (t->is_accepted[i])
			outcome_recipient(s, t->batch[i], blame);
}

void outcome_open(struct outbound *s, enum blame blame)
{
	size_t i;

	for (i = 0; i < s->delivery->envelope->recipient_count; i++)
		if (s->delivery->states[i] == RECIPIENT_OPEN)
			outcome_recipient(s, i, blame);
}

/* The same result for all that are still open. */
void outcome_settle(struct outbound *s, const struct result *result,
		    enum recipient_state state)
{
	size_t i;

	for (i = 0; i < s->delivery->envelope->recipient_count; i++) {
		if (s->delivery->states[i] != RECIPIENT_OPEN)
			continue;
		s->delivery->results[i] = *result;
		outcome_sign(s, &s->delivery->results[i]);
		s->delivery->states[i] = state;
	}
}

/* A kept connection may have died while it was idle; that says nothing
 * about the host. */
static bool is_stale(const struct outbound *s)
{
	return s->delivery != NULL && s->messages > 0 && !s->has_answer;
}

void outcome_host_failed(struct outbound *s)
{
	outcome_sign(s, &s->trouble);
	outbound_finish(s, is_stale(s) ? OUTBOUND_DONE : OUTBOUND_HOST);
}

/* 4xx or 5xx for which the host is to blame. Who greets badly still gets a
 * goodbye; within a transaction the server may be anywhere, unless it was
 * asked step by step. */
void outcome_host_refused(struct outbound *s)
{
	result_from_reply(&s->reply, BLAME_HOST, &s->trouble);
	if (s->delivery == NULL || s->set.stops_after_rcpt)
		buffer_append(&s->out, VIEW("QUIT\r\n"));
	outcome_host_failed(s);
}

void outcome_host_broken(struct outbound *s, const char *what)
{
	result_set(&s->trouble, OUTCOME_DEFERRED, BLAME_HOST, "4.5.0",
		   "%s while waiting for %s", what,
		   outbound_rows[s->answered.state].name);
	outcome_host_failed(s);
}

/* A server that gave up in the middle of the message may have said why. */
static bool is_refused_early(struct outbound *s, struct view unread)
{
	struct view line;

	if (s->asked.state != BODY || outbound_is_in_flight(s))
		return false;
	while (reply_read(&s->reply, &unread, &line) > 0)
		if (s->reply.is_whole)
			return s->reply.code >= 400 && s->reply.code != 421;
	return false;
}

/* The end of the message was sent: it may have been taken, and trying
 * elsewhere at once would make a second copy likely. */
static void settle_batch(struct outbound *s)
{
	struct transaction *t = &s->transaction;
	size_t i;

	for (i = 0; i < t->count; i++) {
		if (s->delivery->states[t->batch[i]] != RECIPIENT_OPEN)
			continue;
		s->delivery->results[t->batch[i]] = s->trouble;
		s->delivery->states[t->batch[i]] = RECIPIENT_DONE;
	}
}

void outcome_lost(struct outbound *s, enum outbound_loss loss,
		  const char *detail, struct view unread)
{
	static const char *const how[] = {
		[LOST_CLOSED] = "the server closed the connection",
		[LOST_FAILED] = "the connection broke",
		[LOST_TIMEOUT] = "time ran out",
	};

	if (is_refused_early(s, unread)) {
		outcome_accepted(s, BLAME_MESSAGE);
		outbound_finish(s, OUTBOUND_DONE);
		return;
	}
	result_set(&s->trouble, OUTCOME_DEFERRED, BLAME_HOST, "4.4.2",
		   "%s while waiting for %s%s%s", how[loss], outbound_step(s),
		   detail[0] != '\0' ? ": " : "", detail);
	outcome_sign(s, &s->trouble);
	if (s->delivery != NULL && s->transaction.is_sent && !is_stale(s))
		settle_batch(s);
	outcome_host_failed(s);
}
