/*
 * Comes in: a delivery, replies, the body's pieces.  Goes out: MAIL, RCPT,
 * DATA or BDAT, and results as soon as they are known.  Recipients beyond
 * what one transaction takes go into the next at once.
 */
#include "relay/smtp/outbound_state.h"

#include <string.h>

#include "relay/smtp/carry.h"

/* Larger messages go by DATA, which streams without counting. */
enum { CHUNK_MAX = 64 * 1024 };

void sending_start(struct outbound *s)
{
	const struct envelope *envelope = s->delivery->envelope;
	struct transaction *t = &s->transaction;
	size_t i;

	memset(t, 0, sizeof(*t));
	for (i = 0; i < envelope->recipient_count; i++)
		if (s->delivery->states[i] == RECIPIENT_OPEN &&
		    t->count < OUTBOUND_RECIPIENTS_MAX)
			t->batch[t->count++] = i;
	if (t->count == 0) {
		s->delivery = NULL;
		s->messages++;
		outbound_go(s, s->set.stops_after_rcpt && s->is_dirty ? CLEAR
								     : IDLE);
		return;
	}
	/* One round trip less, if the message fits what is in flight. */
	t->uses_chunks = !s->set.stops_after_rcpt && s->offer.chunking && s->offer.pipelining &&
			 envelope->size <= CHUNK_MAX;
	outbound_go(s, s->is_dirty ? RSET : MAIL);
}

/* After each answer: a dead transaction ends when nothing is in flight. */
static void settle(struct outbound *s)
{
	struct transaction *t = &s->transaction;

	if (s->answered.state != MAIL && s->answered.state != RCPT &&
	    t->accepted == 0)
		t->is_dead = true;
	if (t->is_dead && !outbound_is_in_flight(s))
		sending_start(s);
}

void sending_advance(const struct outbound *s, struct cursor *cursor)
{
	const struct transaction *t = &s->transaction;

	if (cursor->state == RCPT && cursor->index + 1 < t->count) {
		cursor->index++;
		return;
	}
	cursor->index = 0;
	if (cursor->state == RCPT && t->uses_chunks)
		cursor->state = CHUNK;
	else
		cursor->state = outbound_rows[cursor->state].next;
}

void sending_compose_rset(struct outbound *s)
{
	buffer_append(&s->out, VIEW("RSET\r\n"));
}

void sending_rset_good(struct outbound *s)
{
	s->is_dirty = false;
	sending_advance(s, &s->answered);
}

void sending_compose_mail(struct outbound *s)
{
	carry_mail(&s->out, s->delivery->envelope, &s->offer);
}

void sending_mail_good(struct outbound *s)
{
	s->is_dirty = true;
	sending_advance(s, &s->answered);
}

/* 530 and 538 in the clear say "TLS first" (RFC 3207 4): that is between the
 * host and us. Mail that may go in the clear is never returned for it. */
static bool is_tls_wanted(const struct outbound *s)
{
	return !s->is_secure && (s->reply.code == 530 || s->reply.code == 538);
}

void sending_mail_refused(struct outbound *s)
{
	if (is_tls_wanted(s)) {
		outcome_host_refused(s);
		return;
	}
	outcome_open(s, BLAME_MESSAGE);
	s->transaction.is_dead = true;
	sending_advance(s, &s->answered);
	settle(s);
}

void sending_compose_rcpt(struct outbound *s)
{
	size_t recipient = s->transaction.batch[s->asked.index];

	carry_rcpt(&s->out, &s->delivery->envelope->recipients[recipient],
		   &s->offer);
}

void sending_rcpt_good(struct outbound *s)
{
	struct transaction *t = &s->transaction;

	if (s->set.stops_after_rcpt) {
		outcome_recipient(s, t->batch[s->answered.index],
				  BLAME_RECIPIENT);
	} else if (!t->is_dead) {
		t->is_accepted[s->answered.index] = true;
		t->accepted++;
	}
	sending_advance(s, &s->answered);
	settle(s);
}

/* 452, and 552 from servers of old, say "too many for one transaction" once
 * one was taken (RFC 5321 4.5.3.1.10): these stay open for the next. */
void sending_rcpt_refused(struct outbound *s)
{
	struct transaction *t = &s->transaction;
	int code = s->reply.code;
	bool is_too_many = (code == 452 || code == 552) && t->accepted > 0;

	if (is_tls_wanted(s)) {
		outcome_host_refused(s);
		return;
	}
	if (!t->is_dead && !is_too_many)
		outcome_recipient(s, t->batch[s->answered.index],
				  BLAME_RECIPIENT);
	sending_advance(s, &s->answered);
	settle(s);
}

void sending_clear_answered(struct outbound *s)
{
	s->is_dirty = false;
	outbound_go(s, IDLE);
}

void sending_compose_data(struct outbound *s)
{
	buffer_append(&s->out, VIEW("DATA\r\n"));
}

void sending_data_good(struct outbound *s)
{
	sending_advance(s, &s->answered);
	if (!s->transaction.is_dead)
		return;
	/* DATA was asked before the refusals were known: an empty message
	 * for nobody gets out of it (RFC 2920 3.1). */
	buffer_append(&s->out, VIEW(".\r\n"));
	s->answered = (struct cursor){ DOT, 0 };
	s->asked = (struct cursor){ IDLE, 0 };
}

void sending_data_refused(struct outbound *s)
{
	if (!s->transaction.is_dead)
		outcome_accepted(s, BLAME_MESSAGE);
	s->transaction.is_dead = true;
	sending_advance(s, &s->answered);
	settle(s);
}

void sending_compose_dot(struct outbound *s)
{
	dotter_end(&s->transaction.dotter, &s->out);
	s->transaction.is_sent = true;
}

void sending_dot_answered(struct outbound *s)
{
	if (!s->transaction.is_dead)
		outcome_accepted(s, BLAME_MESSAGE);
	s->is_dirty = false;
	sending_start(s);
}

void sending_chunk_answered(struct outbound *s)
{
	struct transaction *t = &s->transaction;
	bool is_good = s->reply.code / 100 == 2;
	bool is_last = t->is_sent && s->answered.index + 1 == t->chunks;

	if (!t->is_dead && (is_last || !is_good)) {
		outcome_accepted(s, BLAME_MESSAGE);
		t->is_dead = true;
	}
	/* A refused chunk leaves the transaction open (RFC 3030 2). */
	if (is_last || !is_good)
		s->is_dirty = !is_good;
	if (is_last)
		s->answered = (struct cursor){ IDLE, 0 };
	else
		s->answered.index++;
	settle(s);
}

static void add_chunk(struct outbound *s, struct view bytes, bool is_last)
{
	struct transaction *t = &s->transaction;

	if (bytes.len == 0 && !is_last)
		return;
	buffer_printf(&s->out, "BDAT %zu%s\r\n", bytes.len,
		      is_last ? " LAST" : "");
	buffer_append(&s->out, bytes);
	t->chunks++;
	t->is_sent = is_last;
	s->asked = is_last ? (struct cursor){ IDLE, 0 }
			   : (struct cursor){ CHUNK, t->chunks };
}

void sending_body(struct outbound *s, struct view bytes, bool is_last)
{
	if (s->asked.state == CHUNK) {
		add_chunk(s, bytes, is_last);
		return;
	}
	dotter_write(&s->transaction.dotter, &s->out, bytes);
	if (is_last)
		outbound_go(s, DOT);
}
