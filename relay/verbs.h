/*
 * What can be said on the command line, one function each.  They get what
 * follows the verb and return an exit status of sysexits.
 */
#ifndef RELAY_VERBS_H
#define RELAY_VERBS_H

int verb_serve(const char *conf_path, int argc, char **argv);
int verb_config_check(const char *conf_path, int argc, char **argv);
int verb_resolve(const char *conf_path, int argc, char **argv);
int verb_explain(const char *conf_path, int argc, char **argv);
int verb_check(const char *conf_path, int argc, char **argv);
int verb_lab(const char *conf_path, int argc, char **argv);

#endif
