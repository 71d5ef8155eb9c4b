/*
 * Asks gateways, side by side, how far mail would get: the very client
 * session that delivers, told to stop.  Nothing goes beyond RCPT; RSET and
 * QUIT follow.
 */
#ifndef RELAY_PROBE_H
#define RELAY_PROBE_H

#include "relay/matrix.h"
#include "relay/survey.h"
#include "tls/context.h"

enum probe_depth {
	PROBE_TLS,   /* up to the judgement: no MAIL */
	PROBE_RCPT,
	PROBE_PLAIN, /* MAIL and RCPT without TLS: is that refused? */
};

enum { PROBE_PARALLEL = 16 };

/* All borrowed; the matrix's conf, policy, sender, recipient and domain
 * say what is asked. */
struct probe_settings {
	struct errand *errand;
	struct tls_context *tls;
	enum probe_depth depth;
	unsigned limit; /* seconds for all of it; 0: by the timeouts alone */
};

/* Rows to ask: every address of every host, and a row that has failed
 * already for each host without one. */
void probe_rows(const struct survey *survey, struct matrix *matrix);
/* Rows for what an attempt would try, in its order. */
void probe_candidates(const struct survey *survey, struct matrix *matrix);
/* Fills the rows, running the errand's loop until all have an end. */
void probe_run(const struct probe_settings *settings, struct matrix *matrix);

#endif
