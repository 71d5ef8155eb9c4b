/*
 * The lab's certificate authority: a root, an intermediate under the name
 * that the configuration gives it, and certificates of every fault.  ECDSA
 * P-256 unless the fault is another key.  The root stays in the lab's folder
 * from one start to the next, so that it is trusted once; all else is made
 * anew.  With issue.h the only room that knows libcrypto.
 */
#ifndef RELAY_LAB_MINT_H
#define RELAY_LAB_MINT_H

#include "conf/conf.h"

struct mint;

/* Reads root.pem and root.key in `folder`, or makes them. NULL with the
 * reason. */
struct mint *mint_new(const char *folder, const char *title, const char *ca,
		      struct error *error);
void mint_free(struct mint *mint);

/* The root's file; borrowed. */
const char *mint_root_path(const struct mint *mint);

/*
 * A chain, leaf first, and its key, as PEM, for a server of these names (the
 * CN first).  `fault` is one of a certificate, or NULL for a good one.  With
 * key-mismatch the key is another one's.  Wipe the key's buffer after use.
 */
int mint_issue(struct mint *mint, const struct strings *names,
	       const struct fault *fault, struct buffer *chain_pem,
	       struct buffer *key_pem, struct error *error);

#endif
