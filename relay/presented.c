/*
 * Owns copies of the certificates.  Of the spool's file, which holds the key
 * as well, only certificates are decoded.
 */
#include "relay/presented.h"

#include "relay/spool.h"
#include "tls/chain.h"
#include "tls/pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct finding {
	const struct conf *conf;
	struct conf_files *files;
	struct side *side;
	struct buffer *remarks;
	struct anchors *anchors; /* NULL: there are none here */
};

bool presented_by(const struct listener *listener, const char *title)
{
	return listener->tls != LISTEN_NONE &&
	       (title == NULL || strcmp(listener->title, title) == 0);
}

static void add_der(struct side_certificate *one, struct view der)
{
	unsigned char *copy = must_alloc(der.len);

	memcpy(copy, der.at, der.len);
	one->chain = must_realloc(one->chain,
				  (one->count + 1) * sizeof(*one->chain));
	one->chain[one->count++] = view_make(copy, der.len);
}

static void clear(struct side_certificate *one)
{
	size_t i;

	for (i = 0; i < one->count; i++)
		free((void *)(uintptr_t)one->chain[i].at);
	free(one->chain);
}

static void judge(const struct finding *f, struct side_certificate *one)
{
	struct chain_question question = {
		.presented = one->chain,
		.count = one->count,
		.anchors = f->anchors,
		.now = f->side->now,
	};
	struct tls_facts facts = { 0 };

	chain_verify(&question, &facts);
	one->verdict = facts.chain;
	memcpy(one->reason, facts.chain_reason, sizeof(one->reason));
	facts_clear(&facts);
}

static int add_chain(const struct finding *f, const char *path,
		     struct view pem)
{
	struct side *side = f->side;
	size_t size = (side->certificate_count + 1) *
		      sizeof(*side->certificates);
	struct side_certificate one = { 0 };
	struct buffer der = { 0 };
	struct cert leaf;
	int got;

	while ((got = pem_next(&pem, &der)) > 0)
		add_der(&one, buffer_view(&der));
	buffer_clear(&der);
	if (got < 0 || one.count == 0 || cert_parse(one.chain[0], &leaf)) {
		buffer_printf(f->remarks, "%s: no certificate in it can be "
			      "read\n", path);
		clear(&one);
		return -1;
	}
	judge(f, &one);
	side->certificates = must_realloc(side->certificates, size);
	side->certificates[side->certificate_count++] = one;
	return 0;
}

/* It is made when the relay starts, and its owner's alone to read. */
static int add_self_signed(const struct finding *f)
{
	char *path = spool_certificate_path(f->conf->spool);
	struct error error;
	struct view pem;
	int rc = files_get(f->files, path, &pem, &error);

	if (rc == 0)
		rc = add_chain(f, path, pem);
	else
		buffer_printf(f->remarks, "%s: the self-signed certificate, "
			      "which the relay makes when it first starts, is "
			      "not known\n", error.text);
	free(path);
	return rc;
}

static const struct certificate *of(const struct finding *f, size_t listener)
{
	const struct certificate *own = f->conf->listeners[listener].certificate;

	if (own == NULL && f->conf->certificate_count > 0)
		own = &f->conf->certificates[0];
	return own;
}

static bool is_first(const struct finding *f, const char *title, size_t at)
{
	size_t i;

	for (i = 0; i < at; i++)
		if (presented_by(&f->conf->listeners[i], title) &&
		    of(f, i) == of(f, at))
			return false;
	return true;
}

static int find(const struct finding *f, const char *title)
{
	const struct certificate *one;
	int rc = 0;
	size_t i;

	for (i = 0; i < f->conf->listener_count; i++) {
		if (!presented_by(&f->conf->listeners[i], title) ||
		    !is_first(f, title, i))
			continue;
		one = of(f, i);
		if (one == NULL ? add_self_signed(f)
				: add_chain(f, one->chain.path,
					    one->chain.bytes))
			rc = -1;
	}
	return rc;
}

int presented_find(const struct conf *conf, struct conf_files *files,
		   const char *title, struct side *side,
		   struct buffer *remarks)
{
	struct finding f = { conf, files, side, remarks, NULL };
	struct conf_blob roots;
	struct error ignored;
	int rc;

	if (conf_system_roots(files, &roots) == 0)
		f.anchors = anchors_read(roots.bytes, &ignored);
	if (f.anchors == NULL)
		buffer_append(remarks, VIEW("this system has no roots by which "
					    "a certificate could hold\n"));
	rc = find(&f, title);
	anchors_free(f.anchors);
	return rc;
}

void presented_clear(struct side *side)
{
	size_t i;

	for (i = 0; i < side->certificate_count; i++)
		clear(&side->certificates[i]);
	free(side->certificates);
	side->certificates = NULL;
	side->certificate_count = 0;
}
