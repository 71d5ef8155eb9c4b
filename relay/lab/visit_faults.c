/*
 * Which of a gateway's SMTP faults strike at a command or at its reply.
 * Faults that depend on a number (sizes, recipients, seconds) are only
 * asked once it is reached, so that `first N` and `every N` count what
 * would be refused.
 */
#include "relay/lab/visit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/lab/recall.h"
#include "relay/smtp/ext.h"
#include "relay/steady.h"

/* --- striking -------------------------------------------------------- */

/* The recipients of the transaction, for what comes behind RCPT. */
static const char **recipients(const struct visit *v)
{
	const char **list = must_alloc((v->mail.to_count + 1) *
				       sizeof(*list));

	for (size_t i = 0; i < v->mail.to_count; i++)
		list[i] = v->mail.to[i].address;
	return list;
}

static struct fault_moment moment_of(const struct visit *v, const char **list)
{
	struct fault_moment moment = { .from = v->mail.from.address };

	if (v->step == STEP_MAIL)
		moment.from = v->said.address;
	if (v->step == STEP_RCPT)
		moment.to = v->said.address;
	if (v->step == STEP_DATA || v->step == STEP_BDAT ||
	    v->step == STEP_DOT) {
		moment.any_to = list;
		moment.any_count = v->mail.to_count;
	}
	return moment;
}

const struct fault *visit_strike(struct visit *v, enum fault_kind kind)
{
	const char **list = recipients(v);
	struct fault_moment moment = moment_of(v, list);
	struct faults *faults = v->gateway->faults;
	const struct fault *fault =
		kind == FAULT_REPLY ?
			faults_strike_reply(faults, v->step, &moment) :
			faults_strike_at(faults, kind, v->step, &moment);

	free(list);
	if (fault)
		visit_tell_fault(v, fault);
	return fault;
}

/* The least number of the faults of that kind; UINT64_MAX: there is none. */
static uint64_t number_of(const struct visit *v, enum fault_kind kind)
{
	const struct faults *faults = v->gateway->faults;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < faults_count(faults); i++) {
		const struct fault *fault = faults_at(faults, i);

		if (fault->kind == kind && fault->number < least)
			least = fault->number;
	}
	return least;
}

/* --- answers --------------------------------------------------------- */

