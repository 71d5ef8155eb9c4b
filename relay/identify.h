/*
 * Is a client the partner in whose name it brings mail?  Judged by the
 * same record and the same judge as the partner's gateways (tls/policy.h).
 */
#ifndef RELAY_IDENTIFY_H
#define RELAY_IDENTIFY_H

#include "conf/conf.h"
#include "tls/conn.h"

/* Once per connection and policy; tells the log. */
void identify_client(const struct conn *conn, struct tls_context *context,
		     const struct conf *conf, const struct policy *policy,
		     struct judgement *out);

#endif
