/*
 * The configuration of a lab for which none is given: docs/examples/
 * lab-tuv.conf as it was when this was built.
 */
#ifndef RELAY_LAB_EXAMPLE_H
#define RELAY_LAB_EXAMPLE_H

#include "conf/conf.h"
#include "conf/files.h"

/* conf_read() of that path; NULL: of the example, as if it lay in the
 * current folder. */
struct conf *example_read(const char *path, struct conf_files *files,
			  struct error *error);

#endif
