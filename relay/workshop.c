/*
 * The folder's queue, opened without anybody who delivers, and the control
 * room behind one connection.  What a crash left is settled as at any
 * start.
 */
#include "relay/workshop.h"

#include <ev.h>
#include <signal.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/log.h"
#include "relay/control.h"

static void on_lane(void *arg, struct lane *lane)
{
	(void)arg, (void)lane;
}

static void on_broken(void *arg, const char *why)
{
	(void)arg;
	log_say(LOG_ERROR, "warning", "spool: %s", why);
}

static void on_idle(void *loop)
{
	ev_break(loop, EVBREAK_ALL);
}

static void say_failed(int fd, const struct error *error)
{
	struct buffer out = { NULL, 0, 0, 0 };
	struct view text;

	buffer_append(&out, VIEW("failed"));
	control_put(&out, error->text);
	buffer_append(&out, VIEW("\n"));
	text = buffer_view(&out);
	send(fd, text.at, text.len, MSG_NOSIGNAL);
	buffer_clear(&out);
}

static int work(const struct conf *conf, const struct folder *folder, int fd)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct queue_settings settings = {
		.spool = conf->spool,
		.worker = folder->number,
		.workers = conf->workers,
		.conf = conf,
		.events = { on_lane, on_lane, on_broken, NULL },
		.is_workshop = true,
		.folder = folder,
	};
	struct control_settings control_settings = {
		.loop = loop,
		.conf = conf,
		.idle = on_idle,
		.arg = loop,
	};
	struct control *control;
	struct error error;

	control_settings.queue = queue_open(loop, &settings, &error);
	if (!control_settings.queue) {
		say_failed(fd, &error);
		return EX_IOERR;
	}
	control = control_new(&control_settings);
	control_adopt(control, fd);
	ev_run(loop, 0);
	control_free(control);
	queue_close(control_settings.queue);
	return EX_OK;
}

/* Doors to other folders would never seem closed while we hold them. */
static void close_others(int lock, int fd)
{
	int low = lock < fd ? lock : fd, high = lock < fd ? fd : lock;

	if (low > 3)
		close_range(3, (unsigned)low - 1, 0);
	if (high > low + 1)
		close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	close_range((unsigned)high + 1, ~0u, 0);
}

int workshop_open(const struct conf *conf, const struct folder *folder,
		  struct door *door, struct error *error)
{
	int ends[2], status;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return error_errno(error, "socketpair");
	door->workshop = fork();
	if (door->workshop == 0) {
		close_others(folder->lock, ends[1]);
		/* A terminal's interrupt is for the command; this finishes
		 * what it is at and sees its door close. */
		signal(SIGINT, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
		log_open(STDERR_FILENO, conf->log_format, LOG_WARNING, "");
		status = work(conf, folder, ends[1]);
		log_close();
		_exit(status);
	}
	close(ends[1]);
	/* The lock lives on in the child alone. */
	close(folder->lock);
	if (door->workshop < 0) {
		door->workshop = 0;
		close(ends[0]);
		return error_errno(error, "fork");
	}
	door->fd = ends[0];
	return 0;
}
