/*
 * The faults that a gateway (or the DNS) has at this moment.  They can be
 * replaced while the lab runs.  Counting is deterministic: each call of a
 * faults_strike… is one occasion for every fault that it asks about and
 * whose patterns match; `every N` strikes at the N-th, 2N-th, … occasion,
 * `first N` strikes N times and then no more.  Pure.
 */
#ifndef RELAY_LAB_FAULTS_H
#define RELAY_LAB_FAULTS_H

#include "conf/fault.h"

struct faults;

/* What is known of the session at this moment; NULL: nothing yet. */
struct fault_moment {
	const char *from; /* "": the null path */
	const char *to;   /* the recipient at hand; of DNS the name asked for */
	const char **any_to; /* or several, of which one must fit */
	size_t any_count;
};

/* Copies what the configuration lists. */
struct faults *faults_new(const struct fault *list, size_t count);
void faults_free(struct faults *faults);

/* Adds a copy; one of the same name and places is replaced, and its counts
 * begin anew. */
void faults_set(struct faults *faults, const struct fault *fault);
/* Takes away what has the name of `like`, wherever it strikes; NULL: all.
 * How many there were. */
size_t faults_remove(struct faults *faults, const struct fault *like);

size_t faults_count(const struct faults *faults);
/* Borrowed until the set changes. */
const struct fault *faults_at(const struct faults *faults, size_t index);
/* How often it struck. */
uint64_t faults_struck(const struct faults *faults, size_t index);
/* Whether there is one of the kind, without any occasion. */
bool faults_have(const struct faults *faults, enum fault_kind kind);

/* The fault that strikes now, the first of them; NULL: none.  Borrowed until
 * the set changes.  `moment` may be NULL. */
const struct fault *faults_strike(struct faults *faults, enum fault_kind kind,
				  const struct fault_moment *moment);
/* Likewise any of the class. */
const struct fault *faults_strike_class(struct faults *faults,
					enum fault_class class,
					const struct fault_moment *moment);
/* Likewise a kind at a step: those that chose another step are not asked. */
const struct fault *faults_strike_at(struct faults *faults,
				     enum fault_kind kind, enum fault_step step,
				     const struct fault_moment *moment);
/* Likewise any that answers the step with a reply (`code`), whatever its
 * kind: 421-greeting, starttls-454, 450-rcpt. */
const struct fault *faults_strike_reply(struct faults *faults,
					enum fault_step step,
					const struct fault_moment *moment);

#endif
