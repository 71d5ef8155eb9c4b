/*
 * The client side of AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN.  Pure.
 * What is written holds a secret: the caller wipes its buffer.
 */
#ifndef RELAY_SMTP_AUTH_H
#define RELAY_SMTP_AUTH_H

#include "conf/bytes.h"

/* Mechanisms, as a mask. */
enum { AUTH_PLAIN = 1, AUTH_LOGIN = 2 };

/* The mechanisms we know among those that an EHLO line offers
 * ("PLAIN LOGIN GSSAPI", what stands behind `AUTH ` or `AUTH=`). */
unsigned auth_offered(struct view mechanisms);
/* The base64 of NUL user NUL password. */
void auth_plain(struct buffer *out, const char *user, const char *password);
/* One answer of LOGIN, as base64. */
void auth_base64(struct buffer *out, struct view bytes);
/* True when a server's text holds the password or eight characters in a row
 * of what was sent to prove it. */
bool auth_is_told(const char *text, const char *user, const char *password);

#endif
