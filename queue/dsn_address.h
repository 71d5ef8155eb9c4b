/*
 * Addresses of type utf-8 in reports and ORCPT (RFC 6533 3).  Pure.
 */
#ifndef QUEUE_DSN_ADDRESS_H
#define QUEUE_DSN_ADDRESS_H

#include "conf/bytes.h"

/*
 * Appends an address, `\x{HEX}` in it meaning a character.  `utf8`: as
 * UTF-8 (utf-8-addr-unitext); else in ASCII (utf-8-addr-xtext).  Control
 * characters never come out as such.
 */
void dsn_address(struct buffer *out, const char *address, bool utf8);

#endif
