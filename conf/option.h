/*
 * Options: one row each, saying what it is called, how its words are
 * understood, where the value goes, its default and its bounds.  Private
 * to the reader.
 */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H

#include "conf/conf.h"
#include "conf/tree.h"

/* What a reading has at hand. */
struct reading {
	struct conf *conf;
	struct conf_files *files;
	struct error *error;
};

struct option;
/* Understands the setting's words and stores them below `base`. 0, or -1 with
 * `file:line: ...`. */
typedef int option_set(struct reading *r, const struct option *option,
		       const struct setting *setting, void *base);

struct choice {
	const char *word; /* NULL ends the list */
	int value;
};

struct option {
	const char *name; /* NULL ends the table */
	option_set *set;
	size_t at;              /* offset of the value */
	const char *by_default; /* as the operator would write it, words
				 * separated by blanks; NULL: leave alone */
	uint64_t min, max;
	const struct choice *choices;
	size_t count_at;        /* offset of an array's count */
};

/* Applies a section's settings, and defaults where there are none. */
int options_apply(struct reading *r, const struct option *table,
		  const struct section *section, void *base);

/* Sets `file:line: text` and returns -1. */
int option_fault(struct reading *r, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* As above: `file:line: name = "word": text`. */
int option_wrong(struct reading *r, const struct option *option,
		 const struct word *word, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The one word of a setting; NULL with the error when there is not one. */
const struct word *option_word(struct reading *r, const struct option *option,
			       const struct setting *setting);
/* Text "file:line", to be freed. */
char *place_text(struct place at);

/* One word; min and max bound length, number, bytes or seconds. */
option_set set_text;    /* char * */
option_set set_count;   /* uint32_t */
option_set set_port;    /* uint16_t */
option_set set_size;    /* uint64_t; K, M, G */
option_set set_seconds; /* uint32_t; s, m, h, d, w */
option_set set_flag;    /* bool; yes, no */
option_set set_choice;  /* int or enum; choices */
option_set set_host;    /* char *, canonical */
option_set set_path;    /* char *, absolute */
option_set set_file;    /* struct conf_blob */
option_set set_mailbox; /* struct address * */
option_set set_address; /* struct net_address; max is the default port,
			 * 0: no port may be given */
/* Several words. */
option_set set_addresses; /* struct net_address *, as set_address */
option_set set_blocks;    /* struct net_block * */
option_set set_strings;   /* struct strings; as they are */
option_set set_patterns;  /* struct strings; canonical, sorted */

/* The pattern of a policy or of relay-domains in canonical form, to be
 * freed; NULL with the reason. */
char *pattern_canonical(struct view text, struct error *error);
/* Owned copy of a file: 0, or -1 with `path: reason`; empty is an error. */
int blob_read(struct reading *r, char *path, struct conf_blob *blob);
void blob_clear(struct conf_blob *blob);
void strings_add(struct strings *strings, char *text); /* takes text */
void strings_clear(struct strings *strings);

#endif
