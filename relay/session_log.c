/*
 * What the log hears of an inbound session: messages that were accepted,
 * commands that were refused, and connections that went wrong.
 */
#include "relay/session_inner.h"

static void log_client(const struct session *s, struct log_line *line)
{
	char text[NET_TEXT_MAX];

	net_text(conn_peer(s->conn), text);
	log_str(line, "client", text);
}

void session_log_accepted(const struct session *s)
{
	const struct receipt *r = s->receipt;
	const struct tls_facts *facts = conn_facts(s->conn);
	struct log_line line;

	log_begin(&line, LOG_INFO, "accepted");
	log_str(&line, "id", r->id);
	log_str(&line, "from", r->from);
	log_str(&line, "to", r->to);
	log_num(&line, "size", (int64_t)r->size);
	log_client(s, &line);
	log_str(&line, "helo", inbound_helo(s->smtp));
	log_str(&line, "proto", r->protocol);
	if (facts->is_tls) {
		log_str(&line, "tls", facts->version);
		log_str(&line, "cipher", facts->cipher);
	}
	log_end(&line);
}

/* The answer is the last line but for a 421 that may follow it. */
void session_log_refused(const struct session *s, size_t said)
{
	struct view command, answer = view_from(buffer_view(s->set.out), said);
	struct log_line line;

	if (!inbound_refused(s->smtp, &command))
		return;
	answer = view_first(answer, view_index(answer, '\r'));
	log_begin(&line, LOG_INFO, "refused");
	log_client(s, &line);
	log_view(&line, "command", command);
	log_view(&line, "code", view_first(answer, 3));
	log_view(&line, "reason", view_from(answer, 4));
	log_end(&line);
}

void session_log_trouble(const struct session *s, const char *what,
			const char *reason)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "refused");
	log_client(s, &line);
	log_str(&line, "command", what);
	log_str(&line, "reason", reason);
	log_end(&line);
}
