/*
 * Comes in: what the server says before the first message, and what the
 * handshake proved.  Goes out: greeting, TLS, judgement, credentials, or an
 * end of the session.  judge() is the only place that sets `may_send`.
 */
#include "relay/smtp/outbound_state.h"

#include <stdio.h>
#include <string.h>

#include "relay/smtp/auth.h"
#include "relay/smtp/proof.h"

static const struct tls_facts in_the_clear;

static void unmet(struct outbound *s)
{
	s->judgement.verdict = JUDGE_NEXT_HOST;
	result_set(&s->trouble, OUTCOME_DEFERRED, BLAME_HOST,
		   s->judgement.code[0] != '\0' ? s->judgement.code : "4.7.0",
		   "%s", s->judgement.reason);
	s->trouble.is_unmet = true;
	proof_verdict(&s->judgement, &s->proof);
	outcome_sign(s, &s->trouble);
	outbound_finish(s, OUTBOUND_UNMET);
}

/* All of a dry run: what would be said, for the log. */
static void imagine(struct outbound *s, const struct tls_facts *facts)
{
	if (s->set.would == NULL)
		return;
	tls_judge(s->set.would, facts, &s->would);
	proof_would(&s->would, &s->proof);
}

static void imagine_trouble(struct outbound *s, enum tls_trouble trouble,
			    const char *detail)
{
	if (s->set.would == NULL)
		return;
	tls_judge_trouble(s->set.would, trouble, detail, &s->would);
	proof_would(&s->would, &s->proof);
}

/* The only place that allows a message to be sent. */
static bool judge(struct outbound *s, const struct tls_facts *facts)
{
	tls_judge(s->set.demand, facts, &s->judgement);
	s->is_judged = true;
	s->may_send = s->judgement.verdict == JUDGE_DELIVER;
	proof_make(s->set.demand, facts, &s->judgement, &s->proof);
	imagine(s, facts);
	if (!s->may_send)
		unmet(s);
	return s->may_send;
}

static bool judge_plaintext(struct outbound *s)
{
	return judge(s, &in_the_clear);
}

static void ready(struct outbound *s);

/* Once the judge allowed that: the words for it are those of what TLS
 * failed by, and so is what the dry run says. */
static void go_in_the_clear(struct outbound *s, enum tls_trouble trouble,
			    const char *detail)
{
	struct judgement why;

	tls_judge_trouble(s->set.demand, trouble, detail, &why);
	if (!judge_plaintext(s))
		return;
	memcpy(s->judgement.reason, why.reason, sizeof(why.reason));
	s->judgement.reason_code = why.reason_code;
	proof_verdict(&s->judgement, &s->proof);
	imagine_trouble(s, trouble, detail);
	ready(s);
}

void opening_tls_failed(struct outbound *s, enum tls_trouble trouble,
			const char *detail)
{
	tls_judge_trouble(s->set.demand, trouble, detail, &s->judgement);
	s->is_judged = true;
	proof_make(s->set.demand, &in_the_clear, &s->judgement, &s->proof);
	imagine_trouble(s, trouble, detail);
	if (s->judgement.verdict != JUDGE_PLAINTEXT_RETRY ||
	    s->set.is_tls_first) {
		unmet(s);
	} else if (trouble == TROUBLE_NOT_OFFERED) {
		go_in_the_clear(s, trouble, detail);
	} else {
		s->excuse.trouble = trouble;
		snprintf(s->excuse.detail, sizeof(s->excuse.detail), "%s",
			 detail);
		result_set(&s->trouble, OUTCOME_DEFERRED, BLAME_HOST, "4.7.0",
			   "%s", s->judgement.reason);
		outcome_sign(s, &s->trouble);
		outbound_finish(s, OUTBOUND_PLAINTEXT);
	}
}

/* --- opening ------------------------------------------------------- */

void opening_compose_nothing(struct outbound *s)
{
	(void)s;
}

void opening_compose_ehlo(struct outbound *s)
{
	memset(&s->offer, 0, sizeof(s->offer));
	buffer_printf(&s->out, "EHLO %s\r\n", s->set.conf->hostname);
}

void opening_compose_helo(struct outbound *s)
{
	memset(&s->offer, 0, sizeof(s->offer));
	buffer_printf(&s->out, "HELO %s\r\n", s->set.conf->hostname);
}

void opening_compose_starttls(struct outbound *s)
{
	buffer_append(&s->out, VIEW("STARTTLS\r\n"));
}

