/*
 * The parent's side: forks, hears, logs.  See checkup.h.  The child says
 * lines over a pipe, the first character of each says what it is.
 */
#include "queue/checkup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conf/log.h"
#include "queue/folder.h"
#include "queue/note.h"
#include "queue/repair.h"

enum { TRIES = 3 };

struct checkup {
	pid_t child;
	unsigned tries;
	int pipe, wake[2];
	uint64_t map;
	char folder[FOLDER_MAX];
	enum checkup_stage stage;
	bool is_held_known; /* held was found sound, or set aside */
	bool is_saved, is_over;
	struct buffer heard;
};

static bool has_stores(const char *folder)
{
	static const char *const files[] = { "fresh/data.mdb",
					     "held/data.mdb" };
	char path[FOLDER_MAX + 32];
	bool has = false;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		has |= !access(path, F_OK);
	}
	return has;
}

bool checkup_is_needed(const char *folder, const struct note_found *found)
{
	if (checkup_is_owed(folder))
		return true;
	return found->is_there ? !found->is_clean : has_stores(folder);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the child -------------------------------------------------------- */

/* Nothing of the parent's is touched: no lock, no log, no loop. */
static void be_child(const struct checkup *c, int out, pid_t parent)
{
	log_forked();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	dup2(out, STDIN_FILENO);
	close_range(STDERR_FILENO + 1, ~0u, 0);
	repair_folder(c->folder, c->map, STDIN_FILENO);
	_exit(0);
}

static int start_child(struct checkup *c, struct error *error)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return error_errno(error, "pipe");
	c->tries++;
	c->child = fork();
	if (c->child == 0)
		be_child(c, ends[1], parent);
	close(ends[1]);
	c->pipe = ends[0];
	if (c->child > 0)
		return 0;
	c->child = 0;
	return error_errno(error, "fork");
}

struct checkup *checkup_begin(const char *folder, uint64_t map,
			      struct error *error)
{
	struct checkup *c = must_alloc(sizeof(*c));

	snprintf(c->folder, sizeof(c->folder), "%s", folder);
	c->map = map;
	c->pipe = -1;
	if (pipe2(c->wake, O_CLOEXEC))
		c->wake[0] = c->wake[1] = -1;
	if (!start_child(c, error))
		return c;
	checkup_end(c);
	return NULL;
}

/* --- what it says ----------------------------------------------------- */

static void obey(struct checkup *c, struct view line)
{
	char *text = view_string(view_from(line, 1));

	switch (line.len ? line.at[0] : 0) {
	case REPAIR_FRESH: c->stage = CHECKUP_FRESH; break;
	case REPAIR_HELD: c->is_held_known = true; break;
	case REPAIR_SAVED: c->is_saved = true; break;
	case REPAIR_OVER: c->is_over = true; break;
	case REPAIR_WARNING: log_say(LOG_WARNING, "warning", "%s", text); break;
	case REPAIR_NOTICE: log_say(LOG_NOTICE, "checked", "%s", text); break;
	default: break;
	}
	free(text);
}

static void obey_all(struct checkup *c)
{
	for (;;) {
		struct view all = buffer_view(&c->heard);
		size_t end = view_index(all, '\n');

		if (end == all.len)
			return;
		obey(c, view_first(all, end));
		buffer_consume(&c->heard, end + 1);
	}
}

static void set_aside(const struct checkup *c, const char *name)
{
	char path[FOLDER_MAX + 16], aside[FOLDER_MAX];
	struct error error;

	snprintf(path, sizeof(path), "%s/%s", c->folder, name);
	if (access(path, F_OK))
		return;
	if (folder_set_aside(path, aside, &error))
		log_say(LOG_ERROR, "warning", "%s", error.text);
	else
		log_say(LOG_WARNING, "warning",
			"the check of %s did not "
			"survive: it is set aside as %s",
			path, aside);
}

/* It may have been killed for no fault of the store's: it is tried again.
 * What it dies of each time is not to be touched by anybody. */
static void child_is_gone(struct checkup *c)
{
	struct error error;

	waitpid(c->child, NULL, 0);
	c->child = 0;
	close(c->pipe);
	c->pipe = -1;
	if (!c->is_over && c->tries < TRIES && !start_child(c, &error))
		return;
	if (c->stage < CHECKUP_FRESH)
		set_aside(c, "fresh");
	if (!c->is_held_known)
		set_aside(c, "held");
	c->stage = CHECKUP_OVER;
}

/* False when there is nothing more to hear. */
static bool hear(struct checkup *c)
{
	ssize_t got = read(c->pipe, buffer_reserve(&c->heard, 4096), 4096);

	if (got < 0 && errno == EINTR)
		return true;
	if (got <= 0)
		return false;
	buffer_added(&c->heard, (size_t)got);
	obey_all(c);
	return true;
}

enum checkup_stage checkup_wait(struct checkup *c, enum checkup_stage stage,
				int milliseconds)
{
	int64_t end = now() + milliseconds;

	while (c->stage < stage) {
		struct pollfd fds[] = {
			{ c->pipe, POLLIN, 0 },
			{ c->wake[0], POLLIN, 0 },
		};
		int64_t left = milliseconds < 0 ? -1 : end - now();

		if (milliseconds >= 0 && left <= 0)
			break;
		if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		if (fds[0].revents && !hear(c))
			child_is_gone(c);
	}
	return c->stage;
}

void checkup_stop(struct checkup *c)
{
	if (c->wake[1] >= 0 && write(c->wake[1], "", 1) < 0)
		log_say(LOG_WARNING, "warning", "a check cannot be stopped");
}

bool checkup_is_saved(const struct checkup *c)
{
	return c->is_saved;
}

void checkup_end(struct checkup *c)
{
	if (!c)
		return;
	if (c->child > 0) {
		kill(c->child, SIGKILL);
		waitpid(c->child, NULL, 0);
	}
	if (c->pipe >= 0)
		close(c->pipe);
	for (int i = 0; i < 2; i++)
		if (c->wake[i] >= 0)
			close(c->wake[i]);
	buffer_clear(&c->heard);
	free(c);
}
