/*
 * Who may relay, and to whom.  Pure.  Clients inside `relay-from` may send
 * anywhere, everybody else only to `relay-domains`; the postmaster is
 * always let in (RFC 5321 4.5.1).
 */
#ifndef RELAY_ADMIT_H
#define RELAY_ADMIT_H

#include "conf/addr.h"
#include "conf/conf.h"
#include "relay/smtp/answer.h"

/* May this client send anywhere? */
bool admit_client(const struct conf *conf, const struct net_address *client);

/*
 * NULL when the recipient is taken, else the answer that refuses.  The
 * address may be replaced: a bare <postmaster>, and postmaster at our own
 * host name, become the mailbox that admit_postmaster() says.
 */
const struct answer *admit_recipient(const struct conf *conf, bool is_trusted,
				     struct address *recipient);

/*
 * Where mail to the postmaster goes: the `postmaster` option; without it
 * postmaster at the first domain that we relay inward; without that at our
 * host name's parent domain (relay.example.org: example.org), and where
 * the name has no such parent, at the host name itself.
 */
void admit_postmaster(const struct conf *conf, struct address *out);

#endif
