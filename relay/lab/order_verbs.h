/*
 * `postern lab set`, `clear` and `status`: what a lab that runs is told and
 * asked over its control socket.
 */
#ifndef RELAY_LAB_ORDER_VERBS_H
#define RELAY_LAB_ORDER_VERBS_H

/* Each gets what follows its word; an exit status of sysexits.
 * EX_UNAVAILABLE: no lab runs there. */
int verb_lab_set(const char *conf_path, int argc, char **argv);
int verb_lab_clear(const char *conf_path, int argc, char **argv);
int verb_lab_status(const char *conf_path, int argc, char **argv);

#endif
