/*
 * One record's data as it came from the DNS, into the form that the
 * workers use.  Pure: bytes in, a record out.  The bytes are foreign:
 * whatever is not exactly what its type promises is refused.
 */
#ifndef RELAY_DNS_RDATA_H
#define RELAY_DNS_RDATA_H

#include "relay/dns.h"

/*
 * 0, or -1 when the data cannot be used: wrong length, a name that is no
 * host name, more than DNS_RAW_MAX bytes.  The strings of a TXT record
 * (RFC 1035 3.3.14) are joined.
 */
int dns_rdata_read(enum dns_type type, struct view rdata,
		   struct dns_record *record);

#endif
