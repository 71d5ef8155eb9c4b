/*
 * A configuration as it was written: sections, settings and words, each
 * with its place.  What libconfuse parsed, before anything is understood.
 * Private to the reader.
 */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include "conf/files.h"

struct place {
	const char *file; /* owned by the tree */
	unsigned line;
};

struct word {
	char *text;
	struct place at;
};

/* `name = word` or `name = { word, ... }` */
struct setting {
	char *name;
	struct place at;
	struct word *words;
	size_t count; /* 0: an empty list */
};

struct section {
	char *kind;  /* "policy"; "root" for what stands outside */
	char *title; /* NULL for the root */
	struct place at;
	struct setting *settings;
	size_t setting_count;
	struct section *sections;
	size_t section_count;
};

struct tree {
	struct section root;
	char **files; /* absolute paths, in the order of reading */
	size_t file_count;
	uint64_t hash; /* of the bytes of all files */
};

struct option;

/* What may stand in a section: names of options and kinds of sections. */
struct grammar {
	const char *kind;
	const struct option *options; /* a row without a name ends them */
	const struct grammar *const *sections; /* NULL ends them */
};

/*
 * Parses the file and what it includes.  Repeated settings and titles are
 * errors that name both places.  -1 with `file:line: ...`; the tree is then
 * to be cleared all the same.
 */
int tree_read(struct tree *tree, const char *path, struct conf_files *files,
	      const struct grammar *grammar, struct error *error);
void tree_clear(struct tree *tree);

const struct setting *section_find(const struct section *section,
				   const char *name);
/* FNV-1a over length and bytes. */
uint64_t hash_bytes(uint64_t hash, struct view bytes);

#endif
