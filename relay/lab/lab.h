/*
 * The lab: plays the gateways of a configuration's `lab` sections, so that
 * a sender can be tried against them.
 */
#ifndef RELAY_LAB_LAB_H
#define RELAY_LAB_LAB_H

/* Runs until SIGTERM or SIGINT; returns the exit status.  NULL: the example
 * is played. */
int lab_run(const char *conf_path);

#endif
