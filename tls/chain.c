/*
 * Path building and validation (RFC 5280 6.1), by a search from the leaf
 * upwards.  A path ends at the first anchor that makes its last
 * signature; of several failures the one that got furthest is told.  The
 * number of signatures tried is bounded, for a peer may send certificates
 * that all seem to have issued each other.
 *
 * Not asked: revocation, certificate policies, and of an anchor its dates
 * and its own signature (RFC 5280 6.1.1 d) - the operator vouches for it.
 */
#include "tls/chain.h"

#include "tls/constraints.h"
#include "tls/names.h"
#include "tls/signature.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIGNATURES_MAX = 64 };

/* How far a path got before it failed. */
enum reach { REACH_NOWHERE, REACH_ISSUER, REACH_ANCHOR };

struct search {
	const struct chain_question *question;
	struct tls_facts *facts;
	struct cert certs[FACTS_CHAIN_MAX];
	size_t count;
	const struct cert *path[FACTS_CHAIN_MAX + 1]; /* leaf first */
	size_t depth;              /* certificates on the path */
	unsigned signatures;       /* tried so far */
	enum reach reach;          /* of the failure that is told */
};

void chain_date(int64_t seconds, char out[16])
{
	time_t when = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(out, 16, "%Y-%m-%d", &tm))
		(void)snprintf(out, 16, "(no date)");
}

static void fail(struct search *s, enum reach reach, enum chain_verdict why,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));
static void fail(struct search *s, enum reach reach, enum chain_verdict why,
		 const char *format, ...)
{
	va_list args;

	if (s->facts->chain != CHAIN_NOT_ASKED && reach <= s->reach)
		return;
	s->reach = reach;
	s->facts->chain = why;
	va_start(args, format);
	(void)vsnprintf(s->facts->chain_reason, FACTS_TEXT_MAX, format, args);
	va_end(args);
}

/* --- rules for one certificate --------------------------------------- */

/* A title short enough for two of them in a reason. */
static const char *title(struct view name, char out[FACTS_TEXT_MAX])
{
	cert_title(name, out);
	if (strlen(out) > 80)
		(void)snprintf(out + 77, 4, "...");
	return out;
}

static bool is_timely(struct search *s, const struct cert *cert)
{
	int64_t now = s->question->now;
	char who[FACTS_TEXT_MAX], date[16];

	(void)title(cert->subject, who);
	if (now > cert->not_after) {
		chain_date(cert->not_after, date);
		fail(s, REACH_ANCHOR, CHAIN_EXPIRED,
		     "certificate \"%s\" expired on %s", who, date);
		return false;
	}
	if (now < cert->not_before) {
		chain_date(cert->not_before, date);
		fail(s, REACH_ANCHOR, CHAIN_NOT_YET_VALID,
		     "certificate \"%s\" is not valid before %s", who, date);
		return false;
	}
	return true;
}

static bool serves(const struct cert *cert, bool as_client)
{
	return !cert->has_purposes ||
	       (as_client ? cert->is_for_clients : cert->is_for_servers);
}

/* Every certificate on the path must serve the same end: for a client its
 * own, if the path serves it. */
static bool has_purpose(struct search *s, const struct cert *cert)
{
	char who[FACTS_TEXT_MAX];
	bool as_client = s->question->is_client;
	size_t i;

	for (i = 0; i < s->depth && as_client; i++)
		as_client = serves(s->path[i], true);
	if (serves(cert, as_client))
		return true;
	fail(s, REACH_ANCHOR, CHAIN_WRONG_PURPOSE,
	     s->question->is_client
		     ? "certificate \"%s\" is meant neither for servers nor "
		       "for clients"
		     : "certificate \"%s\" is not meant for servers (no "
		       "serverAuth)",
	     title(cert->subject, who));
	return false;
}

static bool is_understood(struct search *s, const struct cert *cert)
{
	char who[FACTS_TEXT_MAX];

	if (!cert->has_unknown_critical)
		return true;
	fail(s, REACH_ANCHOR, CHAIN_UNREADABLE,
	     "certificate \"%s\" bears a critical extension that is not "
	     "understood", title(cert->subject, who));
	return false;
}

static bool has_strong_key(struct search *s, const struct cert *cert)
{
	char who[FACTS_TEXT_MAX], what[32];

	if (!key_is_weak(cert, what))
		return true;
	fail(s, REACH_ANCHOR, CHAIN_WEAK_KEY,
	     "certificate \"%s\" has a weak key (%s)",
	     title(cert->subject, who), what);
	return false;
}

