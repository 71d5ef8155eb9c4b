/*
 * The verbs that are short; a long one has a room of its own.
 */
#include "relay/verbs.h"

#include "conf/bytes.h"
#include "conf/files.h"
#include "relay/cli.h"
#include "relay/privs.h"
#include "relay/supervise.h"
#include "relay/vet.h"
#include "tls/context.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int wants_nothing(int argc, char **argv)
{
	if (argc == 0)
		return 0;
	fprintf(stderr, "postern: what is \"%s\" for?\n", argv[0]);
	return EX_USAGE;
}

int verb_serve(const char *conf_path, int argc, char **argv)
{
	int status = wants_nothing(argc, argv);

	return status ? status : supervise_run(conf_path);
}

static void print_warning(void *arg, const char *text)
{
	(void)arg;
	printf("warning: %s\n", text);
}

int verb_config_check(const char *conf_path, int argc, char **argv)
{
	struct conf_files *files;
	struct conf *conf;
	struct privs privs;
	struct error error;
	int status = wants_nothing(argc, argv);

	if (status)
		return status;
	tls_start();
	files = files_disk();
	conf = conf_read(conf_path, files, &error);
	/* Only root can become the `user`, but anybody may check. */
	if (!conf || vet_conf(conf, &error) ||
	    (geteuid() == 0 && privs_find(conf, &privs, &error))) {
		fprintf(stderr, "postern: %s\n", error.text);
		status = EX_CONFIG;
	} else {
		conf_warnings(conf, print_warning, NULL);
		printf("%s: no errors\n", conf_path);
	}
	conf_free(conf);
	files_free(files);
	return status;
}

/* postern-lab lies beside this program, or is found as any other. */
int verb_lab(const char *conf_path, int argc, char **argv)
{
	char path[PATH_MAX + sizeof("-lab")];
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX);
	/* The name, -c, the file, the words, and the end of them. */
	char **command = must_alloc(((size_t)argc + 4) * sizeof(*command));
	int count = 0;

	command[count++] = must_strdup("postern-lab");
	/* It has a configuration of its own for who gives none. */
	if (conf_path != cli_default_conf) {
		command[count++] = must_strdup("-c");
		command[count++] = must_strdup(conf_path);
	}
	for (int i = 0; i < argc; i++)
		command[count + i] = argv[i];
	if (len > 0) {
		memcpy(path + len, "-lab", sizeof("-lab"));
		execv(path, command);
	}
	execvp(command[0], command);
	fprintf(stderr, "postern: postern-lab: %s\n", strerror(errno));
	for (int i = 0; i < count; i++)
		free(command[i]);
	free(command);
	return EX_UNAVAILABLE;
}
