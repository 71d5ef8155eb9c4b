/*
 * `postern lab list`, `show` and `wait`: what arrived, for people and for
 * scripts.  They read the store and need no lab that runs.
 */
#ifndef RELAY_LAB_LETTER_VERBS_H
#define RELAY_LAB_LETTER_VERBS_H

/* Each gets what follows its word; an exit status of sysexits. */
int verb_lab_list(const char *conf_path, int argc, char **argv);
int verb_lab_show(const char *conf_path, int argc, char **argv);
/* EX_TEMPFAIL when the time is over. */
int verb_lab_wait(const char *conf_path, int argc, char **argv);

#endif
