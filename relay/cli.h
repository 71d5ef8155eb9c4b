/*
 * What the command line says to people: help, version, hints.
 */
#ifndef RELAY_CLI_H
#define RELAY_CLI_H

#include <stdio.h>

#define POSTERN_VERSION "0.1.0"
#define POSTERN_CONF	"/etc/postern/postern.conf"

/* POSTERN_CONF; the path itself when no other is given. */
extern const char cli_default_conf[];

struct cli_verb {
	const char *words;   /* "config check" */
	const char *usage;   /* what follows them */
	const char *summary; /* one line */
	const char *help;    /* more lines, for `help WORDS` */
	/* Gets what follows the words, and the configuration's path. */
	int (*run)(const char *conf_path, int argc, char **argv);
};

extern const struct cli_verb cli_verbs[];
extern const size_t cli_verb_count;

/* The verb whose words begin argv, and how many words it has; NULL. */
const struct cli_verb *cli_find(int argc, char **argv, int *words);
void cli_help(FILE *out);
void cli_help_verb(FILE *out, const struct cli_verb *verb);
void cli_version(FILE *out);
/* Says that there is no such verb, and which one may have been meant. */
void cli_unknown(FILE *out, const char *word);

#endif
