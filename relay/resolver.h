/*
 * The resolver process: the only one that speaks DNS.  Workers' sockets
 * come over the channel; each carries questions in and answers out.
 */
#ifndef RELAY_RESOLVER_H
#define RELAY_RESOLVER_H

#include "conf/conf.h"

/* Runs until the channel ends; returns the exit status. */
int resolver_run(const struct conf *conf, int channel);

#endif
