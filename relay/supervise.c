/*
 * The supervisor.  It loads the configuration through a loader, takes the
 * spool's lock, binds while it may still be root, and then only waits: for
 * signals, for children that die, for the time to start them again.  It
 * meets no byte from the network.  When it dies, its children see the end
 * of their channels and stop.
 */
#include "relay/supervise.h"

#include "conf/files.h"
#include "relay/backoff.h"
#include "relay/children.h"
#include "relay/cli.h"
#include "relay/loader.h"
#include "relay/spool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
	KILL_AFTER = 5,	    /* s past stop-limit */
	KILL_AFTER_NOW = 3, /* s after the second signal */
	SLEEP_MAX = 3600,   /* s */
};

enum phase { RUNNING, STOPPING, STOPPING_NOW, RELEASED };

struct supervisor {
	const struct conf *conf;
	struct children children;
	int signals; /* signalfd */
	enum phase phase;
	double deadline; /* kill what is left; only when stopping */
	bool has_served; /* all workers were ready once */
	int status;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void begin_stop(struct supervisor *s)
{
	if (s->phase == RUNNING) {
		s->phase = STOPPING;
		s->deadline = now() + s->conf->stop_limit + KILL_AFTER;
		log_say(LOG_NOTICE, "stopping",
			"finishing what is in hand, "
			"at most %u s",
			s->conf->stop_limit);
		children_tell_workers(&s->children, CHANNEL_STOP);
	} else if (s->phase == STOPPING) {
		s->phase = STOPPING_NOW;
		s->deadline = now() + KILL_AFTER_NOW;
		log_say(LOG_NOTICE, "stopping", "at once");
		children_tell_workers(&s->children, CHANNEL_STOP_NOW);
	}
}

static void describe_death(const struct child *child, int status, char *out,
			   size_t room)
{
	char name[32];

	child_name(child, name, sizeof(name));
	if (WIFSIGNALED(status))
		snprintf(out, room, "%s was ended by signal %d", name,
			 WTERMSIG(status));
	else
		snprintf(out, room, "%s ended with status %d", name,
			 WEXITSTATUS(status));
}

/* What can never work is not tried for ever: a worker that refuses its
 * configuration or spool before any has served. */
static bool is_hopeless(const struct supervisor *s, int status)
{
	return !s->has_served && WIFEXITED(status) &&
	       WEXITSTATUS(status) == EX_CONFIG;
}

static void plan(struct child *child, unsigned pause)
{
	child->is_planned = true;
	child->restart = now() + pause / 1000.0;
}

static void child_died(struct supervisor *s, struct child *child, int status)
{
	pid_t pid = child->pid;
	unsigned pause = children_died(child, now());
	char what[64];

	child->dead_pid = WIFSIGNALED(status) ? pid : 0;
	child->dead_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	describe_death(child, status, what, sizeof(what));
	if (s->phase != RUNNING && !child->is_resolver) {
		if (status != 0)
			log_say(LOG_WARNING, "warning", "%s", what);
		return;
	}
	if (s->phase == RELEASED)
		return;
	if (is_hopeless(s, status)) {
		log_say(LOG_ERROR, "warning", "%s", what);
		s->status = EX_CONFIG;
		begin_stop(s);
		return;
	}
	plan(child, pause);
	log_say(LOG_WARNING, "warning", "%s; starting it again in %u ms", what,
		pause);
}

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child = children_find(&s->children, pid);

		if (child)
			child_died(s, child, status);
	}
}

static void take_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD: reap(s); break;
		case SIGTERM:
		case SIGINT: begin_stop(s); break;
		case SIGHUP:
			log_say(LOG_WARNING, "warning",
				"SIGHUP: a new configuration is read at the "
				"next start only");
			break;
		default: break;
		}
	}
}

static void note_serving(struct supervisor *s, struct child *child)
{
	struct log_line line;

	child->is_serving = true;
	for (size_t i = 1; i < s->children.count; i++)
		if (!s->children.at[i].is_serving)
			return;
	if (s->has_served)
		return;
	s->has_served = true;
	log_begin(&line, LOG_NOTICE, "serving");
	log_num(&line, "workers", (int64_t)s->children.count - 1);
	log_end(&line);
}

static void hear_child(struct supervisor *s, struct child *child)
{
	struct channel_message message;
	int got;

	while ((got = channel_receive(child->channel, &message)) > 0) {
		if (message.fd >= 0)
			close(message.fd);
		if (message.kind == CHANNEL_SERVING && !child->is_resolver)
			note_serving(s, child);
	}
	/* It is dying; SIGCHLD says the rest. */
	if (got < 0) {
		close(child->channel);
		child->channel = -1;
	}
}

static void start(struct supervisor *s, struct child *child)
{
	struct error error;
	char name[32];

	if (children_start(&s->children, child, now(), &error) == 0)
		return;
	child_name(child, name, sizeof(name));
	log_say(LOG_ERROR, "warning", "%s: %s", name, error.text);
	/* Not at once: what is missing is missing in the machine. */
	if (!child->pid)
		plan(child, BACKOFF_FIRST + children_died(child, now()));
}

