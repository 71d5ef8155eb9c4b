/*
 * `postern queue export`: messages as files.  An envelope is there only
 * under its name when the body beside it is whole and on the disk.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "relay/control.h"
#include "relay/owner.h"
#include "relay/queue_file.h"
#include "relay/queue_order.h"
#include "relay/queue_print.h"
#include "relay/queue_verbs.h"

enum { PAGE = 64, NAME_ROOM = MESSAGE_ID_LEN + 32 };

struct export {
	struct queue_order order;
	struct browse *browse;
	int folder;
	char ids[PAGE][MESSAGE_ID_LEN + 1]; /* of this page */
	size_t id_count;
	uint64_t done, failed;
	/* of one message */
	struct buffer envelope;
	int body;
	int broken;             /* errno of what could not be written */
};

/* --- files ----------------------------------------------------------- */

static int write_all(int fd, struct view bytes)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n < 0 && errno != EINTR)
			return -1;
		bytes = view_from(bytes, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

static int make_file(const struct export *x, const char *name)
{
	return openat(x->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
					       O_NOFOLLOW, 0600);
}

static int close_file(int fd, int status)
{
	if (!status && fsync(fd))
		status = -1;
	if (close(fd))
		status = -1;
	return status;
}

/* Under its name only when it is whole. */
static int put_file(const struct export *x, const char *name,
		    struct view text)
{
	char draft[NAME_ROOM];
	int fd, status;

	snprintf(draft, sizeof(draft), "%s.new", name);
	fd = make_file(x, draft);
	if (fd < 0)
		return -1;
	status = close_file(fd, write_all(fd, text));
	return status ? -1 : renameat(x->folder, draft, x->folder, name);
}

/* Ours and new, or there and, where much is to come, empty. */
static int open_folder(struct export *x, struct error *error)
{
	const char *path = x->order.path;
	int fd, count = 0;
	DIR *dir;

	if (mkdir(path, 0700) && errno != EEXIST)
		return error_errno(error, "%s", path);
	x->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->folder < 0)
		return error_errno(error, "%s", path);
	fd = fcntl(x->folder, F_DUPFD_CLOEXEC, 3);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return error_errno(error, "%s", path);
	for (const struct dirent *at; (at = readdir(dir));)
		count += *at->d_name != '.';
	closedir(dir);
	if (count && x->order.selector.kind != SELECT_ID)
		return error_set(error, "%s is not empty", path);
	return 0;
}

/* --- one message ------------------------------------------------------ */

static void on_job(void *arg, const struct browse_job *job)
{
	struct export *x = arg;

	if (!buffer_len(&x->envelope))
		queue_file_begin(&x->envelope, job);
	queue_file_job(&x->envelope, job);
}

static bool on_piece(void *arg, struct view bytes)
{
	struct export *x = arg;

	if (!write_all(x->body, bytes))
		return true;
	x->broken = errno;
	return false;
}

/* 1: it is not there any more. */
static int copy_body(struct export *x, const char *id, const char *name,
		     struct error *error)
{
	int rc;

	x->broken = 0;
	x->body = make_file(x, name);
	if (x->body < 0)
		return error_errno(error, "%s", name);
	rc = browse_body(x->browse, id, on_piece, x, error);
	errno = x->broken;
	if (!rc && (x->broken || close_file(x->body, 0)))
		return error_errno(error, "%s", name);
	if (rc || x->broken)
		close(x->body);
	return rc;
}

static int export_message(struct export *x, const char *id,
			  struct error *error)
{
	struct selector selector = { .kind = SELECT_ID };
	struct browse_order order = { .selector = &selector };
	struct browse_place place = { .lane = "" };
	char body[NAME_ROOM], envelope[NAME_ROOM];
	int rc;

	snprintf(body, sizeof(body), "%s.eml", id);
	snprintf(envelope, sizeof(envelope), "%s.envelope", id);
	memcpy(selector.value, id, MESSAGE_ID_LEN);
	buffer_reset(&x->envelope);
	if (browse_jobs(x->browse, &order, &place, on_job, x, error))
		return -1;
	if (!buffer_len(&x->envelope))
		return 0;
	rc = copy_body(x, id, body, error);
	if (!rc && put_file(x, envelope, buffer_view(&x->envelope)))
		rc = error_errno(error, "%s", envelope);
	if (rc)
		unlinkat(x->folder, body, 0);
	x->done += rc == 0;
	return rc < 0 ? -1 : 0;
}

