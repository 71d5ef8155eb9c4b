/*
 * Starts a child.  Everything is closed on exec but standard streams and
 * what is moved to its fixed place here.  Between fork and exec only
 * system calls are made: the parent has threads.
 */
#include "relay/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define ROLE_PREFIX "postern: "

enum { FIRST_FREE = SPAWN_BUNDLE + 1 };

static void say_failed(const char *what)
{
	const char *why = strerrorname_np(errno);
	const char *parts[] = { "postern: child: ", what, ": ",
				why ? why : "error", "\n" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
			return;
}

/* Above the fixed places first, so that no move overwrites another. */
static int place_all(const struct spawn *spawn)
{
	int bundle = -1;
	int channel = fcntl(spawn->channel, F_DUPFD_CLOEXEC, FIRST_FREE);

	if (channel < 0)
		return -1;
	if (spawn->bundle >= 0) {
		bundle = fcntl(spawn->bundle, F_DUPFD_CLOEXEC, FIRST_FREE);
		if (bundle < 0)
			return -1;
	}
	if (dup2(channel, SPAWN_CHANNEL) < 0)
		return -1;
	if (bundle < 0)
		return close(SPAWN_BUNDLE) < 0 && errno != EBADF ? -1 : 0;
	return dup2(bundle, SPAWN_BUNDLE) < 0 ? -1 : 0;
}

/* Descriptors that we inherited from whoever started us go no further. */
static void close_others(void)
{
	close_range(FIRST_FREE, ~0u, 0);
}

static void become_child(const struct spawn *spawn, char *const argv[])
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (place_all(spawn) < 0) {
		say_failed("descriptors");
	} else if (spawn->privs && privs_drop(spawn->privs)) {
		say_failed("dropping privileges");
	} else {
		close_others();
		execv("/proc/self/exe", argv);
		say_failed("/proc/self/exe");
	}
	_exit(EX_OSERR);
}

pid_t spawn_child(const struct spawn *spawn, struct error *error)
{
	char name[64];
	char *argument = spawn->argument ? must_strdup(spawn->argument) : NULL;
	char *argv[] = { name, argument, NULL };
	pid_t pid;

	snprintf(name, sizeof(name), ROLE_PREFIX "%s", spawn->role);
	pid = fork();
	if (pid == 0)
		become_child(spawn, argv);
	if (pid < 0)
		error_errno(error, "fork");
	free(argument);
	return pid;
}

const char *spawn_role(const char *name)
{
	size_t len = strlen(ROLE_PREFIX);

	return strncmp(name, ROLE_PREFIX, len) == 0 ? name + len : NULL;
}
