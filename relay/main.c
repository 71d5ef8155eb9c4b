/*
 * The program: a verb of the command line, or, under a name that only the
 * program itself gives, one of the processes of a relay.
 */
#include "conf/files.h"
#include "relay/cli.h"
#include "relay/loader.h"
#include "relay/resolver.h"
#include "relay/spawn.h"
#include "relay/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int be_worker(const char *argument)
{
	struct worker_settings settings = {
		.channel = SPAWN_CHANNEL,
	};
	struct conf *conf = loader_conf(SPAWN_BUNDLE, &settings.files);
	char name[32];
	int status;

	/* By our own supervisor: children.c. */
	if (sscanf(argument, "%u %d %d", &settings.number, &settings.dead_pid,
		   &settings.dead_signal) < 1)
		return EX_USAGE;
	privs_guard_memory();
	snprintf(name, sizeof(name), "worker-%u", settings.number);
	settings.conf = conf;
	log_open(STDERR_FILENO, conf->log_format, conf->log_level, name);
	status = worker_run(&settings);
	log_close();
	conf_free(conf);
	files_free(settings.files);
	return status;
}

/* It ends with its channel and not by a signal: workers that finish what is
 * in hand still need it. */
static int be_resolver(const char *argument)
{
	struct conf_files *files;
	struct conf *conf = loader_conf(SPAWN_BUNDLE, &files);
	int status;

	(void)argument;
	privs_guard_memory();
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	log_open(STDERR_FILENO, conf->log_format, conf->log_level, "resolver");
	status = resolver_run(conf, SPAWN_CHANNEL);
	log_close();
	conf_free(conf);
	files_free(files);
	return status;
}

static int be_loader(const char *argument)
{
	return loader_run(argument, SPAWN_CHANNEL);
}

static int play(const char *role, const char *argument)
{
	static const struct {
		const char *role;
		int (*be)(const char *argument);
	} roles[] = {
		{"loader",    be_loader  },
		{ "resolver", be_resolver},
		{ "worker",   be_worker  },
	};

	/* A terminal that is closed tells everybody; the supervisor decides. */
	signal(SIGHUP, SIG_IGN);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(role, roles[i].role) == 0)
			return roles[i].be(argument ? argument : "");
	return EX_USAGE;
}

/* Takes `-c FILE`, wherever it stands, out of the arguments. */
static int take_config(int *argc, char **argv, const char **path)
{
	int kept = 0;

	for (int i = 0; i < *argc; i++) {
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

static int help(int argc, char **argv)
{
	int words;
	const struct cli_verb *verb = cli_find(argc, argv, &words);

	if (argc > 0 && !verb) {
		cli_unknown(stderr, argv[0]);
		return EX_USAGE;
	}
	if (verb)
		cli_help_verb(stdout, verb);
	else
		cli_help(stdout);
	return EX_OK;
}

static int obey(int argc, char **argv)
{
	const char *path = cli_default_conf;
	const struct cli_verb *verb;
	int words;

	if (take_config(&argc, argv, &path)) {
		fputs("postern: -c needs a file\n", stderr);
		return EX_USAGE;
	}
	if (argc == 0) {
		cli_help(stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[0], "--version") == 0) {
		cli_version(stdout);
		return EX_OK;
	}
	if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
	    strcmp(argv[0], "-h") == 0)
		return help(argc - 1, argv + 1);
	verb = cli_find(argc, argv, &words);
	if (!verb) {
		cli_unknown(stderr, argv[0]);
		return EX_USAGE;
	}
	if (argc > words && strcmp(argv[words], "--help") == 0) {
		cli_help_verb(stdout, verb);
		return EX_OK;
	}
	return verb->run(path, argc - words, argv + words);
}

/* Nothing of ours may be taken for a standard stream. */
static void fill_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const char *role = argc > 0 ? spawn_role(argv[0]) : NULL;

	fill_standard_streams();
	if (role)
		return play(role, argc > 1 ? argv[1] : NULL);
	return obey(argc - 1, argv + 1);
}