/* --- all that are meant ----------------------------------------------- */

static void on_found(void *arg, const struct browse_job *job)
{
	struct export *x = arg;
	const char *id = job->picked->key.id;

	for (size_t i = 0; i < x->id_count; i++)
		if (!strcmp(x->ids[i], id))
			return;
	if (x->id_count < PAGE)
		memcpy(x->ids[x->id_count++], id, sizeof(x->ids[0]));
}

/* A message that waits for several destinations is met with each. */
static bool is_done(const struct export *x, const char *id)
{
	char name[NAME_ROOM];

	snprintf(name, sizeof(name), "%s.envelope", id);
	return x->order.selector.kind != SELECT_ID &&
	       faccessat(x->folder, name, F_OK, 0) == 0;
}

static void export_page(struct export *x)
{
	struct error error;

	for (size_t i = 0; i < x->id_count; i++) {
		if (is_done(x, x->ids[i]) ||
		    !export_message(x, x->ids[i], &error))
			continue;
		x->failed++;
		fprintf(stderr, "postern: %s: %s\n", x->ids[i], error.text);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%" PRIu64 " messages ...", x->done);
}

/* The page has room for a message with more jobs than fit a page: they are
 * all of one id. */
static int export_all(struct export *x, struct error *error)
{
	struct browse_order order = {
		.selector = &x->order.selector,
		.wants_lane = queue_order_wants_lane,
		.arg = &x->order,
		.room = PAGE,
	};
	struct browse_place place = { .lane = "" };
	int more = 1;

	while (more > 0) {
		x->id_count = 0;
		more = browse_jobs(x->browse, &order, &place, on_found, x,
				   error);
		if (more >= 0)
			export_page(x);
	}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	return more;
}

static int export_holds(struct export *x, struct error *error)
{
	struct holds holds = { NULL, 0 };
	struct buffer text = { NULL, 0, 0, 0 };
	int rc = browse_holds(x->browse, &holds, error);

	for (size_t i = 0; i < holds.count; i++) {
		buffer_append(&text, view_of(selector_kind_word(
					     holds.at[i].rule.kind)));
		control_put(&text, holds.at[i].rule.value);
		buffer_append(&text, VIEW("\n"));
	}
	if (!rc && holds.count && put_file(x, "holds", buffer_view(&text)))
		rc = error_errno(error, "holds");
	buffer_clear(&text);
	holds_clear(&holds);
	return rc;
}

static int open_spool(struct export *x, struct error *error)
{
	if (owner_enter(x->order.conf->spool, error))
		return -1;
	x->browse = browse_open(x->order.conf->spool, error);
	owner_leave();
	return x->browse ? 0 : -1;
}

static int run(struct export *x, struct error *error)
{
	if (open_folder(x, error) || open_spool(x, error) ||
	    export_all(x, error))
		return -1;
	if (x->order.selector.kind == SELECT_ALL && export_holds(x, error))
		return -1;
	return fsync(x->folder) ? error_errno(error, "%s", x->order.path) : 0;
}

int verb_queue_export(const char *conf_path, int argc, char **argv)
{
	struct export *x = must_alloc(sizeof(*x));
	struct error error = { .text = "" };
	int status = queue_order_parse(&x->order, "queue export",
				       TAKES_SELECTOR | TAKES_PATH, argc,
				       argv);

	if (!status)
		status = queue_order_begin(&x->order, conf_path);
	if (status) {
		free(x);
		return status;
	}
	x->folder = -1;
	if (run(x, &error))
		status = queue_order_fail(&error, EX_IOERR);
	else if (x->failed)
		status = EX_IOERR;
	else if (!x->done && x->order.selector.kind == SELECT_ID)
		status = EX_NOINPUT;
	printf("%" PRIu64 " message%s exported to %s\n", x->done,
	       x->done == 1 ? "" : "s", x->order.path);
	if (x->folder >= 0)
		close(x->folder);
	browse_close(x->browse);
	buffer_clear(&x->envelope);
	queue_order_end(&x->order);
	free(x);
	return status;
}
