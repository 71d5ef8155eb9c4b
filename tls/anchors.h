/*
 * Trust anchors: the certificates of a file (PEM, DER or PKCS#7), parsed
 * once and found by subject.  Shared by reference count.
 */
#ifndef TLS_ANCHORS_H
#define TLS_ANCHORS_H

#include "conf/error.h"
#include "tls/cert.h"

struct anchors;

/* NULL with the reason when there is not one certificate in it. What
 * cannot be read between others is left out: that trusts less. */
struct anchors *anchors_read(struct view bytes, struct error *error);
struct anchors *anchors_hold(struct anchors *anchors);
void anchors_free(struct anchors *anchors);

size_t anchors_count(const struct anchors *anchors);
/* The next anchor with that subject after `last` (NULL: the first). */
const struct cert *anchors_find(const struct anchors *anchors,
				struct view subject, const struct cert *last);
/* The anchor that is this certificate byte for byte, or NULL. */
const struct cert *anchors_same(const struct anchors *anchors,
				const struct cert *cert);

#endif
