/*
 * Doors to the folders of a spool.  See door.h.
 */
#include "relay/door.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "relay/control.h"
#include "relay/workshop.h"

enum {
	TRIES = 30,            /* while a worker starts or stops ... */
	TRY_EVERY = 100,       /* ms */
	SILENCE_MAX = 60,      /* s: something is said all the time */
};

unsigned door_folders(const char *spool)
{
	char path[FOLDER_MAX];
	unsigned count = 0;

	while (count < FOLDER_WORKERS_MAX &&
	       (size_t)snprintf(path, sizeof(path), "%s/worker-%u", spool,
				count) < sizeof(path) &&
	       !access(path, F_OK))
		count++;
	return count;
}

static int connect_to(const char *folder)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int where = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int status;

	snprintf(name.sun_path, sizeof(name.sun_path),
		 "/proc/self/fd/%d/control", where);
	status = where < 0 || fd < 0 ?
			 -1 :
			 connect(fd, (struct sockaddr *)&name, sizeof(name));
	if (where >= 0)
		close(where);
	if (!status)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int door_knock(struct door *door, const char *folder, const char *name)
{
	memset(door, 0, sizeof(*door));
	snprintf(door->name, sizeof(door->name), "%s", name);
	door->fd = connect_to(folder);
	return door->fd < 0 ? -1 : 0;
}

static void name_worker(struct door *door, unsigned folder)
{
	door->folder = folder;
	snprintf(door->name, sizeof(door->name), "worker-%u", folder);
}

int door_try(struct door *door, const char *spool, unsigned folder)
{
	char path[FOLDER_MAX];
	int status = -1;

	memset(door, 0, sizeof(*door));
	door->fd = -1;
	if ((size_t)snprintf(path, sizeof(path), "%s/worker-%u", spool,
			     folder) < sizeof(path))
		status = door_knock(door, path, "");
	name_worker(door, folder);
	return status;
}

static void pause_a_little(void)
{
	struct timespec t = { 0, TRY_EVERY * 1000000L };

	nanosleep(&t, NULL);
}

int door_open(struct door *door, const struct conf *conf, unsigned number,
	      struct error *error)
{
	struct folder folder;

	for (int i = 0; i < TRIES; i++) {
		if (!door_try(door, conf->spool, number))
			return 0;
		switch (folder_try(conf->spool, number, &folder)) {
		case FOLDER_TAKEN:
			return workshop_open(conf, &folder, door, error);
		case FOLDER_EMPTY:
		case FOLDER_NONE:
			door->fd = -1;
			return 0;
		case FOLDER_HELD:
			pause_a_little();
		}
	}
	return error_set(error, "worker-%u has its folder locked and does not "
			 "answer", number);
}

int door_open_new(struct door *door, const struct conf *conf,
		  struct error *error)
{
	struct folder folder;

	memset(door, 0, sizeof(*door));
	door->fd = -1;
	if (folder_take(conf->spool, &folder, error))
		return -1;
	name_worker(door, folder.number);
	return workshop_open(conf, &folder, door, error);
}

int door_say(struct door *door, struct view text, struct error *error)
{
	while (text.len) {
		ssize_t n = send(door->fd, text.at, text.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(error, "%s", door->name);
		text = view_from(text, (size_t)n);
	}
	return 0;
}

/* Takes away the line that was given last. */
static void forget_line(struct door *door)
{
	struct view all = buffer_view(&door->in);
	size_t len = view_index(all, '\0');

	if (len < all.len)
		buffer_consume(&door->in, len + 1);
}

static int fill(struct door *door, struct error *error)
{
	struct pollfd fd = { door->fd, POLLIN, 0 };
	int ready = poll(&fd, 1, SILENCE_MAX * 1000);
	ssize_t n;

	if (ready < 0 && errno == EINTR)
		return 0;
	if (ready <= 0)
		return error_set(error, "%s does not answer", door->name);
	n = recv(door->fd, buffer_reserve(&door->in, 4096), 4096, 0);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0)
		return error_set(error, "%s hung up", door->name);
	buffer_added(&door->in, (size_t)n);
	return 0;
}

int door_hear(struct door *door, struct view *line, struct error *error)
{
	forget_line(door);
	for (;;) {
		struct view all = buffer_view(&door->in);
		size_t len = view_index(all, '\n');

		if (len < all.len) {
			door->in.data[door->in.start + len] = '\0';
			*line = view_first(all, len);
			return 0;
		}
		if (all.len > CONTROL_LINE_MAX * 4)
			return error_set(error, "%s says too much", door->name);
		if (fill(door, error))
			return -1;
	}
}

void door_close(struct door *door)
{
	if (door->fd >= 0)
		close(door->fd);
	buffer_clear(&door->in);
	while (door->workshop && waitpid(door->workshop, NULL, 0) < 0 &&
	       errno == EINTR)
		;
	door->fd = -1;
	door->workshop = 0;
}
