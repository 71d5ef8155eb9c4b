/*
 * The supervisor: what `postern serve` is.  Binds, starts the resolver and
 * the workers, starts again what dies, passes on the wish to stop.
 */
#ifndef RELAY_SUPERVISE_H
#define RELAY_SUPERVISE_H

/* Runs until told to stop; returns the exit status. */
int supervise_run(const char *conf_path);

#endif
