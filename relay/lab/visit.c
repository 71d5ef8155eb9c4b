/*
 * The table of a lab's sessions, and the life of a visit.
 */
#include "relay/lab/visit.h"

#include <stdlib.h>

static void *enter(void *owner, struct session *session,
		   const struct net_address *client)
{
	struct visit *v = must_alloc(sizeof(*v));

	v->gateway = owner;
	v->session = session;
	v->client = *client;
	visit_begin_telling(v);
	return v;
}

static void leave(void *visit)
{
	struct visit *v = visit;

	visit_stop_sending(v);
	visit_end_telling(v);
	visit_forget_mail(v);
	free(v->said.address);
	free(v->said.params);
	free(v->helo);
	free(v);
}

static void *store(void *visit, void *usual)
{
	struct visit *v = visit;

	v->visitor.maildir = usual;
	return &v->visitor;
}

static void secured(void *visit, const struct tls_facts *facts,
		    const char *trouble)
{
	struct visit *v = visit;

	/* RFC 3207 4.2: what was said in the clear is forgotten. */
	visit_forget_mail(v);
	v->is_tls = !trouble;
	v->is_esmtp = false;
	free(v->helo);
	v->helo = NULL;
	visit_tell_handshake(v, facts, trouble);
}

static enum mischief_turn after(void *visit, struct buffer *out, size_t said)
{
	enum mischief_turn turn = visit_truncate(visit, out, said);
	enum mischief_turn other = visit_after(visit, out, said);

	return turn == MISCHIEF_GO ? other : turn;
}

const struct mischief_verbs visit_verbs = {
	.enter = enter,
	.leave = leave,
	.context = visit_context,
	.store = store,
	.before = visit_before,
	.after = after,
	.body = visit_body,
	.handshake = visit_handshake,
	.hello = visit_hello,
	.secured = secured,
	.send = visit_send,
};