static void restart_due(struct supervisor *s)
{
	for (size_t i = 0; i < s->children.count; i++) {
		struct child *child = &s->children.at[i];

		if (!child->is_planned || child->restart > now())
			continue;
		child->is_planned = false;
		if (s->phase == RUNNING || child->is_resolver)
			start(s, child);
	}
}

/* False when nobody is left. */
static bool go_on_stopping(struct supervisor *s)
{
	if (s->phase == RUNNING)
		return true;
	if (s->phase != RELEASED && children_running(&s->children, true) == 0) {
		s->phase = RELEASED;
		s->deadline = now() + KILL_AFTER_NOW;
		children_release_resolver(&s->children);
	}
	if (children_running(&s->children, false) == 0)
		return false;
	if (now() >= s->deadline) {
		log_say(LOG_WARNING, "warning", "killing what did not stop");
		children_kill(&s->children);
		s->deadline = now() + SLEEP_MAX;
	}
	return true;
}

static int sleep_time(const struct supervisor *s)
{
	double until = now() + SLEEP_MAX;

	if (s->phase != RUNNING && s->deadline < until)
		until = s->deadline;
	for (size_t i = 0; i < s->children.count; i++) {
		const struct child *child = &s->children.at[i];

		if (child->is_planned && child->restart < until)
			until = child->restart;
	}
	until -= now();
	return until > 0 ? (int)(until * 1000) + 1 : 0;
}

static void run(struct supervisor *s)
{
	struct pollfd *fds = must_alloc((1 + s->children.count) * sizeof(*fds));

	while (go_on_stopping(s)) {
		fds[0] = (struct pollfd){ s->signals, POLLIN, 0 };
		for (size_t i = 0; i < s->children.count; i++)
			fds[1 + i] = (struct pollfd){ s->children.at[i].channel,
						      POLLIN, 0 };
		if (poll(fds, 1 + s->children.count, sleep_time(s)) < 0 &&
		    errno != EINTR)
			break;
		for (size_t i = 0; i < s->children.count; i++)
			if (fds[1 + i].revents)
				hear_child(s, &s->children.at[i]);
		if (fds[0].revents)
			take_signals(s);
		restart_due(s);
	}
	free(fds);
}

static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Blocked before any thread is made, so that none takes them. */
static int open_signals(struct error *error)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return error_errno(error, "signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? error_errno(error, "signalfd") : fd;
}

static void say_warning(void *arg, const char *text)
{
	(void)arg;
	log_say(LOG_WARNING, "warning", "%s", text);
}

static void say_started(const struct conf *conf, const struct privs *privs)
{
	struct log_line line;

	log_begin(&line, LOG_NOTICE, "started");
	log_str(&line, "version", POSTERN_VERSION);
	log_str(&line, "hostname", conf->hostname);
	log_str(&line, "spool", conf->spool);
	log_num(&line, "uid", (int64_t)privs->uid);
	log_end(&line);
	if (privs->uid == 0)
		say_warning(NULL, "all processes run as root; set `user`");
	conf_warnings(conf, say_warning, NULL);
}

static int serve(struct supervisor *s, int bundle, struct error *error)
{
	struct listen_sockets sockets = { 0 };
	struct privs privs;
	int lock, status = EX_CONFIG;

	if (privs_find(s->conf, &privs, error))
		return EX_CONFIG;
	lock = spool_lock(s->conf, error);
	if (lock < 0)
		return EX_TEMPFAIL;
	say_started(s->conf, &privs);
	if (listen_open(s->conf, &sockets, error) == 0) {
		children_init(&s->children, s->conf->workers, &privs, &sockets,
			      bundle);
		for (size_t i = 0; i < s->children.count; i++)
			start(s, &s->children.at[i]);
		run(s);
		status = s->status;
		children_clear(&s->children);
		listen_close(&sockets);
		log_say(LOG_NOTICE, "stopped", "all processes have ended");
	}
	close(lock);
	return status;
}

int supervise_run(const char *conf_path)
{
	struct supervisor supervisor = { .status = EX_OK };
	struct conf_files *files;
	struct conf *conf;
	struct error error = { .text = "" };
	int bundle, status;

	privs_guard_memory();
	umask(077);
	status = loader_load(conf_path, &bundle, &error);
	if (status != EX_OK) {
		if (error.text[0])
			fprintf(stderr, "postern: %s\n", error.text);
		return status;
	}
	conf = loader_conf(bundle, &files);
	supervisor.conf = conf;
	supervisor.signals = open_signals(&error);
	status = EX_OSERR;
	if (supervisor.signals >= 0) {
		raise_limits();
		log_open(STDERR_FILENO, conf->log_format, conf->log_level,
			 "supervisor");
		status = serve(&supervisor, bundle, &error);
		log_close();
		close(supervisor.signals);
	}
	if (error.text[0] && status != EX_OK)
		fprintf(stderr, "postern: %s\n", error.text);
	close(bundle);
	conf_free(conf);
	files_free(files);
	return status;
}
