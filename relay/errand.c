/*
 * Comes in: the configuration's path.  Goes out: a checked snapshot, a loop
 * and a way to ask the DNS.  Owns all of them and the resolver process,
 * which ends with its channel.
 */
#include "relay/errand.h"

#include "conf/files.h"
#include "relay/channel.h"
#include "relay/spawn.h"
#include "relay/vet.h"
#include "tls/context.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static int start_resolver(struct errand *errand, int bundle, int *socket,
			  struct error *error)
{
	int ends[2], pair[2];
	struct spawn spawn = { .role = "resolver", .bundle = bundle };
	struct channel_message client = { .kind = CHANNEL_CLIENT };

	if (channel_pair(ends, error))
		return -1;
	if (channel_pair(pair, error)) {
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	spawn.channel = ends[1];
	client.fd = pair[1];
	channel_send(ends[0], &client);
	errand->resolver = spawn_child(&spawn, error);
	close(ends[1]);
	close(pair[1]);
	if (errand->resolver > 0) {
		errand->channel = ends[0];
		*socket = pair[0];
		return 0;
	}
	close(ends[0]);
	close(pair[0]);
	return -1;
}

static int read_conf(struct errand *errand, const char *conf_path,
		     struct error *error)
{
	errand->files = files_disk();
	errand->conf = conf_read(conf_path, errand->files, error);
	return errand->conf ? vet_conf(errand->conf, error) : -1;
}

static void forget(struct errand *errand)
{
	conf_free(errand->conf);
	files_free(errand->files);
	memset(errand, 0, sizeof(*errand));
}

int errand_begin(struct errand *errand, const char *conf_path,
		 struct error *error)
{
	int bundle, socket, status;

	memset(errand, 0, sizeof(*errand));
	/* A host that hangs up is an answer, not the end of us. */
	signal(SIGPIPE, SIG_IGN);
	tls_start();
	if (read_conf(errand, conf_path, error)) {
		forget(errand);
		return EX_CONFIG;
	}
	bundle = files_seal(errand->files, conf_path, error);
	status = bundle < 0 ? -1
			    : start_resolver(errand, bundle, &socket, error);
	if (bundle >= 0)
		close(bundle);
	if (status) {
		forget(errand);
		return EX_OSERR;
	}
	/* What a session logs for an operator, a command says itself. */
	log_open(STDERR_FILENO, errand->conf->log_format, LOG_ERROR, "");
	errand->loop = ev_loop_new(EVFLAG_AUTO);
	errand->dns = dns_new(errand->loop, socket);
	return 0;
}

void errand_run(struct errand *errand)
{
	ev_run(errand->loop, 0);
}

void errand_done(struct errand *errand)
{
	ev_break(errand->loop, EVBREAK_ALL);
}

void errand_end(struct errand *errand)
{
	dns_free(errand->dns);
	/* What is left are connections that were finished. */
	ev_run(errand->loop, 0);
	close(errand->channel);
	while (waitpid(errand->resolver, NULL, 0) < 0 && errno == EINTR)
		;
	ev_loop_destroy(errand->loop);
	log_close();
	forget(errand);
}
