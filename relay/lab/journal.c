/*
 * A list of sessions, newest first, and one of gateways.  Only sessions
 * that are over are ever forgotten, so that whoever writes one may hold a
 * pointer to it.
 */
#include "relay/lab/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct journal {
	struct journal_gateway *gateways;
	struct journal_session *newest, *oldest;
	unsigned kept, over; /* sessions that are over: bound, number */
	uint64_t changes;
};

static void note_change(struct journal_session *s)
{
	s->journal->changes++;
}

/* Foreign bytes as text that fits, with its NUL. */
static void show(char *out, size_t room, struct view bytes)
{
	struct buffer text = { 0 };
	struct view shown;

	bytes_escape(&text, bytes, room - 4);
	shown = view_first(buffer_view(&text), room - 1);
	if (shown.len > 0)
		memcpy(out, shown.at, shown.len);
	out[shown.len] = '\0';
	buffer_clear(&text);
}

/* --- gateways -------------------------------------------------------- */

struct journal_gateway *journal_gateway(struct journal *journal,
					const char *name)
{
	struct journal_gateway **at = &journal->gateways;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	if (!*at) {
		*at = must_alloc(sizeof(**at));
		(*at)->name = must_strdup(name);
		journal->changes++;
	}
	return *at;
}

const struct journal_gateway *journal_gateways(const struct journal *journal)
{
	return journal->gateways;
}

/* --- sessions -------------------------------------------------------- */

const struct journal_session *journal_newest(const struct journal *journal)
{
	return journal->newest;
}

const struct journal_session *journal_find(const struct journal *journal,
					   const char *id)
{
	const struct journal_session *s = journal->newest;

	while (s && strcmp(s->id, id) != 0)
		s = s->older;
	return s;
}

const char *journal_state_word(enum journal_state state)
{
	static const char *const words[] = {
		[JOURNAL_GREETING] = "greeting",
		[JOURNAL_COMMANDS] = "commands",
		[JOURNAL_HANDSHAKE] = "handshake",
		[JOURNAL_BODY] = "body",
		[JOURNAL_OVER] = "over",
	};

	return words[state];
}

struct journal_session *journal_open(struct journal *journal,
				     struct journal_gateway *gateway,
				     const char *id, int64_t now)
{
	struct journal_session *s = must_alloc(sizeof(*s));

	s->journal = journal;
	s->gateway = gateway;
	s->began = now;
	snprintf(s->id, sizeof(s->id), "%s", id);
	s->older = journal->newest;
	if (s->older)
		s->older->newer = s;
	else
		journal->oldest = s;
	journal->newest = s;
	gateway->open++;
	gateway->connections++;
	note_change(s);
	return s;
}

void journal_state(struct journal_session *s, enum journal_state state)
{
	s->state = state;
	note_change(s);
}

void journal_heard(struct journal_session *s, struct view line)
{
	s->commands++;
	show(s->command, sizeof(s->command), line);
	note_change(s);
}

void journal_named(struct journal_session *s, const char *helo)
{
	show(s->helo, sizeof(s->helo), view_of(helo));
	note_change(s);
}

void journal_said(struct journal_session *s, struct view replies)
{
	while (replies.len > 0) {
		struct view line = view_cut(&replies, '\n');

		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		show(s->reply, sizeof(s->reply), line);
		/* The last line of a reply has no hyphen behind its code. */
		if (line.len < 4 || line.at[3] == '-' || line.at[0] < '4' ||
		    line.at[0] > '5')
			continue;
		s->refusals++;
		s->gateway->refusals++;
	}
	note_change(s);
}

static void show_hash(char out[65], const unsigned char hash[32])
{
	for (size_t i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

void journal_secured(struct journal_session *s, const struct tls_facts *facts)
{
	s->is_tls = true;
	s->gateway->handshakes++;
	snprintf(s->version, sizeof(s->version), "%s", facts->version);
	snprintf(s->cipher, sizeof(s->cipher), "%s", facts->cipher);
	show(s->sni, sizeof(s->sni), view_of(facts->sni));
	if (facts->presented > 0) {
		snprintf(s->peer, sizeof(s->peer), "%s", facts->leaf.subject);
		show_hash(s->fingerprint, facts->leaf.sha256);
	}
	note_change(s);
}

void journal_stored(struct journal_session *s, const char *id)
{
	unsigned at = s->message_count++ % JOURNAL_MESSAGES_MAX;

	snprintf(s->messages[at], sizeof(s->messages[at]), "%s", id);
	s->gateway->messages++;
	note_change(s);
}

void journal_played(struct journal_session *s, const char *fault)
{
	unsigned i;

	s->fault_count++;
	s->gateway->faults++;
	note_change(s);
	for (i = 0; i < s->fault_names; i++)
		if (strcmp(s->faults[i], fault) == 0)
			return;
	if (i == JOURNAL_FAULTS_MAX)
		return;
	snprintf(s->faults[i], sizeof(s->faults[i]), "%s", fault);
	s->fault_names++;
}

static void forget(struct journal_session *s)
{
	struct journal *journal = s->journal;

	if (s->newer)
		s->newer->older = s->older;
	else
		journal->newest = s->older;
	if (s->older)
		s->older->newer = s->newer;
	else
		journal->oldest = s->newer;
	free(s);
}

void journal_close(struct journal_session *s, const char *outcome, int64_t now)
{
	struct journal *journal = s->journal;
	struct journal_session *old = journal->oldest;

	show(s->outcome, sizeof(s->outcome), view_of(outcome));
	s->state = JOURNAL_OVER;
	s->ended = now;
	s->gateway->open--;
	note_change(s);
	if (++journal->over <= journal->kept)
		return;
	while (old->state != JOURNAL_OVER)
		old = old->newer;
	journal->over--;
	forget(old);
}

/* --- life ------------------------------------------------------------ */

struct journal *journal_new(unsigned kept)
{
	struct journal *journal = must_alloc(sizeof(*journal));

	journal->kept = kept;
	return journal;
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	while (journal->newest)
		forget(journal->newest);
	while (journal->gateways) {
		struct journal_gateway *g = journal->gateways;

		journal->gateways = g->next;
		free(g->name);
		free(g);
	}
	free(journal);
}

uint64_t journal_changes(const struct journal *journal)
{
	return journal->changes;
}
