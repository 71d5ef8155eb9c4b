/*
 * The reverse question: is a reply to MAIL or RCPT without TLS a refusal for
 * want of TLS?  Pure.
 */
#ifndef RELAY_ASSURE_H
#define RELAY_ASSURE_H

#include "relay/matrix.h"
#include "relay/smtp/reply.h"

/* OK: it refuses; FAIL: it takes mail, or refuses for another reason, so
 * that it cannot be told; TEMP: ask again. */
enum matrix_state assure_state(const struct reply *reply);

#endif