/* The right to issue, with `below` CAs between it and the leaf. */
static bool may_issue(struct search *s, const struct cert *ca, size_t below,
		      bool is_anchor)
{
	char who[FACTS_TEXT_MAX];
	/* an anchor may be of the time before extensions */
	bool is_ca = ca->has_constraints ? ca->is_ca
					 : is_anchor && !ca->has_extensions;

	(void)title(ca->subject, who);
	if (!is_ca || (ca->has_usage && !(ca->usage & USAGE_KEY_CERT_SIGN))) {
		fail(s, REACH_ANCHOR, CHAIN_NOT_A_CA,
		     "\"%s\" issued a certificate and is no CA", who);
		return false;
	}
	if (ca->path_len >= 0 && below > (size_t)ca->path_len) {
		fail(s, REACH_ANCHOR, CHAIN_PATH_TOO_LONG,
		     "\"%s\" allows %d CAs below it and has %zu", who,
		     ca->path_len, below);
		return false;
	}
	return true;
}

/* --- rules for a path ------------------------------------------------ */

static bool obeys_constraints(struct search *s, const struct cert *ca,
			      size_t below)
{
	char who[FACTS_TEXT_MAX], whom[FACTS_TEXT_MAX];
	size_t i;

	for (i = 0; i < below; i++) {
		const struct cert *cert = s->path[i];

		/* 4.2.1.10: not for self-issued ones, but for the leaf */
		if ((i > 0 && cert_is_self_issued(cert)) ||
		    constraints_allow(ca, cert))
			continue;
		fail(s, REACH_ANCHOR, CHAIN_NAME_CONSTRAINT,
		     "\"%s\" may not vouch for the names of \"%s\"",
		     title(ca->subject, who), title(cert->subject, whom));
		return false;
	}
	return true;
}

/* Self-issued certificates do not count (6.1.4 l). */
static size_t cas_below(const struct search *s, size_t index)
{
	size_t i, n = 0;

	for (i = 1; i < index; i++)
		n += !cert_is_self_issued(s->path[i]);
	return n;
}

static bool path_holds(struct search *s, const struct cert *anchor)
{
	size_t i;

	for (i = 0; i < s->depth; i++) {
		const struct cert *cert = s->path[i];

		if (!is_timely(s, cert) || !is_understood(s, cert) ||
		    !has_purpose(s, cert) || !has_strong_key(s, cert))
			return false;
		if (i > 0 && (!may_issue(s, cert, cas_below(s, i), false) ||
			      !obeys_constraints(s, cert, i)))
			return false;
	}
	return has_strong_key(s, anchor) &&
	       may_issue(s, anchor, cas_below(s, s->depth), true) &&
	       obeys_constraints(s, anchor, s->depth);
}

static void keep_verified(struct search *s, const struct cert *anchor)
{
	struct tls_facts *facts = s->facts;
	size_t i;

	facts->verified = must_alloc(s->depth * sizeof(*facts->verified));
	for (i = 1; i < s->depth; i++)
		cert_facts(s->path[i],
			   &facts->verified[facts->verified_count++]);
	cert_facts(anchor, &facts->verified[facts->verified_count++]);
	facts->chain = CHAIN_HOLDS;
	(void)snprintf(facts->chain_reason, FACTS_TEXT_MAX,
		       "issued by \"%.80s\", up to \"%.80s\"",
		       facts->verified[0].subject,
		       facts->verified[facts->verified_count - 1].subject);
}

/* --- the search ------------------------------------------------------ */

/* Both say which key is meant, and do not mean the same. */
static bool means_another_key(const struct cert *child,
			      const struct cert *issuer)
{
	return child->authority_key.len && issuer->subject_key.len &&
	       !view_equal(child->authority_key, issuer->subject_key);
}

/* Did this issuer sign that certificate? */
static bool is_signed(struct search *s, const struct cert *child,
		      const struct cert *issuer)
{
	char who[FACTS_TEXT_MAX], whom[FACTS_TEXT_MAX];

	if (means_another_key(child, issuer))
		return false;
	(void)title(child->subject, who);
	if (signature_is_weak(child)) {
		fail(s, REACH_ISSUER, CHAIN_WEAK_SIGNATURE,
		     "certificate \"%s\" is signed with a weak algorithm "
		     "(SHA-1, MD5 or the like)", who);
		return false;
	}
	if (++s->signatures > SIGNATURES_MAX)
		return false;
	switch (proven_check(s->question->proven, child, issuer->spki)) {
	case SIGNATURE_FITS: return true;
	case SIGNATURE_WRONG:
		fail(s, REACH_ISSUER, CHAIN_BAD_SIGNATURE,
		     "the signature on \"%s\" was not made by \"%s\"", who,
		     title(issuer->subject, whom));
		return false;
	case SIGNATURE_UNKNOWN: break;
	}
	fail(s, REACH_ISSUER, CHAIN_UNREADABLE,
	     "certificate \"%s\" is signed with an unknown algorithm", who);
	return false;
}

