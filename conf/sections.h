/*
 * The sections of a configuration: what each may say, and from the tree
 * into the snapshot.  Private to the reader.
 */
#ifndef CONF_SECTIONS_H
#define CONF_SECTIONS_H

#include "conf/option.h"

extern const struct grammar policy_grammar;
extern const struct grammar certificate_grammar;
extern const struct grammar listen_grammar;
extern const struct grammar zone_grammar;
extern const struct grammar lab_grammar;

/* Each reads all sections of its kind; -1 with `file:line: ...`. */
/* After certificates, which policies name, and listeners. */
int policies_read(struct reading *r, const struct section *root);
int certificates_read(struct reading *r, const struct section *root);
/* After the certificates, which listeners name. */
int listeners_read(struct reading *r, const struct section *root);
int zones_read(struct reading *r, const struct section *root);
int labs_read(struct reading *r, const struct section *root);

/* That a policy which was read holds together. */
int policy_check(struct reading *r, const struct section *section,
		 const struct policy *policy);
/* By its title; NULL: there is none. */
const struct certificate *certificate_find(const struct conf *conf,
					   const char *title);

/* chain and key go together. */
int certificate_check(struct reading *r, const struct section *section,
		      const struct certificate *certificate);
/* ADDRESS:PORT or :PORT into title, where and addresses. */
int listener_parse(struct reading *r, struct place at, const char *text,
		   struct listener *out);
/* The words of `tls` of a listener. */
extern const struct choice listen_levels[];

void lab_clear(struct lab *lab);
void policy_clear(struct policy *policy);
void certificate_clear(struct certificate *certificate);
void listener_clear(struct listener *listener);

/* How many sections of the kind there are. */
size_t sections_count(const struct section *root, const char *kind);
/* The first one from *at on, which then points behind it; NULL: no more. */
const struct section *sections_next(const struct section *root,
				    const char *kind, size_t *at);

#endif
