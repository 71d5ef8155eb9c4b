/*
 * Which way to the DNS is taken under `dnssec = auto`: decided from what
 * probes of the root zone found.  Pure.
 */
#ifndef RELAY_RESOLVER_DNSSEC_H
#define RELAY_RESOLVER_DNSSEC_H

#include <stdbool.h>
#include <stdint.h>

enum dnssec_way {
	DNSSEC_UNDECIDED,
	DNSSEC_FORWARD,	 /* ask the resolvers and validate what they say */
	DNSSEC_RECURSE,	 /* ask from the root servers on, and validate */
	DNSSEC_INSECURE, /* ask the resolvers; nothing counts as secure but
	                  * zones with an anchor of their own */
	DNSSEC_NOTHING,	 /* the same without even those */
};

enum probe_finding {
	PROBE_PENDING,	/* asked, or not asked yet */
	PROBE_SECURE,	/* the root's data came and was proven */
	PROBE_ANSWERED, /* it came, where nothing is proven */
	PROBE_FAILED,	/* bogus, an error, or silence */
};

struct dnssec_findings {
	enum dnssec_way now;	    /* the way taken so far */
	unsigned uncertain;	    /* uncertain choices in a row before */
	bool is_clock_early;	    /* before this program was built */
	bool may_recurse;	    /* the resolver is the system's default */
	enum probe_finding forward; /* validating, through the resolvers */
	enum probe_finding plain;   /* not validating, through them */
	enum probe_finding recurse; /* validating, from the root servers */
};

struct dnssec_choice {
	bool is_made;	    /* false: wait for more findings */
	bool wants_recurse; /* ... of which that from the roots is needed */
	enum dnssec_way way;
	bool is_certain; /* false: probe again soon */
	const char *why; /* for the log; NULL when all is well */
};

struct dnssec_choice dnssec_choose(const struct dnssec_findings *findings);

/* Seconds until the next probe, after so many uncertain ones in a row. */
unsigned dnssec_probe_pause(unsigned uncertain);

#endif