void opening_compose_plain(struct outbound *s)
{
	const struct policy *policy = s->set.demand->policy;

	buffer_append(&s->out, VIEW("AUTH PLAIN "));
	auth_plain(&s->out, policy->user, policy->password);
	buffer_append(&s->out, VIEW("\r\n"));
	s->is_secret = true;
}

void opening_compose_login(struct outbound *s)
{
	buffer_append(&s->out, VIEW("AUTH LOGIN\r\n"));
}

void opening_compose_user(struct outbound *s)
{
	auth_base64(&s->out, view_of(s->set.demand->policy->user));
	buffer_append(&s->out, VIEW("\r\n"));
}

void opening_compose_password(struct outbound *s)
{
	auth_base64(&s->out, view_of(s->set.demand->policy->password));
	buffer_append(&s->out, VIEW("\r\n"));
	s->is_secret = true;
}

static void quit(struct outbound *s)
{
	buffer_append(&s->out, VIEW("QUIT\r\n"));
	outbound_finish(s, OUTBOUND_DONE);
}

void opening_hush(struct outbound *s)
{
	const struct policy *policy = s->set.demand->policy;
	struct reply *reply = &s->reply;

	if (auth_is_told(reply->text, policy->user, policy->password))
		snprintf(reply->text, sizeof(reply->text),
			 "%d %s%sthe server's text repeats the credentials",
			 reply->code, reply->status,
			 reply->status[0] != '\0' ? " " : "");
}

void opening_auth_good(struct outbound *s)
{
	s->is_secret = false;
	outbound_go(s, IDLE);
}

void opening_auth_refused(struct outbound *s)
{
	s->is_secret = false;
	s->auth_failed = true;
	outcome_host_refused(s);
}

static void auth_impossible(struct outbound *s, const char *why)
{
	s->auth_failed = true;
	result_set(&s->trouble, OUTCOME_DEFERRED, BLAME_HOST, "4.7.0", "%s",
		   why);
	buffer_append(&s->out, VIEW("QUIT\r\n"));
	outcome_host_failed(s);
}

/* Greeted, secured as far as it goes, and judged: credentials if there are
 * any, and only to a proven host. */
static void ready(struct outbound *s)
{
	const struct policy *policy = s->set.demand->policy;

	if (s->set.stops_after_shake)
		quit(s);
	else if (policy == NULL || policy->user == NULL)
		outbound_go(s, IDLE);
	else if (!s->is_secure || !s->judgement.is_verified)
		auth_impossible(s, "credentials go only over verified TLS");
	else if (s->offer.auth & AUTH_PLAIN)
		outbound_go(s, PLAIN);
	else if (s->offer.auth & AUTH_LOGIN)
		outbound_go(s, LOGIN);
	else
		auth_impossible(s, "the server offers neither AUTH PLAIN nor "
				   "AUTH LOGIN");
}

static void greeted(struct outbound *s)
{
	if (s->is_secure)
		ready(s);
	else if (s->set.is_plaintext && s->set.excuse != NULL)
		go_in_the_clear(s, s->set.excuse->trouble,
				s->set.excuse->detail);
	else if (s->set.is_plaintext || s->set.demand->level == TLS_NONE) {
		if (judge_plaintext(s))
			ready(s);
	} else if (s->offer.starttls)
		outbound_go(s, STARTTLS);
	else
		opening_tls_failed(s, TROUBLE_NOT_OFFERED, "");
}

void opening_ehlo_good(struct outbound *s)
{
	s->offer.is_extended = true;
	greeted(s);
}

void opening_ehlo_refused(struct outbound *s)
{
	if (s->reply.code / 100 == 5)
		outbound_go(s, HELO);
	else
		outcome_host_refused(s);
}

void opening_helo_good(struct outbound *s)
{
	memset(&s->offer, 0, sizeof(s->offer));
	greeted(s);
}

void opening_starttls_good(struct outbound *s)
{
	/* Whoever wrote them did so in the clear; inside TLS they would
	 * pass for the server's (response injection). */
	if (s->unread > 0)
		opening_tls_failed(
			s, TROUBLE_HANDSHAKE,
			"bytes in the clear behind the reply to STARTTLS");
	else
		outbound_go(s, SHAKE);
}

void opening_starttls_refused(struct outbound *s)
{
	opening_tls_failed(s, TROUBLE_REFUSED, s->reply.text);
}

bool opening_secured(struct outbound *s, const struct tls_facts *facts)
{
	s->is_secure = facts->is_tls;
	/* What was said in the clear is forgotten (RFC 3207 4.2). */
	memset(&s->reply, 0, sizeof(s->reply));
	memset(&s->offer, 0, sizeof(s->offer));
	return judge(s, facts);
}
