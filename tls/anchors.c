/*
 * Reading trust files and finding anchors.  An anchor's own copy of the
 * bytes is kept, so that a configuration may go while its anchors are in
 * use.  Found by binary search over the subjects' bytes.
 */
#include "tls/anchors.h"

#include "tls/context.h"
#include "tls/der.h"
#include "tls/pem.h"

#include <stdlib.h>
#include <string.h>

struct anchors {
	struct cert *certs; /* sorted by subject */
	size_t count;
	size_t unreadable;
	unsigned holds;
};

/* --- collecting ------------------------------------------------------ */

static void add_cert(struct anchors *anchors, struct view der)
{
	struct cert cert;
	unsigned char *copy;

	if (cert_parse(der, &cert) < 0) {
		anchors->unreadable++;
		return;
	}
	if (anchors->count % 64 == 0)
		anchors->certs = must_realloc(anchors->certs,
					      (anchors->count + 64) *
						      sizeof(cert));
	copy = must_alloc(der.len);
	memcpy(copy, der.at, der.len);
	(void)cert_parse(view_make(copy, der.len),
			 &anchors->certs[anchors->count++]);
}

/* SignedData of PKCS#7 (RFC 2315 9.1): only its certificates. */
static int add_pkcs7(struct anchors *anchors, struct view der)
{
	struct der info, oid, box, data, element;
	int got;

	if (der_expect(&der, DER_SEQUENCE, &info) < 0 ||
	    der_expect(&info.content, DER_OID, &oid) < 0 ||
	    !der_is(oid.content, "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02") ||
	    der_expect(&info.content, 0xa0, &box) < 0 ||
	    der_expect(&box.content, DER_SEQUENCE, &data) < 0 ||
	    der_expect(&data.content, DER_INTEGER, &element) < 0 ||
	    der_expect(&data.content, DER_SET, &element) < 0 ||
	    der_expect(&data.content, DER_SEQUENCE, &element) < 0 ||
	    der_optional(&data.content, 0xa0, &box) < 1)
		return -1;
	while ((got = der_next(&box.content, &element)) > 0)
		if (element.tag == DER_SEQUENCE)
			add_cert(anchors, element.whole);
	return got;
}

/* A certificate or a PKCS#7 message; OpenSSL's "trusted" form has more
 * behind the certificate. */
static int add_der(struct anchors *anchors, struct view der)
{
	struct der first;

	if (add_pkcs7(anchors, der) == 0)
		return 0;
	if (der_expect(&der, DER_SEQUENCE, &first) < 0)
		return -1;
	add_cert(anchors, first.whole);
	return 0;
}

/* Takes the next block of PEM from the front; false when there is none. */
static bool add_pem_block(struct anchors *anchors, struct view *rest)
{
	struct buffer der = { 0 };
	int got = pem_next(rest, &der);

	if (got < 0 || (got > 0 && add_der(anchors, buffer_view(&der)) < 0))
		anchors->unreadable++;
	buffer_clear(&der);
	return got != 0;
}

/* --- the face -------------------------------------------------------- */

static int compare(struct view a, struct view b)
{
	int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_subject(const void *a, const void *b)
{
	const struct cert *left = a, *right = b;

	return compare(left->subject, right->subject);
}

struct anchors *anchors_read(struct view bytes, struct error *error)
{
	struct anchors *anchors = must_alloc(sizeof(*anchors));
	struct view rest = bytes;

	anchors->holds = 1;
	while (add_pem_block(anchors, &rest))
		;
	if (anchors->count == 0)
		(void)add_der(anchors, bytes);
	if (anchors->count == 0) {
		error_set(error, anchors->unreadable
				  ? "no certificate in it can be read"
				  : "holds no certificate (PEM, DER or "
				    "PKCS#7)");
		anchors_free(anchors);
		return NULL;
	}
	qsort(anchors->certs, anchors->count, sizeof(*anchors->certs),
	      by_subject);
	return anchors;
}

struct anchors *anchors_hold(struct anchors *anchors)
{
	anchors->holds++;
	return anchors;
}

void anchors_free(struct anchors *anchors)
{
	size_t i;

	if (!anchors || --anchors->holds > 0)
		return;
	for (i = 0; i < anchors->count; i++)
		free((void *)(uintptr_t)anchors->certs[i].der.at);
	free(anchors->certs);
	free(anchors);
}

size_t anchors_count(const struct anchors *anchors)
{
	return anchors ? anchors->count : 0;
}

const struct cert *anchors_find(const struct anchors *anchors,
				struct view subject, const struct cert *last)
{
	size_t low = 0, high = anchors_count(anchors);

	if (last) {
		low = (size_t)(last - anchors->certs) + 1;
		return low < anchors->count &&
				       view_equal(anchors->certs[low].subject,
						  subject)
			       ? &anchors->certs[low]
			       : NULL;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(anchors->certs[middle].subject, subject) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < anchors_count(anchors) &&
			       view_equal(anchors->certs[low].subject, subject)
		       ? &anchors->certs[low]
		       : NULL;
}

const struct cert *anchors_same(const struct anchors *anchors,
				const struct cert *cert)
{
	const struct cert *a = NULL;

	while ((a = anchors_find(anchors, cert->subject, a)))
		if (view_equal(a->der, cert->der))
			return a;
	return NULL;
}

int tls_check_trust(struct view bytes, size_t *count, struct error *error)
{
	struct anchors *anchors = anchors_read(bytes, error);

	if (!anchors)
		return -1;
	*count = anchors->count;
	anchors_free(anchors);
	return 0;
}