static bool is_on_path(const struct search *s, const struct cert *cert)
{
	size_t i;

	for (i = 0; i < s->depth; i++)
		if (s->path[i] == cert ||
		    view_equal(s->path[i]->der, cert->der))
			return true;
	return false;
}

static bool ends_at_anchor(struct search *s, const struct cert *last)
{
	const struct cert *anchor = NULL;

	while ((anchor = anchors_find(s->question->anchors, last->issuer,
				      anchor)))
		if (is_signed(s, last, anchor) && path_holds(s, anchor)) {
			keep_verified(s, anchor);
			return true;
		}
	return false;
}

/* Depth is bounded by the number of certificates, work by the number of
 * signatures. */
static bool climb(struct search *s)
{
	const struct cert *last = s->path[s->depth - 1];
	char who[FACTS_TEXT_MAX];
	size_t i;

	if (ends_at_anchor(s, last))
		return true;
	for (i = 1; i < s->count; i++) {
		const struct cert *next = &s->certs[i];

		if (!view_equal(next->subject, last->issuer) ||
		    is_on_path(s, next) || !is_signed(s, last, next))
			continue;
		s->path[s->depth++] = next;
		if (climb(s))
			return true;
		s->depth--;
	}
	fail(s, REACH_NOWHERE, CHAIN_UNKNOWN_CA,
	     "issued by \"%s\", which leads to no trusted CA",
	     title(last->issuer, who));
	return false;
}

static bool is_anchor_itself(struct search *s)
{
	const struct cert *leaf = &s->certs[0];

	if (!anchors_same(s->question->anchors, leaf))
		return false;
	if (!is_timely(s, leaf) || !is_understood(s, leaf) ||
	    !has_purpose(s, leaf) || !has_strong_key(s, leaf))
		return true;
	s->facts->leaf_is_anchor = true;
	s->facts->chain = CHAIN_HOLDS;
	(void)snprintf(s->facts->chain_reason, FACTS_TEXT_MAX,
		       "the certificate itself is trusted");
	if (cert_is_self_issued(leaf)) {
		s->facts->verified = must_alloc(sizeof(*s->facts->verified));
		s->facts->verified_count = 1;
		cert_facts(leaf, s->facts->verified);
	}
	return true;
}

/* What its own key signed leads nowhere else. */
static bool is_self_signed(struct search *s)
{
	const struct cert *leaf = &s->certs[0];

	if (!cert_is_self_issued(leaf))
		return false;
	fail(s, REACH_NOWHERE, CHAIN_SELF_SIGNED,
	     "the certificate is self-signed and not trusted");
	return signature_check(leaf, leaf->spki) == SIGNATURE_FITS;
}

static void present_others(const struct chain_question *question,
			   struct tls_facts *facts)
{
	struct cert cert;
	size_t i;

	if (question->count < 2)
		return;
	facts->others = must_alloc((question->count - 1) *
				   sizeof(*facts->others));
	for (i = 1; i < question->count; i++)
		if (cert_parse(question->presented[i], &cert) == 0)
			cert_facts(&cert,
				   &facts->others[facts->other_count++]);
}

int chain_present(const struct chain_question *question,
		  struct tls_facts *facts)
{
	struct cert leaf;

	facts->presented = question->count;
	if (question->count == 0) {
		facts->chain = CHAIN_NO_CERTIFICATE;
		(void)snprintf(facts->chain_reason, FACTS_TEXT_MAX,
			       "no certificate was presented");
		return -1;
	}
	if (cert_parse(question->presented[0], &leaf) < 0) {
		facts->chain = CHAIN_UNREADABLE;
		(void)snprintf(facts->chain_reason, FACTS_TEXT_MAX,
			       "the certificate cannot be read");
		return -1;
	}
	cert_facts(&leaf, &facts->leaf);
	facts->leaf_is_expired = question->now > leaf.not_after;
	names_fill(&leaf, facts);
	present_others(question, facts);
	return 0;
}

void chain_verify(const struct chain_question *question,
		  struct tls_facts *facts)
{
	struct search *s;
	size_t i;

	if (facts->chain != CHAIN_NOT_ASKED || question->count == 0)
		return;
	s = must_alloc(sizeof(*s));
	s->question = question;
	s->facts = facts;
	if (cert_parse(question->presented[0], &s->certs[0]) < 0) {
		fail(s, REACH_NOWHERE, CHAIN_UNREADABLE,
		     "the certificate cannot be read");
		free(s);
		return;
	}
	s->count = 1;
	s->path[s->depth++] = &s->certs[0];
	for (i = 1; i < question->count && s->count < FACTS_CHAIN_MAX; i++)
		/* one that cannot be read does no harm beside a path */
		if (cert_parse(question->presented[i],
			       &s->certs[s->count]) == 0)
			s->count++;
	if (!is_anchor_itself(s) && !is_self_signed(s))
		(void)climb(s);
	free(s);
}
