/*
 * The short-lived loader: reads a configuration and every file that it
 * names, checks it, and hands a sealed bundle of it to the supervisor.
 */
#ifndef RELAY_LOADER_H
#define RELAY_LOADER_H

#include "conf/conf.h"

/* The loader process itself; returns the exit status.  What is wrong goes
 * to standard error. */
int loader_run(const char *path, int channel);

/* Starts a loader and waits for it.  EX_OK and the bundle's descriptor, or
 * the loader's exit status after it said what is wrong. */
int loader_load(const char *path, int *bundle, struct error *error);

/* A child's or the supervisor's snapshot from the bundle; ends the process
 * when that cannot be: the loader has read the same before. */
struct conf_files;
struct conf *loader_conf(int bundle, struct conf_files **files);

#endif
