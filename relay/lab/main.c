/*
 * The lab's program: what only a lab needs is linked here and not into the
 * relay.  `postern lab` runs it.
 */
#include "relay/cli.h"
#include "relay/lab/lab.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

int main(int argc, char **argv)
{
	const char *path = POSTERN_CONF;

	if (argc == 3 &&
	    (strcmp(argv[1], "-c") == 0 || strcmp(argv[1], "--config") == 0)) {
		path = argv[2];
	} else if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("postern-lab " POSTERN_VERSION);
		return EX_OK;
	} else if (argc != 1) {
		fputs("usage: postern-lab [-c FILE]\n", stderr);
		return EX_USAGE;
	}
	return lab_run(path);
}
