/*
 * The lab's program: what only a lab needs is linked here and not into the
 * relay.  `postern lab` runs it.  Without a word it plays; with one it
 * speaks to the lab that plays, or reads what that has stored.
 */
#include "relay/cli.h"
#include "relay/lab/announce.h"
#include "relay/lab/lab.h"
#include "relay/lab/letter_verbs.h"
#include "relay/lab/order_verbs.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct {
	const char *word;
	int (*run)(const char *conf_path, int argc, char **argv);
} verbs[] = {
	{ "list", verb_lab_list },	  { "show", verb_lab_show },
	{ "wait", verb_lab_wait },	  { "set", verb_lab_set },
	{ "clear", verb_lab_clear },	  { "status", verb_lab_status },
};

static int usage(const char *what)
{
	fprintf(stderr, "postern lab: what is \"%s\"?\n"
		"`postern help lab` says what can be said\n", what);
	return EX_USAGE;
}

/* Takes `-c FILE`, wherever it stands, out of the arguments. */
static int take_config(int *argc, char **argv, const char **path)
{
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "-c") != 0 &&
		    strcmp(argv[i], "--config") != 0) {
			argv[kept++] = argv[i];
			continue;
		}
		if (i + 1 == *argc)
			return -1;
		*path = argv[++i];
	}
	*argc = kept;
	return 0;
}

int main(int argc, char **argv)
{
	const char *path = NULL;

	if (take_config(&argc, argv, &path)) {
		fputs("postern lab: -c needs a file\n", stderr);
		return EX_USAGE;
	}
	if (argc <= 1)
		return lab_run(path);
	if (strcmp(argv[1], "--version") == 0) {
		puts("postern-lab " POSTERN_VERSION);
		return EX_OK;
	}
	if (strcmp(argv[1], "--faults") == 0) {
		announce_faults(stdout);
		return EX_OK;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].word) == 0)
			return verbs[i].run(path, argc - 2, argv + 2);
	return usage(argv[1]);
}
