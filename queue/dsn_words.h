/*
 * What a sender can do about a failure, in plain words.  Pure.
 */
#ifndef QUEUE_DSN_WORDS_H
#define QUEUE_DSN_WORDS_H

#include "queue/result.h"

/* By the status (RFC 3463) and by what was not met; never NULL. */
const char *dsn_advice(const struct result *result);

#endif
