/*
 * Whether a hop, by what it offered, can carry a message to a recipient,
 * and the MAIL and RCPT commands for it.  Pure.  RFC 1870 (SIZE), RFC 6152
 * (8BITMIME), RFC 6531 (SMTPUTF8), RFC 3461 (DSN).
 */
#ifndef RELAY_SMTP_CARRY_H
#define RELAY_SMTP_CARRY_H

#include "queue/envelope.h"
#include "queue/result.h"
#include "relay/smtp/offer.h"

enum carry {
	CARRY_FITS,
	CARRY_LACKS, /* this hop lacks an extension; another may have it */
	CARRY_NEVER, /* too large, or malformed: the result is final */
};

/* Not FITS: *result (outcome, blame, status, text) says why. */
enum carry carry_message(const struct envelope *envelope,
			 const struct offer *offer, struct result *result);
/* Asked for each recipient of a message that fits. */
enum carry carry_recipient(const struct recipient *recipient,
			   const struct offer *offer, struct result *result);

/* Whole command lines. Parameters only as far as they were offered. */
void carry_mail(struct buffer *out, const struct envelope *envelope,
		const struct offer *offer);
void carry_rcpt(struct buffer *out, const struct recipient *recipient,
		const struct offer *offer);

#endif
