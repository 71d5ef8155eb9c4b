/*
 * Where the carrier of a session asks a lab's table (mischief.h).  A relay
 * has none, and nothing here does anything then.
 */
#include "relay/session_inner.h"

static void note(struct session *s, enum mischief_turn turn)
{
	if (turn == MISCHIEF_HELD)
		s->is_held = true;
	if (turn == MISCHIEF_CLOSE || turn == MISCHIEF_CUT)
		s->is_closing = true;
	if (turn == MISCHIEF_CUT)
		s->is_cut = true;
}

enum mischief_turn mischief_ask(struct session *s, enum mischief_place place,
				struct view line)
{
	enum mischief_turn turn;

	if (!s->set.mischief || !s->set.mischief->before)
		return MISCHIEF_GO;
	turn = s->set.mischief->before(s->visit, place, line, s->set.out);
	note(s, turn);
	return turn;
}

bool mischief_waylays(struct session *s)
{
	enum mischief_turn turn;
	struct view input, line;
	size_t len;

	if (!s->set.mischief || inbound_in_body(s->smtp))
		return false;
	input = conn_input(s->conn);
	len = view_index(input, '\n');
	if (len == input.len)
		return false;
	line = view_first(input, len);
	if (len > 0 && line.at[len - 1] == '\r')
		line.len--;
	turn = mischief_ask(s, MISCHIEF_COMMAND, line);
	if (turn == MISCHIEF_GO)
		return false;
	if (turn != MISCHIEF_HELD) {
		mischief_hears(s, view_first(input, len + 1), false);
		conn_consume(s->conn, len + 1);
	}
	return true;
}

void mischief_hears(struct session *s, struct view bytes, bool is_body)
{
	const struct mischief_verbs *verbs = s->set.mischief;

	if (!verbs || bytes.len == 0)
		return;
	if (verbs->heard)
		verbs->heard(s->visit, bytes);
	if (is_body && verbs->body)
		note(s, verbs->body(s->visit, bytes.len));
}

void mischief_reviews(struct session *s, size_t said)
{
	const struct mischief_verbs *verbs = s->set.mischief;

	if (verbs && verbs->after && buffer_len(s->set.out) > said)
		note(s, verbs->after(s->visit, s->set.out, said));
}

bool mischief_feigns(struct session *s)
{
	const struct mischief_verbs *verbs = s->set.mischief;
	enum mischief_turn turn = MISCHIEF_GO;

	if (verbs && verbs->handshake)
		turn = verbs->handshake(s->visit, s->set.out);
	note(s, turn);
	s->is_feigning = turn == MISCHIEF_HELD;
	return turn != MISCHIEF_GO;
}

void mischief_plays(struct session *s)
{
	const struct mischief_verbs *verbs = s->set.mischief;
	struct view input = conn_input(s->conn);

	if (!s->is_feigning || input.len == 0)
		return;
	note(s, verbs->hello(s->visit, input, s->set.out));
	if (s->is_closing)
		s->is_held = s->is_feigning = false;
}

bool mischief_sends(struct session *s, struct view bytes)
{
	const struct mischief_verbs *verbs = s->set.mischief;

	return verbs && s->visit && verbs->send && bytes.len > 0 &&
	       verbs->send(s->visit, s->conn, bytes);
}

void mischief_told(struct session *s, const char *trouble)
{
	const struct mischief_verbs *verbs = s->set.mischief;

	if (verbs && verbs->secured)
		verbs->secured(s->visit, conn_facts(s->conn), trouble);
}

void session_hold(struct session *s)
{
	s->is_held = true;
}
