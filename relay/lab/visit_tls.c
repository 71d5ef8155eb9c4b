/*
 * What a visit meets of the faults of certificates and TLS.
 */
#include "relay/lab/visit.h"

struct tls_context *visit_context(void *visit, struct tls_context *usual)
{
	const struct visit *v = visit;
	struct faults *faults = v->gateway->faults;

	if (faults_strike(faults, FAULT_NO_STARTTLS, NULL))
		return NULL;
	return usual;
}
