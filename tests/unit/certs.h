/*
 * For tests: certificates made by certs.sh in a temporary folder.
 */
#ifndef TESTS_UNIT_CERTS_H
#define TESTS_UNIT_CERTS_H

#include "conf/bytes.h"

/* Makes them; `few`: only what a handshake needs. 0, or -1. */
int certs_make(bool few);
/* The bytes of a file there ("good.pem"); kept until certs_remove(). */
struct view certs_get(const char *file);
const char *certs_folder(void);
void certs_remove(void);

#endif