static const char *status_of(unsigned code)
{
	static const struct {
		unsigned code;
		const char *status;
	} rows[] = {
		{ 421, "4.3.2" }, { 450, "4.2.0" }, { 451, "4.3.0" },
		{ 452, "4.3.1" }, { 454, "4.7.0" }, { 500, "5.5.2" },
		{ 501, "5.5.4" }, { 502, "5.5.1" }, { 503, "5.5.1" },
		{ 530, "5.7.0" }, { 535, "5.7.8" }, { 550, "5.1.1" },
		{ 552, "5.3.4" }, { 553, "5.1.3" }, { 555, "5.5.4" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == code)
			return rows[i].status;
	return code < 500 ? "4.0.0" : "5.0.0";
}

/* RFC 5321 3.8: behind 421 the connection ends. */
static enum mischief_turn answer(struct visit *v, struct buffer *out,
				 unsigned code, const char *text)
{
	const char *status = status_of(code);

	/* RFC 2034 4: the greeting bears no status. */
	if (v->step == STEP_GREETING)
		status = v->gateway->as_written->name;
	buffer_printf(out, "%u %s %s\r\n", code, status, text);
	if (code != 421)
		return MISCHIEF_ANSWERED;
	snprintf(v->outcome, sizeof(v->outcome), "ended with 421");
	return MISCHIEF_CLOSE;
}

static enum mischief_turn hang_up(struct visit *v, enum mischief_turn turn)
{
	snprintf(v->outcome, sizeof(v->outcome), "ended by a fault");
	return turn;
}

/* --- any step -------------------------------------------------------- */

enum mischief_turn visit_meets_faults(struct visit *v, struct buffer *out)
{
	const struct fault *fault;

	if (visit_strike(v, FAULT_CLOSE))
		return hang_up(v, MISCHIEF_CLOSE);
	if (visit_strike(v, FAULT_STALL))
		return MISCHIEF_HELD;
	fault = visit_strike(v, FAULT_REPLY);
	if (!fault)
		return MISCHIEF_GO;
	/* The octets of a chunk follow: the protocol has to read them, and
	 * the answer comes behind them. */
	if (v->step == STEP_BDAT) {
		v->late = fault->code;
		return MISCHIEF_GO;
	}
	v->refuses_all = v->step == STEP_GREETING;
	return answer(v, out, fault->code, "A fault of the lab");
}

/* --- the greeting ---------------------------------------------------- */

enum mischief_turn visit_greets(struct visit *v, struct buffer *out)
{
	struct recall *recall = v->gateway->recall;
	uint64_t count = recall_connections(recall, steady_now());
	const struct fault *fault;

	if (count > number_of(v, FAULT_RATE_LIMIT) &&
	    visit_strike(v, FAULT_RATE_LIMIT))
		return answer(v, out, 421, "Too many connections, try again "
					   "in a minute");
	fault = visit_strike(v, FAULT_SLOW_GREETING);
	if (!fault)
		return visit_meets_faults(v, out);
	v->has_paused = true;
	visit_pause(v, fault->number);
	return MISCHIEF_HELD;
}

/* --- commands -------------------------------------------------------- */

static bool has_param(const struct visit *v, const char *name)
{
	struct view rest = view_of(v->said.params ? v->said.params : "");

	while (rest.len > 0)
		if (view_equal_fold(view_cut(&rest, ' '), view_of(name)))
			return true;
	return false;
}

/* What MAIL says with SIZE=; 0: nothing. */
static uint64_t size_said(const struct visit *v)
{
	struct view rest = view_of(v->said.params ? v->said.params : "");
	uint64_t size = 0;

	while (rest.len > 0) {
		struct view word = view_cut(&rest, ' ');

		if (view_starts_fold(word, VIEW("SIZE=")))
			(void)view_number(view_from(word, 5), UINT64_MAX,
					  &size);
	}
	return size;
}

static enum mischief_turn meet_mail(struct visit *v, struct buffer *out)
{
	if (!v->is_tls && visit_strike(v, FAULT_TLS_REQUIRED_530))
		return answer(v, out, 530,
			      "Must issue a STARTTLS command first");
	if (size_said(v) > number_of(v, FAULT_SIZE_LIMIT) &&
	    visit_strike(v, FAULT_SIZE_LIMIT))
		return answer(v, out, 552, "Message too large");
	if (v->lacks_8bit &&
	    (has_param(v, "BODY=8BITMIME") || has_param(v, "SMTPUTF8")))
		return answer(v, out, 555, "Parameter not offered here");
	return MISCHIEF_GO;
}

static bool is_early(struct visit *v)
{
	char client[NET_TEXT_MAX];
	uint64_t wait = number_of(v, FAULT_GREYLIST);
	struct recall_try what = {
		client, v->mail.from.address, v->said.address
	};

	if (wait == UINT64_MAX || !what.from || !what.to)
		return false;
	net_text(&v->client, client);
	return recall_is_early(v->gateway->recall, &what, (uint32_t)wait,
			       steady_now());
}

static enum mischief_turn meet_rcpt(struct visit *v, struct buffer *out)
{
	if (v->mail.to_count + 1 >= number_of(v, FAULT_552_AT_NTH_RCPT) &&
	    visit_strike(v, FAULT_552_AT_NTH_RCPT))
		return answer(v, out, 552, "Too many recipients");
	if (is_early(v) && visit_strike(v, FAULT_GREYLIST))
		return answer(v, out, 450, "Greylisted, try again later");
	return MISCHIEF_GO;
}

static enum mischief_turn meet_special(struct visit *v, struct buffer *out)
{
	switch (v->step) {
	case STEP_EHLO:
		if (visit_strike(v, FAULT_HELO_ONLY))
			return answer(v, out, 502, "Say HELO");
		return MISCHIEF_GO;
	case STEP_STARTTLS:
		/* The protocol would begin a handshake behind its reply. */
		if (visit_strike(v, FAULT_ENDLESS_REPLY)) {
			v->manner = MANNER_ENDLESS;
			buffer_append(out, VIEW("220-And so on\r\n"));
			return MISCHIEF_ANSWERED;
		}
		return MISCHIEF_GO;
	case STEP_MAIL: return meet_mail(v, out);
	case STEP_RCPT: return meet_rcpt(v, out);
	default: return MISCHIEF_GO;
	}
}

enum mischief_turn visit_commands(struct visit *v, struct buffer *out)
{
	enum mischief_turn turn;

	/* RFC 5321 3.1: who was greeted with an error may only go. */
	if (v->refuses_all && v->step != STEP_QUIT)
		return answer(v, out, 503, "There is no service here");
	turn = visit_meets_faults(v, out);
	return turn == MISCHIEF_GO ? meet_special(v, out) : turn;
}

/* --- bodies ---------------------------------------------------------- */

enum mischief_turn visit_ends_body(struct visit *v, struct buffer *out)
{
	unsigned late = v->late;
	enum mischief_turn turn;

	v->late = 0;
	if (late)
		return answer(v, out, late, "A fault of the lab");
	turn = visit_meets_faults(v, out);
	if (turn != MISCHIEF_GO)
		return turn;
	if (v->mail.size > number_of(v, FAULT_SIZE_LIMIT) &&
	    visit_strike(v, FAULT_SIZE_LIMIT))
		return answer(v, out, 552, "Message too large");
	v->closes_after_dot =
		visit_strike(v, FAULT_ACCEPT_THEN_CLOSE_AFTER_DOT);
	return MISCHIEF_GO;
}

enum mischief_turn visit_takes_body(struct visit *v, size_t len)
{
	uint64_t bound = number_of(v, FAULT_DROP_AFTER_BYTES);
	enum fault_step step = v->step;
	bool strikes;

	v->mail.size += len;
	if (v->mail.size < bound || v->mail.size - len >= bound)
		return MISCHIEF_GO;
	v->step = STEP_DOT; /* for the recipients */
	strikes = visit_strike(v, FAULT_DROP_AFTER_BYTES);
	v->step = step;
	return strikes ? hang_up(v, MISCHIEF_CUT) : MISCHIEF_GO;
}

/* --- replies --------------------------------------------------------- */

/* Writes the reply to EHLO anew. */
static void offer_less(struct visit *v, struct buffer *out, size_t said)
{
	struct view rest = view_from(buffer_view(out), said);
	uint64_t size = number_of(v, FAULT_SIZE_LIMIT);
	struct ext_offer offer = { 0 };
	unsigned kept = ~0u;

	if (visit_strike(v, FAULT_NO_PIPELINING))
		kept &= ~(unsigned)EXT_PIPELINING;
	v->lacks_8bit = visit_strike(v, FAULT_NO_8BITMIME);
	if (v->lacks_8bit)
		kept &= ~(unsigned)(EXT_8BITMIME | EXT_SMTPUTF8);
	if (kept == ~0u && size == UINT64_MAX)
		return;
	/* The name, then "250-KEYWORD ..." */
	(void)view_cut(&rest, '\n');
	while (rest.len > 0) {
		ext_learn(&offer, view_from(view_cut(&rest, '\r'), 4));
		rest = view_from(rest, 1);
	}
	offer.set &= kept;
	if (size < offer.max_size || (size != UINT64_MAX && !offer.max_size))
		offer.max_size = size;
	out->end = out->start + said;
	ext_write(out, v->gateway->as_written->name, &offer);
}

static void choose_manner(struct visit *v, struct buffer *out, size_t said)
{
	const struct fault *fault = visit_strike(v, FAULT_DRIBBLE);

	if (fault) {
		v->manner = MANNER_DRIBBLE;
		v->pause_ms = fault->number;
	} else if (visit_strike(v, FAULT_REPLY_SPLIT)) {
		v->manner = MANNER_SPLIT;
	} else if (v->step != STEP_STARTTLS &&
		   visit_strike(v, FAULT_ENDLESS_REPLY)) {
		/* Its first line, again and again. */
		struct view reply = view_from(buffer_view(out), said);
		char code[4] = { 0 };

		memcpy(code, reply.at, reply.len < 3 ? reply.len : 3);
		out->end = out->start + said;
		buffer_printf(out, "%s-And so on\r\n", code);
		v->manner = MANNER_ENDLESS;
	}
}

enum mischief_turn visit_replies(struct visit *v, struct buffer *out,
				 size_t said)
{
	bool went_well = view_from(buffer_view(out), said).at[0] == '2';

	if (v->late) {
		out->end = out->start + said;
		answer(v, out, v->late, "A fault of the lab");
		v->late = 0;
		return MISCHIEF_GO;
	}
	if (v->closes_after_dot) {
		v->closes_after_dot = false;
		out->end = out->start + said;
		return hang_up(v, MISCHIEF_CLOSE);
	}
	if (v->step == STEP_EHLO && went_well)
		offer_less(v, out, said);
	choose_manner(v, out, said);
	return MISCHIEF_GO;
}
