/*
 * Which way to the DNS is taken under `dnssec = auto`.  What comes in is
 * found by probes of the root zone; what goes out is a way and a text for
 * the log.  An outage never changes a way that was found before: only a
 * resolver that answers, again and again, and proves nothing does.
 */
#include "relay/resolver_dnssec.h"

#include <stddef.h>

enum {
	PAUSE_CERTAIN = 300,
	PAUSE_UNCERTAIN_MAX = 10,
	ROUNDS_TO_BELIEVE = 3, /* a lost packet looks like a stripped one */
};

static struct dnssec_choice choose(enum dnssec_way way, bool is_certain,
				   const char *why)
{
	return (struct dnssec_choice){ .is_made = true,
				       .way = way,
				       .is_certain = is_certain,
				       .why = why };
}

static struct dnssec_choice wait_for(bool recurse)
{
	return (struct dnssec_choice){ .wants_recurse = recurse };
}

static struct dnssec_choice insecure(const struct dnssec_findings *f,
				     const char *why)
{
	bool is_believed = f->uncertain >= ROUNDS_TO_BELIEVE;

	if ((f->now == DNSSEC_FORWARD || f->now == DNSSEC_RECURSE) &&
	    !is_believed)
		return choose(f->now, false,
			      "the root's answers cannot be proven any more; "
			      "asking again");
	return choose(DNSSEC_INSECURE, is_believed, why);
}

/* The resolvers answer, but what they say cannot be proven. */
static struct dnssec_choice stripped(const struct dnssec_findings *f)
{
	if (!f->may_recurse)
		return insecure(f, "the configured resolver strips DNSSEC "
				   "signatures: answers count as insecure");
	switch (f->recurse) {
	case PROBE_PENDING: return wait_for(true);
	case PROBE_SECURE:
		return choose(DNSSEC_RECURSE, true,
			      "the system's resolver strips DNSSEC "
			      "signatures: asking from the root servers on");
	case PROBE_ANSWERED:
	case PROBE_FAILED: break;
	}
	return insecure(f, "the system's resolver strips DNSSEC signatures "
			   "and the root servers cannot be used: answers "
			   "count as insecure");
}

struct dnssec_choice dnssec_choose(const struct dnssec_findings *f)
{
	if (f->is_clock_early)
		return choose(DNSSEC_NOTHING, false,
			      "the clock is before the date of this program: "
			      "no DNSSEC until it is set");
	if (f->forward == PROBE_SECURE)
		return choose(DNSSEC_FORWARD, true, NULL);
	if (f->forward == PROBE_PENDING || f->plain == PROBE_PENDING)
		return wait_for(false);
	if (f->plain == PROBE_ANSWERED)
		return stripped(f);
	if (f->now != DNSSEC_UNDECIDED && f->now != DNSSEC_NOTHING)
		return choose(f->now, false,
			      "the resolver does not answer for the root");
	return choose(DNSSEC_INSECURE, false,
		      "the resolver does not answer for the root: answers "
		      "count as insecure until it does");
}

unsigned dnssec_probe_pause(unsigned uncertain)
{
	if (uncertain == 0)
		return PAUSE_CERTAIN;
	if (uncertain > 4)
		return PAUSE_UNCERTAIN_MAX;
	return 1u << (uncertain - 1);
}
