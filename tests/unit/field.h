/*
 * Deliveries end to end within one process: a real spool, real connections
 * over loopback, next hops that do as they are told.
 */
#ifndef TESTS_UNIT_FIELD_H
#define TESTS_UNIT_FIELD_H

#include "relay/dispatch.h"
#include "tests/unit/queue_rig.h"
#include "tests/unit/sink.h"

enum { SINKS = 4, POLICIES_MAX = 40 };

struct field {
	struct rig rig;
	struct dispatch *dispatch;
	struct tls_context *client, *good, *bad;
	struct sink sinks[SINKS];
	struct policy policies[POLICIES_MAX];
	struct gateway gateways[POLICIES_MAX][3];
	char names[POLICIES_MAX][64], *patterns[POLICIES_MAX];
	char *cert_name[1];
	size_t policy_count;
	unsigned workers;      /* that share all limits */
};

enum what { DELIVERED, DEFERRED, FAILED };

/* For cmocka; *state is the field. certs_make() comes first where there is
 * TLS; else `good` and `bad` are NULL. */
int field_set_up(void **state);
int field_tear_down(void **state);

/* A policy for a domain of its own; then its gateways, in order. */
size_t field_policy(struct field *field, const char *domain,
		    enum tls_level tls);
void field_gateway(struct field *field, size_t policy,
		   const struct sink *sink);
/* Once the policies stand: the queue is opened, deliveries begin. */
void field_begin(struct field *field);
/* A small message. */
void field_send(struct field *field, const char *to);
/* Recipients that came to that end since field_begin(). */
uint64_t field_count(struct field *field, enum what what);
/* Runs until it is so many; seconds at most. */
void field_expect(struct field *field, enum what what, uint64_t count,
		  double seconds);

#endif
