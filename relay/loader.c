/*
 * The short-lived loader.  It alone opens the files of the configuration,
 * keys included, while it may still be root; what it read goes on as a
 * sealed memfd, so that all processes work from the same bytes.
 */
#include "relay/loader.h"

#include "conf/files.h"
#include "relay/channel.h"
#include "relay/privs.h"
#include "relay/spawn.h"
#include "relay/spool.h"
#include "relay/vet.h"
#include "tls/context.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static int add_self_signed(const struct conf *conf, const struct privs *privs,
			   struct conf_files *files, struct error *error)
{
	char *path;
	struct view bytes;
	int status;

	if (!spool_needs_certificate(conf))
		return 0;
	if (spool_make_certificate(conf, privs, error))
		return -1;
	path = spool_certificate_path(conf->spool);
	status = files_get(files, path, &bytes, error);
	if (status == 0 && tls_check_pair(bytes, bytes, error))
		status = error_prefix(error, "%s", path);
	free(path);
	return status;
}

static int load(const char *path, struct conf_files *files, int channel,
		struct error *error)
{
	struct channel_message message = { .kind = CHANNEL_BUNDLE };
	struct conf *conf = conf_read(path, files, error);
	struct privs privs;
	int status = EX_CONFIG;

	if (!conf)
		return EX_CONFIG;
	if (vet_conf(conf, error) || privs_find(conf, &privs, error) ||
	    spool_prepare(conf, &privs, error) ||
	    add_self_signed(conf, &privs, files, error))
		goto out;
	message.fd = files_seal(files, path, error);
	if (message.fd < 0)
		goto out;
	status = channel_send(channel, &message) ? EX_OSERR : EX_OK;
	close(message.fd);
out:
	conf_free(conf);
	return status;
}

int loader_run(const char *path, int channel)
{
	struct conf_files *files;
	struct error error = { .text = "the supervisor is gone" };
	int status;

	privs_guard_memory();
	tls_start();
	files = files_disk();
	status = load(path, files, channel, &error);
	if (status != EX_OK)
		fprintf(stderr, "postern: %s\n", error.text);
	files_free(files);
	return status;
}

static int exit_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EX_OSERR;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

int loader_load(const char *path, int *bundle, struct error *error)
{
	struct spawn spawn = { .role = "loader",
			       .argument = path,
			       .bundle = -1 };
	struct channel_message message;
	int ends[2], status;
	pid_t pid;

	*bundle = -1;
	if (channel_pair(ends, error))
		return EX_OSERR;
	spawn.channel = ends[1];
	pid = spawn_child(&spawn, error);
	close(ends[1]);
	status = pid < 0 ? EX_OSERR : exit_status(pid);
	if (status == EX_OK && channel_receive(ends[0], &message) > 0 &&
	    message.kind == CHANNEL_BUNDLE)
		*bundle = message.fd;
	close(ends[0]);
	if (status == EX_OK && *bundle < 0) {
		error_set(error, "the loader handed over nothing");
		return EX_SOFTWARE;
	}
	return status;
}

struct conf *loader_conf(int bundle, struct conf_files **files)
{
	struct error error;
	struct conf *conf = NULL;

	*files = files_bundle(bundle, &error);
	if (*files)
		conf = conf_read(files_conf_path(*files), *files, &error);
	if (conf)
		return conf;
	fprintf(stderr, "postern: bundle: %s\n", error.text);
	exit(EX_CONFIG);
}
